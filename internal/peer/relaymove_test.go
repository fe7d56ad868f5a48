package peer

import (
	"net/netip"
	"testing"
	"time"
)

// A call by a relay of ours cannot move beside it: when its network is gone it restarts at once, and nothing is left that
// beats for ever.
func TestMoveFromARelay(t *testing.T) {
	url, _ := newRelay(t)
	a, b := newPair(t, func(s *Session) {
		s.RelayOnly = true
		s.ICEServers = []ICEServer{{URLs: []string{url}, Username: "u", Credential: "secret"}}
	})
	call(t, a, b)
	flows(t, a, b)
	at := netip.MustParseAddr("127.0.0.1")
	type state struct{ hurry, wish bool }
	after := func(lost bool) state {
		found := make(chan state, 1)
		a.box.post(func() {
			r := &a.roam
			r.lostAt, r.gone, r.wish = time.Now(), lost, at
			a.moveTo(wayFrom(socketAt("127.0.0.1:9"), "127.0.0.1:9"), lost, time.Now())
			found <- state{!r.lostAt.IsZero(), r.wish.IsValid()}
		})
		return <-found
	}
	if s := after(false); s.hurry || s.wish || offers(a) > 1 {
		t.Errorf("after a wish: %+v, %d offers", s, offers(a))
	}
	if s := after(true); s.hurry || s.wish {
		t.Errorf("after a loss: %+v", s)
	}
	eventually(t, "another offer", func() bool { return offers(a) == 2 })
	nextPicture(t, a, b)
}
