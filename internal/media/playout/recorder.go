package playout

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/wav"
)

// Recorder writes sound to a file without holes: 48 kHz mono, within one section exactly one sample for each 1/48000 s
// of the device's clock. Silence stands for blocks that never came; blocks that came late stand where they belong. The
// file is playable even when the program is killed, but for the last two seconds. Without a Path it is only a clock.
type Recorder struct {
	Path string // "": no file

	mu      sync.Mutex
	waiting []soundBlock // in order; bounded by recorderRoom
	section *Section     // the newest
	lost    int64        // blocks that did not fit: their place is silent

	out    soundOut // nil: none; tests replace it
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once
	closed error

	// Of the writing goroutine.
	line    timeline
	current *Section // that line is of
	from    int64    // samples of earlier sections
	told    int64    // sample of the last Clock; -1: none in this section
	pcm     []int16
	err     error
}

type soundBlock struct {
	section *Section
	at      time.Time
	pcm     [media.BlockSamples]int16
}

type soundOut interface {
	Write(pcm []int16) error
	Close() error
}

const (
	recorderRoom = 1000 // blocks that wait for a slow disk: 10 s
	recordEvery  = 100 * time.Millisecond
	tellEvery    = media.SampleRate / 2
	silentAhead  = (foresight + 10) * blockTime // no more blocks to wait for: the source has paused
)

// Start creates the file, or empties it.
func (r *Recorder) Start() error {
	if r.stop != nil {
		return errStarted
	}
	if r.out == nil && r.Path != "" {
		out, err := wav.Create(r.Path)
		if err != nil {
			return err
		}
		r.out = out
	}
	r.stop, r.done = make(chan struct{}), make(chan struct{})
	go r.run()
	return nil
}

// Section is what goes into a Recorder from one call. The next section follows it without a pause: the time between two
// calls is not recorded.
type Section struct {
	r     *Recorder
	clock func(sample int64, at time.Time)
}

// Section begins a new one and ends the one before. A nil Recorder gives a section that records nothing. clock is told
// when which sample of the file was captured or played: with the first one and then twice a second while sound comes,
// about half a second late. It must not block; nil: nobody asks.
func (r *Recorder) Section(clock func(sample int64, at time.Time)) *Section {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.section = &Section{r, clock}
	return r.section
}

// Put takes a block whose first sample was captured or played at that time. It only copies.
func (s *Section) Put(block []int16, at time.Time) {
	if s == nil {
		return
	}
	r := s.r
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case s != r.section: // another call has begun
	case len(r.waiting) >= recorderRoom:
		r.lost++
	default:
		r.waiting = append(r.waiting, soundBlock{section: s, at: at})
		copy(r.waiting[len(r.waiting)-1].pcm[:], block)
	}
}

// run owns the file.
func (r *Recorder) run() {
	defer close(r.done)
	tick := time.NewTicker(recordEvery)
	defer tick.Stop()
	var blocks []soundBlock
	for {
		last := false
		select {
		case <-r.stop:
			last = true
		case <-tick.C:
		}
		r.mu.Lock()
		blocks = append(blocks, r.waiting...)
		r.waiting = r.waiting[:0]
		r.mu.Unlock()
		n := r.place(blocks, last, time.Now())
		blocks = append(blocks[:0], blocks[n:]...)
		r.flush()
		if last {
			return
		}
	}
}

// place writes the blocks that are sure of their place and gives how many: each has foresight others behind it, or none
// are to come.
func (r *Recorder) place(blocks []soundBlock, all bool, now time.Time) int {
	var ahead [foresight + 1]time.Time
	for n := range blocks {
		b := &blocks[n]
		k := 0
		for k < len(ahead) && n+k < len(blocks) && blocks[n+k].section == b.section {
			ahead[k] = blocks[n+k].at
			k++
		}
		ended := all || n+k < len(blocks) || now.Sub(blocks[len(blocks)-1].at) > silentAhead
		if k < len(ahead) && !ended {
			return n
		}
		r.one(b, ahead[:k])
	}
	return len(blocks)
}

func (r *Recorder) one(b *soundBlock, ahead []time.Time) {
	if b.section != r.current {
		r.from += r.line.count
		r.line, r.current, r.told = timeline{}, b.section, -1
	}
	for gap := r.line.gap(ahead); gap > 0; {
		n := min(gap, int64(len(silence)))
		r.write(silence[:n])
		gap -= n
	}
	if sample := r.from + r.line.count; b.section.clock != nil && (r.told < 0 || sample-r.told >= tellEvery) {
		r.told = sample
		b.section.clock(sample, r.line.at(r.line.count))
	}
	r.line.placed()
	r.write(b.pcm[:])
}

var silence [media.SampleRate / 10]int16

func (r *Recorder) write(pcm []int16) {
	if r.pcm = append(r.pcm, pcm...); len(r.pcm) >= len(silence) {
		r.flush()
	}
}

// flush brings to the disk what was placed. After an error nothing more is written.
func (r *Recorder) flush() {
	if r.out != nil && r.err == nil && len(r.pcm) > 0 {
		r.err = r.out.Write(r.pcm)
	}
	r.pcm = r.pcm[:0]
}

// Close writes what was put and finishes the file. It gives the error that made it incomplete, if any. A disk that takes
// nothing for two seconds is given up.
func (r *Recorder) Close() error {
	if r == nil || r.stop == nil {
		return nil
	}
	r.once.Do(func() { r.closed = r.end() })
	return r.closed
}

func (r *Recorder) end() error {
	r.Section(nil) // what comes later is not recorded
	close(r.stop)
	select {
	case <-r.done:
	case <-time.After(flushAtMost):
		return errors.New("nothing can be written any more")
	}
	err := r.err
	if r.out != nil {
		if closing := r.out.Close(); err == nil {
			err = closing
		}
	}
	if err == nil && r.lost > 0 {
		err = fmt.Errorf("%v are silent: the disk was too slow", time.Duration(r.lost)*blockTime)
	}
	return err
}
