package server

import "runtime/debug"

// What many connects leave behind (handshakes, rosters, stacks) is several times what their sockets need afterwards, and
// Go gives it back so slowly that an idle server would keep it for hours.
const (
	thriftAfter = 500 // connects since the last time
	thriftCalm  = 20  // and no more than so many in the last turn of the wheel
)

// thrift returns memory to the system when a storm of connects is over.
type thrift struct {
	released, last uint64 // how many connects there had been when memory was given back, and a turn ago
}

// due says whether it is time, given how many connects there have been in all.
func (t *thrift) due(connects uint64) bool {
	calm := connects-t.last <= thriftCalm
	t.last = connects
	if !calm || connects-t.released < thriftAfter {
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
