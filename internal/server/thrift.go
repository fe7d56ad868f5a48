package server

import "runtime/debug"

// What many connects leave behind (handshakes, rosters, stacks) is several times what their sockets need afterwards, and
// Go gives it back so slowly that an idle server would keep it for hours.
const (
	thriftAfter = 500 // connects since the last time
	thriftCalm  = 20  // no more than so many in one turn of the wheel
	// thriftTurns is for how many turns in a row: by then the last clients have been pinged twice, have acknowledged the
	// roster, which is kept for them until they do, and count as idle.
	thriftTurns = 2*wheelSlots + wheelSlots/2
)

// thrift returns memory to the system when a storm of connects is over.
type thrift struct {
	released, last uint64 // how many connects there had been when memory was given back, and a turn ago
	calm           int    // turns
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

// turn is called at every turn of the ping wheel.
func (t *thrift) turn(connects uint64) {
	if t.due(connects) {
		debug.FreeOSMemory()
	}
}
