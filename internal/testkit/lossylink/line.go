package lossylink

import (
	"container/heap"
	"math/rand/v2"
	"net"
	"time"
)

// Line is one direction of a line. Times are on any clock that does not go back. It belongs to one goroutine.
type Line struct {
	Spec  Spec // change it by Set once packets are under way
	Count Counters

	rng    *rand.Rand
	bad    bool    // the state of Spec.Burst
	drift  float64 // the last jitter, in units of Spec.Jitter
	last   time.Duration
	queue  []waiting // before the bottleneck; the first is being sent
	queued int       // bytes in queue
	done   time.Duration
	flight flight
	order  uint64
}

// Counters count packets from the beginning, LongestQueue since it was last cleared by its reader.
type Counters struct {
	In, Out, InBytes, OutBytes   int64
	Lost, Overflowed, Duplicated int64
	LongestQueue                 time.Duration // waited before the bottleneck
	LatestBy, LateSum            time.Duration // how late Due was asked: at most since it was cleared, and in all
}

// Packet is what travels.
type Packet struct {
	Data []byte
	To   net.Addr // for who sends it on; the line does not look at it
}

type waiting struct {
	packet Packet
	came   time.Duration
}

// NewLine makes a line; equal seeds make equal luck.
func NewLine(s Spec, seed uint64) *Line {
	return &Line{Spec: s, rng: rand.New(rand.NewPCG(seed, 0x11e))}
}

// Put takes a packet in at now, and keeps its bytes.
func (l *Line) Put(p Packet, now time.Duration) {
	l.pass(now)
	l.Count.In++
	l.Count.InBytes += int64(len(p.Data))
	if l.unlucky() {
		l.Count.Lost++
		return
	}
	if l.Spec.RateBps <= 0 && len(l.queue) == 0 {
		l.release(p, now)
		return
	}
	if l.Spec.RateBps > 0 && l.queued+len(p.Data) > l.room() {
		l.Count.Overflowed++
		return
	}
	l.queue = append(l.queue, waiting{p, now})
	l.queued += len(p.Data)
	if len(l.queue) == 1 {
		l.done = now + l.sending(len(p.Data))
	}
}

// unlucky draws for loss. The burst's state moves with every packet, blocked or lost otherwise ones too.
func (l *Line) unlucky() bool {
	lost := l.Spec.Block
	if l.Spec.Loss > 0 && l.rng.Float64() < l.Spec.Loss {
		lost = true
	}
	b := l.Spec.Burst
	if b == (Burst{}) {
		return lost
	}
	chance, of := b.ToBad, b.LossGood
	if l.bad {
		chance = b.ToGood
	}
	if l.rng.Float64() < chance {
		l.bad = !l.bad
	}
	if l.bad {
		of = b.LossBad
	}
	return lost || l.rng.Float64() < of
}

// room is the size of the queue in bytes: two full packets at least, or nothing but small ones would ever pass.
func (l *Line) room() int {
	q := l.Spec.Queue
	if q == 0 {
		q = 200 * time.Millisecond
	}
	return max(int(l.Spec.RateBps*q.Seconds()/8), 3000)
}

func (l *Line) sending(bytes int) time.Duration {
	if l.Spec.RateBps <= 0 {
		return 0
	}
	return time.Duration(float64(bytes) * 8 / l.Spec.RateBps * 1e9)
}

// pass lets through the bottleneck what has been sent by now.
func (l *Line) pass(now time.Duration) {
	n := 0
	for ; n < len(l.queue) && l.done <= now; n++ {
		p := l.queue[n]
		l.queued -= len(p.packet.Data)
		l.Count.LongestQueue = max(l.Count.LongestQueue, l.done-p.came)
		l.release(p.packet, l.done)
		if n+1 < len(l.queue) {
			l.done += l.sending(len(l.queue[n+1].packet.Data))
		}
	}
	if n > 0 {
		l.queue = append(l.queue[:0], l.queue[n:]...)
	}
}

// release puts a packet that left the bottleneck at that time into the air.
func (l *Line) release(p Packet, at time.Duration) {
	due := at + max(l.Spec.Delay+l.jitter(), 0)
	if !l.Spec.Reorder {
		due = max(due, l.last)
	}
	l.last = max(l.last, due)
	l.order++
	heap.Push(&l.flight, flying{p, due, l.order})
	if l.Spec.Duplicate > 0 && l.rng.Float64() < l.Spec.Duplicate {
		l.Count.Duplicated++
		l.order++
		heap.Push(&l.flight, flying{p, due, l.order})
	}
}

func (l *Line) jitter() time.Duration {
	if l.Spec.Jitter == 0 {
		return 0
	}
	x := 2*l.rng.Float64() - 1
	if l.Spec.Normal {
		x = l.rng.NormFloat64()
	}
	if c := l.Spec.Correlation; c > 0 {
		x = c*l.drift + (1-c)*x // as netem does
		l.drift = x
	}
	return time.Duration(x * float64(l.Spec.Jitter))
}

// Due gives the next packet that has arrived by now, ok false when there is none. Duplicates share their bytes.
func (l *Line) Due(now time.Duration) (p Packet, ok bool) {
	l.pass(now)
	if len(l.flight) == 0 || l.flight[0].due > now {
		return Packet{}, false
	}
	next := heap.Pop(&l.flight).(flying)
	late := now - next.due
	l.Count.LatestBy = max(l.Count.LatestBy, late)
	l.Count.LateSum += late
	l.Count.Out++
	l.Count.OutBytes += int64(len(next.packet.Data))
	return next.packet, true
}

// Next says when Due or the bottleneck should be asked again; ok is false when the line is empty.
func (l *Line) Next() (at time.Duration, ok bool) {
	if len(l.flight) > 0 {
		at, ok = l.flight[0].due, true
	}
	if len(l.queue) > 0 && (!ok || l.done < at) {
		at, ok = l.done, true
	}
	return at, ok
}

// Set changes what text names (see Spec.Apply). What is queued stays, and the packet being sent starts anew at the new
// rate.
func (l *Line) Set(text string, now time.Duration) error {
	l.pass(now)
	if err := l.Spec.Apply(text); err != nil {
		return err
	}
	if len(l.queue) > 0 {
		l.done = now + l.sending(len(l.queue[0].packet.Data))
	}
	return nil
}

type flying struct {
	packet Packet
	due    time.Duration
	order  uint64
}

// flight is a heap of what is in the air, the earliest first.
type flight []flying

func (f flight) Len() int { return len(f) }
func (f flight) Less(i, j int) bool {
	if f[i].due != f[j].due {
		return f[i].due < f[j].due
	}
	return f[i].order < f[j].order
}
func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flight) Push(x any)   { *f = append(*f, x.(flying)) }
func (f *flight) Pop() any {
	old := *f
	last := len(old) - 1
	x := old[last]
	old[last] = flying{}
	*f = old[:last]
	return x
}
