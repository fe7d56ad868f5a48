package signal

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"
)

// What a Client's calls fail with, beside an *Error from the server.
var (
	ErrNotOnline = errors.New("not connected to the server")
	ErrLost      = errors.New("the connection to the server was lost before the reply")
	ErrClosed    = errors.New("the connection was closed here")
)

// Client is one signed-in socket that comes back by itself: it connects, says User/Connect, hands on what the server
// pushes, and after a loss tries again for ever, with full-jitter pauses, until it is closed or the server says that the
// session is over. When it comes back within ResumeWithin it goes on where it was: both ends say again what the other has
// not got, each message comes once and in order. Set the fields, then Start; Close returns when all of its goroutines have ended.
type Client struct {
	URL     string      // wss://HOST:PORT/ws, from Address.Socket
	Token   string      // the session: Authorization: Bearer
	TLS     *tls.Config // nil: the system's roots
	Connect Connect     // the same DeviceID for the life of the program
	Logger  *slog.Logger

	DeadAfter  time.Duration // silence after which a socket is given up; 0: 20 s. The server pings every 10 s.
	BackoffMin time.Duration // longest first pause between tries; 0: 250 ms
	BackoffMax time.Duration // longest pause of all; 0: 15 s

	events chan Event
	mail   eventQueue
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex
	sess  *session      // nil: never online, or its session could not be resumed
	hurry chan struct{} // the network has changed: the pause between two tries is over
	quit  func()        // ends the present try; nil: none

	// run's own: what a server that stops has asked for.
	comeBack time.Duration
	told     bool
}

// stable is how long a socket must have been online for the pauses to start small again: a server that accepts and
// drops at once is not asked four times a second.
const stable = 5 * time.Second

// Start begins to connect. Only an address that is none is an error; everything later is told by Events.
func (c *Client) Start() error {
	if _, err := url.Parse(c.URL); err != nil {
		return err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.DeadAfter = orElse(c.DeadAfter, 20*time.Second)
	c.BackoffMin = orElse(c.BackoffMin, 250*time.Millisecond)
	c.BackoffMax = orElse(c.BackoffMax, 15*time.Second)
	c.events = make(chan Event)
	c.mail.wake = make(chan struct{}, 1)
	c.hurry = make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.wg.Go(func() { c.mail.pump(ctx, c.events) })
	c.wg.Go(func() { c.run(ctx) })
	return nil
}

func orElse(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}

// Close ends the socket and every goroutine; Events is closed afterwards. What was given to Send and is not yet written
// may be lost: wait for its reply first.
func (c *Client) Close() {
	if c.cancel == nil {
		return
	}
	c.cancel()
	c.wg.Wait()
}

// Events gives connection changes, pushes and replies to Send in order. It must have one reader, who may be slow: what
// waits is kept. It is closed when the client is.
func (c *Client) Events() <-chan Event { return c.events }

// Send queues one message without waiting; e.RequestID must be set by the caller. Messages are written in the order of the
// calls, those of a short cut after it. The reply comes as an Event; when an Event that is Lost, or a Connected that is not
// Resumed, comes first, no reply will.
func (c *Client) Send(e Envelope) error {
	s := c.current()
	if s == nil {
		return ErrNotOnline
	}
	return s.send(e)
}

// Request sends and waits for the reply, ctx's end, or the loss of the session (ErrLost). An error reply is an *Error. The
// reply may be here before pushes that came earlier have been read from Events.
func (c *Client) Request(ctx context.Context, e Envelope) (Envelope, error) {
	s := c.current()
	if s == nil {
		return Envelope{}, ErrNotOnline
	}
	e.RequestID = "r-" + NewID()
	wait := s.await(e.RequestID)
	defer s.forget(e.RequestID)
	if err := s.send(e); err != nil {
		return Envelope{}, err
	}
	select {
	case reply := <-wait:
		return reply, reply.Fail()
	case <-s.lost:
		return Envelope{}, ErrLost
	case <-ctx.Done():
		return Envelope{}, ctx.Err()
	}
}

func (c *Client) current() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sess
}

func (c *Client) setCurrent(s *session) {
	c.mu.Lock()
	c.sess = s
	c.mu.Unlock()
}

// online gives the socket that is online; nil: none.
func (c *Client) online() *socket {
	if s := c.current(); s != nil {
		return s.socket()
	}
	return nil
}

// endSession ends a session (nil: none) and forgets it.
func (c *Client) endSession(s *session) {
	if s == nil {
		return
	}
	s.end()
	c.mu.Lock()
	if c.sess == s {
		c.sess = nil
	}
	c.mu.Unlock()
}

// cutOff follows the loss of a socket. A session that can be resumed waits for the next one, but not for ever.
func (c *Client) cutOff(k *socket) {
	s := c.current()
	if s == nil || s.socket() != k {
		return // it never came so far
	}
	ended := s.cut(func() {
		if s.expire() {
			c.endSession(s)
			c.mail.put(Event{State: StateConnecting, Err: ErrLost, Lost: true})
		}
	})
	if ended {
		c.endSession(s)
	}
}

// run is the only goroutine that dials.
func (c *Client) run(ctx context.Context) {
	defer func() { c.endSession(c.current()) }()
	for failures := 0; ; failures++ {
		began := time.Now()
		err := c.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		if over(err) {
			c.mail.put(Event{State: StateRefused, Err: err, Lost: true})
			return
		}
		if time.Since(began) > stable {
			failures = 0
		}
		c.mail.put(Event{State: StateConnecting, Err: err, Lost: c.current() == nil})
		pause := backoff(failures, c.BackoffMin, c.BackoffMax, rand.Float64())
		if c.told {
			pause, failures, c.told = c.comeBack, 0, false
		}
		c.Logger.Debug("server not reached", "err", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-c.hurry:
			failures = 0
		case <-ctx.Done():
			return
		}
	}
}

// hurryWithin is how long a socket may take to show that it has survived a change of the network.
const hurryWithin = time.Second

// NetworkChanged says that this machine's networks are others than before, or that it slept. A socket from an address
// that is no more is given up at once, another must answer a ping; and who waits to try again tries now.
func (c *Client) NetworkChanged() {
	if c.hurry == nil {
		return // not started
	}
	c.mu.Lock()
	quit := c.quit
	c.mu.Unlock()
	switch k := c.online(); {
	case k != nil:
		k.check(hurryWithin)
	case quit != nil:
		quit() // it goes by a way that may be no more
	}
	c.Hurry()
}

// over says whether trying again is of no use.
func over(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Code == ErrUnauthorized || e.Code == ErrBadRequest)
}

// backoff is the pause after so many failures in a row: uniform between nothing and a limit that doubles ("full jitter",
// Brooker 2015), so that clients of a restarted server do not come back in one wave. roll is 0 to 1.
func backoff(failures int, first, most time.Duration, roll float64) time.Duration {
	limit := most
	if failures < 30 && first<<failures < most {
		limit = first << failures
	}
	return time.Duration(roll * float64(limit))
}

// eventQueue is the owner's mailbox: unbounded, since its events are rare and none may be lost, and the reader may be
// slow but not gone.
type eventQueue struct {
	mu    sync.Mutex
	items []Event
	wake  chan struct{}
}

func (q *eventQueue) put(e Event) {
	q.mu.Lock()
	q.items = append(q.items, e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *eventQueue) take() []Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}

// pump hands events to the reader until ctx ends, and closes out.
func (q *eventQueue) pump(ctx context.Context, out chan<- Event) {
	defer close(out)
	for {
		for _, e := range q.take() {
			select {
			case out <- e:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return
		}
	}
}
