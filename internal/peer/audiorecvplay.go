package peer

import (
	"sync"
	"sync/atomic"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/opus"
	"visavis.example/internal/media/jitter"
)

// playout is the playout goroutine's own.
type playout struct {
	a      *audioReceiver
	player jitter.Player
	block  [media.BlockSamples]int16
	depth  ringDepth
	said   time.Time
	before jitter.Counts // when it was said
}

// run keeps the ring filled until stop is closed.
func (a *audioReceiver) run(stop <-chan struct{}) {
	dec, err := opus.NewDecoder()
	if err != nil {
		a.log.Error("open audio decoder", "err", err)
		return
	}
	defer dec.Close()
	p := playout{a: a, player: jitter.Player{Buffer: &a.buffer, Decoder: dec}}
	for {
		select {
		case <-stop:
			return
		case <-a.wake:
		}
		now := time.Now()
		if left := a.left.Swap(maxAhead); a.heard.Load() {
			a.ahead = p.depth.next(a.ahead, int(left), now)
		}
		for a.ring.len() < a.ahead*media.BlockSamples {
			p.next(now)
		}
		p.say(now)
	}
}

// next puts one block into the ring.
func (p *playout) next(now time.Time) {
	if p.player.Pull(p.block[:], now) && !p.a.heard.Load() {
		p.a.heard.Store(true)
		p.a.firstSeen()
	}
	p.a.ring.write(p.block[:])
	rtpTime, ok := p.player.Position()
	p.a.clock.wrote(p.a.ring.tail.Load(), rtpTime, ok)
}

const sayEvery = time.Second

// say puts into the trace what was decided during the last second.
func (p *playout) say(now time.Time) {
	if !p.a.trace.On() || !p.a.heard.Load() || now.Sub(p.said) < sayEvery {
		return
	}
	c, b := p.a.buffer.Counts(), p.before
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	since := func(now, before uint64) float64 { return float64(now - before) }
	p.a.trace.Decide("playout", "", map[string]float64{
		"target": ms(c.Target), "delay": ms(c.Delay), "jitter": ms(c.Jitter), "ring": float64(p.a.ahead) * 1000 * media.BlockSamples / media.SampleRate,
		"loss": c.LossShare, "depth": float64(c.Depth),
		"accelerate": since(c.Accelerations, b.Accelerations), "fast": since(c.FastAcceleration, b.FastAcceleration),
		"expand": since(c.Expansions, b.Expansions), "removed": since(c.Removed, b.Removed), "inserted": since(c.Inserted, b.Inserted),
		"concealed": since(c.Concealed, b.Concealed), "silent": since(c.SilentConcealed, b.SilentConcealed),
		"copies": since(c.CopiesUsed, b.CopiesUsed), "pause": since(c.Pause, b.Pause), "late": since(c.Late, b.Late),
		"discarded": since(c.Discarded, b.Discarded), "underruns": float64(p.a.count.underruns.Load()),
	}, now)
	p.said, p.before = now, c
}

// speakerClock knows which RTP time comes out of the speaker: the callback says which sample of the ring it took when,
// the playout goroutine which RTP time it wrote where.
type speakerClock struct {
	// Of the callback, which must not wait: whoever reads checks turn before and after.
	turn atomic.Uint32 // odd while being changed
	head atomic.Uint32 // ring index of the first sample that was taken last
	at   atomic.Int64  // when, in Unix nanoseconds

	mu      sync.Mutex
	tail    uint32 // ring index that comes next
	rtpTime uint32 // of that
	ok      bool
}

func (c *speakerClock) tick(head uint32, at time.Time) {
	c.turn.Add(1)
	c.head.Store(head)
	c.at.Store(at.UnixNano())
	c.turn.Add(1)
}

func (c *speakerClock) wrote(tail, rtpTime uint32, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tail, c.rtpTime, c.ok = tail, rtpTime, ok
}

const clockStale = 200 * time.Millisecond // without a callback: the speaker is gone

func (c *speakerClock) playing(now time.Time) (rtpTime uint32, at time.Time, ok bool) {
	var head uint32
	for try := 0; ; try++ {
		turn := c.turn.Load()
		head, at = c.head.Load(), time.Unix(0, c.at.Load())
		if turn != 0 && turn&1 == 0 && c.turn.Load() == turn {
			break
		}
		if try == 3 {
			return 0, time.Time{}, false
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ok || now.Sub(at) > clockStale {
		return 0, time.Time{}, false
	}
	return c.rtpTime - (c.tail - head), at, true
}
