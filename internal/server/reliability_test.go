package server_test

import (
	"context"
	"database/sql"
	"net/http"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// TestReliabilityDatabaseDown takes the database away: another program holds its lock for longer than anybody waits.
// People who are signed in go on calling each other; who comes new is told that it does not work now; and the calls of
// that time are in the record afterwards.
func TestReliabilityDatabaseDown(t *testing.T) {
	t.Parallel()
	s := open(t)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(s.srv.DataDir, "visavis.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	login := make(chan answer, 1)
	go func() { login <- s.login("alice", password) }()
	var calls []string
	for range 3 {
		call := talk(alice, bob, b.user)
		alice.must(signal.MessageOffer, "", call, signal.SDP{SDP: "v=0"})
		bob.push(signal.CodeOffer, call)
		bob.must(signal.CallHangup, "", call, signal.Hangup{})
		alice.ended(call, signal.EndHangup)
		bob.ended(call, signal.EndHangup)
		calls = append(calls, call)
	}
	if r := <-login; r.status != http.StatusServiceUnavailable || r.failure().Error != signal.ErrInternal || r.header.Get("Retry-After") == "" {
		t.Errorf("signing in meanwhile: %d %s", r.status, r.body)
	}
	s.until("the journal finds out", func() bool { return s.send("GET", "/readyz", "").status == http.StatusServiceUnavailable })
	if _, err := conn.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if r := s.login("alice", password); r.status != http.StatusOK {
		t.Errorf("signing in afterwards: %d %s", r.status, r.body)
	}
	for _, call := range calls {
		var r signal.CallRecord
		s.until("the call is written", func() bool { return a.get("/api/calls/"+call, &r) == http.StatusOK })
		if r.Reason != signal.EndHangup {
			t.Errorf("the call is on record as %+v", r)
		}
	}
	s.until("it is ready again", func() bool { return s.send("GET", "/readyz", "").status == http.StatusOK })
}

// until asks again and again, and gives up after a time.
func (s *site) until(what string, done func() bool) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !done(); {
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatalf("waited too long until %s", what)
		}
	}
}

// visit is a phone that leaves nothing with the test: its reader is one of live, and ends with cut.
func (g *guest) visit(device string, live *sync.WaitGroup) *phone {
	g.site.t.Helper()
	conn, _, err := g.site.dial(http.Header{"Authorization": {"Bearer " + g.token}}, signal.Subprotocol)
	if err != nil {
		g.site.t.Fatal(err)
	}
	p := &phone{t: g.site.t, name: g.user.Name, conn: conn, more: make(chan struct{})}
	live.Go(p.read)
	p.connect(device)
	return p
}

// TestReliabilitySoak is a day of a small server in some seconds: people come, call, write and go, over and over. Afterwards
// there is nothing left of it in memory.
func TestReliabilitySoak(t *testing.T) {
	s := open(t, noMessageLimit, func(c *server.Config) { c.TURNListen = "127.0.0.1:0" })
	const pairs = 8
	guests := make([]*guest, 2*pairs)
	for i := range guests {
		guests[i] = s.guest("person" + string(rune('a'+i)))
	}
	round := func() {
		var all sync.WaitGroup
		for i := range pairs {
			all.Go(func() {
				var live sync.WaitGroup
				defer live.Wait()
				from, to := guests[2*i].visit("x", &live), guests[2*i+1].visit("y", &live)
				defer from.cut()
				defer to.cut()
				call := talk(from, to, guests[2*i+1].user)
				from.must(signal.MessageOffer, "", call, signal.SDP{SDP: "v=0"})
				from.must(signal.MessageSendTo, guests[2*i+1].user.ID, "", signal.Text{Text: "hello"})
				to.must(signal.CallHangup, "", call, signal.Hangup{})
				from.ended(call, signal.EndHangup)
			})
		}
		all.Wait()
	}
	settle := func() (goroutines int, heap uint64) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s.http.CloseIdleConnections()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for least, same := 1<<30, 0; same < 10; { // until it has stopped falling
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatal("the number of goroutines does not settle")
			}
			if n := runtime.NumGoroutine(); n < least {
				least, same = n, 0
			} else {
				same++
			}
			goroutines = least
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return goroutines, m.HeapAlloc
	}
	for range 5 {
		round()
	}
	goroutines, heap := settle()
	const rounds = 20
	for range rounds {
		round()
	}
	after, grown := settle()
	if after > goroutines+4 {
		t.Errorf("there were %d goroutines, and %d after %d calls", goroutines, after, rounds*pairs)
	}
	if more := int64(grown) - int64(heap); more > 2<<20 {
		t.Errorf("memory has grown by %d KB after %d calls", more>>10, rounds*pairs)
	}
	t.Logf("%d goroutines then %d, %d KB more", goroutines, after, (int64(grown)-int64(heap))>>10)
}
