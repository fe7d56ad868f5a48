package peer

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
)

// A connection begins with few packets, so that a row of losses on the line is long in time.

// eatingNet loses the first packets of one kind that are sent each way: from a socket to an address.
type eatingNet struct {
	*stdnet.Net
	kind    func(b []byte) bool
	packets int

	mu   sync.Mutex
	lost map[string]int
}

// newEating gives one for each of two parties.
func newEating(t *testing.T, kind func([]byte) bool, packets int) []transport.Net {
	t.Helper()
	var nets []transport.Net
	for range 2 {
		n, err := stdnet.NewNet()
		if err != nil {
			t.Fatal(err)
		}
		nets = append(nets, &eatingNet{Net: n, kind: kind, packets: packets, lost: map[string]int{}})
	}
	return nets
}

// ListenUDP implements transport.Net.
func (n *eatingNet) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	return &eatingConn{c, n}, nil
}

type eatingConn struct {
	transport.UDPConn
	net *eatingNet
}

func (c *eatingConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.net.kind(b) && c.net.eats(c.LocalAddr().String()+" "+to.String()) {
		return len(b), nil
	}
	return c.UDPConn.WriteTo(b, to)
}

func (n *eatingNet) eats(way string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost[way]++
	return n.lost[way] <= n.packets
}

// startTime is how long two parties need over nets, less than patience.
func startTime(t *testing.T, nets []transport.Net) time.Duration {
	t.Helper()
	a, b := newPair(t, nil, nets...)
	began := time.Now()
	for _, p := range []*party{b, a} {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both are connected", func() bool { return has[Connected](a) && has[Connected](b) })
	return time.Since(began)
}

// Five packets of the handshake lost in each direction. A first timeout of 200 ms, doubled each time, made 6 s of the first
// five alone.
func TestHandshakeOutlivesARowOfLosses(t *testing.T) {
	took := startTime(t, newEating(t, func(b []byte) bool { return len(b) > 0 && b[0] >= 20 && b[0] < 64 }, 5)) // RFC 7983 section 7
	t.Logf("connected after %v", took)
	if took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Twelve checks lost each way: pion gives a pair up after seven unless told otherwise, and the call waits for a path that
// nobody looks for.
func TestChecksOutliveARowOfLosses(t *testing.T) {
	t.Logf("connected after %v", startTime(t, newEating(t, func(b []byte) bool { return stunType(b) != 0 }, 12)))
}
