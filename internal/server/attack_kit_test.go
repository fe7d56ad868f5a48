package server_test

import (
	"bufio"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/limit"
	"visavis.example/internal/signal"
)

// The tests of this and the other attack_* files are named after the rows of docs/attacks.md, which says what each
// attack is and what has to happen.

// What config takes away from the limits of a server, and what it leaves.
func realLimits(c *server.Config) { c.Limits.Accounts = accounts.Limits{} }

func realInviteLimit(c *server.Config) {
	c.Limits.Invites, c.Limits.Calls = limit.Rate{}, limit.Rate{}
}

func noMessageLimit(c *server.Config) {
	c.Limits.Messages = limit.Rate{Burst: 1 << 20, Every: time.Microsecond}
}

// from is the same site for somebody at another address of this machine; Linux has all of 127.0.0.0/8.
func (s *site) from(address string) *site {
	s.t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		s.t.Skipf("this system has no second loopback address: %v", err)
	}
	_ = l.Close()
	there := *s
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: patience}
	there.dialer = dialer
	there.http = &http.Client{Transport: &http.Transport{TLSClientConfig: s.tls, DialContext: dialer.DialContext}, Timeout: patience}
	s.t.Cleanup(there.http.CloseIdleConnections)
	return &there
}

// js is a JSON text of a value, with every character that JSON allows as it is.
func js(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (s *site) login(name, password string, headers ...string) answer {
	s.t.Helper()
	return s.send("POST", "/api/login", js(signal.Register{Name: name, Password: password}), headers...)
}

// raw sends bytes as they are, which no HTTP client would, and gives the reply.
func (s *site) rawRequest(text string) (*http.Response, string) {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.srv.Addr().String(), s.tls)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatalf("%.60q: %v", text, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%.60q: %v", text, err)
	}
	return res, string(b)
}

// database opens what the server writes, for reading.
func (s *site) database() *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(s.srv.DataDir, "visavis.db"))+"?mode=ro")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() })
	return db
}

// tables are the names of all tables and how many rows they have.
func tables(t *testing.T, db *sql.DB) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, name := range tableNames(t, db) {
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM "` + name + `"`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts[name] = n
	}
	return counts
}

func tableNames(t *testing.T, db *sql.DB) (names []string) {
	t.Helper()
	rows, err := db.Query(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// texts are all values of a table that are text or bytes.
func texts(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	rows, err := db.Query(`SELECT * FROM "` + table + `"`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			switch v := v.(type) {
			case string:
				all = append(all, v)
			case []byte:
				all = append(all, string(v))
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// frame is one masked WebSocket frame (RFC 6455 section 5.2) with a mask of zeros.
func frame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// pour writes bytes to a socket's connection until all are written or the server has had enough.
func (p *phone) pour(b []byte) error {
	_ = p.conn.NetConn().SetWriteDeadline(time.Now().Add(patience))
	_, err := p.conn.NetConn().Write(b)
	return err
}

// count is how many messages that match have come and were not taken.
func (p *phone) count(match func(signal.Envelope) bool) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.got {
		if match(e) {
			n++
		}
	}
	return n
}

// quiet checks that nothing of a call has come: what the server had to say before its answer is there already.
func (p *phone) quiet(call string) {
	p.t.Helper()
	p.must(signal.UserList, "", "", nil)
	if n := p.count(func(e signal.Envelope) bool { return e.CallID == call && call != "" }); n > 0 {
		p.t.Fatalf("%s was sent %d messages of call %s", p.name, n, call)
	}
}

// socketStatus is the HTTP status of an upgrade.
func (s *site) socketStatus(path string, h http.Header, protocols ...string) int {
	s.t.Helper()
	d := websocket.Dialer{TLSClientConfig: s.tls, HandshakeTimeout: patience, Subprotocols: protocols}
	conn, res, err := d.DialContext(s.t.Context(), strings.TrimSuffix(s.wsURL(), "/ws")+path, h)
	if err == nil {
		_ = conn.Close()
	}
	if res == nil {
		s.t.Fatalf("%s: no answer: %v", path, err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// mannWhitney is the two-sided p value, by the normal approximation, that two samples are of one distribution: H. B. Mann
// and D. R. Whitney, "On a Test of Whether one of Two Random Variables is Stochastically Larger than the Other" (1947).
func mannWhitney(a, b []time.Duration) float64 {
	type sample struct {
		v     time.Duration
		first bool
	}
	var all []sample
	for _, v := range a {
		all = append(all, sample{v, true})
	}
	for _, v := range b {
		all = append(all, sample{v, false})
	}
	slices.SortFunc(all, func(x, y sample) int { return int(x.v - y.v) })
	sum := 0.0
	for i, s := range all { // ties of nanoseconds are too rare to matter
		if s.first {
			sum += float64(i + 1)
		}
	}
	n, m := float64(len(a)), float64(len(b))
	u := sum - n*(n+1)/2
	z := (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return math.Erfc(math.Abs(z) / math.Sqrt2)
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

func TestMannWhitney(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(shift float64) (d []time.Duration) {
		for range 100 {
			d = append(d, time.Duration(1e6*(10+rng.NormFloat64()+shift)))
		}
		return d
	}
	if p := mannWhitney(draw(0), draw(0)); p < 0.05 {
		t.Errorf("the same distribution: p = %v", p)
	}
	if p := mannWhitney(draw(0), draw(2)); p > 1e-6 {
		t.Errorf("two standard deviations apart: p = %v", p)
	}
	if got := fmt.Sprint(median([]time.Duration{3, 1, 2})); got != "2ns" {
		t.Error(got)
	}
}

// metrics is what the server shows of itself.
func (s *site) metrics() string {
	s.t.Helper()
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + s.srv.MetricsAddr().String() + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// metric reads one sample of it.
func (s *site) metric(name string) float64 {
	s.t.Helper()
	for line := range strings.Lines(s.metrics()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return v
		}
	}
	s.t.Fatalf("there is no metric %s", name)
	return 0
}
