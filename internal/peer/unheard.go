package peer

import (
	"time"

	"github.com/pion/rtcp"
)

// unheard serves while transport-wide feedback was agreed on and none has ever come: some relay or other end takes it
// away. Receiver reports that show that pictures arrive stand in for it, without the window, which nothing would empty.
// Where not even these come, but the path itself answers, as much is sent as hurts no line for long. Into a path that is
// silent altogether nothing but the window goes. It is pure; the bandwidth's lock guards it.
type unheard struct {
	began   time.Time // when media was first seen to leave
	shown   time.Time // when a report last showed that pictures arrive
	highest uint32    // sequence number of that report
	blind   bool
	before  float64 // the target to go back to
	full    bool    // the line was, once
}

const (
	unheardFor    = 900 * time.Millisecond  // since began, which is looked at every second
	shownFor      = 4 * time.Second         // a report is worth so long: they come every second, and some get lost
	nothingFor    = 1500 * time.Millisecond // as long as this it may say nothing new
	blindBps      = 200_000                 // a small picture and sound
	reportsApart  = 300 * time.Millisecond  // more of them show nothing more
	reportedFull  = 200 * time.Millisecond  // of round trip above the least: the queue is long
	reportedCalm  = 80 * time.Millisecond
	reportedStart = 1.25 // growth with each report until the line was full once
)

// second is called every second; alive is whether the path answers.
func (b *bandwidth) second(alive bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := &b.unheard
	switch {
	case b.precise:
	case u.began.IsZero():
		if b.wire.inFlight() > 0 {
			u.began = now
		}
	case now.Sub(u.began) < unheardFor:
	case !alive:
		b.pacer.window.Store(firstWindow)
	case now.Sub(u.shown) >= shownFor:
		b.goBlindLocked(now)
	}
}

func (b *bandwidth) goBlindLocked(now time.Time) {
	if u := &b.unheard; !u.blind {
		u.blind, u.before = true, max(0.75*b.e.target, min(b.e.target, startTargetBps))
	}
	b.pacer.window.Store(0)
	b.e.set(min(b.e.target, blindBps), "nobody says what arrives")
	b.set(b.e.targetBps())
	signal(b.pacer.wake)
	b.tell(now)
}

// gotReport takes a receiver report about the pictures; rtt is 0 where it does not say.
func (b *bandwidth) gotReport(r rtcp.ReceptionReport, rtt time.Duration, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := &b.unheard
	if b.precise {
		return
	}
	since, more := now.Sub(u.shown), r.LastSequenceNumber != u.highest
	if !u.news(r.LastSequenceNumber, b.wire.lastOf(r.SSRC)) {
		if since >= nothingFor {
			b.goBlindLocked(now)
		}
		return
	}
	u.shown, u.highest = now, r.LastSequenceNumber
	if u.blind {
		u.blind = false
		b.e.set(max(b.e.target, u.before), "reports come")
	}
	b.pacer.window.Store(0)                                    // nobody will tell what arrived
	if since >= reportsApart && (more || r.FractionLost > 0) { // that nothing was sent is no praise of the line
		u.full = b.e.reported(float64(r.FractionLost)/256, rtt, u.full, now)
	}
	b.set(b.e.targetBps())
	b.lost.Store(uint64(b.e.lossFraction(now) * 1e6))
	signal(b.pacer.wake)
	b.tell(now)
}

// late is whether something else than feedback has led so far.
func (u *unheard) late(now time.Time) bool {
	return !u.shown.IsZero() && !u.began.IsZero() && now.Sub(u.began) >= unheardFor
}

// news is whether a report shows that something arrived since the last one, or that there was nothing to arrive. A
// receiver goes on reporting what it got last when nothing comes any more, and calls that no loss.
func (u *unheard) news(highest uint32, sent uint16) bool {
	return u.shown.IsZero() || highest != u.highest || uint16(highest) == sent
}

// lastOf is the sequence number of the newest packet of a stream of pictures.
func (w *wire) lastOf(ssrc uint32) uint16 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.streams[ssrc]; s != nil {
		return s.last
	}
	return 0
}

// reported takes what a receiver report says, where there is no transport-wide feedback. It returns whether the line was
// ever full.
func (e *estimator) reported(loss float64, rtt time.Duration, full bool, now time.Time) bool {
	var wait time.Duration
	if rtt > 0 {
		e.roundTrip.take(rtt, now)
		wait = rtt - e.roundTrip.least()
	}
	switch {
	case loss <= 0.10 && wait > reportedFull:
		e.losses.set(loss)
		e.set(e.target*0.8, "the round trip grew")
		return true
	case wait > reportedCalm && loss < 0.02:
		e.losses.set(loss)
	case loss < 0.02 && !full:
		e.losses.set(loss)
		e.set(e.target*reportedStart, "no loss reported")
	default:
		e.reportedLoss(loss)
	}
	return full || loss >= 0.02
}
