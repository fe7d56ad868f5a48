package peer

import (
	"slices"
	"time"
)

// mender works lost packets out from parity. It is pure and bounded: it remembers the last packets and the last runs
// that parity came for.
type mender struct {
	packets [mendMemory]keptPayload // by sequence number
	runs    []parityRun             // oldest first
	last    time.Time               // parity came
	codec   func(payloadType uint8) codec

	parities int // received
}

type keptPayload struct {
	received
	kept bool
}

type parityRun struct {
	base     uint16
	count    int
	parities [maxParity][]byte
	have     int
	size     int // of each parity
}

const (
	mendMemory = 512 // packets; five seconds at 1 Mbit/s, half a second at 10
	mendRuns   = 32
	mendAlive  = time.Second // since the last parity, while the sender is taken to send more
)

// active says whether the sender sends parity at the moment.
func (m *mender) active(now time.Time) bool {
	return !m.last.IsZero() && now.Sub(m.last) < mendAlive
}

// gotPacket remembers a packet of the stream, and gives those that can be worked out now. The payload is only read.
func (m *mender) gotPacket(r received) []received {
	m.packets[r.sequence%mendMemory] = keptPayload{r, true}
	for i := range m.runs {
		if run := &m.runs[i]; int(r.sequence-run.base) < run.count {
			return m.try(i)
		}
	}
	return nil
}

// gotParity takes a parity packet, and gives the packets that can be worked out now. Parities that contradict others of
// their run are dropped.
func (m *mender) gotParity(p parity, now time.Time) []received {
	m.parities++
	m.last = now
	i := slices.IndexFunc(m.runs, func(r parityRun) bool { return r.base == p.base && r.count == p.count })
	if i < 0 {
		if len(m.runs) >= mendRuns {
			m.runs = slices.Delete(m.runs, 0, 1)
		}
		m.runs = append(m.runs, parityRun{base: p.base, count: p.count, size: len(p.shard)})
		i = len(m.runs) - 1
	}
	run := &m.runs[i]
	if run.size != len(p.shard) || run.parities[p.index] != nil {
		return nil
	}
	run.parities[p.index] = p.shard
	run.have++
	return m.try(i)
}

// try works out what is missing of a run, if there is enough of it, and forgets the run when it is whole.
func (m *mender) try(i int) []received {
	run := m.runs[i]
	missing := 0
	for j := range run.count {
		kept := m.at(run.base + uint16(j))
		if kept == nil {
			missing++
		} else if shardHeader+len(kept.payload) > run.size {
			m.runs = slices.Delete(m.runs, i, i+1) // no parity of this packet
			return nil
		}
	}
	if missing > run.have {
		return nil
	}
	m.runs = slices.Delete(m.runs, i, i+1)
	if missing == 0 {
		return nil
	}
	return m.mend(&run)
}

// at gives the remembered packet with that number, or nil.
func (m *mender) at(sequence uint16) *received {
	if k := &m.packets[sequence%mendMemory]; k.kept && k.sequence == sequence {
		return &k.received
	}
	return nil
}

func (m *mender) mend(run *parityRun) (list []received) {
	data := make([][]byte, run.count)
	var missing []int
	for j := range data {
		if k := m.at(run.base + uint16(j)); k != nil {
			data[j] = protected{k.second, k.rtpTime, k.number, k.payload}.append(make([]byte, 0, run.size))
		} else {
			missing = append(missing, j)
		}
	}
	if !reconstruct(data, run.parities[:]) {
		return nil
	}
	for _, j := range missing {
		p, ok := parseShard(data[j])
		c := m.codec(p.second & 0x7f)
		if !ok || c == codecNone {
			continue
		}
		r := received{
			sequence: run.base + uint16(j), rtpTime: p.rtpTime, second: p.second, marker: p.second&0x80 != 0,
			how: recovered, codec: c, number: p.number, payload: p.payload,
		}
		m.packets[r.sequence%mendMemory] = keptPayload{r, true}
		list = append(list, r)
	}
	return list
}
