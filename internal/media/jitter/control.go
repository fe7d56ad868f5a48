package jitter

const (
	levelShare = 1. / 16 // of a new measurement in the smoothed level
	sizeShare  = 1. / 64
	quietPause = 5  // frames between two corrections, in quiet places
	loudPause  = 25 // and elsewhere
	hastePause = 2  // and when much too much waits
)

type correction int

const (
	keep correction = iota
	shorten
	lengthen
)

// control corrects the delay slowly: what waits on average against the target. Clock drift between the two ends and a
// network that has become steadier both show up here.
type control struct {
	level float64 // smoothed, in samples
	size  float64 // of payloads, smoothed: small ones are quiet
	since int     // frames since the last correction
}

func (c *control) tick(level int64) {
	c.level += (float64(level) - c.level) * levelShare
	c.since++
}

func (c *control) played(size int) {
	if c.size == 0 {
		c.size = float64(size)
	}
	c.size += (float64(size) - c.size) * sizeShare
}

// quiet is whether a packet carries little: Opus spends bits where there is sound.
func (c *control) quiet(size int) bool { return float64(size) < c.size*0.6 }

// decide needs to know whether another packet follows: the last one is never left out.
func (c *control) decide(target, frame int64, quiet, follows bool) correction {
	excess := c.level - float64(target)
	f := float64(frame)
	switch {
	case follows && c.since >= quietPause && quiet && excess > f,
		follows && c.since >= loudPause && excess > 2*f,
		follows && c.since >= hastePause && excess > 10*f:
		c.since = 0
		c.level -= f
		return shorten
	case c.since >= quietPause && quiet && excess < -1.5*f:
		c.since = 0
		c.level += f
		return lengthen
	}
	return keep
}
