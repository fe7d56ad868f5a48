// Package echo is the contact that is always there: it answers after one ring and sends a caller's own sound and picture
// back through a real peer connection, so that one person can test everything. To the hub it is one device inside the
// process that speaks the same envelopes as a socket. It never decodes media: packets go back as they came.
//
// Each call is one goroutine with a mailbox (session.go); pion's callbacks and the hub only post into it. Media takes
// no queue of ours: one goroutine a track reads a packet and writes it (forward.go).
package echo

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"visavis.example/internal/signal"
)

// DefaultMaxCalls is how many calls Echo takes at once when it is told nothing else.
const DefaultMaxCalls = 32

// Defaults and limits.
const (
	defaultRingFor = 2 * time.Second
	connectWithin  = 45 * time.Second // from accepting to a connection
	lostGrace      = 10 * time.Second // for the hub to say how a call ended whose caller closed the connection
	maxMail        = 512              // events waiting for one call; more are dropped, except its end
)

// Contact is the Echo contact. Set the fields, Start, Close.
type Contact struct {
	// Request sends an envelope to the hub as this contact's device and gives the reply. It is called from goroutines of
	// the calls, may block as long as the hub takes, and must return once the hub has stopped.
	Request func(signal.Envelope) (signal.Envelope, error)
	RingFor time.Duration // before it answers; zero: 2 s
	// MaxCalls is how many calls it takes at once; further ones are rejected as busy. Zero: DefaultMaxCalls.
	MaxCalls int
	// IncludeLoopback makes it offer 127.0.0.1 and ::1 as addresses, for installations that listen on loopback.
	IncludeLoopback bool
	Logger          *slog.Logger

	connectWithin, lostGrace time.Duration // zero: as above

	log     *slog.Logger
	mu      sync.Mutex
	started bool
	calls   map[string]*session
	running sync.WaitGroup
}

// Start makes it take calls.
func (c *Contact) Start() error {
	if c.Request == nil {
		return errors.New("echo: no Request")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = c.Logger
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.RingFor <= 0 {
		c.RingFor = defaultRingFor
	}
	if c.MaxCalls <= 0 {
		c.MaxCalls = DefaultMaxCalls
	}
	if c.connectWithin == 0 {
		c.connectWithin = connectWithin
	}
	if c.lostGrace == 0 {
		c.lostGrace = lostGrace
	}
	c.calls, c.started = map[string]*session{}, true
	return nil
}

// Close drops all calls without hanging up and returns when nothing of them runs any more. It waits for running
// Requests: do not call it from where they are answered.
func (c *Contact) Close() {
	c.mu.Lock()
	c.started = false
	for _, s := range c.calls {
		s.end()
	}
	c.mu.Unlock()
	c.running.Wait()
}

// Deliver hands it a push of the hub. It never blocks and never calls Request itself.
func (c *Contact) Deliver(e signal.Envelope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		return
	}
	s := c.calls[e.CallID]
	switch {
	case e.Code == signal.CodeInvite && s == nil:
		c.gotInviteLocked(e)
	case s == nil:
	case e.Code == signal.CodeEnded:
		s.end()
	default:
		s.post(e)
	}
}

func (c *Contact) gotInviteLocked(e signal.Envelope) {
	invite, err := signal.Decode[signal.Invite](e)
	if err != nil {
		c.log.Warn("echo was invited badly", "call", e.CallID, "error", err)
		return
	}
	s := newSession(c, e.CallID, e.FromID, invite)
	if len(c.calls) >= c.MaxCalls {
		c.running.Go(s.reject)
		return
	}
	c.calls[e.CallID] = s
	c.running.Go(func() {
		s.run()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, s.callID)
	})
}

// Calls is how many it is in.
func (c *Contact) Calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.calls)
}
