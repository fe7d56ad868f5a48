package peer

import (
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/pion/transport/v4"
)

// placed is a socket that is nowhere but has an address.
type placed struct {
	transport.UDPConn
	addr *net.UDPAddr
}

func (p placed) LocalAddr() net.Addr { return p.addr }

func socketAt(text string) *gateConn {
	return &gateConn{UDPConn: placed{addr: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(text))}, gate: &gate{}}
}

func from(c *gateConn) func(netip.Addr) bool { return func(a netip.Addr) bool { return a == c.at() } }

func wayFrom(c *gateConn, to string) packetPath { return packetPath{c, netip.MustParseAddrPort(to)} }

// lasts lets time pass in beats; answer says how long a path takes to answer, 0: never. It gives the number of checks.
func lasts(s *standby, now *time.Time, d time.Duration, hurry bool, answer func(packetPath) time.Duration) (checks int) {
	type reply struct {
		at time.Time
		p  packetPath
		id [transactionIDSize]byte
	}
	var replies []reply
	for end := now.Add(d); now.Before(end); *now = now.Add(beatEvery) {
		for len(replies) > 0 && !replies[0].at.After(*now) {
			s.answered(replies[0].p, replies[0].id, *now)
			replies = replies[1:]
		}
		w := s.due(*now, hurry)
		if w == nil {
			continue
		}
		checks++
		id := [transactionIDSize]byte{byte(checks), byte(checks >> 8), byte(now.UnixMilli()), byte(now.UnixMilli() >> 8)}
		w.sentCheck(id, *now)
		if rtt := answer(w.packetPath); rtt > 0 {
			replies = append(replies, reply{now.Add(rtt), w.packetPath, id})
		}
	}
	return checks
}

func TestStandbyKeepsWaysOpen(t *testing.T) {
	wifi, cable := socketAt("192.168.1.2:1000"), socketAt("10.0.0.2:1001")
	live, quicker, dead := wayFrom(wifi, "203.0.113.1:9"), wayFrom(cable, "203.0.113.1:9"), wayFrom(cable, "203.0.113.2:9")
	all := func(netip.Addr) bool { return true }
	var s standby
	now := time.Unix(1e9, 0)
	for _, p := range []packetPath{live, quicker, dead, live} {
		s.add(p, now)
	}
	up := true
	answer := func(p packetPath) time.Duration {
		switch {
		case !up || p == dead:
			return 0
		case p == quicker:
			return 20 * time.Millisecond
		}
		return 60 * time.Millisecond
	}
	if s.best(now, time.Time{}, all) != nil {
		t.Error("a way is open that nobody has tried")
	}
	if n := lasts(&s, &now, time.Minute, false, answer); n < 40 || n > 75 || s.eager(now) {
		t.Errorf("%d checks in a minute", n) // two every 2.5 s, and ten in vain
	}
	if w := s.best(now, time.Time{}, all); w == nil || w.packetPath != quicker {
		t.Errorf("the best is %v", w)
	}
	if w := s.best(now, time.Time{}, from(wifi)); w == nil || w.packetPath != live {
		t.Errorf("the best over wifi is %v", w)
	}
	s.find(quicker).refused = now
	if w := s.best(now, time.Time{}, from(cable)); w != nil {
		t.Errorf("%v was refused a moment ago", w)
	}

	up = false
	lasts(&s, &now, wayFresh+wayEvery, false, answer)
	if w := s.best(now, time.Time{}, all); w != nil {
		t.Errorf("%v has been dead for long", w)
	}
	lasts(&s, &now, time.Minute, false, answer)
	if n := lasts(&s, &now, time.Minute, false, answer); n > 0 {
		t.Errorf("%d checks of ways that are given up", n)
	}

	up = true
	began := now
	lasts(&s, &now, goneFor/2, true, answer)
	if s.best(now, began, from(wifi)) == nil {
		t.Error("in a hurry no way was found soon")
	}
	s.keep(func(w *way) bool { return w.conn == wifi })
	if len(s.ways) != 1 {
		t.Errorf("%d ways of wifi", len(s.ways))
	}
}

// An answer counts for the path that was asked, and once.
func TestStandbyWantsItsOwnAnswer(t *testing.T) {
	c := socketAt("10.0.0.2:1001")
	p, q := wayFrom(c, "203.0.113.1:9"), wayFrom(c, "203.0.113.2:9")
	var s standby
	now := time.Unix(1e9, 0)
	s.add(p, now)
	s.add(q, now)
	id := [transactionIDSize]byte{1}
	s.due(now, false).sentCheck(id, now)
	s.answered(q, id, now.Add(time.Millisecond))
	s.answered(p, [transactionIDSize]byte{2}, now.Add(time.Millisecond))
	if w := s.best(now, time.Time{}, func(netip.Addr) bool { return true }); w != nil {
		t.Errorf("open by a foreign answer: %v", w)
	}
	s.answered(p, id, now.Add(time.Millisecond))
	first := s.find(p).heard
	s.answered(p, id, now.Add(time.Second))
	if first.IsZero() || s.find(p).heard != first {
		t.Error("its own answer does not count once")
	}
}

// What nobody answers does not keep out what comes later; what answers is kept.
func TestStandbyMakesRoom(t *testing.T) {
	c := socketAt("10.0.0.2:1001")
	nth := func(n int) packetPath { return wayFrom(c, "203.0.113."+strconv.Itoa(n)+":9") }
	var s standby
	now := time.Unix(1e9, 0)
	for n := range maxWays + 1 {
		s.add(nth(n), now)
	}
	if s.find(nth(maxWays)) != nil {
		t.Error("there is no bound")
	}
	lasts(&s, &now, time.Minute, false, func(p packetPath) time.Duration {
		if p == nth(3) {
			return time.Millisecond
		}
		return 0
	})
	for n := maxWays; n < 3*maxWays; n++ {
		s.add(nth(n), now)
	}
	if len(s.ways) != maxWays || s.find(nth(3)) == nil || s.find(nth(maxWays)) == nil || s.find(nth(3*maxWays-1)) != nil {
		t.Errorf("%d ways after dead ones made room", len(s.ways))
	}
}
