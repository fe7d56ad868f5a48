package capture

import (
	"sync/atomic"
	"time"

	"visavis.example/internal/media"
)

const ringBlocks = 16 // 160 ms: the reader was away for longer only when the machine stood still

// ring hands blocks from a device's thread to one reader without locks. When it is full the newest block is dropped and
// counted: what waits is older and already part of what will be heard.
type ring struct {
	blocks  [ringBlocks]stamped
	head    atomic.Uint32 // next to write; only put stores it
	tail    atomic.Uint32 // next to read; only get stores it
	dropped atomic.Uint32
	wake    chan struct{} // capacity 1
}

type stamped struct {
	pcm [media.BlockSamples]int16
	at  time.Time
}

// put copies block; it never blocks or allocates.
func (r *ring) put(block []int16, at time.Time) {
	h := r.head.Load()
	if h-r.tail.Load() == ringBlocks {
		r.dropped.Add(1)
		return
	}
	b := &r.blocks[h%ringBlocks]
	copy(b.pcm[:], block)
	b.at = at
	r.head.Store(h + 1)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// get copies the oldest block into dst.
func (r *ring) get(dst []int16) (at time.Time, ok bool) {
	t := r.tail.Load()
	if t == r.head.Load() {
		return time.Time{}, false
	}
	b := &r.blocks[t%ringBlocks]
	copy(dst, b.pcm[:])
	at = b.at
	r.tail.Store(t + 1)
	return at, true
}
