package lossylink

import (
	"math"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// arrival is when the nth packet came out.
type arrival struct {
	n  byte
	at time.Duration
}

// drive puts a packet of that size in every step, and asks each quarter of a millisecond; the last second puts nothing in.
func drive(t *testing.T, l *Line, packets, size int, step time.Duration) []arrival {
	t.Helper()
	var out []arrival
	put := 0
	for now := time.Duration(0); now < time.Duration(packets)*step+time.Second; now += ms / 4 {
		for put < packets && time.Duration(put)*step <= now {
			p := make([]byte, size)
			p[0] = byte(put)
			l.Put(Packet{Data: p}, time.Duration(put)*step)
			put++
		}
		for p, ok := l.Due(now); ok; p, ok = l.Due(now) {
			out = append(out, arrival{p.Data[0], now})
		}
	}
	if at, ok := l.Next(); ok {
		t.Errorf("a packet is due at %v after the end", at)
	}
	return out
}

func line(t *testing.T, spec string) *Line {
	t.Helper()
	s, err := Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return NewLine(s, 7)
}

func TestDelay(t *testing.T) {
	out := drive(t, line(t, "delay=25ms"), 100, 200, 5*ms)
	if len(out) != 100 {
		t.Fatalf("%d of 100 came", len(out))
	}
	for i, a := range out {
		if want := time.Duration(i)*5*ms + 25*ms; a.n != byte(i) || a.at != want {
			t.Fatalf("packet %d came %d. at %v, want %v", a.n, i, a.at, want)
		}
	}
}

func TestLossAndBursts(t *testing.T) {
	for spec, want := range map[string]struct{ share, run float64 }{
		"loss=10%":          {0.10, 1 / 0.9},
		"burst=5%:8":        {0.05, 8},
		"ge=1:20:0:100":     {1.0 / 21, 5},
		"ge=0:100:3:0":      {0.03, 1 / 0.97},
		"loss=0.5,burst=0:": {0, 0}, // refused
	} {
		s, err := Parse(spec)
		if want.run == 0 {
			if err == nil {
				t.Errorf("%s was taken", spec)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		const n = 200_000
		l := NewLine(s, 3)
		lost, runs, before := 0, 0, false
		for i := range n {
			l.Put(Packet{Data: []byte{1}}, time.Duration(i))
			_, ok := l.Due(time.Duration(i))
			if !ok {
				lost++
				if !before {
					runs++
				}
			}
			before = !ok
		}
		share, run := float64(lost)/n, float64(lost)/float64(runs)
		if math.Abs(share/want.share-1) > 0.08 || math.Abs(run/want.run-1) > 0.08 {
			t.Errorf("%s lost %.4f in runs of %.2f, want %.4f and %.2f", spec, share, run, want.share, want.run)
		}
		if l.Count.Lost != int64(lost) {
			t.Errorf("%s counted %d of %d losses", spec, l.Count.Lost, lost)
		}
	}
}

func TestBottleneck(t *testing.T) {
	l := line(t, "rate=1M,queue=300ms,delay=10ms") // 125 bytes a millisecond, 37500 in the queue
	out := drive(t, l, 1000, 1250, 5*ms)           // twice as much
	passed := time.Duration(len(out)) * 10 * ms
	if whole := 5*time.Second + 300*ms; passed < whole-20*ms || passed > whole+20*ms {
		t.Errorf("%d packets of 10 ms each passed in %v", len(out), whole)
	}
	if l.Count.Overflowed != 1000-int64(len(out)) {
		t.Errorf("%d overflowed of %d missing", l.Count.Overflowed, 1000-len(out))
	}
	if q := l.Count.LongestQueue; q < 290*ms || q > 300*ms {
		t.Errorf("the longest wait was %v", q)
	}
	for i := 1; i < len(out); i++ {
		if gap := out[i].at - out[i-1].at; gap < 9*ms {
			t.Fatalf("packets came %v apart", gap)
		}
	}
}

func TestRateDrops(t *testing.T) {
	l := line(t, "rate=2M,queue=200ms")
	for i := range 30 {
		l.Put(Packet{Data: make([]byte, 1250)}, time.Duration(i)*ms) // 5 ms each at 2M
	}
	if err := l.Set("rate=200k", 30*ms); err != nil { // 50 ms each now; the queue is 5000 bytes
		t.Fatal(err)
	}
	l.Put(Packet{Data: make([]byte, 1250)}, 31*ms)
	if l.Count.Overflowed != 1 {
		t.Error("a packet found room in a queue that is too long for the new rate")
	}
	var came []time.Duration
	for now := 31 * ms; now < 3*time.Second; now += ms {
		for _, ok := l.Due(now); ok; _, ok = l.Due(now) {
			came = append(came, now)
		}
	}
	if n := len(came); n != 30 {
		t.Fatalf("%d of 30 came", n)
	}
	for i := 8; i < len(came); i++ {
		if gap := came[i] - came[i-1]; gap < 49*ms || gap > 51*ms {
			t.Fatalf("after the drop packets come %v apart", gap)
		}
	}
}

func TestJitterKeepsOrderUnlessAsked(t *testing.T) {
	for spec, ordered := range map[string]bool{"delay=40ms,jitter=30ms": true, "delay=40ms,jitter=30ms,reorder=1": false, "delay=40ms,jitter=normal:15ms,corr=0.5": true} {
		out := drive(t, line(t, spec), 250, 100, 5*ms)
		sorted := true
		lowest, highest := time.Hour, time.Duration(0)
		for i, a := range out {
			sorted = sorted && (i == 0 || a.n > out[i-1].n)
			d := a.at - time.Duration(a.n)*5*ms
			lowest, highest = min(lowest, d), max(highest, d)
		}
		if sorted != ordered || len(out) != 250 {
			t.Errorf("%s: %d packets, in order: %v", spec, len(out), sorted)
		}
		if lowest > 30*ms || highest < 60*ms || highest > 110*ms {
			t.Errorf("%s: delays of %v to %v", spec, lowest, highest)
		}
	}
}

func TestBlockAndDuplicate(t *testing.T) {
	l := line(t, "dup=100%")
	if out := drive(t, l, 10, 100, ms); len(out) != 20 || l.Count.Duplicated != 10 {
		t.Errorf("%d came of 10 doubled", len(out))
	}
	if out := drive(t, line(t, "block=1"), 10, 100, ms); len(out) != 0 {
		t.Errorf("%d passed a blocked line", len(out))
	}
}

func TestSameSeedSameLuck(t *testing.T) {
	const spec = "delay=20ms,jitter=10ms,loss=10%,burst=5%:4,dup=5%,reorder=1"
	a, b := drive(t, line(t, spec), 200, 100, 5*ms), drive(t, line(t, spec), 200, 100, 5*ms)
	if len(a) != len(b) || len(a) < 100 {
		t.Fatalf("%d and %d came", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("%d.: %v and %v", i, a[i], b[i])
		}
	}
}

func TestRefusedSpecs(t *testing.T) {
	for _, spec := range []string{
		"delay=-1ms", "delay=2m", "loss=101%", "loss=x", "rate=1", "rate=-5k", "burst=5%", "burst=100%:3", "burst=5%:0.5", "ge=1:2:3", "ge=1:2:3:x",
		"speed=3", "corr=2", "dup=-1%", "block=maybe", "loss=NaN", "rate=NaN",
	} {
		s := Spec{Delay: 5 * ms}
		if err := s.Apply("loss=1%," + spec); err == nil || !strings.Contains(err.Error(), spec) {
			t.Errorf("%s: %v", spec, err)
		}
		if s != (Spec{Delay: 5 * ms}) {
			t.Errorf("%s changed something", spec)
		}
	}
}
