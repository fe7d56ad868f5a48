// Package playout is where decoded pictures and sound go: speakers through malgo, the picture slots of the window, y4m and
// wav files, and nowhere. peer presents pictures and lets sound be pulled; cmd/client opens the sinks. No sink ever makes
// its caller wait for a disk, a device or the UI thread. Nothing here decodes or touches the network.
package playout

import (
	"errors"
	"time"
)

// Failing is what sinks implement that can break while they run.
type Failing interface {
	// Failed gives at most one error: a speaker was lost without replacement (it is still looked for, and sound goes on
	// being pulled by the clock), or a file cannot be written any more. The channel is closed by Close. Nil before Start.
	Failed() <-chan error
}

// Timed is what sinks implement that know when a block is heard.
type Timed interface {
	// Heard gives when the first sample of the block is heard that is being filled. To be called from within fill only.
	Heard() time.Time
}

// ErrNoSpeaker is what OpenSpeaker gives when there is none of that name.
var ErrNoSpeaker = errors.New("no speaker found")

var errStarted = errors.New("sink started twice")

const blockTime = 10 * time.Millisecond
