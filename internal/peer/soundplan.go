package peer

import (
	"strconv"
	"strings"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/opus"
)

// soundPlan is how sound is sent.
type soundPlan struct {
	bitrateBps int
	frame      int   // samples in a packet
	far        []int // RFC 2198 copies in each packet: of which packets before it, the oldest first
}

// soundLine is what is known of the line.
type soundLine struct {
	targetBps int     // for everything
	loss      float64 // share of packets
	again     float64 // probability that a packet is lost when the one before it was
	red       bool    // the other takes copies
	mostBps   int     // that the other wants (maxaveragebitrate)
}

const (
	soundBps       = 32_000 // fullband speech; more is not heard
	soundHeader    = 62     // bytes a packet: IPv4, UDP, RTP, a header extension, SRTP; a relay adds some
	soundLeastBps  = 8_000
	copiesFromBps  = 100_000
	copyLoss       = 0.01 // one copy is sent from here on,
	copiesLoss     = 0.05 // two,
	manyCopiesLoss = 0.15 // and three: 0.2 to the fourth is a sixth of a percent
	burstAgain     = 0.4  // losses come in rows
	roomOnLine     = 1.15 // to shorten packets again, the line must be so much better
	calmBefore     = 5 * time.Second
)

// planSound chooses rate, packet length and copies. On a narrow line longer packets save headers: 25 kbit/s of them at
// 20 ms, a third at 60 ms.
func planSound(l soundLine, longer bool) soundPlan {
	target := l.targetBps
	if longer {
		target = int(float64(target) / roomOnLine)
	}
	p := soundPlan{bitrateBps: soundBps, frame: opus.FrameSamples}
	switch {
	case target < 40_000:
		p.frame = 3 * opus.FrameSamples
	case target < 60_000:
		p.frame = 2 * opus.FrameSamples
	case target < 100_000:
		p.bitrateBps = 20_000
	case target < 200_000:
		p.bitrateBps = 24_000
	}
	if p.frame > opus.FrameSamples {
		p.bitrateBps = min(max((target-p.headersBps())*7/10, soundLeastBps), 20_000)
	}
	if l.red && l.targetBps >= copiesFromBps {
		p.far = copiesFor(l.loss, l.again)
		if len(p.far) > 0 && l.targetBps < 500_000 {
			p.bitrateBps = min(p.bitrateBps, 24_000)
		}
		if l.targetBps < 200_000 && len(p.far) > 1 {
			p.far = p.far[len(p.far)-1:]
		}
	}
	if l.mostBps > 0 {
		p.bitrateBps = max(min(p.bitrateBps, l.mostBps), soundLeastBps)
	}
	return p
}

// copiesFor spreads the copies out when losses come in rows: a row of three packets is still made good by the copies in
// the fourth to sixth.
func copiesFor(loss, again float64) []int {
	rows := again >= burstAgain
	switch {
	case loss < copyLoss:
		return nil
	case loss < copiesLoss && rows:
		return []int{2}
	case loss < copiesLoss:
		return []int{1}
	case rows:
		return []int{3, 1}
	case loss < manyCopiesLoss:
		return []int{2, 1}
	}
	return []int{3, 2, 1}
}

func (p soundPlan) headersBps() int { return soundHeader * 8 * media.SampleRate / p.frame }

// totalBps is what goes over the line, about.
func (p soundPlan) totalBps() int { return p.bitrateBps*(1+len(p.far)) + p.headersBps() }

// soundPlanner keeps to a plan until a better one has been so for a while: what worsens counts at once.
type soundPlanner struct {
	plan  soundPlan
	calm  time.Time // since when fewer copies would do
	begun bool
}

// next gives the plan, and whether it is another one.
func (s *soundPlanner) next(l soundLine, now time.Time) (soundPlan, bool) {
	p := planSound(l, s.plan.frame > opus.FrameSamples)
	if s.begun && len(p.far) < len(s.plan.far) && l.targetBps >= copiesFromBps {
		if s.calm.IsZero() {
			s.calm = now
		}
		if now.Sub(s.calm) < calmBefore {
			p.far = s.plan.far
		}
	} else {
		s.calm = time.Time{}
	}
	changed := !s.begun || p.frame != s.plan.frame || p.bitrateBps != s.plan.bitrateBps || len(p.far) != len(s.plan.far) ||
		len(p.far) > 0 && p.far[0] != s.plan.far[0]
	if len(p.far) < len(s.plan.far) {
		s.calm = time.Time{}
	}
	s.plan, s.begun = p, true
	return p, changed
}

// soundWishes is what the other's fmtp line wants of Opus (RFC 7587 section 6.1).
type soundWishes struct {
	noFEC   bool // useinbandfec=0 said outright
	dtx     bool
	mostBps int
}

func readWishes(fmtp string) (w soundWishes) {
	for part := range strings.SplitSeq(fmtp, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(name) {
		case "usedtx":
			w.dtx = value == "1"
		case "useinbandfec":
			w.noFEC = value == "0"
		case "maxaveragebitrate":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				w.mostBps = min(max(n, 6_000), 510_000)
			}
		}
	}
	return w
}
