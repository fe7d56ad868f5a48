package server

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// drainWithin is how long a stopping server serves those who have come in already.
const drainWithin = 2 * time.Second

// visits are the connections of the site that owe an answer: new ones, whose request is on its way, and those with one.
type visits struct {
	mu   sync.Mutex
	busy map[net.Conn]struct{}
	none chan struct{} // closed when there are none; nil: nobody waits for that
}

// note is http.Server's ConnState.
func (v *visits) note(c net.Conn, state http.ConnState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if state == http.StateNew || state == http.StateActive {
		if v.busy == nil {
			v.busy = map[net.Conn]struct{}{}
		}
		v.busy[c] = struct{}{}
		return
	}
	delete(v.busy, c)
	v.tellLocked()
}

func (v *visits) tellLocked() {
	if v.none != nil && len(v.busy) == 0 {
		close(v.none)
		v.none = nil
	}
}

// over is closed once nobody is there.
func (v *visits) over() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	over := make(chan struct{})
	v.none = over
	v.tellLocked()
	return over
}

// drain lets nobody in any more and serves who is in. http.Server.Shutdown by itself drops the request of a connection
// that was accepted a moment before: "closed" is what that client would see, where the next process would have served it.
func (s *Server) drain() {
	late := time.NewTimer(drainWithin)
	defer late.Stop()
	for _, step := range []func() <-chan struct{}{s.door.Halt, s.visits.over} {
		select {
		case <-step():
		case <-late.C:
			return
		}
	}
}
