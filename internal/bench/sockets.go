package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
)

// The crowd of the socket figures: idle clients, a server's limit of them for each person, and how they connect.
const (
	clientsEach   = 10
	atOnce        = 64
	settleFor     = 40 * time.Second // the storm's memory goes back meanwhile
	talkingPairs  = 400
	talkFor       = 10 * time.Second
	perSecondEach = 40 // messages of one client; the server's limit is 50
)

// sockets measures the real server with ten thousand idle clients of a thousand people, plain or over TLS, and what it
// costs to forward while some of them talk.
func sockets(ctx context.Context, bin string, secure bool, o crowdOptions) ([]Row, error) {
	stage, done, err := newStage(bin)
	if err != nil {
		return nil, err
	}
	defer done()
	people, err := enroll(ctx, filepath.Join(stage.Dir, "data"), o.people())
	if err != nil {
		return nil, err
	}
	args, kind, aim := []string{"--http"}, "plain", 80.0
	if secure {
		args, kind, aim = nil, "TLS", 170
	}
	if o.Clients != usualClients {
		aim = 0
	}
	if o.Profiles != "" {
		args = append(args, "--metrics-listen", "127.0.0.1:0")
	}
	srv, err := stage.Server(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer srv.Close()
	c := &crowd{srv: srv, clients: o.Clients}
	defer c.close()
	before, err := testkit.Usage(srv.PID())
	if err != nil {
		return nil, err
	}
	if err := c.connect(ctx, people); err != nil {
		return nil, err
	}
	connected, err := testkit.Usage(srv.PID())
	if err != nil {
		return nil, err
	}
	if err := testkit.Wait(ctx, settleFor); err != nil {
		return nil, err
	}
	idle, err := testkit.Usage(srv.PID())
	if err != nil {
		return nil, err
	}
	if lost := c.lost.Load(); lost > 0 {
		return nil, fmt.Errorf("%d sockets were lost", lost)
	}
	if err := o.profile(ctx, srv, kind+"-heap", "heap?gc=1"); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%d idle clients, %s: ", o.Clients, kind)
	rows := []Row{
		{Name: name + "memory (RSS)", Value: idle.RSSMiB, Unit: "MB", Aim: aim},
		{Name: name + "memory while they connect, at most", Value: idle.PeakMiB, Unit: "MB"},
		{Name: name + "CPU a connect", Value: (connected.CPU - before.CPU).Seconds() / float64(o.Clients) * 1e6, Unit: "µs"},
	}
	forwards, err := c.talk(ctx, func() error {
		return o.profile(ctx, srv, kind+"-cpu", fmt.Sprintf("profile?seconds=%d", talkFor/time.Second))
	})
	return append(rows, Row{Name: kind + ": forwards (each acknowledged) a second of CPU", Value: forwards, Unit: "", AtLeast: 25_000}), err
}

// person is somebody with an account.
type person struct{ id, token string }

// enroll makes accounts in a data folder, with cheap passwords: the server that is measured only sees their sessions.
func enroll(ctx context.Context, data string, n int) ([]person, error) {
	free := limit.Rate{Burst: 1 << 20, Every: time.Microsecond}
	s := &server.Server{Config: server.Config{
		Listen: "127.0.0.1:0", TURNListen: server.NoTURN, DataDir: data, HTTP: true, Logger: slog.New(slog.DiscardHandler),
		Passwords: accounts.Work{MemoryKiB: 64, Passes: 1},
		Limits: server.Limits{
			Accounts: accounts.Limits{LoginPerAccountAndNet: free, LoginPerAccount: free, LoginPerNet: free, RegisterPerNet: free},
		},
	}}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	defer s.Close()
	people := make([]person, n)
	for i := range people {
		body, err := json.Marshal(signal.Register{Name: fmt.Sprintf("guest%04d", i), Password: testkit.Password})
		if err != nil {
			return nil, err
		}
		var in signal.SignedIn
		if err := post(ctx, s.URL()+"/api/register", body, &in); err != nil {
			return nil, fmt.Errorf("account %d: %w", i, err)
		}
		people[i] = person{in.User.ID, in.Token}
	}
	return people, nil
}

func post(ctx context.Context, url string, body []byte, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %d: %s", res.StatusCode, b)
	}
	return json.Unmarshal(b, into)
}

// crowd is the clients of one server. They do what real ones do: number, acknowledge, answer pings.
type crowd struct {
	srv     *testkit.Server
	clients int
	members []*member
	lost    atomic.Int64
	pushed  atomic.Int64 // forwarded messages that have arrived
	closing atomic.Bool
	reading sync.WaitGroup
}

// member is one client.
type member struct {
	crowd *crowd
	conn  *websocket.Conn
	who   person

	mu        sync.Mutex // writing
	seq       uint64
	got, told uint64
	pushes    chan signal.Envelope // invites and accepts
}

func (c *crowd) connect(ctx context.Context, people []person) error {
	c.members = make([]*member, c.clients)
	places := make(chan struct{}, atOnce)
	failed := make(chan error, c.clients)
	var all sync.WaitGroup
	for i := range c.members {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			m, err := c.dial(ctx, people[i%len(people)], i)
			if err != nil {
				failed <- fmt.Errorf("client %d: %w", i, err)
				return
			}
			c.members[i] = m
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

var writeBuffers sync.Pool

func (c *crowd) dial(ctx context.Context, who person, n int) (*member, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n/20_000))} // more ports than one address has
	d := websocket.Dialer{
		NetDialContext: (&net.Dialer{LocalAddr: from}).DialContext, Subprotocols: []string{signal.Subprotocol},
		ReadBufferSize: 512, WriteBufferSize: 512, WriteBufferPool: &writeBuffers,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // made a moment ago on this machine
	}
	//nolint:bodyclose // there is none after an upgrade
	conn, _, err := d.DialContext(ctx, "ws"+c.srv.URL[len("http"):]+"/ws", http.Header{"Authorization": {"Bearer " + who.token}})
	if err != nil {
		return nil, err
	}
	m := &member{crowd: c, conn: conn, who: who, pushes: make(chan signal.Envelope, 8)}
	hello := signal.Connect{DeviceID: signal.NewID(), Device: "bench", Client: "bench/1", Resume: &signal.Resume{}}
	if err := conn.WriteJSON(signal.Envelope{Method: signal.UserConnect, RequestID: "hello", Data: signal.Encode(hello)}); err != nil {
		return nil, err
	}
	var e signal.Envelope
	if err := conn.ReadJSON(&e); err != nil {
		return nil, err
	}
	if err := e.Fail(); err != nil {
		return nil, err
	}
	conn.SetPingHandler(func(data string) error {
		m.ack(1)
		return conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
	})
	c.reading.Go(m.read)
	return m, nil
}

func (m *member) read() {
	for {
		_, b, err := m.conn.ReadMessage()
		if err != nil {
			if !m.crowd.closing.Load() {
				m.crowd.lost.Add(1)
			}
			return
		}
		var e signal.Envelope
		if json.Unmarshal(b, &e) != nil || e.Seq == 0 {
			continue
		}
		m.mu.Lock()
		m.got = e.Seq
		m.mu.Unlock()
		m.ack(signal.AckEvery)
		switch e.Code {
		case signal.CodeMedia:
			m.crowd.pushed.Add(1)
		case signal.CodeInvite, signal.CodeAccepted:
			m.pushes <- e
		}
	}
}

// ack acknowledges when so much has come since the last time.
func (m *member) ack(when uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.got-m.told >= when {
		m.told = m.got
		_ = m.conn.WriteJSON(signal.Envelope{Method: signal.SessionAck, Ack: m.got})
	}
}

func (m *member) say(e signal.Envelope) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq++
	m.told = m.got
	e.Seq, e.Ack, e.RequestID = m.seq, m.got, "r"
	return m.conn.WriteJSON(e)
}

// talk lets pairs of the clients say Call/Media to each other, and gives how many were forwarded in a second of the
// server's CPU time. Each is a request with a reply, as in a call. also runs beside it.
func (c *crowd) talk(ctx context.Context, also func() error) (float64, error) {
	people := c.clients / clientsEach
	calls := make([]string, min(talkingPairs, people/2))
	for i := range calls {
		calls[i] = signal.NewID()
		from, to := c.members[2*i%people], c.members[(2*i+1)%people]
		if err := from.say(signal.Envelope{Method: signal.CallInvite, CallID: calls[i], ToID: to.who.id, Data: signal.Encode(signal.Invite{})}); err != nil {
			return 0, err
		}
		if err := to.expect(ctx, signal.CodeInvite); err != nil {
			return 0, err
		}
		if err := to.say(signal.Envelope{Method: signal.CallAccept, CallID: calls[i], Data: signal.Encode(signal.Accept{})}); err != nil {
			return 0, err
		}
		if err := from.expect(ctx, signal.CodeAccepted); err != nil {
			return 0, err
		}
	}
	media := signal.Encode(signal.Media{Microphone: true, Camera: true, Change: 123})
	talking, stop := context.WithTimeout(ctx, talkFor+2*time.Second)
	defer stop()
	var all sync.WaitGroup
	for i, call := range calls {
		for _, m := range []*member{c.members[2*i%people], c.members[(2*i+1)%people]} {
			all.Go(func() {
				tick := time.NewTicker(time.Second / perSecondEach)
				defer tick.Stop()
				for {
					select {
					case <-tick.C:
						_ = m.say(signal.Envelope{Method: signal.CallMedia, CallID: call, Data: media})
					case <-talking.Done():
						return
					}
				}
			})
		}
	}
	if err := testkit.Wait(ctx, time.Second); err != nil {
		return 0, err
	}
	n := c.pushed.Load()
	use, err := testkit.Usage(c.srv.PID())
	if err != nil {
		return 0, err
	}
	begin := use.CPU
	aside := make(chan error, 1)
	go func() { aside <- also() }()
	if err := testkit.Wait(ctx, talkFor); err != nil {
		return 0, err
	}
	use, err = testkit.Usage(c.srv.PID())
	n = c.pushed.Load() - n
	all.Wait()
	if err := errors.Join(err, <-aside); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, errors.New("nothing was forwarded")
	}
	fmt.Fprintf(os.Stderr, "  %d forwards in %v, %v of CPU\n", n, talkFor, use.CPU-begin)
	return float64(n) / (use.CPU - begin).Seconds(), nil
}

func (m *member) expect(ctx context.Context, code signal.Code) error {
	for {
		select {
		case e := <-m.pushes:
			if e.Code == code {
				return nil
			}
		case <-time.After(10 * time.Second):
			return fmt.Errorf("no push %d", code)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *crowd) close() {
	c.closing.Store(true)
	for _, m := range c.members {
		if m != nil {
			_ = m.conn.Close()
		}
	}
	c.reading.Wait()
}
