package server

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What many connects leave behind (handshakes, rosters, stacks) is several times what their sockets need afterwards, and
// Go gives it back so slowly that an idle server would keep it for hours.
const (
	thriftAfter = 500 // connects since the last time
	thriftCalm  = 20  // no more than so many in one turn of the wheel
	// thriftTurns is for how many turns in a row: by then the last clients have been pinged twice, have acknowledged the
	// roster, which is kept for them until they do, and count as idle.
	thriftTurns = 2*wheelSlots + wheelSlots/2
)

// Go lets garbage grow to as much as there is that is no garbage, which a server with thousands of idle clients, whose
// pings make a little of it all the time, would then hold for good. While there is so little of it that it need not be
// collected but every tenth turn, it is collected at a quarter.
const (
	usualGarbage = 100 // percent: Go's own
	calmGarbage  = 25
	calmTurns    = 10
)

// thrift returns memory to the system when a storm of connects is over, and keeps garbage small while little is made.
type thrift struct {
	released, last uint64 // how many connects there had been when memory was given back, and a turn ago
	calm           int    // turns

	made    uint64 // bytes, ever
	percent int    // of garbage; 0: nothing has been said
	read    []metrics.Sample
}

// due says whether it is time, given how many connects there have been in all.
func (t *thrift) due(connects uint64) bool {
	t.calm++
	if connects-t.last > thriftCalm {
		t.calm = 0
	}
	t.last = connects
	if t.calm < thriftTurns || connects-t.released < thriftAfter {
		return false
	}
	t.released = connects
	return true
}

// garbage says how much of it there may be, in percent of what is live, given how many bytes have been made in all.
func (t *thrift) garbage(made, live uint64) int {
	now := made - t.made
	t.made = made
	if now < math.MaxUint64/calmTurns && now*calmTurns <= live/100*calmGarbage {
		return calmGarbage
	}
	return usualGarbage
}

// turn is called at every turn of the ping wheel.
func (t *thrift) turn(connects uint64) {
	if t.due(connects) {
		runtime.GC() // what lies in pools outlives one collection
		debug.FreeOSMemory()
	}
	if os.Getenv("GOGC") != "" {
		return // the operator has chosen
	}
	if t.read == nil {
		t.read = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	}
	metrics.Read(t.read)
	t.set(t.garbage(t.read[0].Value.Uint64(), t.read[1].Value.Uint64()))
}

func (t *thrift) set(percent int) {
	if t.percent != percent {
		t.percent = percent
		debug.SetGCPercent(percent)
	}
}

// end leaves Go as it was.
func (t *thrift) end() {
	if t.percent != 0 {
		t.set(usualGarbage)
	}
}
