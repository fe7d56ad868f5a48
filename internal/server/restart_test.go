package server_test

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// A server that stops says when to come back, to each client another time, and answers until it closes the socket.
func TestStoppingTellsWhenToComeBack(t *testing.T) {
	s := open(t, plain)
	g := s.guest("alice")
	var phones []*phone
	for i := range 9 {
		p := g.raw()
		p.number(signal.Resume{}, fmt.Sprint("device", i))
		phones = append(phones, p)
	}
	phones = append(phones, g.phone("old"))
	// A request that does not come to an end: the server gives it two seconds.
	slow, err := net.Dial("tcp", s.srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := slow.Write([]byte("GET /healthz HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); s.srv.Close() }()
	times := map[int64]bool{}
	for _, p := range phones {
		after := decode[signal.Stopping](t, p.push(signal.CodeStopping, "")).AfterMs
		if after < 0 || after > server.DefaultReturnWithin.Milliseconds() {
			t.Errorf("%s is to come back after %d ms", p.name, after)
		}
		times[after] = true
	}
	if len(times) < 8 {
		t.Errorf("they are to come back at %v", times)
	}
	phones[9].must(signal.UserList, "", "", nil)
	phones[0].write(signal.Envelope{Method: signal.UserList, RequestID: "still there", Seq: 1})
	if e, err := phones[0].wait(func(e signal.Envelope) bool { return e.RequestID == "still there" }); err != nil || e.Code != signal.CodeOK {
		t.Errorf("a request meanwhile: %+v, %v", e, err)
	}
	for _, p := range phones {
		if code := p.closed(); code != 1012 {
			t.Errorf("closed with %d", code)
		}
	}
	<-closed
}

// crowd is many clients and when they were last greeted.
type crowd struct {
	clients []*signal.Client
	done    sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when somebody has been greeted
	greeted []time.Time
	times   []int
	refused int
	resumed int
	calls   map[int]string
}

func (c *crowd) listen(i int) {
	for e := range c.clients[i].Events() {
		if e.Connected == nil && e.State != signal.StateRefused {
			continue
		}
		c.mu.Lock()
		if e.Connected != nil {
			c.greeted[i], c.calls[i] = time.Now(), e.Connected.CallID
			c.times[i]++
			if e.Connected.Resumed {
				c.resumed++
			}
		} else {
			c.refused++
		}
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
	}
}

// all waits until everybody has been greeted so often.
func (c *crowd) all(t *testing.T, times int, within time.Duration) {
	t.Helper()
	late := time.After(within)
	for {
		c.mu.Lock()
		missing, changed := 0, c.changed
		for _, n := range c.times {
			if n < times {
				missing++
			}
		}
		c.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%d of %d are not there after %v", missing, len(c.times), within)
		}
	}
}

func newCrowd(t *testing.T, s *site, people, devices int) *crowd {
	t.Helper()
	n := people * devices
	c := &crowd{changed: make(chan struct{}), greeted: make([]time.Time, n), times: make([]int, n), calls: map[int]string{}}
	for i := range people {
		g := s.guest(fmt.Sprintf("guest%d", i))
		for d := range devices {
			c.clients = append(c.clients, &signal.Client{
				URL: s.wsURL(), Token: g.token, Connect: signal.Connect{DeviceID: fmt.Sprintf("device-%d-0123456789abcdef", d)},
			})
		}
	}
	for i, client := range c.clients {
		if err := client.Start(); err != nil {
			t.Fatal(err)
		}
		c.done.Go(func() { c.listen(i) })
	}
	t.Cleanup(func() {
		var closing sync.WaitGroup
		for _, client := range c.clients {
			closing.Go(client.Close)
		}
		closing.Wait()
		c.done.Wait()
	})
	return c
}

// R5 and R6: two thousand clients connect at once, and come back after a restart: all of them, nobody is turned away, and
// they do not come in one wave. A call that two of them have goes on. VISAVIS_HERD=10000 is how many the promises were
// made for; so many clients and their server in one process want 40,000 descriptors.
func TestTwoThousandComeBack(t *testing.T) {
	config := config(t.TempDir())
	plain(&config)
	s := openConfig(t, config)
	config.Listen = s.srv.Addr().String() // the next one has the same address
	people := 250
	if racing { // two thousand come without the race detector, which makes each ten times as slow (scripts/test.sh)
		people = 40
	}
	if n, err := strconv.Atoi(os.Getenv("VISAVIS_HERD")); err == nil {
		people = n / 8
	}
	c := newCrowd(t, s, people, 8)
	c.all(t, 1, time.Minute)

	call := signal.NewID()
	user := s.again("guest1").user
	for _, e := range []struct {
		who int
		e   signal.Envelope
	}{
		{0, signal.Envelope{Method: signal.CallInvite, ToID: user.ID, CallID: call, Data: signal.Encode(signal.Invite{})}},
		{8, signal.Envelope{Method: signal.CallAccept, CallID: call}},
	} {
		if _, err := c.clients[e.who].Request(t.Context(), e.e); err != nil {
			t.Fatal(err)
		}
	}
	stopped := time.Now()
	s.srv.Close()
	closing := time.Since(stopped)
	openConfig(t, config)
	c.all(t, 2, 30*time.Second)
	back := time.Since(stopped)

	c.mu.Lock()
	defer c.mu.Unlock()
	seconds := map[int]int{}
	for _, at := range c.greeted {
		seconds[int(at.Sub(stopped)/time.Second)]++
	}
	for second, n := range seconds {
		if n > len(c.clients)/2 {
			t.Errorf("%d of %d come in second %d", n, len(c.clients), second)
		}
	}
	if c.refused > 0 {
		t.Errorf("%d were turned away", c.refused)
	}
	if c.calls[0] != call || c.calls[8] != call {
		t.Errorf("the call that went on is %q and %q, want %q", c.calls[0], c.calls[8], call)
	}
	t.Logf("stopped within %v, all back after %v, by seconds %v", closing, back, seconds)
}
