package jitter

import (
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/stretch"
)

// Decoder is what a Player needs of a codec. It is called from Pull only, never with a lock held. Conceal's and DecodeFEC's
// lengths are multiples of 2.5 ms.
type Decoder interface {
	Decode(packet []byte, pcm []int16) (samples int, err error)
	DecodeFEC(next []byte, pcm []int16) (samples int, err error)
	Conceal(pcm []int16) (samples int, err error)
}

const (
	block   = media.BlockSamples
	history = 2 * block // of what was played, for Expand
	grain   = 120       // 2.5 ms: what decoders conceal multiples of

	tail       = rate / 200 // of a blend between two pieces that do not fit together
	trimAtMost = 2 * block  // made up in place of a packet that came too late: the rest of it is played
	levelShare = 1. / 16    // of a new measurement in the smoothed delay
)

// Player makes an even stream of samples of what is in its Buffer. It belongs to one goroutine, but for Counts.
type Player struct {
	Buffer  *Buffer
	Decoder Decoder

	epoch   int
	begun   bool
	pos     int64   // time of what is to be decoded next; what is ahead ends there
	seq     int64   // of the packet before pos
	made    int64   // samples made up since pos
	pause   bool    // the sender is silent (DTX): nothing is missing
	idling  bool    // that silence is being made: positions mean nothing
	seam    bool    // what is decoded next does not follow on what was before
	level   float64 // of the delay in samples, smoothed
	best    int64   // what level is measured against
	measure bool    // level is to be taken anew
	pulls   int     // since the delay was changed last
	target  int64

	pcm    [history + 2*maxSamples + stretch.Ahead + stretch.MaxLag + tail]int16
	length int // of pcm; pcm[:history] has been played
	packet [maxPayload]byte
	size   int
	fade   fader
	noise  background
	time   stretch.Stretcher
	count  Counts // of this goroutine; published with the Buffer's
}

func (p *Player) ahead() int { return p.length - history }

// Pull fills a block of 10 ms. It says whether there is or was something to hear: before the first packet there is not.
func (p *Player) Pull(out []int16, now time.Time) (begun bool) {
	if p.length == 0 {
		p.length = history
	}
	for p.ahead() < len(out) {
		if !p.more(now) {
			clear(out)
			return false
		}
	}
	p.stretch(now)
	copy(out, p.pcm[history:])
	p.length = copy(p.pcm[:], p.pcm[len(out):p.length])
	p.count.Samples += uint64(len(out))
	p.publish()
	return true
}

// more puts more sound ahead; false: there is no stream.
func (p *Player) more(now time.Time) bool {
	d := p.decide(now)
	switch d.action {
	case silence:
		return false
	case decode:
		p.decode(d, now)
	case copyInNext:
		p.decodeCopy(d)
	case conceal:
		p.conceal(d.samples)
	case idle:
		p.idle(d.samples)
	}
	return true
}

func (p *Player) decode(d decision, now time.Time) {
	if d.trim > 0 || p.seam {
		p.bridge()
	}
	to := p.pcm[p.length:]
	n, err := p.Decoder.Decode(p.packet[:p.size], to[:maxSamples])
	if err != nil || n == 0 { // its first byte was good, the rest is not
		p.conceal(d.samples)
		p.pos, p.made = d.next, 0
		return
	}
	p.append(n, int(d.trim))
	if d.trim == 0 {
		p.count.Waited += time.Duration(n) * max(now.Sub(d.at)+duration(int64(p.ahead()-n)), 0)
		p.count.WaitedTarget += time.Duration(n) * duration(p.target)
		p.count.Emitted += uint64(n)
	}
	if d.copied {
		p.count.CopiesUsed++
	}
	p.resume(d.next)
	p.pause = p.size <= 2 // a packet of only its first byte or two ends the sending (DTX) until there is sound again
	p.noise.heard(to[:n])
	p.time.Noise = p.noise.level()
}

func (p *Player) decodeCopy(d decision) {
	if d.trim > 0 {
		p.bridge()
	}
	to := p.pcm[p.length:]
	n, err := p.Decoder.DecodeFEC(p.packet[:p.size], to[:d.samples])
	if err != nil || n == 0 {
		p.conceal(d.samples)
	} else {
		p.count.CopiesUsed++
		p.append(n, int(d.trim))
	}
	p.resume(d.next)
}

// append takes n samples that were decoded behind what is ahead, without the first trim of them.
func (p *Player) append(n, trim int) {
	to := p.pcm[p.length:][:n]
	trim = min(trim, n)
	if p.fade.bridged { // what would have followed lies in fade.bridge
		rest := to[trim:]
		over := min(len(rest), tail)
		for i := range over {
			rest[i] = int16((int(p.fade.bridge[i])*(over-i) + int(rest[i])*i) / over)
		}
		p.fade.bridged = false
	}
	copy(to, to[trim:])
	n -= trim
	p.fade.up(p.pcm[p.length:][:n], p.noise.soft)
	p.length += n
}

// bridge keeps some of what the decoder would go on with, to blend into what does not follow on it.
func (p *Player) bridge() {
	to := p.fade.bridge[:]
	if n, err := p.Decoder.Conceal(to); err != nil || n < len(to) {
		clear(to)
	}
	p.fade.down(to, 0, p.noise.soft)
	p.fade.bridged, p.seam = true, false
}

func (p *Player) resume(next int64) {
	if p.made > 0 || p.pause {
		p.measure = true
	}
	if p.made > 0 {
		p.pulls = -latePulls
	}
	p.pos, p.made, p.seam, p.idling = next, 0, false, false
}

// conceal makes something up for about n samples that are missing.
func (p *Player) conceal(n int64) {
	n = (min(max(n, 1), block) + grain - 1) / grain * grain
	to := p.pcm[p.length:][:n]
	silent := p.fade.silent()
	if !silent {
		if got, err := p.Decoder.Conceal(to); err != nil || got < len(to) {
			clear(to)
		}
	}
	p.fade.down(to, int(p.made), p.noise.soft)
	p.length += int(n)
	if p.made == 0 {
		p.count.ConcealedEvents++
	}
	p.made += n
	p.count.Concealed += uint64(n)
	if silent {
		p.count.SilentConcealed += uint64(n)
	}
}

// idle fills a pause of the sender: the decoder knows what its silence sounds like.
func (p *Player) idle(n int64) {
	n = (min(max(n, 1), block) + grain - 1) / grain * grain
	to := p.pcm[p.length:][:n]
	if p.fade.silent() {
		p.fade.down(to, int(p.made), p.noise.soft)
	} else {
		if got, err := p.Decoder.Conceal(to); err != nil || got < len(to) {
			clear(to)
		}
		p.fade.up(to, p.noise.soft)
	}
	p.length += int(n)
	p.idling = true
	p.count.Pause += uint64(n)
	p.measure = true
}

func (p *Player) publish() {
	b := p.Buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	b.playing = p.count
	b.playing.Delay = duration(int64(p.level))
}

// Counts are the totals so far; from any goroutine.
func (b *Buffer) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, p := b.count, b.playing
	p.Missing = c.Missing
	p.Received, p.Duplicate, p.Malformed, p.Late, p.Restarts = c.Received, c.Duplicate, c.Malformed, c.Late, c.Restarts
	p.CopiesReceived, p.Lost, p.Discarded = c.CopiesReceived, c.Lost, c.Discarded
	p.Target, p.Jitter = duration(b.target()), duration(int64(b.arrival.jitter))
	p.LossShare, p.Depth = b.loss.share, int(b.loss.depth(b.highSeq, b.frame))
	return p
}

// Position is the RTP time of the sample that the next Pull begins with; false while nothing is played.
func (p *Player) Position() (rtpTime uint32, ok bool) {
	if !p.begun || p.idling || p.fade.silent() {
		return 0, false
	}
	return uint32(p.pos + p.made - int64(p.ahead())), true
}
