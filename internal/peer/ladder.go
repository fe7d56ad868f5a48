package peer

import "time"

// ladder decides how big and how carefully to encode, from the bit rate there is and from how long encoding takes. It
// is pure. Effort goes down before size, because nobody sees it; both come back slowly.
type ladder struct {
	heights  []int // best first; the first is the camera's or the wish
	level    int
	speeds   []int // of the codec, best picture first
	speed    int   // index
	interval time.Duration

	cost      time.Duration // a picture, smoothed
	costSince time.Time     // cost counts from the last change of level or speed
	rateSince time.Time     // the bit rate has allowed a bigger level since then
	cooled    time.Time     // the last time that the CPU forced a step
}

// stepBps is the least bit rate worth that height; VP9 needs about two thirds of VP8's, and less than that is still
// better small and sharp.
func stepBps(height int, c codec) int {
	bps := height * height * 4 / 3 // 720: 690k, 540: 390k, 360: 170k
	if c == codecVP9 {
		bps = bps * 2 / 3
	}
	return bps
}

const (
	busyShare  = 0.60 // of the time between two pictures: too slow
	idleShare  = 0.25
	calmFor    = 5 * time.Second // before a step up
	cooldown   = 20 * time.Second
	measureFor = time.Second // before the cost of a new step is believed
	costSmooth = 0.1
	upMargin   = 1.25 // the rate must be that much above a step's least to go up to it
)

func newLadder(height int, fps float64, speeds []int, start int) *ladder {
	l := &ladder{speeds: speeds, speed: start, interval: time.Duration(float64(time.Second) / fps)}
	l.setHeight(height)
	return l
}

// setHeight says what the source and the configuration allow.
func (l *ladder) setHeight(height int) {
	if len(l.heights) > 0 && l.heights[0] == height {
		return
	}
	l.heights = append(l.heights[:0], height)
	for _, h := range []int{720, 540, 360} {
		if h < height {
			l.heights = append(l.heights, h)
		}
	}
	l.level = 0
}

func (l *ladder) height() int { return l.heights[l.level] }
func (l *ladder) effort() int { return l.speeds[l.speed] }

// encoded takes how long one picture took.
func (l *ladder) encoded(took time.Duration, now time.Time) {
	if l.costSince.IsZero() {
		l.cost, l.costSince = took, now
	}
	l.cost += time.Duration(float64(took-l.cost) * costSmooth)
	if now.Sub(l.costSince) < measureFor {
		return
	}
	share := float64(l.cost) / float64(l.interval)
	switch {
	case share > busyShare && l.speed < len(l.speeds)-1:
		l.speed++
		l.changed()
		l.cooled = now
	case share > busyShare && l.level < len(l.heights)-1:
		l.level++
		l.changed()
		l.cooled = now
	case share < idleShare && l.speed > 0 && now.Sub(l.costSince) > calmFor && now.Sub(l.cooled) > cooldown:
		l.speed--
		l.changed()
	}
}

// rate takes the bit rate that pictures may use.
func (l *ladder) rate(bps int, c codec, now time.Time) {
	if l.level < len(l.heights)-1 && bps < stepBps(l.height(), c) {
		l.level++
		l.changed()
		return
	}
	// The next bigger step must be affordable in bits and, by area, in time.
	up := l.level - 1
	if up < 0 || float64(bps) < upMargin*float64(stepBps(l.heights[up], c)) || l.costAt(up) > busyShare*0.8*float64(l.interval) {
		l.rateSince = time.Time{}
		return
	}
	if l.rateSince.IsZero() {
		l.rateSince = now
	}
	if now.Sub(l.rateSince) >= calmFor && (l.cooled.IsZero() || now.Sub(l.cooled) > cooldown) {
		l.level = up
		l.changed()
	}
}

func (l *ladder) costAt(level int) float64 {
	grow := float64(l.heights[level]) / float64(l.height())
	return float64(l.cost) * grow * grow
}

func (l *ladder) changed() { l.costSince, l.rateSince = time.Time{}, time.Time{} }
