package peer

import (
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/trace"
)

func (v *videoSender) encode(f *media.Frame) {
	if !v.ready(f) {
		return
	}
	v.warmAsked.Store(false)
	now := time.Now()
	budget := v.budget()
	v.ladder.source(v.lines(f), f.Text)
	v.ladder.rate(v.believed(budget, now), now)
	v.enc.SetBitrate(min(budget, v.ladder.mostBps()))
	v.enc.SetSpeed(v.ladder.effort())

	sized := v.sized(f)
	hushed := v.hushed(now)
	if hushed {
		v.kept.ask()
	}
	next := v.kept.next(v.lastID+1, now)
	if next.key {
		v.keyAsked.Store(true)
	}
	key := (v.restart || v.gate.may(now)) && v.keyAsked.Swap(false)
	if v.flexible {
		v.enc.Refer(next.refer)
	}
	captured := f.Captured
	if captured.IsZero() {
		captured = now
	}
	pts := max(captured.Sub(v.start).Nanoseconds()*9/100_000, v.lastPTS+1) // another source's clock may be behind
	// A gap because the line was full brings no bits with it: they would fill the line for as long again.
	v.encoderPTS += min(pts-v.lastPTS, int64(v.ladder.interval()*1.5*90_000/1e9))
	v.lastPTS = pts
	packet, isKey, err := v.enc.Encode(sized, v.encoderPTS, key)
	took := time.Since(now)
	if sized != f {
		defer sized.Release()
	}
	v.ladder.encoded(took, now)
	v.sayLadder(budget, now)
	v.count.encodeTime.Store(int64(v.ladder.cost))
	v.count.encodeTotal.Add(int64(took))
	v.count.limit.Store(int32(v.ladder.limitation()))
	v.count.speed.Store(int64(v.ladder.effort()))
	if err != nil {
		if !v.warned {
			v.warned = true
			v.log.Warn("encode picture", "err", err)
		}
		v.closeEncoder()
		return
	}
	if packet == nil {
		v.count.dropped.Add(1) // by the rate control
		return
	}
	v.lastID++
	v.kept.encoded(next, f.Number, isKey, now)
	switch {
	case isKey:
		v.restart = false
		v.gate.given(now, key)
		v.count.keys.Add(1)
	case next.recover:
		v.count.recoveries.Add(1)
	}
	rtpTime := v.rtpStart + uint32(pts)
	v.track.clock.set(rtpTime, captured)
	v.trace.Frame(trace.Encoded, trace.Picture{
		Number: f.Number, RTP: rtpTime, Width: sized.Width, Height: sized.Height, Key: isKey, Bytes: len(packet),
	}, time.Now())
	v.count.frames.Add(1)
	v.count.width.Store(int64(sized.Width))
	v.count.height.Store(int64(sized.Height))
	payloads := v.cut.cut(v.encCodec, packet, described{isKey, sized.Width, sized.Height, v.flexible, next.back})
	v.pacer.put(rtpTime, payloads, pictureMeta{f.Number, isKey, sized.Width, sized.Height, hushed && next.recover})
}

// believed is the rate that the size is chosen by. The estimate begins low, for narrow lines, and knows more within a
// second: a size that would be right for the low one only would cost another encoder and a key frame then.
func (v *videoSender) believed(budget int, now time.Time) int {
	if v.began.IsZero() {
		v.began = now
	}
	if now.Sub(v.began) < untriedFor {
		return max(budget, untriedBps)
	}
	return budget
}

const (
	untriedFor = 1500 * time.Millisecond
	untriedBps = 500_000 // 720 lines in VP9
)

// sayLadder traces what the ladder changed.
func (v *videoSender) sayLadder(budget int, now time.Time) {
	l := v.ladder
	if l.why != "" && v.trace.On() {
		v.trace.Decide("ladder", l.why, map[string]float64{
			"height": float64(l.height()), "fps": l.framesPerS(), "speed": float64(l.effort()),
			"bps": float64(budget), "encode_ms": float64(l.cost) / float64(time.Millisecond),
		}, now)
	}
	l.why = ""
}

// ready makes sure of an encoder for what was negotiated.
func (v *videoSender) ready(f *media.Frame) bool {
	p, ok := v.track.negotiated()
	c := codecOf(p.MimeType, p.SDPFmtpLine)
	if !ok || !v.openEncoder(c, f.Width, f.Height, f.Text) {
		return false
	}
	if flexible := c == codecVP9 && knowsLNTF(p.RTPCodecCapability); flexible != v.flexible {
		v.flexible = flexible
		v.enc.SetResilient(flexible)
		v.kept.reset(flexible)
		v.restart = true
		v.keyAsked.Store(true)
	}
	return true
}

// openEncoder makes sure of an encoder of that codec for pictures of that size, if there is none.
func (v *videoSender) openEncoder(c codec, width, height int, text bool) bool {
	if v.enc != nil && v.encCodec == c {
		return true
	}
	if c == v.failed {
		return false
	}
	v.closeEncoder()
	if v.ladder == nil || v.encCodec != c {
		speeds, start := c.speeds()
		v.ladder = newLadder(c, min(v.height, height), v.fps, speeds, start)
	}
	_, most := v.most(text)
	w, h := v.fit(width, height, most, text) // not what the ladder says now: an encoder cannot grow
	enc, err := openPictureEncoder(c, w, h, v.fps, v.budget(), v.flexible)
	if err != nil {
		v.failed = c
		v.log.Error("open video encoder", "err", err)
		return false
	}
	v.enc, v.encCodec, v.encSize = enc, c, [2]int{w, h}
	v.count.codec.Store(c)
	return true
}

// warm opens the encoder before there is a connection: on accept nothing stands between a picture and the line. Opening
// VP9 costs 40 ms at 360 lines and 120 at 720, and its first picture five times a later key frame.
func (v *videoSender) warm() {
	v.warmAsked.Store(true)
	signal(v.frames.wake)
}

// prepare does what warm asked for: with the codec that we like best unless another one was negotiated, at the camera's
// size once that is known.
func (v *videoSender) prepare() {
	if v.closeEnc.Load() || !v.warmAsked.Load() || v.enc != nil && v.open.Load() {
		return
	}
	c := v.prefer[0]
	if p, ok := v.track.negotiated(); ok {
		c = codecOf(p.MimeType, p.SDPFmtpLine)
	}
	w, h := v.width, v.height
	if size := v.lastSize.Load(); size != 0 {
		w, h = int(size>>32), int(size&0xffffffff)
	}
	if v.enc != nil {
		if fw, fh := v.fit(w, h, v.height, false); v.encCodec == c && v.encSize == [2]int{fw, fh} {
			return
		}
	}
	v.closeEncoder()
	v.encCodec = codecNone // another ladder, too
	if !v.openEncoder(c, w, h, false) {
		return
	}
	// One picture that nobody sees touches all memory and fills all tables.
	f := v.pool.Get(v.encSize[0], v.encSize[1])
	defer f.Release()
	paintAnything(f)
	if _, _, err := v.enc.Encode(f, 0, true); err != nil {
		v.closeEncoder()
	}
}

// paintAnything gives a picture about as hard to encode as a camera's: from a plain one the rate control would learn
// that pictures cost nothing, and make the first real one three times too big.
func paintAnything(f *media.Frame) {
	f.Fill(16, 128, 128)
	noise := uint32(1)
	for y := range f.Height {
		row := f.Y[y*f.StrideY:][:f.Width]
		for x := range row {
			noise = noise*1664525 + 1013904223
			row[x] = byte(80 + (x/40^y/40)&7*10 + int(noise>>30))
		}
	}
}

// sized gives f, or a smaller copy as the ladder says; the caller releases a copy.
func (v *videoSender) sized(f *media.Frame) *media.Frame {
	w, h := v.fit(f.Width, f.Height, v.ladder.height(), f.Text)
	if w == f.Width && h == f.Height {
		return f
	}
	small := v.pool.Get(w, h)
	media.Scale(small, f)
	return small
}

// most is the box that pictures have to fit into. Text is not worth showing if it cannot be read.
func (v *videoSender) most(text bool) (w, h int) {
	if text {
		return max(v.width, 1920), max(v.height, 1080)
	}
	return max(v.width, 2), v.height
}

// lines is the height of f at the top of the ladder.
func (v *videoSender) lines(f *media.Frame) int {
	_, most := v.most(f.Text)
	return min(most, f.Height)
}

// fit is what a picture of that size is to be encoded in, with so many lines at most: never bigger than it is.
func (v *videoSender) fit(width, height, lines int, text bool) (w, h int) {
	most, _ := v.most(text)
	w, h = media.Fit(most, lines, width, height)
	if w >= width || h >= height {
		return width, height
	}
	return w, h
}

func (v *videoSender) closeEncoder() {
	if v.enc != nil {
		v.enc.Close()
		v.enc = nil
	}
}
