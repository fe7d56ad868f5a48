// Package hub knows who is there and arbitrates calls: one loop owns presence, calls and the delivery of chat. Package
// server gives it devices (sockets, and the Echo contact in the same process) as a Conn, their requests as envelopes, a
// Journal that writes what must be kept, and a Relay. The rules are in core and its methods, which take the time from
// outside and are tested without sockets, clocks or disks. The hub never waits: not for a device, not for the disk.
//
// A call goes through these phases; Cancel, Reject and Hangup are taken in both living phases, because each may cross
// with an accept on its way:
//
//	         Invite                    Accept, or an Invite the other way (glare)
//	(none) ─────────▶ ringing ─────────────────────────────────────────────────▶ talking
//	   │                 │ Cancel, Reject, 45 s, caller gone, server stops          │ Hangup, a device gone for 20 s
//	   │ busy, offline   ▼                                                          ▼
//	   └───────────────▶ over ◀──────────────────────────────────────────────────── ┘
package hub

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

// Conn is one connection of a device. Its methods are called from the hub's loop and must not block.
type Conn interface {
	// Send queues a message for the device, in order; a connection that cannot keep up ends itself.
	Send(*Message)
	// Close ends the connection after what was sent; the reason is for people.
	Close(code int, reason string)
}

// Journal writes what must survive a restart, behind the hub's back.
type Journal interface {
	SaveCall(Record)
	// SaveMessage calls done with the line's id once it is on disk; never from within SaveMessage's own stack. A blocked line
	// is for its writer's eyes only.
	SaveMessage(m signal.ChatMessage, blocked bool, done func(signal.ChatMessage, error))
	// SaveRead keeps up to which line a person has read a chat.
	SaveRead(userID string, r signal.Read)
}

// Relay is what the hub tells the TURN server. Its methods must not block for long.
type Relay interface {
	// ICEServers gives one party of a call its servers; host is the name by which its device reached this server. They are
	// good for new allocations for life, and for what was allocated in that time until the call ends.
	ICEServers(host, userID, deviceID, callID string, life time.Duration) []signal.ICEServer
	AllowPeer(callID string, a netip.Addr)
	// HoldCall keeps the call's packets between its own allocations, until OpenCall.
	HoldCall(callID string)
	OpenCall(callID string)
	// Owns says whether an address is that of an allocation which a device has for the call.
	Owns(callID, deviceID string, at netip.AddrPort) bool
	// Leave ends one device's credentials and allocations.
	Leave(callID, deviceID string)
	EndCall(callID string)
}

// Record is a call as it is kept.
type Record struct {
	ID           string
	Caller       string // user ids
	Callee       string
	CallerDevice string // device ids
	CalleeDevice string // empty: nobody accepted
	Video        bool
	Started      time.Time
	Accepted     time.Time // zero: never
	Ended        time.Time // zero: it goes on
	Reason       string    // signal.EndReason
	EndedBy      string    // user id; empty: the server
	Path         string    // signal.Path
	SetupMs      int64
	Blocked      bool // the callee had blocked the caller: only the caller ever sees it
}

// Config are the hub's rules. Zero durations and rates take the defaults named.
type Config struct {
	Server          string        // name/version, for devices
	Run             string        // of this run of the server alone, for devices
	RingTimeout     time.Duration // 45 s
	PeerGoneAfter   time.Duration // 20 s: for how long a device of an accepted call may be away
	CallerGoneAfter time.Duration // a quarter of that: how long it rings for a caller who is away, or a callee who has left
	Invites         limit.Rate    // of one person to one other; calls that were accepted do not count. DefaultInvites
	Calls           limit.Rate    // of one person to whomever, likewise. DefaultCalls
	Chat            limit.Rate    // lines of one person. DefaultChat
	Linger          time.Duration // for how long who is cut off, but may resume, is still shown as online. DefaultLinger
	// NewsEvery is how often people are told who has come or gone: changes in between go together, and who is back as they
	// were is not mentioned at all. 0: at once.
	NewsEvery time.Duration
	// RelayLife is for how long what a device is given for the relay makes new allocations, if the device takes newer ones
	// during a call. DefaultRelayLife
	RelayLife time.Duration
}

// Defaults of Config.
var (
	DefaultInvites = limit.Rate{Burst: 10, Every: 6 * time.Second}
	DefaultCalls   = limit.Rate{Burst: 30, Every: 6 * time.Second}
	DefaultChat    = limit.Rate{Burst: 100, Every: 200 * time.Millisecond}
)

// DefaultLinger is for a line that is cut and back again: other people need not see that.
const DefaultLinger = 5 * time.Second

// DefaultRelayLife is that of Config.
const DefaultRelayLife = 5 * time.Minute

// Parting is how a connection ended.
type Parting uint8

// Partings.
const (
	Lost      Parting = iota // cut off; it may come back
	Left                     // closed by its device
	SignedOut                // its session is over
)

// CloseReplaced is the close code for a connection whose device has connected again (RFC 6455: 4000 and up are ours).
const CloseReplaced = 4000

const mailbox = 1024 // events; who posts more waits, which slows the sender's socket down

// ErrStopped is said when the hub has ended.
var ErrStopped = errors.New("the server is stopping")

// Hub runs the loop around a core.
type Hub struct {
	Config  Config
	Users   []signal.User // everybody at the start, in the order of joining; Online is ignored
	Blocks  []Block       // among them
	Quiet   []Quiet       // of them
	Running []Record      // calls without an end that an earlier run left behind
	Alive   time.Time     // when that run was last known to be alive
	Journal Journal
	Relay   Relay // nil: none
	Meter   Meter // nil: nobody counts
	Logger  *slog.Logger

	mail chan func(*core)
	done chan struct{}
	once sync.Once
}

// Start begins the loop.
func (h *Hub) Start() error {
	h.mail, h.done = make(chan func(*core), mailbox), make(chan struct{})
	c := newCore(h.Config, h.Journal, h.Relay, h.Logger, h.post)
	if h.Meter != nil {
		c.meter = h.Meter
	}
	c.now = time.Now()
	for _, u := range h.Users {
		c.addUser(u)
	}
	for _, b := range h.Blocks {
		c.block(b, true)
	}
	for _, q := range h.Quiet {
		c.setQuiet(q, true)
	}
	for _, r := range h.Running {
		c.restore(r, h.Alive)
	}
	go h.run(c)
	return nil
}

// Close ends calls that nobody has accepted, and then the loop. Accepted calls stay without an end in the journal, so
// that the next run can give them back to their devices.
func (h *Hub) Close() {
	h.once.Do(func() {
		h.post(func(c *core) { c.stop() })
	})
	<-h.done
}

// Stopped is closed when the loop has ended; requests get no reply any more.
func (h *Hub) Stopped() <-chan struct{} { return h.done }

func (h *Hub) run(c *core) {
	defer close(h.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	set, rang := time.Time{}, true // for when the timer is set, which few events change; whether it has rung since
	for !c.stopped {
		if at, ok := c.nextDue(); ok && (rang || !at.Equal(set)) {
			timer.Reset(time.Until(at))
			set, rang = at, false
		}
		select {
		case f := <-h.mail:
			c.now = time.Now()
			f(c)
		case <-timer.C:
			c.now = time.Now()
			rang = true
		}
		c.expire()
	}
}

func (h *Hub) post(f func(*core)) {
	select {
	case h.mail <- f:
	case <-h.done:
	}
}

// Hello is a device that introduces itself: User/Connect.
type Hello struct {
	UserID    string
	Host      string // by which it reached this server, without a port
	Connect   signal.Connect
	RequestID string
	Session   string // of a connection that can be resumed; empty: it cannot
}

// Connect makes conn the connection of a device and answers it.
func (h *Hub) Connect(conn Conn, hello Hello) {
	h.post(func(c *core) { c.connect(conn, hello) })
}

// Disconnect says that a connection has ended; it gets nothing any more.
func (h *Hub) Disconnect(conn Conn, how Parting) {
	h.post(func(c *core) { c.disconnect(conn, how) })
}

// CutOff says that a connection has lost its socket and may be resumed. What is sent to it meanwhile is its own matter;
// Disconnect follows when nobody has come back.
func (h *Hub) CutOff(conn Conn) {
	h.post(func(c *core) { c.cutOff(conn) })
}

// Resumed says that a connection goes on, perhaps by another way: host is the name by which its device reaches this
// server now.
func (h *Hub) Resumed(conn Conn, host string) {
	h.post(func(c *core) { c.resumed(conn, host) })
}

// Request handles one request of a connected device and answers it.
func (h *Hub) Request(conn Conn, e signal.Envelope) {
	h.post(func(c *core) { c.request(conn, e) })
}

// AddUser puts a new person on everybody's roster.
func (h *Hub) AddUser(u signal.User) {
	h.post(func(c *core) {
		p := c.addUser(u)
		p.known = p.told.online // nobody has heard of a new person
		c.mention(p)
	})
}

// Online says who of them is there, whomever they block.
func (h *Hub) Online(ctx context.Context, ids []string) (map[string]bool, error) {
	online := make(map[string]bool, len(ids))
	err := h.do(ctx, func(c *core) {
		for _, id := range ids {
			p := c.people[id]
			online[id] = p != nil && p.online()
		}
	})
	if err != nil {
		return nil, err // and online may still be written to
	}
	return online, nil
}

// Seen gives the people with these ids as viewer may see them now; oneself as one is. Unknown ones are left out.
func (h *Hub) Seen(ctx context.Context, viewer string, ids []string) (map[string]signal.User, error) {
	seen := make(map[string]signal.User, len(ids))
	err := h.do(ctx, func(c *core) {
		by := c.people[viewer]
		for _, id := range ids {
			if p := c.people[id]; p != nil && by != nil {
				seen[id] = p.viewFor(by)
			}
		}
	})
	if err != nil {
		return nil, err // and seen may still be written to
	}
	return seen, nil
}
