package peer

import (
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/trace"
)

// decoder is the decode goroutine's own.
type decoder struct {
	v      *videoReceiver
	dec    pictureDecoder
	codec  codec
	pool   media.Pool
	lost   bool // until a key frame
	shown  bool
	cost   time.Duration
	opened time.Time // dec
	freeze freezes
	timer  *time.Timer
}

const (
	decodeMargin = 2 * time.Millisecond   // how much sooner than its usual cost a picture is decoded, to be shown in time
	reopenPause  = 200 * time.Millisecond // a peer that changes codec with every picture gets few decoders
	showSlack    = time.Millisecond / 2   // not worth waiting for
)

// runDecoder decodes and shows until stop is closed.
func (v *videoReceiver) runDecoder(stop <-chan struct{}) {
	d := decoder{v: v, timer: time.NewTimer(0)}
	defer d.close()
	defer d.timer.Stop()
	for {
		now, still := time.Now(), d.freeze.still()
		p, behind, wait, ok := v.decode.due(now, d.cost+decodeMargin, still)
		if ok {
			d.decode(p, shows(behind, now, still), stop)
			continue
		}
		var later <-chan time.Time
		if wait > 0 {
			d.timer.Reset(wait)
			later = d.timer.C
		}
		select {
		case <-stop:
			return
		case <-v.decode.wake:
		case <-later:
		}
	}
}

// shows says whether a picture is shown that so many others that are due wait behind. The first after a standstill is.
func shows(behind int, now, still time.Time) bool {
	return behind < overdueLimit || !still.IsZero() && now.After(still)
}

func (d *decoder) close() {
	if d.dec != nil {
		d.dec.Close()
		d.dec = nil
	}
}

func (d *decoder) decode(p timedPicture, show bool, stop <-chan struct{}) {
	count := &d.v.count
	if !d.ready(p) {
		count.unshown.Add(1)
		return
	}
	began := time.Now()
	count.waited.Add(int64(began.Sub(p.began)))
	count.waitedOf.Add(1)
	f, err := d.dec.Decode(p.data, &d.pool)
	now := time.Now()
	took := now.Sub(began)
	d.cost += (took - d.cost) / 8
	count.decodeTime.Store(int64(d.cost))
	count.decodeTotal.Add(int64(took))
	if err != nil {
		d.lost = true
		d.v.resync.Store(true)
		d.v.log.Debug("decode picture", "err", err)
		return
	}
	count.decoded.Add(1)
	if p.key {
		count.keysDecoded.Add(1)
	}
	if f == nil {
		return
	}
	defer f.Release()
	f.Captured, f.Number = p.planned, p.traced.Number
	p.traced.Width, p.traced.Height = f.Width, f.Height
	d.v.trace.Frame(trace.Decoded, p.traced, now)
	if !show {
		count.unshown.Add(1)
		return
	}
	d.wait(p.show, stop)
	d.present(f, p)
}

// wait lets pictures be shown at even times though decoding takes some longer than others.
func (d *decoder) wait(at time.Time, stop <-chan struct{}) {
	early := min(time.Until(at), d.cost+2*decodeMargin)
	if early < showSlack {
		return
	}
	d.timer.Reset(early)
	select {
	case <-stop:
	case <-d.timer.C:
	}
}

func (d *decoder) present(f *media.Frame, p timedPicture) {
	count := &d.v.count
	now := time.Now()
	count.shown.Add(1)
	count.width.Store(int64(f.Width))
	count.height.Store(int64(f.Height))
	if frozen := d.freeze.shown(now); frozen > 0 {
		count.freezes.Add(1)
		count.frozen.Add(int64(frozen))
		if frozen >= longPause {
			count.pauses.Add(1)
			count.paused.Add(int64(frozen))
		}
	}
	d.v.played.store(p.rtpTime, now, p.planned, p.held)
	if d.v.sink != nil {
		d.v.sink.Present(f)
	}
	d.v.trace.Frame(trace.Presented, p.traced, now)
	if !d.shown {
		d.shown = true
		d.v.firstSeen(f.Width, f.Height)
	}
}

// ready makes sure of a decoder for the picture; without a key frame to begin with there is none.
func (d *decoder) ready(p timedPicture) bool {
	if p.key {
		d.lost = false
	}
	if d.lost {
		return false
	}
	if d.dec != nil && d.codec == p.codec {
		return true
	}
	if !p.key {
		d.lost = true
		d.v.resync.Store(true)
		return false
	}
	now := time.Now()
	if now.Sub(d.opened) < reopenPause {
		d.lost = true
		d.v.resync.Store(true)
		return false
	}
	d.opened = now
	d.close()
	dec, err := openPictureDecoder(p.codec)
	if err != nil {
		d.v.log.Error("open video decoder", "err", err)
		return false
	}
	d.dec, d.codec = dec, p.codec
	d.v.count.opened.Add(1)
	d.v.count.codec.Store(p.codec)
	return true
}

const longPause = 5 * time.Second // W3C's pauseCount

// freezes finds pauses between shown pictures as W3C's freezeCount does: longer than three times the usual, and than
// 150 ms more than it.
type freezes struct {
	last  time.Time
	usual time.Duration // smoothed over 30 pictures
	n     int
}

// shown gives how long the picture stood still before now, 0 when it did not.
func (z *freezes) shown(now time.Time) time.Duration {
	gap := now.Sub(z.last)
	first := z.last.IsZero()
	z.last = now
	if first {
		return 0
	}
	z.n = min(z.n+1, 30)
	usual := z.usual
	z.usual += (gap - z.usual) / time.Duration(z.n)
	if z.n > 1 && gap > max(3*usual, usual+150*time.Millisecond) {
		return gap
	}
	return 0
}

// still is from when on the picture that is shown stands still to whoever watches; zero while nothing is known.
func (z *freezes) still() time.Time {
	if z.n <= 1 {
		return time.Time{}
	}
	return z.last.Add(3 * z.usual)
}
