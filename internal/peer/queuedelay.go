package peer

import (
	"cmp"
	"slices"
	"time"
)

// queueMeter tells how long packets wait in the line's queue: how much longer they travel than the fastest of the last
// 10 to 20 seconds. What counts is the luckiest packet of a short while, so neither jitter nor a picture's own packets
// in front of each other look like a queue.
type queueMeter struct {
	epoch  time.Time // of the send times: they count from the first one
	base   baseline
	recent []transitSample // by arrival of the feedback
}

type transitSample struct {
	sent, received time.Duration
	transit        time.Duration // up to a constant: the two clocks start anywhere
	size           int
}

const (
	queueWindow  = 70 * time.Millisecond // of send times: two pictures
	queuePackets = 6                     // at least
	recentSpan   = 500 * time.Millisecond
	recentMost   = 256
	clockJump    = 3 * time.Second
	stallLeast   = 60 * time.Millisecond // longer than a radio's regular turns
	stallTimes   = 4
)

// add takes a packet that arrived; true when one of the clocks jumped, and all that was known is void.
func (m *queueMeter) add(a arrival, now time.Time) (jumped bool) {
	if m.epoch.IsZero() {
		m.epoch = a.sent
	}
	s := transitSample{sent: a.sent.Sub(m.epoch), received: a.received, size: a.size}
	s.transit = s.received - s.sent
	if n := len(m.recent); n > 0 && absDuration(s.transit-m.recent[n-1].transit) > clockJump {
		m.recent, m.base, jumped = m.recent[:0], baseline{}, true
	}
	old := 0
	for old < len(m.recent) && (m.recent[old].sent < s.sent-recentSpan || len(m.recent)-old >= recentMost) {
		old++
	}
	m.recent = append(slices.Delete(m.recent, 0, old), s)
	m.base.take(s.transit, now)
	return jumped
}

// last is the packet added last.
func (m *queueMeter) last() transitSample { return m.recent[len(m.recent)-1] }

// queue is the wait of the luckiest packet of the last queueWindow.
func (m *queueMeter) queue() time.Duration {
	n := len(m.recent)
	if n == 0 {
		return 0
	}
	least, newest := m.recent[n-1].transit, m.recent[n-1].sent
	for i := n - 1; i >= 0 && (n-i <= queuePackets || m.recent[i].sent >= newest-queueWindow); i-- {
		least = min(least, m.recent[i].transit)
	}
	return least - m.base.least()
}

// newest is the wait of the luckiest of the last three packets.
func (m *queueMeter) newest() time.Duration {
	n := len(m.recent)
	if n < 3 {
		return 0
	}
	least := m.recent[n-1].transit
	for _, s := range m.recent[n-3:] {
		least = min(least, s.transit)
	}
	return least - m.base.least()
}

// fullRate is what got through since the queue last was empty: all that the line can carry. 0: that is too short ago.
func (m *queueMeter) fullRate() float64 {
	base := m.base.least()
	first := len(m.recent)
	for first > 0 && m.recent[first-1].transit-base > 10*time.Millisecond {
		first--
	}
	run := m.recent[first:]
	if len(run) < 4 {
		return 0
	}
	run = slices.Clone(run)
	slices.SortFunc(run, func(a, b transitSample) int { return cmp.Compare(a.received, b.received) })
	span, bytes := run[len(run)-1].received-run[0].received, 0
	for _, s := range run[1:] {
		bytes += s.size
	}
	span, bytes = withoutStalls(run, span, bytes)
	if span < 40*time.Millisecond {
		return 0
	}
	return float64(bytes*8) / span.Seconds()
}

// withoutStalls takes the times off in which nothing came although something waited, and then much at once: a radio that
// was busy elsewhere, or a machine that did not read. They do not make a line narrower.
func withoutStalls(run []transitSample, span time.Duration, bytes int) (time.Duration, int) {
	for {
		longest := 1
		for i := range run[1:] {
			if run[i+1].received-run[i].received > run[longest].received-run[longest-1].received {
				longest = i + 1
			}
		}
		gap, size := run[longest].received-run[longest-1].received, run[longest].size
		rest := bytes - size
		// Elsewhere a byte took a part of the time.
		if gap < stallLeast || rest <= 0 || float64(gap)*float64(rest) < stallTimes*float64(span-gap)*float64(size) {
			return span, bytes
		}
		span, bytes = span-gap, rest
		for i := range run[longest:] {
			run[longest+i].received -= gap
		}
	}
}

// rebase takes the present queue for the path's own delay: it does not go away although little is sent.
func (m *queueMeter) rebase(now time.Time) {
	least := m.queue() + m.base.least()
	m.base = baseline{}
	m.base.take(least, now)
}

// baseline knows the smallest transit of the last 10 to 20 seconds; what is above it waits in a queue. Clocks drift, so
// nothing older counts.
type baseline struct {
	started       bool
	previous, now time.Duration
	since         time.Time
}

const baselineWindow = 10 * time.Second

func (b *baseline) take(transit time.Duration, now time.Time) {
	if !b.started {
		*b = baseline{started: true, previous: transit, now: transit, since: now}
	}
	if now.Sub(b.since) > baselineWindow {
		b.previous, b.now, b.since = b.now, transit, now
	}
	b.now = min(b.now, transit)
}

func (b *baseline) least() time.Duration { return min(b.previous, b.now) }

// rateMeter measures over the last half second of a clock, which may stand still: sendLog packets at most.
type rateMeter struct {
	packets []ratedPacket
	bytes   int
}

type ratedPacket struct {
	at   time.Duration
	size int
}

const rateWindow = 500 * time.Millisecond

func (r *rateMeter) add(size int, at time.Duration) {
	if n := len(r.packets); n > 0 && at < r.packets[n-1].at-time.Minute {
		r.reset() // the reference time has wrapped
	}
	r.packets = append(r.packets, ratedPacket{at, size})
	r.bytes += size
	old := 0
	for old < len(r.packets)-1 && (r.packets[old].at < at-rateWindow || len(r.packets)-old > sendLog) {
		r.bytes -= r.packets[old].size
		old++
	}
	if old > 0 {
		r.packets = slices.Delete(r.packets, 0, old)
	}
}

func (r *rateMeter) reset() { r.packets, r.bytes = r.packets[:0], 0 }

// bps is 0 until there is enough to tell. The first packet marks the beginning only: its bytes came before.
func (r *rateMeter) bps() float64 {
	n := len(r.packets)
	if n < 5 {
		return 0
	}
	span := r.packets[n-1].at - r.packets[0].at
	if span < rateWindow/5 {
		return 0
	}
	return float64((r.bytes-r.packets[0].size)*8) / span.Seconds()
}
