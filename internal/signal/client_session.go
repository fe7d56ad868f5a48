package signal

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrBehind is said when so much has been sent that the server has not acknowledged that no more can be kept.
var ErrBehind = errors.New("the server does not keep up with what is sent to it")

// session is what a Client keeps beyond one socket: both ways' numbers, what the server has not acknowledged, and who
// waits for replies. With a server that does not number (id is empty) it ends with its socket.
type session struct {
	id   string
	lost chan struct{} // closed when it has ended

	mu      sync.Mutex
	at      *socket // nil: cut, and perhaps resumed
	over    bool
	kept    Kept
	got     uint64                   // number of the last message that has come
	told    uint64                   // the last one that was acknowledged
	waiting map[string]chan Envelope // by request id: callers of Request
	expiry  *time.Timer              // while it is cut
}

func newSession(id string, at *socket) *session {
	return &session{id: id, at: at, lost: make(chan struct{}), waiting: map[string]chan Envelope{}}
}

// send gives a message to the socket, or keeps it for the next one.
func (s *session) send(e Envelope) error {
	b, err := encoded(e)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return ErrLost
	case s.id == "":
		return s.at.put(outgoing{message: b})
	case !s.kept.Fits(len(b)):
		return ErrBehind
	}
	seq := s.kept.Add(b)
	if s.at != nil {
		_ = s.at.put(outgoing{b, seq, s}) // if it cannot be written there, it is said again on the next socket
	}
	return nil
}

// arrived takes the numbers of a message; fresh is false for one that has been here. An error means that the two ends do
// not agree any more.
func (s *session) arrived(e Envelope) (fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.kept.Ack(e.Ack); err != nil {
		return false, err
	}
	switch {
	case e.Seq == 0 || s.id == "":
		return true, nil
	case e.Seq <= s.got:
		return false, nil
	case e.Seq > s.got+1:
		return false, fmt.Errorf("%w: %d follows %d", ErrMalformed, e.Seq, s.got)
	}
	s.got = e.Seq
	if s.got-s.told >= AckEvery {
		s.ackLocked()
	}
	return true, nil
}

// ack acknowledges what has come, if nothing else has done so.
func (s *session) ack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != "" && s.got > s.told {
		s.ackLocked()
	}
}

var ackMessage = Encode(Envelope{Method: SessionAck})

func (s *session) ackLocked() {
	if s.at != nil {
		s.told = s.got
		_ = s.at.put(outgoing{ackMessage, 0, s})
	}
}

// tell gives the acknowledgement that goes with what is written now.
func (s *session) tell() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = s.got
	return s.got
}

// ask is what User/Connect says to resume it.
func (s *session) ask() *Resume {
	if s == nil || s.id == "" {
		return &Resume{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Resume{Session: s.id, Got: s.got}
}

// resume goes on with another socket: first what the server says that it has not got.
func (s *session) resume(at *socket, got uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	missed, ok := s.kept.Since(got)
	if s.over || !ok {
		return fmt.Errorf("session not resumed at %d: %w", got, ErrLost)
	}
	for i, m := range missed {
		_ = at.put(outgoing{m, got + 1 + uint64(i), s}) // a socket's queue has room for all that can be kept
	}
	_ = s.kept.Ack(got) // Since knows the number
	s.at = at
	if s.expiry != nil {
		s.expiry.Stop()
	}
	return nil
}

// cut takes the socket away; ended says that the session goes with it. Else expired is called when its time is up.
func (s *session) cut(expired func()) (ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = nil
	if s.id == "" {
		s.endLocked()
	}
	if !s.over {
		s.expiry = time.AfterFunc(ResumeWithin, expired)
	}
	return s.over
}

// expire ends it, unless it has been resumed at the last moment.
func (s *session) expire() (ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at != nil || s.over {
		return false
	}
	s.endLocked()
	return true
}

func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
}

func (s *session) endLocked() {
	if s.over {
		return
	}
	s.over, s.kept = true, Kept{}
	close(s.lost)
	if s.expiry != nil {
		s.expiry.Stop()
	}
}

func (s *session) socket() *socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *session) await(id string) <-chan Envelope {
	ch := make(chan Envelope, 1)
	s.mu.Lock()
	s.waiting[id] = ch
	s.mu.Unlock()
	return ch
}

func (s *session) forget(id string) {
	s.mu.Lock()
	delete(s.waiting, id)
	s.mu.Unlock()
}

// answer gives a reply to the Request that waits for it, if one does.
func (s *session) answer(e Envelope) bool {
	s.mu.Lock()
	ch := s.waiting[e.RequestID]
	delete(s.waiting, e.RequestID)
	s.mu.Unlock()
	if ch == nil {
		return false
	}
	ch <- e
	return true
}
