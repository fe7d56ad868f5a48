package media

import "time"

// Sound everywhere between device and codec is 48 kHz mono signed 16 bit in blocks of 10 ms.
const (
	SampleRate   = 48000
	BlockSamples = SampleRate / 100
)

// VideoSource delivers pictures from one goroutine: a camera, a screen, a file, a pattern.
type VideoSource interface {
	// Start begins; deliver must not block, and borrows the frame for the call. It fails if the device cannot be opened.
	Start(deliver func(*Frame)) error
	// Close ends delivery; no deliver runs after it returned.
	Close() error
	// Label is for people: "Integrated camera", "Test pattern".
	Label() string
}

// AudioSource delivers sound in blocks of BlockSamples from one goroutine (or device thread).
type AudioSource interface {
	// Start begins; deliver must not block, allocate or log, and borrows the block for the call. at is when its first
	// sample was captured.
	Start(deliver func(block []int16, at time.Time)) error
	Close() error
	Label() string
}

// AudioSink plays sound, pulling it at the device's pace.
type AudioSink interface {
	// Start begins; fill writes all of block (BlockSamples long) and must not block, allocate or log.
	Start(fill func(block []int16)) error
	Close() error
	Label() string
}

// VideoSink shows decoded pictures.
type VideoSink interface {
	// Present borrows the frame for the call, must not block, and is called from one goroutine at a time.
	Present(*Frame)
}
