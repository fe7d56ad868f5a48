package peer

import (
	"math"
	"sync/atomic"
	"time"
)

// protector makes parity of the pictures that are sent: over one picture, or over some when they are small and a round
// trip is long. It makes our own, or ULPFEC. It belongs to the pacer's goroutine, but for line and share.
type protector struct {
	line   *lossyLine
	rtt    func() time.Duration
	target func() int // bits a second for everything

	run      [][]byte // data shards, in sequence
	first    uint16   // sequence number of the first
	pictures int      // that end in run
	size     int      // of the longest shard
	long     bool     // the picture has too many packets for ULPFEC
	free     [][]byte
	out      [][]byte

	spare atomic.Int64 // parity bytes per million bytes of pictures, smoothed
	sent  atomic.Int64 // parity packets
}

const (
	protectFrom   = 0.01 // share of loss; cleaner lines are left alone
	protectBps    = 150_000
	spareWeight   = 1.0 / 32
	protectedRun  = 32 // packets: a big key frame is cut
	waitForRepair = 25 * time.Millisecond
)

func newProtector(s *Session) *protector {
	return &protector{line: &lossyLine{}, rtt: s.rtt.load, target: s.bandwidth.target}
}

// putParities queues parities in front of all pictures, behind those that are there already: they are of use only while
// the packets that they cover are waited for.
func (p *pacer) putParities(after *pacedPacket, payloads [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range payloads {
		if len(p.fec) >= fecQueue {
			return
		}
		p.fec = append(p.fec, pacedPacket{rtpTime: after.rtpTime, parity: true, payload: p.copyLocked(b), put: after.put})
		p.bytes += len(b)
	}
}

// add takes a packet that was just sent, and gives the payloads of the parities to send after it: valid until the next
// call.
func (f *protector) add(sequence uint16, payloadType uint8, p *pacedPacket) [][]byte {
	f.out = f.out[:0]
	if sequence != f.first+uint16(len(f.run)) {
		f.reset()
	}
	rtt := f.rtt()
	if len(f.run) == 0 {
		f.first = sequence
		if !f.wanted(rtt) {
			f.account(0)
			return nil
		}
	}
	second := payloadType
	if p.marker {
		second |= 0x80
	}
	var number pictureNumber // the other side makes the same of what it got: only the first packet says it
	if p.first {
		number = pictureNumber{uint16(p.meta.number), true}
	}
	shard := protected{second, p.rtpTime, number, p.payload}.append(f.memory())
	f.run = append(f.run, shard)
	f.size = max(f.size, len(shard))
	if p.marker {
		f.pictures++
	}
	if !p.marker && len(f.run) < protectedRun || p.marker && len(f.run) < 3 && f.pictures < picturesTogether(rtt) && !p.meta.key {
		return nil
	}
	n := f.parities(rtt, beyondRepair)
	f.account(n)
	for i := range n {
		shard := make([]byte, f.size)
		encodeParity(shard, i, f.run)
		f.out = append(f.out, parity{f.first, len(f.run), n, i, shard}.append(make([]byte, 0, parityHeader+f.size)))
	}
	f.sent.Add(int64(n))
	f.reset()
	return f.out
}

// picturesTogether is how many small pictures share their parity: waiting for it should not take longer than a repair.
func picturesTogether(rtt time.Duration) int {
	return int(min(max(rtt/(60*time.Millisecond), 1), 3))
}

func (f *protector) memory() []byte {
	if n := len(f.free); n > 0 {
		b := f.free[n-1]
		f.free = f.free[:n-1]
		return b[:0]
	}
	return make([]byte, 0, maxShard)
}

func (f *protector) reset() {
	f.free = append(f.free, f.run...)
	f.run, f.pictures, f.size = f.run[:0], 0, 0
}

// wanted is false on a line that is clean, narrow, or so short that repairs come at once.
func (f *protector) wanted(rtt time.Duration) bool {
	loss, _ := f.line.odds()
	return loss >= protectFrom && f.target() >= protectBps && (rtt >= waitForRepair || loss >= 0.15)
}

// parities says how many the run gets; see chooseParities.
func (f *protector) parities(rtt time.Duration, beyond func(k, m int, loss, again float64) float64) int {
	loss, again := f.line.odds()
	target := f.target()
	share := 0.34
	switch {
	case target < 2*protectBps:
	case loss >= 0.15:
		share = 1
	case loss >= 0.04:
		share = 0.5
	}
	k := len(f.run)
	most := min(max(int(float64(k)*share), 1), maxParity)
	// On a long line a repair costs more than on a short one: fewer runs may need it.
	goal := 0.06 * 50 / max(float64(rtt.Milliseconds()), 30)
	return chooseParities(k, most, loss, again, goal, beyond)
}

// chooseParities gives the least number with which at most the share goal of runs of k packets needs a repair; if none
// does, the most, or none at all when that would hardly help, as with losses that come in long bursts. beyond is the
// probability that so many parities do not suffice.
func chooseParities(k, most int, loss, again, goal float64, beyond func(k, m int, loss, again float64) float64) int {
	plain := beyond(k, 0, loss, again)
	if plain <= goal {
		return 0
	}
	for m := 1; m <= most; m++ {
		left := beyond(k, m, loss, again)
		if left <= goal || m == most && left < plain*0.5 {
			return m
		}
	}
	return 0
}

// beyondRepair is the probability that more than m of k+m packets are lost, on a line that loses a share of its packets,
// and again with the given probability after a lost one (Gilbert's model).
func beyondRepair(k, m int, loss, again float64) float64 {
	first := loss * (1 - again) / max(1-loss, 1e-3) // probability of a loss after none
	// odds[lost][was]: so many lost so far, the last one lost or not. More than m are not followed.
	odds := make([][2]float64, m+2)
	odds[0][0], odds[1][1] = 1-loss, loss
	next := make([][2]float64, m+2)
	for range k + m - 1 {
		clear(next)
		for lost := range m + 1 {
			ok, gone := odds[lost][0], odds[lost][1]
			next[lost][0] += ok*(1-first) + gone*(1-again)
			next[lost+1][1] += ok*first + gone*again
		}
		odds, next = next, odds
	}
	enough := 0.0
	for lost := range m + 1 {
		enough += odds[lost][0] + odds[lost][1]
	}
	return max(1-enough, 0)
}

// account follows what part of the pictures' bytes the parities add.
func (f *protector) account(n int) {
	bytes := 0
	for _, b := range f.run {
		bytes += len(b)
	}
	now := float64(n*f.size) / float64(max(bytes, 1))
	old := float64(f.spare.Load()) / 1e6
	f.spare.Store(int64(math.Round((old + (now-old)*spareWeight) * 1e6)))
}

// forPictures gives what of a rate is left for pictures when their parities are sent, too.
func (f *protector) forPictures(bps int) int {
	return int(float64(bps) / (1 + float64(f.spare.Load())/1e6))
}
