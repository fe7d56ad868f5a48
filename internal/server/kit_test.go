package server_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; it is never slept through.
const patience = 20 * time.Second

// site is a running server and how to reach it.
type site struct {
	t    *testing.T
	srv  *server.Server
	http *http.Client
	tls  *tls.Config
	log  *journal
	base string // the address by which it is reached; empty: the server's own URL

	dialer *net.Dialer // of sockets; nil: any address of this machine's
}

// url is where the site is reached.
func (s *site) url() string { return cmp.Or(s.base, s.srv.URL()) }

// journal is what the server logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// config is a server on free loopback ports, with cheap passwords and without the limits that tests run into.
func config(dir string) server.Config {
	free := limit.Rate{Burst: 1 << 20, Every: time.Microsecond}
	return server.Config{
		Listen: "127.0.0.1:0", TURNListen: server.NoTURN, DataDir: dir,
		Passwords: accounts.Work{MemoryKiB: 64, Passes: 1},
		Limits: server.Limits{
			Invites:  free,
			Calls:    free,
			Accounts: accounts.Limits{LoginPerAccountAndNet: free, LoginPerAccount: free, LoginPerNet: free, RegisterPerNet: free, RequestsPerSession: free},
		},
	}
}

func open(t *testing.T, change ...func(*server.Config)) *site {
	t.Helper()
	c := config(t.TempDir())
	for _, f := range change {
		f(&c)
	}
	return openConfig(t, c)
}

func openConfig(t *testing.T, c server.Config) *site {
	t.Helper()
	s := &site{t: t, log: &journal{}}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	}
	s.srv = &server.Server{Config: c}
	if err := s.srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	if f := s.srv.CertFile(); f != "" {
		pem, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s.tls = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
			t.Fatal("no certificate in the file")
		}
	}
	s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: s.tls}, Timeout: patience}
	return s
}

func (s *site) close() {
	s.http.CloseIdleConnections()
	s.srv.Close()
}

// answer is what an HTTP request got.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) failure() signal.Failure {
	var f signal.Failure
	_ = json.Unmarshal(a.body, &f)
	return f
}

func (s *site) send(method, path, body string, headers ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

// guest is a person with an account here.
type guest struct {
	site  *site
	user  signal.User
	token string
}

const password = "a fine password"

func (s *site) guest(name string) *guest {
	s.t.Helper()
	a := s.send("POST", "/api/register", fmt.Sprintf(`{"name":%q,"password":%q,"device":"test"}`, name, password))
	var in signal.SignedIn
	if err := json.Unmarshal(a.body, &in); a.status != http.StatusOK || err != nil || in.Token == "" {
		s.t.Fatalf("register %s: %d %s", name, a.status, a.body)
	}
	return &guest{site: s, user: in.User, token: in.Token}
}

func (g *guest) get(path string, into any) int {
	g.site.t.Helper()
	a := g.site.send("GET", path, "", "Authorization", "Bearer "+g.token)
	if a.status == http.StatusOK {
		if err := json.Unmarshal(a.body, into); err != nil {
			g.site.t.Fatalf("%s: %v in %s", path, err, a.body)
		}
	}
	return a.status
}

// record reads one call back the way a client does.
func (g *guest) record(id string) signal.CallRecord {
	g.site.t.Helper()
	var list signal.Calls
	if st := g.get("/api/calls", &list); st != http.StatusOK {
		g.site.t.Fatalf("GET /api/calls: %d", st)
	}
	i := slices.IndexFunc(list.Calls, func(c signal.CallRecord) bool { return c.ID == id })
	if i < 0 {
		g.site.t.Fatalf("%s finds no call %s in %+v", g.user.Name, id, list.Calls)
	}
	var one signal.CallRecord
	if st := g.get("/api/calls/"+id, &one); st != http.StatusOK || one.Reason != list.Calls[i].Reason {
		g.site.t.Fatalf("GET /api/calls/%s: %d %+v", id, st, one)
	}
	return one
}

// phone is one socket of a guest's; what comes is kept until somebody asks for it.
type phone struct {
	t     *testing.T
	name  string
	conn  *websocket.Conn
	hello signal.Connected

	mu   sync.Mutex
	got  []signal.Envelope
	more chan struct{} // closed and replaced when got grows or the socket ends
	end  error
	next int

	wasCut bool
}

// cut ends the connection without a word, as a crash or a pulled cable does.
func (p *phone) cut() {
	p.wasCut = true
	_ = p.conn.NetConn().Close()
}

func (s *site) wsURL() string { return "ws" + strings.TrimPrefix(s.url(), "http") + "/ws" }

// dial opens a socket, or gives the HTTP status with which it was refused (0: no answer).
func (s *site) dial(h http.Header, protocols ...string) (conn *websocket.Conn, status int, err error) {
	d := websocket.Dialer{TLSClientConfig: s.tls, HandshakeTimeout: patience, Subprotocols: protocols}
	if s.dialer != nil {
		d.NetDialContext = s.dialer.DialContext
	}
	conn, res, err := d.DialContext(s.t.Context(), s.wsURL(), h)
	if res != nil {
		_ = res.Body.Close()
		status = res.StatusCode
	}
	return conn, status, err
}

// raw is a socket that has not said User/Connect.
func (g *guest) raw() *phone {
	g.site.t.Helper()
	conn, _, err := g.site.dial(http.Header{"Authorization": {"Bearer " + g.token}}, signal.Subprotocol)
	if err != nil {
		g.site.t.Fatal(err)
	}
	return newPhone(g.site.t, g.user.Name, conn)
}

func newPhone(t *testing.T, name string, conn *websocket.Conn) *phone {
	p := &phone{t: t, name: name, conn: conn, more: make(chan struct{})}
	done := make(chan struct{})
	go func() { defer close(done); p.read() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return p
}

// phone connects a device; the same id is the same device.
func (g *guest) phone(device string) *phone {
	g.site.t.Helper()
	p := g.raw()
	p.connect(device)
	return p
}

func (p *phone) connect(device string) {
	p.t.Helper()
	c := signal.Connect{DeviceID: device + "-0123456789abcdef", Device: device, Client: "test/1"}
	e := p.must(signal.UserConnect, "", "", c)
	p.hello = decode[signal.Connected](p.t, e)
}

func (p *phone) read() {
	for {
		_, b, err := p.conn.ReadMessage()
		var e signal.Envelope
		if err == nil {
			e, err = signal.Parse(b)
		}
		p.mu.Lock()
		if err != nil {
			p.end = err
		} else {
			p.got = append(p.got, e)
		}
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

var errPatience = errors.New("nothing came")

// wait takes the first message that matches.
func (p *phone) wait(match func(signal.Envelope) bool) (signal.Envelope, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		p.mu.Lock()
		i := slices.IndexFunc(p.got, match)
		if i >= 0 {
			e := p.got[i]
			p.got = slices.Delete(p.got, i, i+1)
			p.mu.Unlock()
			return e, nil
		}
		more, end := p.more, p.end
		p.mu.Unlock()
		if end != nil {
			return signal.Envelope{}, end
		}
		select {
		case <-more:
		case <-ctx.Done():
			return signal.Envelope{}, errPatience
		}
	}
}

func (p *phone) write(e signal.Envelope) {
	p.t.Helper()
	if err := p.conn.WriteJSON(e); err != nil {
		p.t.Fatalf("%s writes %s: %v", p.name, e.Method, err)
	}
}

func (p *phone) ask(m signal.Method, to, call string, data any) signal.Envelope {
	p.t.Helper()
	p.next++
	id := fmt.Sprint("r", p.next)
	p.write(signal.Envelope{Method: m, ToID: to, CallID: call, RequestID: id, FromID: "somebody else", Data: signal.Encode(data)})
	e, err := p.wait(func(e signal.Envelope) bool { return e.RequestID == id })
	if err != nil || e.Method != m {
		p.t.Fatalf("%s asks %s: %+v, %v", p.name, m, e, err)
	}
	return e
}

func (p *phone) must(m signal.Method, to, call string, data any) signal.Envelope {
	p.t.Helper()
	e := p.ask(m, to, call, data)
	if e.Code != signal.CodeOK {
		p.t.Fatalf("%s: %s is refused: %s %s", p.name, m, e.Message, e.Data)
	}
	return e
}

func (p *phone) refused(code string, m signal.Method, to, call string, data any) signal.Envelope {
	p.t.Helper()
	e := p.ask(m, to, call, data)
	if pr := decode[signal.Problem](p.t, e); e.Code != signal.CodeError || pr.Error != code || e.Message == "" {
		p.t.Fatalf("%s: %s gives %+v, want %s", p.name, m, e, code)
	}
	return e
}

func (p *phone) push(code signal.Code, call string) signal.Envelope {
	p.t.Helper()
	e, err := p.wait(func(e signal.Envelope) bool { return e.Code == code && e.CallID == call })
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.t.Fatalf("%s waits for push %d of %q: %v; there is %+v", p.name, code, call, err, p.got)
	}
	return e
}

func (p *phone) ended(call string, want signal.EndReason) signal.Ended {
	p.t.Helper()
	e := decode[signal.Ended](p.t, p.push(signal.CodeEnded, call))
	if e.Reason != want {
		p.t.Fatalf("%s hears that the call ended %q, want %q", p.name, e.Reason, want)
	}
	return e
}

// forget drops what has come with a code.
func (p *phone) forget(code signal.Code) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = slices.DeleteFunc(p.got, func(e signal.Envelope) bool { return e.Code == code })
}

// closed waits for the end of the socket and gives its close code, 0 when it was cut.
func (p *phone) closed() int {
	p.t.Helper()
	_, err := p.wait(func(signal.Envelope) bool { return false })
	if errors.Is(err, errPatience) {
		p.t.Fatalf("%s's socket stays open", p.name)
	}
	var ce *websocket.CloseError
	if errors.As(err, &ce) {
		return ce.Code
	}
	return 0
}

func decode[T any](t *testing.T, e signal.Envelope) T {
	t.Helper()
	v, err := signal.Decode[T](e)
	if err != nil {
		t.Fatalf("%s: %v in %s", e.Method, err, e.Data)
	}
	return v
}

// invite dials and waits until it rings at all of them.
func invite(from *phone, to signal.User, rings ...*phone) (call string) {
	from.t.Helper()
	call = signal.NewID()
	from.must(signal.CallInvite, to.ID, call, signal.Invite{Video: true})
	for _, p := range rings {
		p.push(signal.CodeInvite, call)
		p.must(signal.CallRinging, "", call, nil)
	}
	return call
}

// talk is a call that has been accepted by to, which is a device of callee.
func talk(from, to *phone, callee signal.User) (call string) {
	from.t.Helper()
	call = invite(from, callee, to)
	to.must(signal.CallAccept, "", call, signal.Accept{Video: true})
	from.push(signal.CodeAccepted, call)
	return call
}
