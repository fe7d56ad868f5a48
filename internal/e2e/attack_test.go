package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
)

// The attack tests are named after the rows of docs/attacks.md. Those here need the real server as a process of its own,
// because they measure it or take something away from it, or need a real browser; the others are in internal/server.

// visitor speaks to the server without a client program, from an address of its own on this machine.
type visitor struct {
	s    *scene
	tls  *tls.Config
	way  func(ctx context.Context, network, address string) (net.Conn, error)
	http *http.Client
}

func (s *scene) visitor(address string) *visitor {
	s.t.Helper()
	trust, err := signal.Trust(s.srv.CA)
	s.must(err)
	v := &visitor{s: s, tls: trust, way: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext}
	v.http = &http.Client{Transport: &http.Transport{TLSClientConfig: trust, DialContext: v.way}, Timeout: limit}
	s.t.Cleanup(func() { v.http.CloseIdleConnections() })
	return v
}

func (v *visitor) post(path string, body any) (status int, reply []byte, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequestWithContext(v.s.ctx, http.MethodPost, v.s.srv.URL+path, bytes.NewReader(b))
	if err != nil {
		return 0, nil, err
	}
	res, err := v.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	reply, err = io.ReadAll(res.Body)
	return res.StatusCode, reply, err
}

// enter registers or signs in, and gives the token.
func (v *visitor) enter(path, name string) signal.SignedIn {
	v.s.t.Helper()
	status, reply, err := v.post(path, signal.Register{Name: name, Password: testkit.Password})
	v.s.must(err)
	var in signal.SignedIn
	if json.Unmarshal(reply, &in) != nil || in.Token == "" {
		v.s.t.Fatalf("%s as %s: %d %s", path, name, status, reply)
	}
	return in
}

func (v *visitor) register(name string) signal.SignedIn {
	v.s.t.Helper()
	return v.enter("/api/register", name)
}

// device is a socket that has said User/Connect.
type device struct {
	*websocket.Conn
	n int
}

func (v *visitor) connect(ctx context.Context, token, id string) (*device, error) {
	d := websocket.Dialer{TLSClientConfig: v.tls, Subprotocols: []string{signal.Subprotocol}, NetDialContext: v.way}
	conn, res, err := d.DialContext(ctx, "wss"+strings.TrimPrefix(v.s.srv.URL, "https")+"/ws", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	dev := &device{Conn: conn}
	if _, err := dev.ask(signal.Envelope{Method: signal.UserConnect, Data: signal.Encode(signal.Connect{DeviceID: id + "-0123456789abcdef"})}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return dev, nil
}

func (v *visitor) device(token, id string) *device {
	v.s.t.Helper()
	d, err := v.connect(v.s.ctx, token, id)
	v.s.must(err)
	v.s.t.Cleanup(func() { _ = d.Close() })
	return d
}

// ask sends a request and reads until its reply; what else comes is dropped.
func (d *device) ask(e signal.Envelope) (signal.Envelope, error) {
	d.n++
	e.RequestID = fmt.Sprint("r", d.n)
	_ = d.SetReadDeadline(time.Now().Add(limit))
	if err := d.WriteJSON(e); err != nil {
		return e, err
	}
	for {
		var got signal.Envelope
		if err := d.ReadJSON(&got); err != nil {
			return got, err
		}
		if got.RequestID == e.RequestID {
			return got, nil
		}
	}
}

// waits is how long answers took.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

// p99 is what a hundredth of them took longer than.
func (w *waits) p99() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.all) == 0 {
		return 0
	}
	slices.Sort(w.all)
	return w.all[len(w.all)*99/100]
}

// watch asks the server for something small every so often, until the context ends or the socket fails.
func (w *waits) watch(ctx context.Context, d *device, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		start := time.Now()
		if _, err := d.ask(signal.Envelope{Method: signal.MessageHistory, Data: json.RawMessage(`{"limit":1}`)}); err != nil {
			return err
		}
		w.mu.Lock()
		w.all = append(w.all, time.Since(start))
		w.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// calm is the same without an attack, right before one: how busy this machine is with other things. What an attack may
// add is measured on top of a few times that, for attackers and others share the machine's cores here.
func calm(ctx context.Context, t *testing.T, every time.Duration, devices ...*device) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var w waits
	var all sync.WaitGroup
	for _, d := range devices {
		all.Go(func() {
			if err := w.watch(ctx, d, every); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return w.p99()
}

// shared is how many times calm's p99 is no wonder beside an attack.
const shared = 4

// TestAttackPasswordHashMemory signs in two hundred times at once from as many networks: each hash takes 19 MiB, and only
// as many may run as there are cores.
func TestAttackPasswordHashMemory(t *testing.T) {
	s := newScene(t, nil)
	alice := s.visitor("127.0.0.1")
	d := alice.device(alice.register("alice").Token, "a")
	before, err := testkit.Usage(s.srv.PID())
	s.must(err)
	var p99, most time.Duration
	for range 3 {
		most = 100*time.Millisecond + shared*calm(s.ctx, t, 5*time.Millisecond, d)
		ctx, cancel := context.WithCancel(s.ctx)
		var others waits
		watched := make(chan error, 1)
		go func() { watched <- others.watch(ctx, d, 5*time.Millisecond) }()
		var all sync.WaitGroup
		statuses := make(chan int, 200)
		for i := range 200 {
			v := s.visitor(fmt.Sprintf("127.2.%d.1", i))
			all.Go(func() {
				status, _, err := v.post("/api/login", signal.Register{Name: fmt.Sprint("person", i), Password: "not this one"})
				if err != nil {
					status = -1
				}
				statuses <- status
			})
		}
		all.Wait()
		cancel()
		s.must(<-watched)
		close(statuses)
		counts := map[int]int{}
		for status := range statuses {
			counts[status]++
		}
		if counts[http.StatusUnauthorized] == 0 || counts[http.StatusUnauthorized]+counts[http.StatusServiceUnavailable] != 200 {
			t.Fatalf("the answers were %v", counts)
		}
		if p99 = others.p99(); p99 < most {
			break
		}
	}
	if p99 >= most {
		t.Errorf("meanwhile a hundredth of the answers on a socket took longer than %v, of %v", p99, most)
	}
	after, err := testkit.Usage(s.srv.PID())
	s.must(err)
	if grown := after.PeakMiB - before.RSSMiB; grown > 200 {
		t.Errorf("the server's memory grew by %.0f MiB", grown)
	}
	t.Logf("p99 %v of %v, memory +%.0f MiB", p99, most, after.PeakMiB-before.RSSMiB)
}

// TestAttackFloodBesideOthers floods from one person's sockets, again and again, while a hundred others talk to the server.
func TestAttackFloodBesideOthers(t *testing.T) {
	s := newScene(t, nil)
	here := s.visitor("127.0.0.1")
	var others []*device
	for p := range 12 {
		token := here.register(fmt.Sprint("person", p)).Token
		for i := range 9 {
			others = append(others, here.device(token, fmt.Sprint("d", i)))
		}
	}
	mallory := here.register("mallory").Token
	message, err := json.Marshal(signal.Envelope{Method: signal.UserList, RequestID: "flood"})
	s.must(err)
	var p99, most time.Duration
	ended, sent := 0, 0
	for range 5 {
		most = 50*time.Millisecond + shared*calm(s.ctx, t, 100*time.Millisecond, others...)
		ctx, cancel := context.WithTimeout(s.ctx, 2*time.Second)
		var w waits
		var all sync.WaitGroup
		for _, d := range others {
			all.Go(func() {
				if err := w.watch(ctx, d, 100*time.Millisecond); err != nil {
					t.Error(err)
				}
			})
		}
		for ctx.Err() == nil {
			d, err := here.connect(ctx, mallory, "m")
			if err != nil {
				continue
			}
			go func() { // what comes back must be taken, or the flooder would only wait for itself
				for {
					if _, _, err := d.ReadMessage(); err != nil {
						return
					}
				}
			}()
			for ctx.Err() == nil {
				if d.WriteMessage(websocket.TextMessage, message) != nil {
					ended++
					break
				}
				sent++
			}
			_ = d.Close()
		}
		all.Wait()
		cancel()
		if p99 = w.p99(); p99 < most {
			break
		}
	}
	if p99 >= most {
		t.Errorf("beside the flood a hundredth of the answers took longer than %v, of %v", p99, most)
	}
	if ended == 0 {
		t.Error("no flooding socket was closed")
	}
	t.Logf("p99 %v of %v beside %d messages on %d sockets", p99, most, sent, ended)
}

// loris are connections that dawdle in one way.
type loris struct {
	what  string
	conns []net.Conn
	say   byte // each second
}

// lorises opens five thousand in three ways.
func (v *visitor) lorises() []loris {
	v.s.t.Helper()
	head := "POST /api/login HTTP/1.1\r\nHost: x\r\n"
	return []loris{
		{"handshake", v.dawdle(4400, "127.4.0.1", false, "\x16"), 3},
		{"headers", v.dawdle(400, "127.4.1.1", true, head), 'x'},
		{"body", v.dawdle(200, "127.4.2.1", true, head+"Content-Length: 10000\r\n\r\n"), '{'},
	}
}

// dawdle opens n connections from an address, and says how each begins.
func (v *visitor) dawdle(n int, address string, inTLS bool, first string) (conns []net.Conn) {
	v.s.t.Helper()
	dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conf := v.tls.Clone()
	conf.ServerName = "127.0.0.1"
	for range n {
		c, err := dial.DialContext(v.s.ctx, "tcp", strings.TrimPrefix(v.s.srv.URL, "https://"))
		v.s.must(err)
		v.s.t.Cleanup(func() { _ = c.Close() })
		if inTLS {
			secure := tls.Client(c, conf)
			v.s.must(secure.HandshakeContext(v.s.ctx))
			c = secure
		}
		_, err = io.WriteString(c, first)
		v.s.must(err)
		conns = append(conns, c)
	}
	return conns
}

// ends sends when the last of them was closed by the server.
func (l *loris) ends(t *testing.T) <-chan time.Time {
	var all sync.WaitGroup
	for _, c := range l.conns {
		all.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(limit))
			_, err := io.Copy(io.Discard, c)
			if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // as it comes from the socket
				t.Errorf("a connection that dawdles in its %s is never closed", l.what)
			}
		})
	}
	last := make(chan time.Time, 1)
	go func() { all.Wait(); last <- time.Now() }()
	return last
}

// TestAttackSlowLoris opens five thousand connections that say a byte a second: in the TLS handshake, in the headers of a
// request, in its body.
func TestAttackSlowLoris(t *testing.T) {
	s := newScene(t, []string{"alice"})
	v := s.visitor("127.0.0.1")
	begin := time.Now()
	all := v.lorises()
	opened := time.Now()
	t.Logf("opened within %v", opened.Sub(begin))
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var ends []<-chan time.Time
	for _, l := range all {
		ends = append(ends, l.ends(t))
	}
	for open := len(all); open > 0; {
		for _, l := range all {
			for _, c := range l.conns {
				_, _ = c.Write([]byte{l.say}) // closed ones take nothing
			}
		}
		start := time.Now()
		if status, reply, err := v.post("/api/login", signal.Register{Name: "alice", Password: testkit.Password}); err != nil || status != http.StatusOK {
			t.Errorf("alice signs in meanwhile: %d %s %v", status, reply, err)
		} else if took := time.Since(start); took > 2*time.Second {
			t.Errorf("alice signs in within %v", took)
		}
		<-second.C
		for i, l := range all {
			select {
			case at := <-ends[i]:
				open--
				took := at.Sub(opened).Round(100 * time.Millisecond)
				t.Logf("the last connection that dawdles in its %s was closed after %v", l.what, took)
				if took > 12*time.Second {
					t.Errorf("that is too late: %s", l.what)
				}
			default:
			}
		}
	}
}

// TestAttackFileDescriptorExhaustion opens connections until the server has no descriptor left for more.
func TestAttackFileDescriptorExhaustion(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	s := &scene{Stage: &testkit.Stage{Dir: t.TempDir(), Bin: bin}, t: t, ctx: ctx}
	const most = 120
	s.Before = func(who string) []string {
		if who != "server" {
			return nil
		}
		return []string{"prlimit", fmt.Sprintf("--nofile=%d:%d", most, most)}
	}
	srv, err := s.Server(ctx)
	s.must(err)
	t.Cleanup(srv.Close)
	s.srv = srv
	v := s.visitor("127.0.0.1")
	d := v.device(v.register("alice").Token, "a")
	v.http.CloseIdleConnections()
	var hogs []net.Conn
	for range 2 * most {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.srv.URL, "https://"))
		s.must(err)
		hogs = append(hogs, c)
	}
	defer func() {
		for _, c := range hogs {
			_ = c.Close()
		}
	}()
	before, err := testkit.Usage(s.srv.PID())
	s.must(err)
	start := time.Now()
	for time.Since(start) < 2*time.Second {
		if _, err := d.ask(signal.Envelope{Method: signal.UserList}); err != nil {
			t.Fatalf("a socket that was there: %v", err)
		}
		if e, err := d.ask(signal.Envelope{Method: signal.MessageSendToAll, Data: signal.Encode(signal.Text{Text: "still here"})}); err != nil {
			t.Fatalf("a socket that was there: %+v, %v", e, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	after, err := testkit.Usage(s.srv.PID())
	s.must(err)
	if used := after.CPU - before.CPU; used > time.Since(start)/2 {
		t.Errorf("the server used %v of CPU in %v: it does not wait before it accepts again", used, time.Since(start))
	}
	for _, c := range hogs {
		_ = c.Close()
	}
	start = time.Now()
	v.enter("/api/login", "alice")
	if took := time.Since(start); took > 6*time.Second {
		t.Errorf("somebody new waited %v", took)
	}
	if text := s.srv.Errors(); strings.Contains(text, "goroutine ") || strings.Contains(text, "panic") {
		t.Errorf("the server says %s", text)
	}
}

// through makes a visitor come by another way.
func (v *visitor) through(dial func(network, address string) (net.Conn, error)) {
	v.way = func(_ context.Context, network, address string) (net.Conn, error) { return dial(network, address) }
	v.http.Transport = &http.Transport{TLSClientConfig: v.tls, DialContext: v.way}
}
