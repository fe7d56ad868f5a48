package server

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"visavis.example/internal/server/hub"
	"visavis.example/internal/signal"
)

// newsEvery is the hub's: people hear so often who has come or gone.
const newsEvery = 100 * time.Millisecond

const (
	wheelSlots = 10 // a tenth of the sockets is pinged every tenth of the interval
	// pingsAtOnce of that tenth are pinged together, and the others as long after each other as the turn allows: stacks and
	// buffers of a thousand writers, and of as many readers of their answers, are more than all else that idle sockets need.
	pingsAtOnce = 32
)

var (
	errTooManySockets = errors.New("too many sockets of one user")
	errNoSockets      = errors.New("no sockets are taken any more")
)

// sockets is every open socket: for the limit of each user, for pings, and for ending those of a session or all.
type sockets struct {
	running sync.WaitGroup // readers, and writers while they write
	writers writers
	most    int      // of one user
	streams *streams // of those that can be resumed

	mu     sync.Mutex
	byUser map[string]int
	wheel  [wheelSlots]map[*socket]struct{}
	next   int // slot of the next socket
	opened uint64
	closed bool
}

func newSockets(most int) *sockets {
	s := &sockets{most: most, byUser: make(map[string]int)}
	s.writers.running = &s.running
	for i := range s.wheel {
		s.wheel[i] = make(map[*socket]struct{})
	}
	return s
}

// reserve counts a socket that is about to be made; release gives it back when it is not.
func (s *sockets) reserve(userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errNoSockets
	case s.byUser[userID] >= s.most:
		return errTooManySockets
	}
	s.byUser[userID]++
	return nil
}

func (s *sockets) release(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releaseLocked(userID)
}

func (s *sockets) releaseLocked(userID string) {
	if s.byUser[userID]--; s.byUser[userID] <= 0 {
		delete(s.byUser, userID)
	}
}

// start runs a socket that has been reserved.
func (s *sockets) start(k *socket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.releaseLocked(k.session.User.ID)
		return errNoSockets
	}
	s.opened++
	k.slot = s.next
	s.next = (s.next + 1) % wheelSlots
	s.wheel[k.slot][k] = struct{}{}
	s.running.Add(1) // until it is removed
	k.run()
	return nil
}

func (s *sockets) remove(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wheel[k.slot], k)
	s.releaseLocked(k.session.User.ID)
	s.running.Done()
}

// count is how many are open.
func (s *sockets) count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range s.wheel {
		n += len(slot)
	}
	return n
}

// in copies the sockets of one slot that match.
func (s *sockets) in(slot int, match func(*socket) bool) []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	some := make([]*socket, 0, len(s.wheel[slot]))
	for k := range s.wheel[slot] {
		if match(k) {
			some = append(some, k)
		}
	}
	return some
}

// pingAll turns the wheel until quit: every socket is pinged once in the interval. At every turn it calls also.
func (s *sockets) pingAll(every time.Duration, quit <-chan struct{}, also func(now time.Time)) {
	turn := every / wheelSlots
	tick := time.NewTicker(turn)
	defer tick.Stop()
	for slot := 0; ; slot = (slot + 1) % wheelSlots {
		select {
		case now := <-tick.C:
			also(now)
		case <-quit:
			return
		}
		if !spread(s.in(slot, func(*socket) bool { return true }), turn, quit, (*socket).ping) {
			return
		}
	}
}

// spread calls do for all, some at once, over a time that is shorter than turn; false: it was told to quit.
func spread[T any](all []T, turn time.Duration, quit <-chan struct{}, do func(T)) bool {
	pause := turn / time.Duration(len(all)/pingsAtOnce+2)
	for i, one := range all {
		if i > 0 && i%pingsAtOnce == 0 {
			select {
			case <-time.After(pause):
			case <-quit:
				return false
			}
		}
		do(one)
	}
	return true
}

// signOut ends the sockets of a session.
func (s *sockets) signOut(sessionID string) {
	s.signOutIf(func(session, _ string) bool { return session == sessionID })
}

// signOutUser ends the sockets of a person, but for those of the session keep (empty: none is kept).
func (s *sockets) signOutUser(userID, keep string) {
	s.signOutIf(func(session, user string) bool { return user == userID && session != keep })
}

// signOutIf ends the sockets that match, and what could be resumed.
func (s *sockets) signOutIf(match func(sessionID, userID string) bool) {
	for slot := range wheelSlots {
		for _, k := range s.in(slot, func(k *socket) bool { return match(k.session.ID, k.session.User.ID) }) {
			k.signOut()
		}
	}
	s.streams.signOutIf(match)
}

// connects is how many sockets there have been.
func (s *sockets) connects() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// tellStopping tells every client that the server is about to stop, and each another time to come back, so that they do
// not come all at once. The sockets stay as useful as they were until closeAll.
func (s *sockets) tellStopping(within time.Duration) {
	for slot := range wheelSlots {
		for _, k := range s.in(slot, func(k *socket) bool { return k.known.Load() }) {
			after := rand.N(within + 1)
			k.say(hub.Push(signal.ServerStopping, signal.CodeStopping, signal.Stopping{AfterMs: after.Milliseconds()}))
		}
	}
}

// closeAll ends every socket and returns when nothing of them runs any more.
func (s *sockets) closeAll(code int, reason string) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for slot := range wheelSlots {
		for _, k := range s.in(slot, func(*socket) bool { return true }) {
			k.Close(code, reason)
		}
	}
	s.running.Wait()
}
