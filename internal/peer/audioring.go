package peer

import (
	"sync/atomic"
	"time"

	"visavis.example/internal/media"
)

// sampleRing is a queue of samples between one writer and one reader that must not wait.
type sampleRing struct {
	samples    [1 << 14]int16 // 340 ms
	head, tail atomic.Uint32  // read at head, write at tail
}

func (r *sampleRing) len() int { return int(r.tail.Load() - r.head.Load()) }

// write puts what fits.
func (r *sampleRing) write(pcm []int16) {
	tail := r.tail.Load()
	pcm = pcm[:min(len(pcm), len(r.samples)-int(tail-r.head.Load()))]
	at := int(tail) % len(r.samples)
	n := copy(r.samples[at:], pcm)
	copy(r.samples[:], pcm[n:])
	r.tail.Store(tail + uint32(len(pcm)))
}

// read gives how many samples there were.
func (r *sampleRing) read(pcm []int16) int {
	head := r.head.Load()
	pcm = pcm[:min(len(pcm), int(r.tail.Load()-head))]
	at := int(head) % len(r.samples)
	n := copy(pcm, r.samples[at:])
	copy(pcm[n:], r.samples[:])
	r.head.Store(head + uint32(len(pcm)))
	return len(pcm)
}

// underrun is the callback's own: what it plays when the ring is empty.
type underrun struct {
	last  [media.BlockSamples]int16 // played
	short int                       // blocks that were missing in a row
}

// fill completes a block of which n samples came, and gives how many blocks have been missing in a row. The first that is
// missing is the one before, backwards and fading: it goes on where that ended, and is forgotten where silence would click.
func (u *underrun) fill(block []int16, n int) int {
	if n == len(block) {
		if u.short > 0 { // back from silence
			for i := range min(rampBack, len(block)) {
				block[i] = int16(int(block[i]) * i / rampBack)
			}
		}
		u.short = 0
		copy(u.last[:], block)
		return 0
	}
	clear(block[n:])
	if u.short == 0 {
		for i := n; i < len(block); i++ {
			block[i] = int16(int(u.last[len(u.last)-1-(i-n)]) * (len(block) - i) / len(block))
		}
	}
	u.short++
	return u.short
}

const rampBack = media.BlockSamples / 4

// ringDepth decides to how many blocks the ring is filled: so many that it was not found empty in nearly all of the last
// intervals. A hiccup of the machine is remembered for some 8 s, two of them for 22 s.
type ringDepth struct {
	share [maxAhead + 1]float64 // of intervals that needed so many blocks
	need  int                   // in this interval
	since time.Time
}

const (
	maxAhead      = 6                      // blocks: what a longer hiccup needs is better heard once than waited for always
	depthInterval = 300 * time.Millisecond // as in package jitter
	depthForget   = 0.985                  // an interval: half is forgotten after 14 s
	depthCovered  = 0.99
)

// next takes how many blocks were too many (below zero: too few) when there were ahead of them, and gives how many there
// are to be.
func (d *ringDepth) next(ahead, left int, now time.Time) int {
	d.need = max(d.need, min(max(ahead-left, 1), maxAhead))
	if d.since.IsZero() {
		d.since, d.share[1] = now, 1 // devices are thought to keep their pace
	}
	if now.Sub(d.since) < depthInterval {
		return ahead
	}
	for i := range d.share {
		d.share[i] *= depthForget
	}
	d.share[d.need] += 1 - depthForget
	d.need, d.since = 0, now
	sum := 0.0
	for i, v := range d.share {
		if sum += v; sum >= depthCovered {
			return max(i, 1)
		}
	}
	return maxAhead
}
