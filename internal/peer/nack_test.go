package peer

import (
	"math/rand"
	"slices"
	"testing"
	"time"
)

// repairLine is a sender that answers requests, a line both ways and an assembler, on a made-up clock of milliseconds.
type repairLine struct {
	a      assembler
	feed   *feed
	r      *rand.Rand
	rtt    time.Duration
	loss   float64
	jitter time.Duration // each packet takes up to so much longer: they overtake each other

	now      time.Time
	flight   []flying
	kept     map[uint16]received
	resent   map[uint16]time.Time
	captured map[uint32]time.Time
	key      bool // asked for
	seqs     []uint16

	delays   []time.Duration // from capture to the assembler's giving
	dups     int             // packets sent again that were not lost
	arrived  map[uint16]bool
	lastSent time.Time
}

type flying struct {
	at   time.Time
	what received
	nack []uint16 // instead, towards the sender
	pli  bool
}

func newRepairLine(seed int64) *repairLine {
	return &repairLine{
		feed: newFeed(codecVP8, 65000), r: rand.New(rand.NewSource(seed)), now: time.Unix(1000, 0), key: true,
		kept: map[uint16]received{}, resent: map[uint16]time.Time{}, captured: map[uint32]time.Time{}, arrived: map[uint16]bool{},
	}
}

func (l *repairLine) send(f flying) {
	if l.r.Float64() < l.loss {
		return
	}
	f.at = l.now.Add(l.rtt / 2)
	if l.jitter > 0 {
		f.at = f.at.Add(time.Duration(l.r.Int63n(int64(l.jitter))))
	}
	l.flight = append(l.flight, f)
}

func (l *repairLine) run(d time.Duration) {
	for end := l.now.Add(d); l.now.Before(end); l.now = l.now.Add(time.Millisecond) {
		if l.now.Sub(l.lastSent) >= 33*time.Millisecond {
			l.lastSent = l.now
			l.captured[l.feed.rtpTime] = l.now
			packets := 3
			if l.key {
				packets = 10
			}
			list := l.feed.picture(l.key, packets)
			l.key = false
			for _, p := range list {
				l.kept[p.sequence] = p
				l.send(flying{what: p})
			}
		}
		arrived := slices.Collect(func(yield func(flying) bool) {
			for _, f := range l.flight {
				if !f.at.After(l.now) && !yield(f) {
					return
				}
			}
		})
		l.flight = slices.DeleteFunc(l.flight, func(f flying) bool { return !f.at.After(l.now) })
		for _, f := range arrived {
			l.arrive(f)
		}
		l.receiver()
	}
}

func (l *repairLine) arrive(f flying) {
	switch {
	case f.pli:
		l.key = true
	case f.nack != nil:
		for _, s := range f.nack {
			if p, ok := l.kept[s]; ok && l.now.Sub(l.resent[s]) >= l.rtt*3/4 {
				l.resent[s] = l.now
				p.how = resent
				if l.arrived[s] {
					l.dups++
				}
				l.send(flying{what: p})
			}
		}
	default:
		l.arrived[f.what.sequence] = true
		l.a.put(f.what, l.now)
	}
}

func (l *repairLine) receiver() {
	for {
		p, ok := l.a.take(l.now, l.rtt)
		if !ok {
			break
		}
		l.delays = append(l.delays, l.now.Sub(l.captured[p.rtpTime]))
	}
	if l.now.UnixMilli()%5 != 0 {
		return
	}
	if l.seqs = l.a.requests(l.now, l.rtt, l.seqs); len(l.seqs) > 0 {
		l.send(flying{nack: slices.Clone(l.seqs)})
	}
	if l.a.askKey(l.now, l.rtt, false) {
		l.send(flying{pli: true})
	}
}

func quantileOf(list []time.Duration, q float64) time.Duration {
	s := slices.Sorted(slices.Values(list))
	return s[int(q*float64(len(s)-1))]
}

func TestRepairsComeInTime(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		loss     float64
		rtt      time.Duration
		p50, p99 time.Duration // from capture to being assembled
		given    float64       // share of pictures
		keys     int
	}{
		{0, 50 * ms, 26 * ms, 27 * ms, 0.99, 0},
		{0.02, 50 * ms, 26 * ms, 130 * ms, 0.995, 0},
		{0.1, 50 * ms, 45 * ms, 240 * ms, 0.99, 1},
		{0.2, 50 * ms, 110 * ms, 400 * ms, 0.97, 3},
		{0.1, 200 * ms, 300 * ms, 900 * ms, 0.95, 2},
	} {
		var delays []time.Duration
		keys, sent := 0, 0
		for seed := range int64(5) {
			l := newRepairLine(seed)
			l.rtt, l.loss = c.rtt, c.loss
			l.run(40 * time.Second)
			delays, keys, sent = append(delays, l.delays...), keys+l.a.keysAsked, sent+len(l.captured)
			if l.dups > l.a.asked/20+2 {
				t.Errorf("%+v: %d packets sent again for nothing, %d asked for", c, l.dups, l.a.asked)
			}
		}
		p50, p99, given := quantileOf(delays, 0.5), quantileOf(delays, 0.99), float64(len(delays))/float64(sent)
		t.Logf("loss %.2f rtt %v: p50 %v p99 %v, %.1f %% given, %d keys", c.loss, c.rtt, p50, p99, 100*given, keys)
		if p50 > c.p50 || p99 > c.p99 || given < c.given || keys-5 > c.keys*5 { // the first is asked for, too, when it is hit
			t.Errorf("loss %.2f rtt %v: p50 %v p99 %v, %.3f given, %d keys", c.loss, c.rtt, p50, p99, given, keys)
		}
	}
}

// On a line where packets overtake each other without being lost, needless requests die out once that is learned; where
// that is over, holes are asked for at once again.
func TestOvertakingIsLearned(t *testing.T) {
	l := newRepairLine(1)
	l.rtt, l.jitter = 50*time.Millisecond, 25*time.Millisecond
	l.run(3 * time.Second)
	learning := l.a.asked
	l.run(20 * time.Second)
	if asked := l.a.asked - learning; asked > 60 { // of 1800 packets
		t.Errorf("%d asked for that came by themselves, %d while learning", asked, learning)
	}
	if l.a.patience(false) < 15*time.Millisecond {
		t.Errorf("patience %v", l.a.patience(false))
	}
	l.jitter, l.loss = 0, 0.1
	l.run(5 * time.Second)
	if l.a.patience(false) != 0 {
		t.Errorf("patience %v where nothing overtakes any more", l.a.patience(false))
	}
}

// Without reports the round trip is learned from what requests bring.
func TestRoundTripFromRepairs(t *testing.T) {
	l := newRepairLine(1)
	l.rtt, l.loss = 60*time.Millisecond, 0.05
	l.run(10 * time.Second)
	if trip := l.a.round(0); trip < 55*time.Millisecond || trip > 75*time.Millisecond {
		t.Errorf("learned %v", trip)
	}
}

// A long gap is not asked for packet by packet: its pictures are too old when they come.
func TestBlackoutIsNotRepaired(t *testing.T) {
	l := newRepairLine(1)
	l.rtt = 50 * time.Millisecond
	l.run(2 * time.Second)
	given := len(l.delays)
	l.loss = 1
	l.run(2 * time.Second)
	l.loss = 0
	l.run(200 * time.Millisecond)
	if l.a.asked > 20 || len(l.delays) < given+3 {
		t.Errorf("%d packets asked for, %d pictures in 200 ms after the line came back", l.a.asked, len(l.delays)-given)
	}
	if late := l.delays[len(l.delays)-1]; late > 30*time.Millisecond {
		t.Errorf("still %v behind", late)
	}
}

// Parity comes right behind its picture: nothing is asked for before it had its chance.
func TestRedundancyIsWaitedFor(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	b.a.redundant = true
	b.put(f.picture(true, 1)...)
	b.put(f.picture(false, 3)[1:]...)
	if n := len(b.a.requests(b.now, b.rtt, nil)); n > 0 {
		t.Error("asked at once")
	}
	b.pass(fecGrace)
	if n := len(b.a.requests(b.now, b.rtt, nil)); n != 1 {
		t.Errorf("%d asked for", n)
	}
}

// When a whole picture is missing and the next one has begun, its parity was lost with it.
func TestParityOfALostPictureIsNotWaitedFor(t *testing.T) {
	b, f := newBench(t), newFeed(codecVP8, 7)
	b.a.redundant = true
	b.put(f.picture(true, 1)...)
	f.picture(false, 3)
	b.put(f.picture(false, 2)...)
	if n := len(b.a.requests(b.now, b.rtt, nil)); n != 3 {
		t.Errorf("%d asked for", n)
	}
}

// Requests are repeated well before the repair that the first one may bring could be here, unless our way is narrow.
func TestRequestsAreRepeated(t *testing.T) {
	for _, c := range []struct {
		narrow bool
		rtt    time.Duration
		want   []time.Duration
	}{
		{true, 50 * time.Millisecond, []time.Duration{0}},
		{false, 50 * time.Millisecond, []time.Duration{0, 8 * time.Millisecond, 16 * time.Millisecond}},
		{false, 20 * time.Millisecond, []time.Duration{0, 8 * time.Millisecond}},
	} {
		began := time.Unix(1000, 0)
		n := nacker{narrow: c.narrow}
		n.open(5, 6, false, began)
		var got []time.Duration
		for at := time.Duration(0); at < c.rtt; at += time.Millisecond {
			if len(n.ask(began.Add(at), c.rtt, time.Second, 0, false, nil)) > 0 {
				got = append(got, at)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("narrow %v, rtt %v: asked at %v", c.narrow, c.rtt, got)
		}
	}
}
