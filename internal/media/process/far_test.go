package process

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What is taken from the ring while another goroutine puts is whole, in order, and what its stamp says.
func TestFarRingBetweenTwo(t *testing.T) {
	const blocks = 10_000
	var r farRing
	var enough atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		pcm := make([]int16, block)
		for n := 0; !enough.Load(); n++ {
			for i := range pcm {
				pcm[i] = int16(n)
			}
			r.put(pcm, time.Unix(int64(n), 0))
			if n%50 == 49 {
				runtime.Gosched() // or on one core the reader sees only full rings
			}
		}
	}()
	defer func() { enough.Store(true); <-done }()
	last := int64(-1)
	for got := 0; got < blocks; {
		b := r.take()
		if b == nil {
			runtime.Gosched()
			continue
		}
		n := b.at.Unix()
		if n <= last {
			t.Fatalf("block %d after block %d", n, last)
		}
		for i, v := range b.pcm {
			if v != int16(n) {
				t.Fatalf("sample %d of block %d is of block %d", i, n, uint16(v))
			}
		}
		last = n
		got++
		r.done()
	}
}

// A device plays, another captures, and somebody turns the switches: what package peer does.
func TestThreeAtOnce(t *testing.T) {
	const blocks = 600
	p := New(Options{Echo: true, Noise: true, Gain: true})
	far, near := blocksOf(speech(0, 0, 1)), blocksOf(speech(3, 0, 1))
	// Each round's three calls begin together and are not ordered among each other; who is quick waits for the next round.
	var all sync.WaitGroup
	var rounds []chan int
	each := func(do func(n int)) {
		round := make(chan int, 2)
		rounds = append(rounds, round)
		all.Go(func() {
			for n := range round {
				do(n)
			}
		})
	}
	at := func(n int) time.Time { return time.Unix(1000, 0).Add(time.Duration(n) * blockTime) }
	pcm := make([]int16, block)
	each(func(n int) { p.Far(far[n%99*block:][:block], at(n)) })
	each(func(n int) {
		copy(pcm, near[n%99*block:])
		p.Near(pcm, at(n))
	})
	each(func(n int) {
		p.Set(Options{Echo: n%3 > 0, Noise: n%2 > 0, Gain: n%5 > 0})
		if n%100 == 99 {
			p.Reset()
		}
		if d := p.Delay(); d != 0 && d != blockTime {
			t.Errorf("delay %v", d)
		}
	})
	for n := range blocks {
		for _, round := range rounds {
			round <- n
		}
	}
	for _, round := range rounds {
		close(round)
	}
	all.Wait()

	// What was set last holds, and the canceller finds the room after all that.
	p.Set(Options{})
	copy(pcm, near)
	p.Near(pcm, at(blocks))
	for i, v := range pcm {
		if v != near[i] {
			t.Fatalf("sample %d is %d, was %d, with all switches off", i, v, near[i])
		}
	}
	p.Set(Options{Echo: true})
	p.Reset()
	s := scene{room: room{delay: 0.05, levelDB: -10, seed: 7}, seconds: 4, noise: 0.0005, voice: p.(*voice)}
	s.play()
	if d := s.down(3, 3.9); d < 20 {
		t.Errorf("echo is down %.1f dB after 3 s", d)
	}
}
