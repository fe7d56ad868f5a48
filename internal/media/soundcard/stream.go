package soundcard

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	checkEvery  = 100 * time.Millisecond
	silentFor   = 500 * time.Millisecond // no callback for so long: the device is gone
	settleFor   = 3 * time.Second        // after opening: PulseAudio's null sink was seen to stall 2 s, hardware needs time too
	retryEvery  = time.Second
	blockTime   = 10 * time.Millisecond
	drainAtMost = 50 // blocks pulled at once after a pause of the clock
)

// Stream keeps one device running: blocks of 480 samples, 48 kHz mono. When the device falls silent it is opened again,
// then the default one; while there is none, a try a second is made, a playback stream goes on pulling by the clock (so
// that what feeds it does not stand still), and a capture stream gives nothing.
type Stream struct {
	Kind Kind
	Name string // as List gives it; "" is the system's default
	// Block is called for every 10 ms, from one thread at a time: fill it (Playback), or read it during the call (Capture).
	// It must not block, allocate or log.
	Block func(block []int16)

	beats   atomic.Uint32 // callbacks so far
	failed  chan error
	stop    chan struct{}
	done    chan struct{}
	begun   bool
	ending  sync.Once
	now     atomic.Pointer[string]
	part    [blockSamples]int16 // rest of a block when a device does not keep to the period
	partLen int
	open    func(Kind, string, func(out, in []byte, frames uint32)) (closer, error)
}

type closer interface{ close() }

// Start opens the device, and fails when there is none.
func (s *Stream) Start() error {
	if s.begun {
		return fmt.Errorf("%s started twice", s.Kind)
	}
	if s.open == nil {
		s.open = func(k Kind, name string, data func(out, in []byte, frames uint32)) (closer, error) {
			return open(k, name, data)
		}
	}
	h, err := s.open(s.Kind, s.Name, s.data)
	if err != nil {
		return err
	}
	s.begun = true
	s.playing(s.Name)
	s.failed, s.stop, s.done = make(chan error, 1), make(chan struct{}), make(chan struct{})
	go s.watch(h)
	return nil
}

// Close ends the device; no Block runs after it returned. Not to be called from Block.
func (s *Stream) Close() {
	if !s.begun {
		return
	}
	s.ending.Do(func() { close(s.stop) })
	<-s.done
}

// Failed tells once when the device was lost and nothing could be opened in its place. The stream goes on trying. The
// channel is closed by Close; nil before Start.
func (s *Stream) Failed() <-chan error { return s.failed }

// Current is the name of the device in use, "" for the system's default.
func (s *Stream) Current() string {
	if n := s.now.Load(); n != nil {
		return *n
	}
	return s.Name
}

func (s *Stream) playing(name string) { s.now.Store(&name) }

// watch owns the device until Close.
func (s *Stream) watch(h closer) {
	defer close(s.done)
	defer close(s.failed)
	defer func() { s.shut(h) }()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	beats, heard, limit := s.beats.Load(), time.Now(), settleFor
	opened := heard
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			if b := s.beats.Load(); b != beats {
				beats, heard = b, now
			}
			if limit != silentFor && now.Sub(opened) > settleFor {
				limit = silentFor
			}
			if now.Sub(heard) < limit {
				continue
			}
			s.shut(h)
			if h = s.reopen(); h == nil {
				return
			}
			beats, heard, opened, limit = s.beats.Load(), time.Now(), time.Now(), settleFor
		}
	}
}

func (s *Stream) shut(h closer) {
	if h != nil {
		h.close()
		s.beats.Load()
	}
}

// reopen tries until something opens; nil when the stream was closed meanwhile.
func (s *Stream) reopen() closer {
	c := clock{start: time.Now()}
	tick := time.NewTicker(blockTime)
	defer tick.Stop()
	var last time.Time
	for told := false; ; {
		if last.IsZero() || time.Since(last) >= retryEvery {
			h, err := s.openAny()
			if err == nil {
				return h
			}
			last = time.Now()
			if !told {
				told = true
				select {
				case s.failed <- err:
				default:
				}
			}
		}
		select {
		case <-s.stop:
			return nil
		case now := <-tick.C:
			if s.Kind == Playback {
				for range c.due(now) {
					s.Block(s.part[:])
				}
			}
		}
	}
}

// openAny prefers the device that was asked for.
func (s *Stream) openAny() (closer, error) {
	s.partLen = 0
	h, err := s.open(s.Kind, s.Name, s.data)
	if err == nil {
		s.playing(s.Name)
		return h, nil
	}
	if s.Name == "" {
		return nil, err
	}
	if h, other := s.open(s.Kind, "", s.data); other == nil {
		s.playing("")
		return h, nil
	}
	return nil, err
}

// clock counts the blocks that are due while there is no device.
type clock struct {
	start time.Time
	given int
}

func (c *clock) due(now time.Time) int {
	total := int(now.Sub(c.start) / blockTime)
	n := total - c.given
	c.given = total
	return min(n, drainAtMost)
}

// data is the device's callback: out or in is C memory, valid during the call.
func (s *Stream) data(out, in []byte, frames uint32) {
	defer s.beats.Add(1) // at the end: who loads it after the device was closed sees all that Block did
	raw := out
	if s.Kind == Capture {
		raw = in
	}
	if len(raw) < 2 {
		return
	}
	pcm := unsafe.Slice((*int16)(unsafe.Pointer(&raw[0])), min(int(frames), len(raw)/2))
	if s.Kind == Capture {
		s.take(pcm)
	} else {
		s.give(pcm)
	}
}

// take cuts what was recorded into blocks. Devices keep to the period, so nearly always it is one whole block.
func (s *Stream) take(pcm []int16) {
	for len(pcm) > 0 {
		if s.partLen == 0 && len(pcm) >= blockSamples {
			s.Block(pcm[:blockSamples])
			pcm = pcm[blockSamples:]
			continue
		}
		n := copy(s.part[s.partLen:], pcm)
		pcm = pcm[n:]
		if s.partLen += n; s.partLen == blockSamples {
			s.partLen = 0
			s.Block(s.part[:])
		}
	}
}

// give fills what is to be played; a rest of a block waits in part, at its end.
func (s *Stream) give(pcm []int16) {
	for len(pcm) > 0 {
		if s.partLen == 0 && len(pcm) >= blockSamples {
			s.Block(pcm[:blockSamples])
			pcm = pcm[blockSamples:]
			continue
		}
		if s.partLen == 0 {
			s.Block(s.part[:])
			s.partLen = blockSamples
		}
		n := copy(pcm, s.part[blockSamples-s.partLen:])
		s.partLen -= n
		pcm = pcm[n:]
	}
}
