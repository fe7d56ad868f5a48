package process

import (
	"math"
	"sync/atomic"
	"time"

	"visavis.example/internal/media"
)

const (
	block     = media.BlockSamples
	blockTime = 10 * time.Millisecond
	second    = media.SampleRate
)

// farRing hands blocks from the playback callback to the sending goroutine without locks. When it is full the new block
// is dropped: nobody captures then, and the gap shows in the times.
type farRing struct {
	blocks     [64]stamped
	head, tail atomic.Uint32 // read at head, write at tail
}

type stamped struct {
	at  time.Time
	pcm [block]int16
}

func (r *farRing) put(pcm []int16, at time.Time) {
	tail := r.tail.Load()
	if tail-r.head.Load() == uint32(len(r.blocks)) {
		return
	}
	b := &r.blocks[tail%uint32(len(r.blocks))]
	b.at = at
	copy(b.pcm[:], pcm)
	r.tail.Store(tail + 1)
}

// take is nil when there is nothing; done lets go of it.
func (r *farRing) take() *stamped {
	head := r.head.Load()
	if head == r.tail.Load() {
		return nil
	}
	return &r.blocks[head%uint32(len(r.blocks))]
}

func (r *farRing) done() { r.head.Add(1) }

// counter counts a device's samples and notices where it left some out. Callbacks come early and late by some
// milliseconds, and the device's clock is not the machine's: only a jump is a gap.
type counter struct {
	began time.Time
	n     int64         // samples since then
	late  time.Duration // stamps behind the count, averaged over some seconds
}

const jump = 50 * time.Millisecond

// next counts a block that came at that time; it gives how much time is missing before it, negative when time went back.
func (c *counter) next(at time.Time) (missing time.Duration) {
	if c.began.IsZero() {
		c.began = at
	}
	off := at.Sub(c.began) - time.Duration(c.n)*time.Second/second - c.late
	c.n += block
	if off > jump || off < -jump {
		c.late += off
		return off
	}
	c.late += off / 500
	return 0
}

// history is the newest second of what was played, without holes, in -1 to 1.
type history struct {
	pcm   [historySamples]float32
	end   int64     // index of the sample that comes next
	at    time.Time // when the newest block was handed over
	count counter
	quiet int // blocks of digital silence in a row
}

const (
	historySamples = 1 << 16 // 1.37 s
	mask           = historySamples - 1
)

func (h *history) add(pcm []int16, at time.Time) {
	if gap := h.count.next(at); gap > 0 {
		n := min(int64(gap)*(second/1000)/int64(time.Millisecond), historySamples)
		for range n {
			h.pcm[h.end&mask] = 0
			h.end++
		}
	}
	loud := false
	for _, v := range pcm {
		h.pcm[h.end&mask] = float32(v) / 32768
		h.end++
		loud = loud || v > 1 || v < -1 // dither of a decoder is silence too
	}
	h.at = at
	if h.quiet++; loud {
		h.quiet = 0
	}
}

// index is what was handed over at that time.
func (h *history) index(at time.Time) float64 {
	return float64(h.end-block) + at.Sub(h.at).Seconds()*second
}

// copy gives samples from index from on; what is not there is silence.
func (h *history) copy(to []float32, from int64) {
	for i := range to {
		j := from + int64(i)
		if j < h.end && j >= h.end-historySamples {
			to[i] = h.pcm[j&mask]
		} else {
			to[i] = 0
		}
	}
}

// between gives samples from a fractional index on, step apart (close to 1).
func (h *history) between(to []float32, from, step float64) {
	whole := math.Floor(from)
	if from == whole && step == 1 {
		h.copy(to, int64(whole))
		return
	}
	if int64(from) < h.end-historySamples+sincTaps {
		clear(to)
		return
	}
	for i := range to {
		p := from + float64(i)*step
		w := math.Floor(p)
		at := int64(w)
		if at+sincTaps >= h.end {
			clear(to[i:])
			return
		}
		at -= sincTaps/2 - 1
		taps := &sincTable[int((p-w)*sincSteps+0.5)]
		v := float32(0)
		for k, c := range taps {
			v += c * h.pcm[(at+int64(k))&mask]
		}
		to[i] = v
	}
}

const (
	sincTaps  = 16
	sincSteps = 128
)

// sincTable interpolates between samples: sinc under a Hann window.
var sincTable = func() (t [sincSteps + 1][sincTaps]float32) {
	for s := range t {
		sum := float32(0)
		for k := range t[s] {
			d := float64(s)/sincSteps - float64(k-(sincTaps/2-1))
			v := 0.5 + 0.5*math.Cos(math.Pi*d/(sincTaps/2+0.5))
			if d != 0 {
				v *= math.Sin(math.Pi*d) / (math.Pi * d)
			}
			t[s][k] = float32(v)
			sum += t[s][k]
		}
		for k := range t[s] {
			t[s][k] /= sum
		}
	}
	return t
}()
