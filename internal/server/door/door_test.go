package door

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const acmeALPN = "acme-tls/1"

// settings are a server's, with a certificate made for it.
func settings(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(1000 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS12, NextProtos: []string{acmeALPN},
	}
}

// house is a door with both rooms behind it: each answers with its name and what it has read so far.
type house struct {
	*Door
	at string
}

func build(t *testing.T, d *Door) *house {
	t.Helper()
	if d.Listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d.Listener = l
	}
	d.Start()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := d.Accept()
			if err != nil {
				return
			}
			answer(c, "site")
		}
	}()
	t.Cleanup(func() { _ = d.Close(); <-done })
	return &house{d, d.Addr().String()}
}

// answer says who it is and repeats eight bytes that the client has sent.
func answer(c net.Conn, who string) {
	b := make([]byte, 8)
	if _, err := io.ReadFull(c, b); err == nil {
		_, _ = io.WriteString(c, who+" "+string(b))
	}
	_ = c.Close()
}

func relay(c net.Conn) { answer(c, "relay") }

const (
	get     = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	binding = "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"
)

// visit connects, with TLS unless alpn is nil, says it, and reads to the end.
func (h *house) visit(t *testing.T, alpn []string, say string) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", h.at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if alpn != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: alpn[1:]}) //nolint:gosec // not what is tested
	}
	if _, err := io.WriteString(c, say); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

func TestWhoIsLedWhere(t *testing.T) {
	h := build(t, &Door{TLS: settings(t), TURN: relay})
	in := func(protocols ...string) []string { return append([]string{"tls"}, protocols...) }
	for name, c := range map[string]struct {
		alpn []string
		say  string
		want string // "": turned away
	}{
		"a browser":                {in("http/1.1"), get, "site GET / HT"},
		"a browser with HTTP/2":    {in("h2", "http/1.1"), get, "site GET / HT"},
		"a program without ALPN":   {in(), get, "site GET / HT"},
		"TURN by ALPN":             {in("stun.turn"), binding, "relay " + binding[:8]},
		"STUN by ALPN":             {in("stun.nat-discovery"), binding, "relay " + binding[:8]},
		"TURN by ALPN, any bytes":  {in("stun.turn"), get, "relay GET / HT"}, // the relay will refuse it
		"TURN without ALPN":        {in(), binding, "relay " + binding[:8]},
		"TURN under HTTP's name":   {in("http/1.1"), binding, "relay " + binding[:8]},
		"TURN without TLS":         {nil, binding, "relay " + binding[:8]},
		"nobody's bytes":           {nil, "\xff\xfe\xfd", ""},
		"nobody's bytes in TLS":    {in(), "\xff\xfe\xfd", ""},
		"channel data at first":    {nil, "\x40\x00\x00\x04abcd", ""},
		"TLS in TLS":               {in(), "\x16\x03\x01\x00\x10", ""},
		"an authority":             {in(acmeALPN), "", ""},
		"a handshake that is none": {nil, "\x16\x03\x01\x00\x05hello", ""},
	} {
		got, err := h.visit(t, c.alpn, c.say)
		if c.want == "" && strings.HasPrefix(got, "site") || c.want == "" && strings.HasPrefix(got, "relay") || c.want != "" && got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			t.Errorf("%s: left standing", name)
		}
	}
	if h.Sites.Load() != 3 || h.TURNs.Load() != 6 {
		t.Errorf("%d for the site, %d for the relay", h.Sites.Load(), h.TURNs.Load())
	}
}

func TestWithoutRelayAndWithoutTLS(t *testing.T) {
	h := build(t, &Door{TLS: settings(t)})
	for _, alpn := range [][]string{nil, {"tls"}, {"tls", "stun.turn"}} {
		if got, _ := h.visit(t, alpn, binding); got != "" {
			t.Errorf("%v: %q from a relay that is not there", alpn, got)
		}
	}
	plain := build(t, &Door{TURN: relay})
	for say, want := range map[string]string{get: "site GET / HT", binding: "relay " + binding[:8], "\x16\x03\x01": ""} {
		if got, _ := plain.visit(t, nil, say); got != want {
			t.Errorf("plain %q: %q", say, got)
		}
	}
}

// Who types the address without https:// is sent on, and nothing else is answered in the clear.
func TestPlainHTTPIsSentOn(t *testing.T) {
	h := build(t, &Door{TLS: settings(t)})
	for say, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: localhost:8443\r\n\r\n":                                     "307 https://localhost:8443/",
		"GET /a%20b?c=d HTTP/1.0\r\nHost: [::1]:8443\r\n\r\n":                                "307 https://[::1]:8443/a%20b?c=d",
		"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}":                 "400 ",
		"GET / HTTP/1.1\r\n\r\n":                                                             "400 ",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("long", maxRequest) + "\r\n\r\n": "400 ",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                                   "400 ",
	} {
		got, err := h.visit(t, nil, say)
		res, bad := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
		if bad != nil {
			if len(say) < maxRequest { // what is not read makes the system reset the connection
				t.Errorf("%.40q: %q, %v", say, got, err)
			}
			continue
		}
		_ = res.Body.Close()
		if s := res.Status[:3] + " " + res.Header.Get("Location"); s != want {
			t.Errorf("%.40q: %q, want %q", say, s, want)
		}
	}
}

// pipes is a listener of connections in memory.
type pipes struct {
	in     chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.in:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// from is a connection that says it comes from somewhere.
type from struct {
	net.Conn
	at net.TCPAddr
}

func (f *from) RemoteAddr() net.Addr { return &f.at }

func (p *pipes) dial(ip string) net.Conn {
	near, far := net.Pipe()
	p.in <- &from{near, net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
	return far
}

// Who stops at any step is waited for until DefaultWait has passed since the beginning, however little comes again and again.
func TestSlowVisitorsAreNotWaitedFor(t *testing.T) {
	conf := settings(t)
	for name, act := range map[string]func(c net.Conn){
		"silence":              func(net.Conn) {},
		"half a hello":         func(c net.Conn) { _, _ = io.WriteString(c, "\x16\x03\x01\x00\xff\x01") },
		"silence after TLS":    func(c net.Conn) { _ = tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake() }, //nolint:gosec // as above
		"half a plain request": func(c net.Conn) { _, _ = io.WriteString(c, "GET / HT") },
		"a byte a second": func(c net.Conn) {
			for _, b := range []byte("\x16\x03\x01\x02\x00\x01\x00\x01") {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes()
				d := &Door{Listener: p, TLS: conf, TURN: relay}
				d.Start()
				began := time.Now()
				c := p.dial("192.0.2.1")
				acted := make(chan struct{})
				go func() { defer close(acted); act(c) }()
				synctest.Wait()
				for b := make([]byte, 4096); ; {
					if _, err := c.Read(b); err != nil {
						break
					}
				}
				if took := time.Since(began); took != DefaultWait {
					t.Errorf("turned away after %v", took)
				}
				_ = d.Close()
				<-acted
			})
		})
	}
}

// When the door is full of people who say nothing, those who speak come in all the same, and who came alone stays.
func TestACrowdKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		d := &Door{Listener: p, Most: 100, TURN: relay}
		d.Start()
		alone := p.dial("192.0.2.1")
		var silent []net.Conn
		for range 500 {
			silent = append(silent, p.dial("198.51.100.66"))
		}
		synctest.Wait()
		if n := d.crowd.queue.Len(); n != 100 {
			t.Errorf("%d stand in the door", n)
		}
		for _, c := range []net.Conn{p.dial("203.0.113.5"), alone} {
			go func() { _, _ = io.WriteString(c, binding) }()
			if b, _ := io.ReadAll(c); string(b) != "relay "+binding[:8] {
				t.Errorf("somebody decent got %q", b)
			}
		}
		if _, err := silent[0].Read(make([]byte, 1)); err == nil {
			t.Error("the first silent one still stands there")
		}
		began := time.Now()
		_ = d.Close()
		if time.Since(began) != 0 {
			t.Error("closing waited for the silent ones")
		}
		for _, c := range silent {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("somebody stands before a closed door")
			}
		}
		if len(d.crowd.places)+len(d.crowd.from)+d.crowd.queue.Len() != 0 {
			t.Errorf("left over: %d, %d, %d", len(d.crowd.places), len(d.crowd.from), d.crowd.queue.Len())
		}
	})
}

func TestSourcesAreNetworks(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.9": "192.0.2.9", "::ffff:192.0.2.9": "192.0.2.9", "2001:db8::1:2:3:4": "2001:db8::", "2001:db8:0:1::9": "2001:db8:0:1::",
	} {
		if got := sourceOf(&from{at: net.TCPAddr{IP: net.ParseIP(ip)}}).String(); got != want {
			t.Errorf("%s is counted as %s", ip, got)
		}
	}
}

// failing is a listener that has no descriptors left for a while.
type failing struct {
	*pipes
	left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left--; f.left >= 0 {
		return nil, errors.New("too many open files")
	}
	return f.pipes.Accept()
}

func TestAcceptErrorsDoNotEndTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{newPipes(), 12}
		d := &Door{Listener: f, TURN: relay}
		began := time.Now()
		d.Start()
		c := f.dial("192.0.2.1")
		if took := time.Since(began); took < time.Second || took > 10*time.Second {
			t.Errorf("12 errors in a row took %v", took)
		}
		go func() { _, _ = io.WriteString(c, binding) }()
		if b, _ := io.ReadAll(c); !strings.HasPrefix(string(b), "relay") {
			t.Errorf("got %q", b)
		}
		_ = d.Close()
	})
}

// FuzzFirstBytes: whatever comes, somebody gets all of it or nobody gets anything.
func FuzzFirstBytes(f *testing.F) {
	f.Add([]byte(get))
	f.Add([]byte(binding))
	f.Add([]byte("\x16\x03\x01\x00\x05hello"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		near, far := net.Pipe()
		go func() { _, _ = far.Write(b); _ = far.Close() }()
		c, kind, err := peek(near)
		if err != nil {
			if len(b) > 0 {
				t.Fatalf("%q: %v", b, err)
			}
			return
		}
		all, err := io.ReadAll(c)
		if err != nil || string(all) != string(b) || kind != kindOf(b[0]) {
			t.Fatalf("%q became %q (%v)", b, all, err)
		}
		_ = near.Close()
	})
}
