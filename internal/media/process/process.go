// Package process makes the microphone's sound fit for sending: it takes away the echo of the loudspeaker, steady noise,
// and differences in loudness. Package peer owns a Processor a call: the playback callback gives it every block that it
// plays, the sending goroutine every block that was captured. Pure arithmetic: it opens no device, starts no goroutine,
// and takes its time from the blocks' stamps.
package process

import "time"

// Options are the switches.
type Options struct {
	Echo  bool // of the loudspeaker in the microphone; needless with headphones, and then nearly free
	Noise bool // fans, engines, hiss: what stays the same
	Gain  bool // quiet and loud talkers come out alike
}

// Processor improves what is to be sent. Blocks are 10 ms, 48 kHz mono (media.BlockSamples); others pass untouched.
type Processor interface {
	// Far is told each block that is handed to the speaker, when it is handed over. It runs on the device's thread: it
	// neither blocks nor allocates. One goroutine at a time.
	Far(block []int16, at time.Time)
	// Near improves in place a block whose first sample was captured then. What comes out is Delay later than what went
	// in. One goroutine at a time; any may call the rest, meanwhile too.
	Near(block []int16, at time.Time)
	// Set changes the switches; it takes effect with the next block.
	Set(Options)
	// Reset forgets the room: another microphone or speaker.
	Reset()
	// Delay is how far the sound out of Near is behind that into it.
	Delay() time.Duration
}

// None is a Processor that does nothing.
type None struct{}

// Far does nothing.
func (None) Far([]int16, time.Time) {}

// Near does nothing.
func (None) Near([]int16, time.Time) {}

// Set does nothing.
func (None) Set(Options) {}

// Reset does nothing.
func (None) Reset() {}

// Delay is 0.
func (None) Delay() time.Duration { return 0 }
