package peer

import (
	"slices"
	"time"
)

// timing says when to show a received picture: as long after its capture as most of the others need, so that motion is
// even, and no longer. It is pure. Times of capture are known up to a constant: the fastest transit of the last seconds
// counts as no delay, and what a picture needs more than that is how late it is. The delay covers nearly all pictures
// that came by themselves; one that had to be asked for again may come later than its time, unless so many do that
// motion would stutter, or one comes so late that the picture stands still (still).
type timing struct {
	started  bool
	lastRTP  uint32
	media    time.Duration // of lastRTP, on a clock that does not wrap
	epoch    time.Time
	lastSeen time.Time
	lastLate time.Duration
	fastest  floor
	path     time.Duration // what that gave last
	plain    lateness      // pictures that came by themselves
	all      lateness
	still    time.Duration // what the delay must be so that late repairs do not stop the picture
	delay    time.Duration // on top of the fastest transit
	extra    time.Duration // on top of that, for the sound's sake
	round    time.Duration // that a repair takes; 0: not known
}

const (
	maxShowDelay = 250 * time.Millisecond
	maxPause     = 10 * time.Second // between pictures; a longer one may be a jump of the sender's clock

	anotherWay    = 20 * time.Millisecond // longer than the one before
	plainQuantile = 0.90
	allQuantile   = 0.85
	delayDown     = 3 * time.Millisecond // a picture: 10 % faster is not seen
	together      = 3 * time.Millisecond // pictures that come within this were held up by the same thing

	stillFrom   = 105 * time.Millisecond // so much later than its time a picture may be shown: who waits longer sees it stop
	stillLeast  = 60 * time.Millisecond  // of delay for all pictures, for the sake of few, is what it may cost anywhere,
	stillCeil   = 150 * time.Millisecond // and this where every repair would stop the picture
	stillGap    = 20 * time.Millisecond  // a loss shows so much later, when the next packet comes
	stillUseful = 150 * time.Millisecond // who comes later than with the delay, too, stops the picture even so
	stillFade   = 25 * time.Microsecond  // a picture
)

// stillMost is how much all pictures may wait for the sake of repairs. Far away a single one takes longer than a picture
// can be missing without being seen to stop: there, where losses happen, waiting for one round trip is what spares a freeze
// at every loss (libwebrtc adds a whole round trip after a few).
func (t *timing) stillMost() time.Duration {
	return min(max(t.round+stillGap-stillFrom, stillLeast), stillCeil)
}

// show gives when to show a picture that was complete at now; mended says that it had to be asked for again.
func (t *timing) show(rtpTime uint32, now time.Time, mended bool) time.Time {
	if !t.started || absDuration(ticks(rtpTime-t.lastRTP)-now.Sub(t.lastSeen)) > maxPause {
		// The first one, or the sender's clock has jumped.
		*t = timing{started: true, epoch: now, lastRTP: rtpTime, extra: t.extra, round: t.round}
	}
	t.media += ticks(rtpTime - t.lastRTP)
	transit := now.Sub(t.epoch) - t.media
	fastest := t.fastest.add(transit, now)
	if now.Sub(t.lastSeen) < time.Second { // else one picture alone says what is fastest
		t.slower(fastest - t.path)
	}
	t.path = fastest
	late := transit - fastest
	// A second that stood still must not count as thirty late pictures.
	if same := now.Sub(t.lastSeen) < together && late < t.lastLate; !same {
		t.all.add(late)
		if !mended {
			t.plain.add(late)
		}
	}
	t.still = max(t.still-stillFade, 0)
	most := t.stillMost()
	if want := min(late-stillFrom, most); mended && want > t.still && late <= stillUseful+most {
		t.still += (want - t.still) / 2 // a single one is chance
	}
	t.lastRTP, t.lastSeen, t.lastLate = rtpTime, now, late
	t.follow(min(max(t.plain.quantile(plainQuantile), t.all.quantile(allQuantile), t.still), maxShowDelay))
	at := t.epoch.Add(t.media + fastest + t.delay + t.extra)
	if latest := now.Add(maxShowDelay + t.extra); at.After(latest) {
		return latest
	}
	return at
}

// slower takes a way that has become so much longer for all: who was late by that is late no more, and must not be waited
// for once more. A little more is chance on a line with jitter, and soon a little less.
func (t *timing) slower(by time.Duration) {
	if by < anotherWay {
		return
	}
	t.plain.less(by)
	t.all.less(by)
	t.delay, t.still = max(t.delay-by, 0), max(t.still-by, 0)
}

// follow moves the delay quickly up and slowly down.
func (t *timing) follow(target time.Duration) {
	if target > t.delay {
		t.delay += (target - t.delay + 1) / 2
	} else {
		t.delay = max(t.delay-delayDown, target)
	}
}

func ticks(d uint32) time.Duration { return time.Duration(int32(d)) * time.Second / 90000 }

func absDuration(d time.Duration) time.Duration { return max(d, -d) }

// lateness remembers how late the last pictures were.
type lateness struct {
	last   [128]time.Duration
	n, at  int
	sorted [128]time.Duration
}

func (l *lateness) add(d time.Duration) {
	l.last[l.at] = d
	l.at = (l.at + 1) % len(l.last)
	l.n = min(l.n+1, len(l.last))
}

// less makes all of them less late.
func (l *lateness) less(by time.Duration) {
	for i := range l.n {
		l.last[i] = max(l.last[i]-by, 0)
	}
}

// quantile gives what a share of them stayed within; 0 while there are none.
func (l *lateness) quantile(share float64) time.Duration {
	if l.n == 0 {
		return 0
	}
	s := l.sorted[:copy(l.sorted[:], l.last[:l.n])]
	slices.Sort(s)
	return s[min(int(share*float64(l.n)), l.n-1)]
}

// floor is the least value of the last seconds: long enough to see a line without a queue, short enough to follow
// clocks that drift apart.
type floor struct {
	least [floorSeconds]time.Duration // of each of the last seconds
	upTo  int64                       // the second that least[upTo%floorSeconds] is about
	began bool
}

const floorSeconds = 10

func (f *floor) add(d time.Duration, now time.Time) time.Duration {
	second := now.Unix()
	if !f.began || second-f.upTo >= floorSeconds || second < f.upTo {
		f.began, f.upTo = true, second
		for i := range f.least {
			f.least[i] = d
		}
	}
	for f.upTo < second {
		f.upTo++
		f.least[f.upTo%floorSeconds] = d
	}
	i := f.upTo % floorSeconds
	f.least[i] = min(f.least[i], d)
	return slices.Min(f.least[:])
}
