package playout

import (
	"time"

	"visavis.example/internal/media"
)

// timeline places blocks of sound by the times that they were captured or played at. The device's clock rules: a block
// follows the one before it however late it came, unless all that come in the next half second are late too: then
// blocks are missing, and silence has to stand for them. It is pure.
//
// What comes late by chance says nothing, and nothing can come too early; so the clock is the line along the earliest
// ones (the same idea as in NTP's filter). A device that is slower than ours is followed at driftStep a block.
type timeline struct {
	begun  bool
	origin time.Time // when sample 0 of this line was captured or played
	count  int64     // samples placed
}

const (
	foresight = 50                   // blocks after one that show whether it was only late
	missing   = 8 * time.Millisecond // of lateness that is a block's absence: less than one block, more than a sound server shifts
	driftStep = 5 * time.Microsecond // a block: 500 ppm, which no crystal reaches
)

// gap gives the samples of silence that belong before the block which began at ahead[0]; the rest of ahead follows it.
func (l *timeline) gap(ahead []time.Time) int64 {
	if !l.begun {
		l.begun, l.origin = true, ahead[0]
	}
	late := ahead[0].Sub(l.at(l.count))
	for i, at := range ahead[1:] {
		late = min(late, at.Sub(l.at(l.count+int64(i+1)*media.BlockSamples)))
	}
	if late > missing {
		n := int64(late) * (media.SampleRate / 1000) / int64(time.Millisecond)
		l.count += n
		return n
	}
	l.origin = l.origin.Add(min(late, driftStep))
	return 0
}

// placed moves on by one block.
func (l *timeline) placed() { l.count += media.BlockSamples }

// at is when a sample was captured or played.
func (l *timeline) at(sample int64) time.Time {
	seconds, rest := sample/media.SampleRate, sample%media.SampleRate
	return l.origin.Add(time.Duration(seconds)*time.Second + time.Duration(rest)*time.Second/media.SampleRate)
}
