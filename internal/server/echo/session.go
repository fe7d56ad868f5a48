package echo

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"visavis.example/internal/signal"
)

// session is one call. Its goroutine owns everything but the mailbox.
type session struct {
	contact *Contact
	callID  string
	caller  string
	invite  signal.Invite
	log     *slog.Logger

	servers    []signal.ICEServer
	accepted   time.Time
	connection *connection
	early      []signal.Candidate // before the offer
	patience   *time.Timer        // runs out: the call has failed
	reported   signal.Path
	setup      time.Duration

	mu    sync.Mutex
	mail  []any
	wake  chan struct{} // one element: there is mail
	done  chan struct{} // the call is over
	ended sync.Once
}

// Events of the connection, beside envelopes of the hub.
type (
	localCandidate signal.Candidate
	stateChange    webrtc.PeerConnectionState
	pathChange     signal.Path
	mediaFlows     struct{}
)

func newSession(c *Contact, callID, caller string, invite signal.Invite) *session {
	return &session{
		contact: c, callID: callID, caller: caller, invite: invite, log: c.log.With("call", callID),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

func (s *session) end() { s.ended.Do(func() { close(s.done) }) }

// post never blocks. Beyond maxMail events are dropped: only a flood of candidates gets there, and ICE lives without.
func (s *session) post(event any) {
	s.mu.Lock()
	if len(s.mail) < maxMail {
		s.mail = append(s.mail, event)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *session) take() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	mail := s.mail
	s.mail = nil
	return mail
}

func (s *session) reject() {
	s.try(signal.CallReject, signal.Reject{Reason: signal.EndBusy})
}

// run is the whole call.
func (s *session) run() {
	defer s.end()
	if err := s.answer(); err != nil {
		s.log.Debug("echo did not answer", "error", err)
		return
	}
	s.patience = time.NewTimer(s.contact.connectWithin)
	defer s.patience.Stop()
	defer func() { s.connection.close() }()
	for {
		select {
		case <-s.done:
			return
		case <-s.patience.C:
			s.hangup("no connection")
			return
		case <-s.wake:
		}
		for _, event := range s.take() {
			if err := s.handle(event); err != nil {
				s.hangup(err.Error())
				return
			}
		}
	}
}

// answer rings and accepts; an error means that the call is over.
func (s *session) answer() error {
	if _, err := s.request(signal.CallRinging, nil); err != nil {
		return err
	}
	ring := time.NewTimer(s.contact.RingFor)
	defer ring.Stop()
	select {
	case <-s.done:
		return fmt.Errorf("ended while ringing")
	case <-ring.C:
	}
	s.accepted = time.Now()
	reply, err := s.request(signal.CallAccept, signal.Accept{Video: s.invite.Video})
	if err != nil {
		return err
	}
	accepted, err := signal.Decode[signal.Accepted](reply)
	if err != nil {
		return err
	}
	s.servers = accepted.ICEServers
	s.sendMedia(signal.Media{Camera: s.invite.Video})
	return nil
}

// sendMedia tells the caller what Echo's switches say: the microphone is always on (it sends what it gets, silence
// too), the camera is as the caller's.
func (s *session) sendMedia(callers signal.Media) {
	callers.Microphone = true
	s.try(signal.CallMedia, callers)
}

// try sends what the call can live without.
func (s *session) try(method signal.Method, data any) {
	if _, err := s.request(method, data); err != nil {
		s.log.Debug("echo's request failed", "method", method, "error", err)
	}
}

func (s *session) request(method signal.Method, data any) (signal.Envelope, error) {
	reply, err := s.contact.Request(signal.Envelope{
		Method: method, ToID: s.caller, CallID: s.callID, Data: signal.Encode(data),
	})
	if err == nil && reply.Code == signal.CodeError {
		err = fmt.Errorf("%s: %s", method, reply.Message)
	}
	return reply, err
}

func (s *session) hangup(why string) {
	s.log.Info("echo lost a call", "why", why)
	s.try(signal.CallHangup, signal.Hangup{Reason: signal.EndConnectionFailed})
}

// handle dispatches; an error ends the call.
func (s *session) handle(event any) error {
	switch e := event.(type) {
	case signal.Envelope:
		return s.gotPush(e)
	case localCandidate:
		s.try(signal.MessageCandidate, signal.Candidate{Candidate: e.Candidate, SDPMid: e.SDPMid, SDPMLineIndex: e.SDPMLineIndex})
	case stateChange:
		return s.gotState(webrtc.PeerConnectionState(e))
	case mediaFlows:
		s.setup = time.Since(s.accepted)
		s.report(s.connection.path())
	case pathChange:
		if s.setup > 0 {
			s.report(signal.Path(e))
		}
	}
	return nil
}

func (s *session) gotPush(e signal.Envelope) error {
	switch e.Code {
	case signal.CodeOffer:
		return s.gotOffer(e)
	case signal.CodeCandidate:
		return s.gotCandidate(e)
	case signal.CodeMedia:
		media, err := signal.Decode[signal.Media](e)
		if err != nil {
			return err
		}
		s.sendMedia(media)
	}
	return nil // a second invite, chat
}

// gotOffer answers the first offer with a new connection, later ones (ICE restart, another track) with the same.
func (s *session) gotOffer(e signal.Envelope) error {
	offer, err := signal.Decode[signal.SDP](e)
	if err != nil {
		return err
	}
	if s.connection == nil {
		s.connection, err = newConnection(s, offer.SDP)
		if err != nil {
			return err
		}
	}
	answer, err := s.connection.answer(offer.SDP)
	if err != nil {
		return err
	}
	if _, err := s.request(signal.MessageAnswer, signal.SDP{SDP: answer}); err != nil {
		return err
	}
	early := s.early
	s.early = nil
	for _, c := range early {
		s.connection.add(c)
	}
	return nil
}

func (s *session) gotCandidate(e signal.Envelope) error {
	c, err := signal.Decode[signal.Candidate](e)
	switch {
	case err != nil:
		return err
	case s.connection != nil:
		s.connection.add(c)
	case len(s.early) < maxMail:
		s.early = append(s.early, c)
	}
	return nil
}

func (s *session) gotState(state webrtc.PeerConnectionState) error {
	switch state {
	case webrtc.PeerConnectionStateConnected:
		s.patience.Stop()
	case webrtc.PeerConnectionStateFailed:
		return fmt.Errorf("the connection failed")
	case webrtc.PeerConnectionStateClosed:
		// The caller's end said goodbye. Its hang-up is usually on its way.
		s.patience.Reset(s.contact.lostGrace)
	case webrtc.PeerConnectionStateUnknown, webrtc.PeerConnectionStateNew, webrtc.PeerConnectionStateConnecting,
		webrtc.PeerConnectionStateDisconnected:
	}
	return nil
}

// report tells the hub how media travels, when that is known and new.
func (s *session) report(path signal.Path) {
	if path == s.reported || path == signal.PathUnknown {
		return
	}
	s.reported = path
	s.try(signal.CallReport, signal.Report{Path: path, SetupMs: s.setup.Milliseconds()})
}
