package peer

import (
	"time"
)

// reportClock relates the RTP time of a received stream to its sender's clock, from sender reports (RFC 3550 section
// 6.4.1). It is pure. Senders that say in their report when a packet left instead of when it was captured are wrong by
// what the packet waited, never the other way round, so the earliest of the last reports counts.
type reportClock struct {
	rate uint32 // of RTP time, a second

	began   bool
	rtp     uint32                      // of the newest report
	ntp     time.Duration               // of the same, since 1900
	behind  [reportMemory]time.Duration // how much earlier each of the last reports says it was; newest at reports-1
	reports int
}

const (
	reportMemory = 8
	reportJump   = time.Second // between what two reports say: the sender's clock was set, or lies
)

// got takes a report.
func (c *reportClock) got(ntpTime uint64, rtpTime uint32) {
	seconds, fraction := time.Duration(ntpTime>>32), time.Duration(ntpTime&0xffffffff)
	ntp := seconds*time.Second + fraction*time.Second>>32
	drift := ntp - c.ntp - c.span(rtpTime) // how much later this one says it was
	if !c.began || absDuration(drift) > reportJump {
		*c = reportClock{rate: c.rate, began: true}
		drift = 0
	}
	if c.reports == reportMemory {
		copy(c.behind[:], c.behind[1:])
		c.reports--
	}
	for i := range c.reports {
		c.behind[i] -= drift
	}
	c.behind[c.reports] = 0
	c.reports++
	c.rtp, c.ntp = rtpTime, ntp
}

// span is how much later than the newest report an RTP time is.
func (c *reportClock) span(rtpTime uint32) time.Duration {
	return time.Duration(int32(rtpTime-c.rtp)) * time.Second / time.Duration(c.rate)
}

// captured gives the sender's time of an RTP time; ok is false while it has not reported, or long ago.
func (c *reportClock) captured(rtpTime uint32) (since1900 time.Duration, ok bool) {
	span := c.span(rtpTime)
	if !c.began || absDuration(span) > maxReportAge {
		return 0, false
	}
	least := time.Duration(0)
	for _, d := range c.behind[:c.reports] {
		least = min(least, d)
	}
	return c.ntp + span + least, true
}

const maxReportAge = time.Minute

// lipSync keeps sound and picture together: it compares how long after its capture each is played, and holds back what
// comes first. It is pure. It moves slowly, by no more than is needed for staying within what people notice
// (ITU-R BT.1359: sound 45 ms early to 125 ms late), takes a delay away before it adds another, and is bounded, whatever
// the reports say.
type lipSync struct {
	sound, picture reportClock

	soundExtra, pictureExtra time.Duration // how much each is held back

	offset  time.Duration    // picture later than sound, once all that was asked for is in effect
	apart   [3]time.Duration // the same without pictureExtra, by the last comparisons; the newest first
	known   bool
	last    time.Time
	counted time.Time // the last usable comparison
}

const (
	syncEvery    = 100 * time.Millisecond
	syncSpeed    = 80                     // milliseconds a second at most,
	syncHaste    = 200                    // but pictures that have to wait longer: sound steps as fast
	syncActs     = 30 * time.Millisecond  // from this offset on: what is left of it makes nobody wait, and when the sound's
	syncRests    = 27 * time.Millisecond  // delay grows by a packet, 3 s around it stay within 40. It lets go within this one
	syncBelieves = 2 * time.Second        // a bigger offset is a sender that reports nonsense
	maxExtra     = 300 * time.Millisecond // of each
	syncForgets  = 5 * time.Second        // without sound or picture: nothing needs to wait for the other
)

func newLipSync() *lipSync {
	return &lipSync{sound: reportClock{rate: 48000}, picture: reportClock{rate: 90000}}
}

// playing is what of a stream is heard or shown, and when.
type playing struct {
	rtpTime uint32
	at      time.Time
	held    time.Duration // of pictures: how much of the delay was asked for by lip sync
	coming  time.Duration // of sound: by how much it is about to be later
	ok      bool
}

// step compares, every syncEvery or so, and moves the two delays.
func (l *lipSync) step(now time.Time, sound, picture playing) {
	passed := min(max(now.Sub(l.last), 0), 3*syncEvery)
	l.last = now
	most := passed * syncSpeed / 1000
	offset, ok := l.compare(now, sound, picture)
	if !ok {
		if l.known && now.Sub(l.counted) > syncForgets {
			l.known = false
		}
		if !l.known {
			l.soundExtra, l.pictureExtra = max(l.soundExtra-most, 0), max(l.pictureExtra-most, 0)
		}
		return
	}
	l.learn(offset)
	l.known, l.counted = true, now
	// What lets go does it slowly: nobody notices the rest, and it may soon be needed again.
	move := func(by time.Duration) time.Duration { return min(by/8, most) }
	switch {
	case l.offset > syncActs:
		shift(&l.pictureExtra, &l.soundExtra, min((l.offset-syncRests)/2, most))
	case l.offset < -syncActs:
		shift(&l.soundExtra, &l.pictureExtra, min(-l.offset-syncRests, passed*syncHaste/1000))
	case l.offset > -syncRests && l.pictureExtra > 0: // it waits more than it must
		l.pictureExtra = max(l.pictureExtra-move(l.offset+syncRests), 0)
	case l.offset < syncRests && l.soundExtra > 0:
		l.soundExtra = max(l.soundExtra-move(syncRests-l.offset), 0)
	}
}

// learn takes the median of the last comparisons: single ones are wrong where sound was made up or the machine stood still.
func (l *lipSync) learn(offset time.Duration) {
	if !l.known {
		l.apart = [3]time.Duration{offset, offset, offset}
	}
	l.apart = [3]time.Duration{offset, l.apart[0], l.apart[1]}
	a, b, c := l.apart[0], l.apart[1], l.apart[2]
	l.offset = max(min(a, b), min(max(a, b), c)) + l.pictureExtra
}

// shift takes a delay off the later one, and gives the earlier one what is left.
func shift(later, earlier *time.Duration, by time.Duration) {
	take := min(*later, by)
	*later -= take
	*earlier = min(*earlier+by-take, maxExtra)
}

// compare gives by how much the picture would be later than the sound without pictureExtra, and with all of soundExtra.
func (l *lipSync) compare(now time.Time, sound, picture playing) (time.Duration, bool) {
	if !sound.ok || !picture.ok || now.Sub(sound.at) > time.Second || now.Sub(picture.at) > time.Second {
		return 0, false
	}
	s, ok := l.sound.captured(sound.rtpTime)
	if !ok {
		return 0, false
	}
	p, ok := l.picture.captured(picture.rtpTime)
	if !ok {
		return 0, false
	}
	offset := picture.at.Add(-picture.held).Sub(sound.at.Add(sound.coming)) - (p - s)
	return offset, absDuration(offset) < syncBelieves
}
