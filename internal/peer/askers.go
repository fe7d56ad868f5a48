package peer

import "sync"

// askers knows by which way the checks came that pion is still to answer. An answer goes back to where its check came from
// (RFC 8445 section 7.3), whatever way media takes by then: who asks throws one away that comes from elsewhere (section
// 7.2.5.2.1), and holds a path for dead that is not. It is a ring: checks that pion did not answer are forgotten.
type askers struct {
	mu   sync.Mutex
	ring [askersKept]asker
	next int
}

type asker struct {
	id  [transactionIDSize]byte
	way packetPath // without a socket: the place is free
}

const askersKept = 32 // pion answers at once; more than its sockets hold between being read and being answered

// asked notes a check.
func (a *askers) asked(b []byte, way packetPath) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ring[a.next] = asker{[transactionIDSize]byte(b[8:stunHeader]), way}
	a.next = (a.next + 1) % askersKept
}

// way is where an answer goes to, once; false: the check came by the way that pion knows.
func (a *askers) way(b []byte) (packetPath, bool) {
	if kind := stunType(b); kind != stunSuccess && kind != stunError {
		return packetPath{}, false
	}
	id := [transactionIDSize]byte(b[8:stunHeader])
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.ring {
		if p := a.ring[i].way; p.conn != nil && a.ring[i].id == id {
			a.ring[i].way.conn = nil
			return p, true
		}
	}
	return packetPath{}, false
}

func (a *askers) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ring = [askersKept]asker{}
}
