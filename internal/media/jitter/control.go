package jitter

const (
	levelShare = 1. / 16 // of a new measurement in the smoothed level
	sizeShare  = 1. / 64
	quietPause = 5  // frames between two corrections, in quiet places
	loudPause  = 50 // and elsewhere, once so many have passed without a quiet place
	hastePause = 2  // and when much too much waits
)

// control shortens the delay slowly: what waits on average against the target. A faster clock at the other end and a
// network that has become steadier both show up here. The delay grows by itself, whenever something is made up because
// nothing is there; adding frames ahead of need was tried, and only made calls slower.
type control struct {
	level float64 // smoothed, in samples
	size  float64 // of payloads, smoothed: small ones are quiet
	since int     // frames since the last correction
	over  int     // frames since when there has been too much
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

// tooMuch is whether a frame is to be left out now; follows says that another packet is there: the last one never is.
func (c *control) tooMuch(target, frame int64, quiet, follows bool) bool {
	excess, f := c.level-float64(target), float64(frame)
	if c.over++; excess <= f {
		c.over = 0
	}
	switch {
	case follows && c.since >= quietPause && quiet && excess > f,
		follows && c.over >= loudPause && excess > 1.25*f,
		follows && c.since >= hastePause && excess > 10*f:
		c.since, c.over = 0, 0
		c.level -= f
		return true
	}
	return false
}
