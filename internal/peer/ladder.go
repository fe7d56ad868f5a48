package peer

import (
	"slices"
	"time"
)

// ladder decides how big, how often and how carefully to encode, from the bit rate there is and from how long encoding
// takes. It is pure. Two rulers share it, and the stricter one counts: the bit rate picks a rung that it can fill, the
// processor gives up effort first, because nobody sees it, then size, then rate. Text keeps its size and gives up rate.
// Everything comes back slowly.
type ladder struct {
	fps    float64 // the source's, or the wish
	text   bool
	codec  codec
	speeds []int // of the codec, best picture first

	heights []int     // best first; the first is the camera's or the wish
	rates   []float64 // pictures a second, best first
	rungs   []rung    // by falling need; what the bit rate may choose

	rung      int       // chosen by the bit rate
	rungSince time.Time // a higher rung has been affordable since
	rungBest  int       // the least of them

	bps   int // what pictures may use
	start int // index of speeds: the effort of a picture that has bits enough
	speed int // index; chosen by the processor, as are the next two
	level int // index of heights
	pace  int // index of rates

	cost      time.Duration // a picture, smoothed
	costSince time.Time     // cost counts from the last change of what is encoded
	cooled    time.Time     // the last time that the processor forced a step
	cooling   time.Duration // from then on, before a step back
	stepped   time.Time     // the last step back up

	why string // of the last change, for the trace
}

// rung is a size and a rate.
type rung struct {
	height int
	fps    float64
}

// needBps is the least bit rate worth a rung; less is still better small and sharp. VP9 needs about two thirds of
// VP8's. A part of the bits goes into what does not move, whatever the rate.
func (r rung) needBps(c codec) int {
	bps := float64(r.height*r.height) * 4 / 3 * (0.4 + 0.6*r.fps/30) // 720: 690k, 540: 390k, 360: 170k at 30 a second
	if c == codecVP9 {
		bps = bps * 2 / 3
	}
	return int(bps)
}

const (
	busyShare  = 0.60 // of the time between two pictures: too slow
	idleShare  = 0.25
	calmFor    = 3 * time.Second // before a higher rung
	restFor    = 5 * time.Second // before more effort
	cooldown   = 20 * time.Second
	coolAtMost = 3 * time.Minute
	measureFor = time.Second            // before the cost of a new step is believed,
	hurryFor   = 400 * time.Millisecond // and when not even every picture can be encoded
	costSmooth = 0.1

	enough = 11 // times the need
	ample  = 6  // times the need: from there on more effort is not seen any more, only paid for

	leastForTime = 360  // lines; below it time is no longer in the pixels
	upMargin     = 1.25 // the rate must be that much above a rung's need to go up to it
)

func newLadder(c codec, height int, fps float64, speeds []int, start int) *ladder {
	l := &ladder{codec: c, fps: fps, speeds: speeds, start: start, speed: start, cooling: cooldown}
	l.source(height, false)
	return l
}

// source says what the source and the configuration allow, and whether it shows text.
func (l *ladder) source(height int, text bool) {
	if len(l.heights) > 0 && l.heights[0] == height && l.text == text {
		return
	}
	l.text = text
	l.heights, l.rates, l.rungs = []int{height}, []float64{l.fps}, l.rungs[:0]
	slower := []float64{20, 15}
	if text {
		slower = []float64{20, 15, 10, 5}
	}
	for _, r := range slower {
		if r < l.fps {
			l.rates = append(l.rates, r)
		}
	}
	if !text {
		for _, h := range []int{720, 540, 360, 270, 180} {
			if h < height {
				l.heights = append(l.heights, h)
			}
		}
	}
	for _, h := range l.heights {
		l.rungs = append(l.rungs, rung{h, l.fps})
	}
	// Faces give up rate only where the size has come down to little.
	low := rung{l.heights[len(l.heights)-1], 0}
	for _, r := range l.rates[1:] {
		l.rungs = append(l.rungs, rung{low.height, r})
		if n := len(l.heights); n > 1 && l.heights[n-2] <= 270 && r == 20 {
			l.rungs = append(l.rungs, rung{l.heights[n-2], r})
		}
	}
	slices.SortStableFunc(l.rungs, func(a, b rung) int { return b.needBps(l.codec) - a.needBps(l.codec) })
	l.rung, l.level, l.pace = 0, 0, 0
	l.changed("source")
}

func (l *ladder) height() int           { return min(l.rungs[l.rung].height, l.heights[l.level]) }
func (l *ladder) framesPerS() float64   { return min(l.rungs[l.rung].fps, l.rates[l.pace]) }
func (l *ladder) effort() int           { return l.speeds[l.speed] }
func (l *ladder) interval() float64     { return float64(time.Second) / l.framesPerS() }
func (l *ladder) share() float64        { return float64(l.cost) / l.interval() }
func (l *ladder) area(h int) float64    { g := float64(h) / float64(l.height()); return g * g }
func (l *ladder) cool(t time.Time) bool { return l.cooled.IsZero() || t.Sub(l.cooled) > l.cooling }

// mostBps is the bit rate beyond which the picture that is sent now gets no better to look at: more would only cost the
// line and both processors. 1.3 Mbit/s for 360 lines in VP9, and 5 for 720.
func (l *ladder) mostBps() int {
	return enough * rung{l.height(), max(l.framesPerS(), 15)}.needBps(l.codec)
}

// plenty says whether there are bits for so many times the need of what is sent now.
func (l *ladder) plenty(times int) bool {
	return l.bps >= times*rung{l.height(), l.framesPerS()}.needBps(l.codec)
}

// rate takes the bit rate that pictures may use.
func (l *ladder) rate(bps int, now time.Time) {
	l.bps = bps
	fits := l.affordable(float64(bps))
	if fits > l.rung {
		l.rung = fits
		l.changed("rate fell")
		return
	}
	better := l.affordable(float64(bps) / upMargin)
	if better >= l.rung {
		l.rungSince = time.Time{}
		return
	}
	if l.rungSince.IsZero() {
		l.rungSince, l.rungBest = now, better
	}
	l.rungBest = max(l.rungBest, better) // what was affordable all the time
	if now.Sub(l.rungSince) >= calmFor {
		l.rung = l.rungBest
		l.changed("rate rose")
	}
}

// affordable is the first rung that bps fills.
func (l *ladder) affordable(bps float64) int {
	for i, r := range l.rungs {
		if bps >= float64(r.needBps(l.codec)) {
			return i
		}
	}
	return len(l.rungs) - 1
}

// encoded takes how long one picture took.
func (l *ladder) encoded(took time.Duration, now time.Time) {
	if l.costSince.IsZero() {
		l.cost, l.costSince = took, now
	}
	l.cost += time.Duration(float64(took-l.cost) * costSmooth)
	since, share := now.Sub(l.costSince), l.share()
	switch {
	case since < hurryFor || since < measureFor && share < 1:
	case share > busyShare:
		l.relieve(now)
	case since > restFor && l.speed < l.leastEffort():
		l.speed++
		l.changed("bits to spare: effort")
	case since > restFor && l.cool(now):
		l.restore(share, now)
	}
}

// leastEffort is the index of the speed for a picture with bits to spare. In VP9 that is even less effort than usual: at 360
// lines 0.07 dB for a sixth of the time.
func (l *ladder) leastEffort() int {
	switch {
	case !l.plenty(ample + ample/2):
		return 0
	case l.codec == codecVP9:
		return min(l.start+1, len(l.speeds)-1)
	}
	return l.start
}

// relieve gives up the next thing for the processor's sake.
func (l *ladder) relieve(now time.Time) {
	smaller := slices.Index(l.heights, l.height()) + 1
	switch {
	case l.speed < len(l.speeds)-1:
		l.speed++
		l.changed("slow: effort")
	case smaller < len(l.heights) && l.heights[smaller] >= leastForTime:
		l.level = smaller
		l.changed("slow: size")
	case l.pace < len(l.rates)-1:
		l.pace++
		l.changed("slow: rate")
	default:
		return
	}
	// What was tried and failed is tried less and less often.
	if !l.stepped.IsZero() && now.Sub(l.stepped) < cooldown {
		l.cooling = min(2*l.cooling, coolAtMost)
	}
	l.cooled = now
}

// restore takes back what was given up last, if the time for it is there.
func (l *ladder) restore(share float64, now time.Time) {
	const enough = 0.8 * busyShare
	switch {
	case l.pace > 0 && share*l.rates[l.pace-1]/l.framesPerS() < enough:
		l.pace--
		l.changed("time to spare: rate")
	case l.level > 0 && share*l.area(l.heights[l.level-1]) < enough:
		l.level--
		l.changed("time to spare: size")
	case l.pace == 0 && l.level == 0 && l.speed > 0 && share < idleShare && (l.speed > l.start && l.codec != codecVP9 || !l.plenty(ample)):
		l.speed--
		l.changed("time to spare: effort")
	default:
		return
	}
	if now.Sub(l.cooled) > 2*coolAtMost {
		l.cooling = cooldown
	}
	l.stepped = now
}

func (l *ladder) changed(why string) {
	l.costSince, l.rungSince, l.why = time.Time{}, time.Time{}, why
}
