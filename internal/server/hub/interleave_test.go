package hub

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// player is a device that follows the protocol blindly: whatever it hears, it believes.
type player struct {
	dev
	media   string // the call it has a media session in
	invites map[string]bool
	mine    string // the call it dialled last
	here    bool
}

// game is people whose devices do random things, and what must never happen.
type game struct {
	w       *world
	players []*player
	winner  map[string]string // by call id: the callee's device that was told it was first
	rng     *rand.Rand
	calls   int
	log     []string
}

func newGame(t *testing.T, seed uint64) *game {
	g := &game{w: newWorld(t, "alice", "bob", "carol"), winner: map[string]string{}, rng: rand.New(rand.NewPCG(seed, 7))}
	for _, user := range []string{"alice", "bob", "carol"} {
		for n := range 2 {
			p := &player{dev: dev{w: g.w, user: user, id: fmt.Sprintf("%s%d-0123456789abcdef", user, n)}, invites: map[string]bool{}}
			g.players = append(g.players, p)
			g.arrive(p)
		}
	}
	return g
}

func (p *player) Send(m *Message) { p.got = append(p.got, m.Envelope) }

func (g *game) arrive(p *player) {
	p.here, p.got = true, nil
	g.w.c.connect(p, Hello{UserID: p.user, RequestID: "hello", Connect: signal.Connect{DeviceID: p.id}})
	c, _ := signal.Decode[signal.Connected](p.got[0])
	if p.media != c.CallID {
		p.media = ""
	}
	g.hear(p)
}

// hear takes in everything that was sent to a device.
func (g *game) hear(p *player) {
	for _, e := range p.got {
		switch e.Code {
		case signal.CodeInvite:
			p.invites[e.CallID] = true
		case signal.CodeAccepted:
			p.media = e.CallID
		case signal.CodeEnded:
			delete(p.invites, e.CallID)
			if p.media == e.CallID {
				p.media = ""
			}
		case signal.CodeOK:
			g.reply(p, e)
		default:
		}
	}
	p.got = nil
}

func (g *game) reply(p *player, e signal.Envelope) {
	won := ""
	switch e.Method {
	case signal.CallAccept:
		won = e.CallID
	case signal.CallInvite:
		if in, _ := signal.Decode[signal.Invited](e); in.Merged != "" {
			won = in.Merged
		}
	default:
	}
	if won == "" {
		return
	}
	if was, ok := g.winner[won]; ok && was != p.id {
		g.w.t.Fatalf("%s and %s were both told they were first in %s\n%v", was, p.id, won, g.log)
	}
	g.winner[won], p.media = p.id, won
}

func (g *game) do(p *player, m signal.Method, to, call string, data any) {
	g.log = append(g.log, fmt.Sprintf("%s %s %s %s", p.id[:6], m, to, call[max(0, len(call)-3):]))
	g.w.c.request(p, signal.Envelope{Method: m, ToID: to, CallID: call, RequestID: "r", Data: signal.Encode(data)})
}

// step is one random thing that one device does, whether or not it makes sense.
func (g *game) step() {
	p := g.players[g.rng.IntN(len(g.players))]
	if !p.here {
		g.arrive(p)
		return
	}
	some := p.media
	for id := range p.invites { // any of them
		some = id
	}
	switch g.rng.IntN(12) {
	case 0, 1, 2, 3:
		g.calls++
		p.mine = id(g.calls)
		g.do(p, signal.CallInvite, []string{"alice", "bob", "carol"}[g.rng.IntN(3)], p.mine, signal.Invite{})
	case 4, 5, 6:
		g.do(p, signal.CallAccept, "", some, signal.Accept{})
	case 7:
		g.do(p, signal.CallReject, "", some, signal.Reject{})
	case 8:
		g.do(p, signal.CallCancel, "", p.mine, nil)
	case 9:
		g.do(p, signal.CallHangup, "", id(1+g.rng.IntN(g.calls+1)), signal.Hangup{})
	case 10:
		p.here = false
		g.log = append(g.log, p.id[:6]+" goes")
		g.w.c.disconnect(p, Parting(g.rng.IntN(3)))
	case 11:
		g.log = append(g.log, "time")
		g.w.pass(time.Duration(g.rng.IntN(15)) * time.Second)
	}
}

// check is what must hold after every step. What a device that is away believes it cannot know better.
func (g *game) check() {
	t := g.w.t
	inMedia := map[string]string{}
	for _, p := range g.players {
		g.hear(p)
		if !p.here || p.media == "" {
			continue
		}
		if other, ok := inMedia[p.user]; ok {
			t.Fatalf("%s has two media sessions, %s and %s\n%v", p.user, other, p.media, g.log)
		}
		inMedia[p.user] = p.media
		k := g.w.c.calls[p.media]
		if k == nil || k.phase != talking || k.from.id != p.id && k.to.id != p.id {
			t.Fatalf("%s believes in %s, the hub does not\n%v", p.id, p.media, g.log)
		}
	}
	for _, p := range g.w.c.roster.people {
		if k := p.call; k != nil && (k.phase == over || g.w.c.calls[k.ID] != k || k.caller != p && k.callee != p) {
			t.Fatalf("%s is in a call that is none: %+v\n%v", p.user.ID, k.Record, g.log)
		}
	}
	for _, k := range g.w.c.calls {
		if k.caller.call != k || k.callee.call != k {
			t.Fatalf("%s is not the call of its people\n%v", k.ID, g.log)
		}
	}
}

func TestAttackInterleavings(t *testing.T) {
	accepted, glare := 0, 0
	for seed := range uint64(10_000) {
		g := newGame(t, seed)
		for range 30 {
			g.step()
			g.check()
		}
		for _, p := range g.players {
			if p.here {
				p.here = false
				g.w.c.disconnect(p, Lost)
			}
		}
		g.w.pass(bothAway + time.Minute)
		ends := map[string]int{}
		for _, r := range g.w.saved {
			if !r.Ended.IsZero() {
				ends[r.ID]++
			}
		}
		for _, r := range g.w.saved {
			if ends[r.ID] != 1 {
				t.Fatalf("seed %d: %s ended %d times\n%v", seed, r.ID, ends[r.ID], g.log)
			}
		}
		if n := len(g.w.c.calls); n != 0 {
			t.Fatalf("seed %d: %d calls outlive everybody\n%v", seed, n, g.log)
		}
		for _, p := range g.w.c.roster.people {
			if p.call != nil || p.here != 0 || len(p.devices) != 0 {
				t.Fatalf("seed %d: %s is left with %+v\n%v", seed, p.user.ID, p, g.log)
			}
		}
		accepted += len(g.winner)
		for _, r := range g.w.saved {
			if r.CalleeDevice != "" && g.winner[r.ID] != r.CalleeDevice {
				t.Fatalf("seed %d: %s was won by %s, recorded for %s\n%v", seed, r.ID, g.winner[r.ID], r.CalleeDevice, g.log)
			}
		}
		glare += len(g.w.ended)
	}
	if accepted < 5_000 || glare < 20_000 {
		t.Fatalf("only %d accepted of %d calls: this tests nothing", accepted, glare)
	}
	t.Logf("%d calls, %d of them accepted", glare, accepted)
}

// listener is a device for many goroutines.
type listener struct {
	mu  sync.Mutex
	got map[string]chan signal.Envelope
}

func (l *listener) Send(m *Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.got[m.RequestID]; c != nil {
		c <- m.Envelope
	}
}

func (l *listener) Close(int, string) {}

func (l *listener) expect(id string) chan signal.Envelope {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.got == nil {
		l.got = map[string]chan signal.Envelope{}
	}
	l.got[id] = make(chan signal.Envelope, 1)
	return l.got[id]
}

// slowDisk acknowledges from another goroutine.
type slowDisk struct {
	mu sync.Mutex
	id int64
	wg sync.WaitGroup
}

func (s *slowDisk) SaveCall(Record)              {}
func (s *slowDisk) SaveRead(string, signal.Read) {}

func (s *slowDisk) SaveMessage(m signal.ChatMessage, _ bool, done func(signal.ChatMessage, error)) {
	s.wg.Go(func() {
		s.mu.Lock()
		s.id++
		m.ID = s.id
		s.mu.Unlock()
		done(m, nil)
	})
}

// TestTheLoop runs a real hub with many goroutines: every request gets its reply, and Close ends the loop under fire.
func TestTheLoop(t *testing.T) {
	disk := &slowDisk{}
	h := &Hub{Journal: disk, Logger: slog.New(slog.DiscardHandler)}
	for i := range 20 {
		h.Users = append(h.Users, signal.User{ID: fmt.Sprint("u", i), Kind: signal.KindPerson})
	}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			l := &listener{}
			wait := l.expect("hello")
			h.Connect(l, Hello{UserID: fmt.Sprint("u", i), RequestID: "hello", Connect: signal.Connect{DeviceID: signal.NewID()}})
			<-wait
			for n := range 100 {
				rid := fmt.Sprint(n)
				wait := l.expect(rid)
				e := signal.Envelope{Method: signal.CallInvite, ToID: fmt.Sprint("u", (i+n)%20), CallID: signal.NewID(), RequestID: rid}
				if n%2 == 0 {
					e = signal.Envelope{Method: signal.MessageSendToAll, RequestID: rid, Data: signal.Encode(signal.Text{Text: "hello"})}
				}
				h.Request(l, e)
				if r := <-wait; r.Method != e.Method {
					t.Errorf("reply to %s is %s", e.Method, r.Method)
				}
			}
			h.Disconnect(l, Lost)
		})
	}
	wg.Go(func() {
		for i := range 50 {
			h.AddUser(signal.User{ID: fmt.Sprint("new", i)})
			if _, err := h.Seen(t.Context(), "u0", []string{"u1", "new0"}); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	l := &listener{}
	for range 8 {
		wg.Go(func() {
			for {
				h.Request(l, signal.Envelope{Method: signal.UserList})
				select {
				case <-h.Stopped():
					return
				default:
				}
			}
		})
	}
	h.Close()
	h.Close()
	wg.Wait()
	disk.wg.Wait()
	if _, err := h.Seen(t.Context(), "", nil); err == nil {
		t.Error("a closed hub says who is online")
	}
}
