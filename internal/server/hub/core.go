package hub

import (
	"cmp"
	"log/slog"
	"time"

	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

// core is the hub's state and rules. Its methods are events; they run one after the other, at the time now.
type core struct {
	Config
	journal Journal
	relay   Relay
	meter   Meter
	log     *slog.Logger
	post    func(func(*core)) // makes an event of what another goroutine has to say

	now      time.Time
	people   map[string]*person // by user id
	roster   roster
	devices  map[Conn]*device // connected
	calls    map[string]*call // ringing and talking
	due      dueHeap
	renewals []renewal
	leaving  []leaving // devices that are cut off but still count as here, the first to go first
	news     news
	stopped  bool
}

// person is a user and what goes on with them.
type person struct {
	user      signal.User
	devices   map[string]*device       // connected, cut off, or away and awaited by their call
	here      int                      // devices that count as here
	left      time.Time                // when the last one went
	known     bool                     // others have been told of this person
	told      seen                     // how others were told that the person is
	mentioned bool                     // they are about to be told again
	ahead     bool                     // who has connected meanwhile was shown what they are still to be told
	call      *call                    // a person has one; always nil for a contact that takes many
	invites   map[string]*limit.Bucket // calls to each other; at most as many as tried lets pass while they fill
	tried     limit.Bucket             // calls to whomever
	chat      limit.Bucket

	blocked    map[*person]struct{} // whom this person does not want to hear of
	quietUntil time.Time            // when user.DND ends by itself; zero: it does not
}

func (p *person) online() bool { return p.here > 0 }

// many says whether somebody can be in any number of calls.
func (p *person) many() bool { return p.user.Kind == signal.KindEcho }

// device is one program of a person's: connected, cut off (what is sent to it is kept by its connection, which may be
// resumed), or gone and awaited.
type device struct {
	id, host string
	person   *person
	conn     Conn      // nil: gone
	away     time.Time // since when it is cut off or gone; zero: it is connected
	lost     bool      // away, and did not close its connection itself
	counts   bool      // among those of its person that are here
	numbers  bool      // it numbers messages, and knows what came with that
	renews   bool      // it takes newer credentials during a call
	held     []*Message
	heldSize int
}

func (d *device) here() bool { return d.conn != nil && d.away.IsZero() }

func newCore(cfg Config, j Journal, r Relay, log *slog.Logger, post func(func(*core))) *core {
	cfg.RingTimeout = cmp.Or(cfg.RingTimeout, 45*time.Second)
	cfg.PeerGoneAfter = cmp.Or(cfg.PeerGoneAfter, 20*time.Second)
	cfg.CallerGoneAfter = cmp.Or(cfg.CallerGoneAfter, cfg.PeerGoneAfter/4)
	cfg.Invites = cmp.Or(cfg.Invites, DefaultInvites)
	cfg.Calls = cmp.Or(cfg.Calls, DefaultCalls)
	cfg.Chat = cmp.Or(cfg.Chat, DefaultChat)
	cfg.Linger = cmp.Or(cfg.Linger, DefaultLinger)
	cfg.RelayLife = cmp.Or(cfg.RelayLife, DefaultRelayLife)
	if r == nil {
		r = noRelay{}
	}
	return &core{
		Config: cfg, journal: j, relay: r, meter: noMeter{}, log: log, post: post,
		people: map[string]*person{}, devices: map[Conn]*device{}, calls: map[string]*call{},
	}
}

func (c *core) addUser(u signal.User) *person {
	if p := c.people[u.ID]; p != nil {
		return p
	}
	p := &person{user: u, devices: map[string]*device{}, known: true}
	c.people[u.ID] = p
	c.roster.add(p)
	return p
}

// connect takes a new connection for a device, which may be one that was away or whose old connection is dead without
// the server knowing.
func (c *core) connect(conn Conn, h Hello) {
	e := signal.Envelope{Method: signal.UserConnect, RequestID: h.RequestID}
	p := c.people[h.UserID]
	switch {
	case p == nil:
		answer(conn, Refuse(e, problem(signal.ErrUnauthorized, "This account is no more.")))
		return
	case c.devices[conn] != nil:
		answer(conn, Refuse(e, problem(signal.ErrBadRequest, "User/Connect has been said on this socket.")))
		return
	}
	d := p.devices[h.Connect.DeviceID]
	if d == nil {
		d = &device{id: h.Connect.DeviceID, person: p}
		p.devices[d.id] = d
	}
	if d.conn != nil {
		delete(c.devices, d.conn)
		d.conn.Close(CloseReplaced, "this device has connected again")
	}
	d.conn, d.away, d.host = conn, time.Time{}, h.Host
	d.numbers, d.renews = h.Connect.Resume != nil, h.Connect.Renews
	c.count(d) // others hear of it, the device itself gets its reply first
	c.devices[conn] = d
	c.greet(d, e, h.Session)
}

// greet answers User/Connect and brings the device up to date.
func (c *core) greet(d *device, e signal.Envelope, session string) {
	k := d.person.call
	mine := k != nil && k.involves(d)
	users, tellRest := c.rosterFor(d)
	hello := signal.Connected{Self: d.person.self(), Users: users, Server: c.Server, Run: c.Run, Session: session}
	if mine {
		hello.CallID, k.left = k.ID, time.Time{}
		if k.phase == talking {
			hello.ICEServers = c.iceServers(k, d) // those it has may be too old to seek another path with
		}
	}
	answer(d.conn, Reply(e, hello))
	tellRest()
	if k == nil {
		return
	}
	held := d.held
	d.held, d.heldSize = nil, 0
	switch {
	case k.phase == ringing && k.callee == d.person:
		c.ring(k, d)
	case k.phase == ringing && k.from == d:
		c.tellRinging(k)
		for o := range k.early {
			c.tellEarly(k, o)
		}
	case k.phase == talking && k.from == d && !k.offered:
		c.tellAccepted(k)
	}
	if mine {
		for _, m := range held {
			d.conn.Send(m)
		}
	}
	c.schedule(k)
}

func (c *core) disconnect(conn Conn, how Parting) {
	d := c.devices[conn]
	if d == nil {
		return // its device has connected again, or it never said who it is
	}
	delete(c.devices, conn)
	p := d.person
	if d.conn = nil; d.away.IsZero() {
		d.away, d.lost = c.now, how == Lost
	}
	if how == SignedOut {
		d.lost = false // it was cut off before, and does not come back
	}
	c.discount(d)
	k := p.call
	if k != nil && k.involves(d) {
		switch {
		case how != Lost && k.phase == ringing && k.from == d:
			c.end(k, signal.EndCancelled, p, d)
		case how == SignedOut && k.phase == talking:
			c.end(k, signal.EndHangup, p, d)
		case how == SignedOut && !p.online() && !k.awaited():
			c.end(k, signal.EndOffline, nil, nil)
		default:
			c.schedule(k)
		}
	}
	c.forget(d)
}

// forget drops a device that is away and that no call waits for.
func (c *core) forget(d *device) {
	if d.conn == nil && (d.person.call == nil || !d.person.call.involves(d)) {
		delete(d.person.devices, d.id)
	}
}

// request finds out what a device wants. A handler answers by itself, or returns why it does not do it.
func (c *core) request(conn Conn, e signal.Envelope) {
	d := c.devices[conn]
	if d == nil {
		answer(conn, Refuse(e, problem(signal.ErrNotConnected, "User/Connect must come first.")))
		return
	}
	var err error
	switch e.Method {
	case signal.UserList:
		c.listUsers(d, e)
	case signal.CallInvite:
		err = c.invite(d, e)
	case signal.CallRinging:
		err = c.gotRinging(d, e)
	case signal.CallAccept:
		err = c.accept(d, e)
	case signal.CallReject:
		err = c.reject(d, e)
	case signal.CallCancel:
		err = c.hangup(d, e, signal.EndHangup, "")
	case signal.CallHangup:
		var r signal.Hangup
		if r, err = signal.Decode[signal.Hangup](e); err == nil {
			err = c.hangup(d, e, cmp.Or(r.Reason, signal.EndHangup), r.ByID)
		}
	case signal.MessageOffer, signal.MessageAnswer:
		err = c.description(d, e)
	case signal.MessageCandidate:
		err = c.candidate(d, e)
	case signal.CallMedia:
		err = c.media(d, e)
	case signal.CallRestart:
		err = c.restart(d, e)
	case signal.CallReport:
		err = c.report(d, e)
	case signal.MessageSendToAll, signal.MessageSendTo:
		err = c.chat(d, e)
	case signal.MessageRead:
		err = c.read(d, e)
	default:
		err = problem(signal.ErrUnknownMethod, "This server does not know the method.")
	}
	if err != nil {
		c.meter.Refused(refusal(err))
		answer(conn, Refuse(e, err))
	}
}

func (c *core) listUsers(d *device, e signal.Envelope) {
	users, tellRest := c.rosterFor(d)
	answer(d.conn, Reply(e, signal.Users{Users: users}))
	tellRest()
}

// stop ends what cannot outlive this run: calls that ring, and those whose media is in this process.
func (c *core) stop() {
	for _, k := range c.calls {
		if k.phase == ringing || k.callee.many() {
			c.end(k, signal.EndServerStopped, nil, nil)
		}
	}
	c.stopped = true
}
