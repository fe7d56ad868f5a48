package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit/lossylink"
)

// TestAttackHalfOpenConnections connects from another network and then loses every packet both ways, so that neither side
// hears of the end: others see the person leave within the time of two pings.
func TestAttackHalfOpenConnections(t *testing.T) {
	s, link := newApart(t, lossylink.Config{Lines: []string{"srv delay=5ms"}, Seed: 1}, "--ping-every", "1s", "--metrics-listen", "127.0.0.1:0")
	from := map[lossylink.Host]*visitor{}
	for _, h := range []lossylink.Host{lossylink.A, lossylink.B} {
		v := s.visitor("0.0.0.0")
		v.through(func(network, address string) (net.Conn, error) { return link.Dial(h, network, address) })
		from[h] = v
	}
	watcher := from[lossylink.B].device(from[lossylink.B].register("bob").Token, "b")
	alice := from[lossylink.A].register("alice")
	goroutines := func() float64 {
		t.Helper()
		n, err := metric(s.srv.Data, "go_goroutines", func(network, address string) (net.Conn, error) {
			return link.Dial(lossylink.S, network, address)
		})
		s.must(err)
		return n
	}
	base := goroutines()
	for i := range 5 {
		from[lossylink.A].device(alice.Token, "device"+string(rune('0'+i)))
	}
	from[lossylink.A].http.CloseIdleConnections()
	presence := func(want signal.Code) time.Time {
		t.Helper()
		for {
			var e signal.Envelope
			_ = watcher.SetReadDeadline(time.Now().Add(limit))
			s.must(watcher.ReadJSON(&e))
			if u, err := signal.Decode[signal.UserChange](e); err == nil && e.Code == want && u.User.ID == alice.User.ID {
				return time.Now()
			}
		}
	}
	presence(signal.CodeUserOnline)
	s.must(link.Set("as+sa", "block=1"))
	cut := time.Now()
	if took := presence(signal.CodeUserOffline).Sub(cut); took > 15*time.Second { // two pings of a second, and what a resumed session is given
		t.Errorf("alice was shown as offline after %v", took)
	} else {
		t.Logf("alice was shown as offline after %v", took)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := goroutines(); n > base+2; n = goroutines() { // the connections of whoever asks come and go
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			t.Fatalf("there are %v goroutines, before there were %v", n, base)
		}
	}
}

// metric reads one sample of the server whose data folder that is.
func metric(data, name string, dial func(network, address string) (net.Conn, error)) (float64, error) {
	b, err := os.ReadFile(filepath.Join(data, "server.json"))
	if err != nil {
		return 0, err
	}
	var state struct{ Metrics string }
	if err := json.Unmarshal(b, &state); err != nil {
		return 0, err
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(_ context.Context, network, address string) (net.Conn, error) { return dial(network, address) },
	}}
	res, err := client.Get("http://" + state.Metrics + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for in := bufio.NewScanner(res.Body); in.Scan(); {
		if value, ok := strings.CutPrefix(in.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.New("there is no metric " + name)
}
