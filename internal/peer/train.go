package peer

import "time"

// trainMeter learns from pictures' own packets, which leave close behind each other, how fast the line passes them on. A
// line that does not spread them needs no pacing, and a picture is there the sooner. It is pure.
type trainMeter struct {
	packets, bytes int // bytes without the first packet's
	began, left    time.Time
	came, last     time.Duration
	bps            float64 // at which packets may leave; 0: nothing known
	trains         int
	whole          float64 // share of the trains that came as close together as they left, smoothed
}

const (
	trainPackets = 5
	trainGap     = 5 * time.Millisecond // between two packets of a train, when they leave
	trainGrowth  = 1.5
	trainMostBps = 40e6
	trainWeight  = 1.0 / 8
	trainEnough  = 8
	trainWhole   = 0.15
	trainFast    = 6e6 // bits a second: what left more slowly, as on a line that is known to be narrow, shows nothing
)

func (m *trainMeter) add(a arrival) {
	if a.lost || a.found || !a.video || a.probe != 0 {
		return
	}
	gap := a.sent.Sub(m.left)
	if m.packets == 0 || gap < 0 || gap > trainGap {
		m.judge()
		m.packets, m.bytes, m.began, m.left, m.came, m.last = 1, 0, a.sent, a.sent, a.received, a.received
		return
	}
	m.packets++
	m.bytes += a.size
	m.left, m.last = a.sent, max(m.last, a.received)
}

func (m *trainMeter) judge() {
	if m.packets < trainPackets {
		return
	}
	sent, got := max(m.left.Sub(m.began), 500*time.Microsecond), m.last-m.came
	bits := float64(m.bytes * 8)
	m.trains++
	m.whole -= m.whole * trainWeight
	if got <= sent*5/4+time.Millisecond {
		m.bps = min(max(m.bps, trainGrowth*bits/sent.Seconds()), trainMostBps)
		if bits/sent.Seconds() > trainFast {
			m.whole += trainWeight
		}
	} else {
		m.bps = min(bits/got.Seconds(), trainMostBps)
	}
}

// unhindered is whether the line passes many trains on as they are: it is not full then.
func (m *trainMeter) unhindered() bool { return m.trains >= trainEnough && m.whole > trainWhole }

func (m *trainMeter) forget() { *m = trainMeter{} }
