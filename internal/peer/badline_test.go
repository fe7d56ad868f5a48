package peer

import (
	"net"
	"testing"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"

	"visavis.example/internal/testkit/lossylink"
)

// badNet is the machine's network behind a bad line each way, which keeps packets in order as the internet mostly does.
type badNet struct {
	*stdnet.Net
	spec lossylink.Spec
	seed uint64
}

// newBadLine gives one for each of two parties; spec is as lossylink.Parse reads it.
func newBadLine(t *testing.T, spec string) []transport.Net {
	t.Helper()
	s, err := lossylink.Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	var nets []transport.Net
	for i := range 2 {
		n, err := stdnet.NewNet()
		if err != nil {
			t.Fatal(err)
		}
		nets = append(nets, &badNet{n, s, uint64(i + 1)})
	}
	return nets
}

// ListenUDP implements transport.Net.
func (n *badNet) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	return &badConn{c, lossylink.Shape(c, n.spec, n.seed)}, nil
}

type badConn struct {
	transport.UDPConn
	line *lossylink.Shaped
}

func (c *badConn) WriteTo(b []byte, to net.Addr) (int, error) { return c.line.WriteTo(b, to) }
func (c *badConn) Close() error                               { return c.line.Close() }

// A fifth of the packets lost and the rest up to 40 ms apart: whole pictures in their order all the same.
func TestNoSmearsOverABadLine(t *testing.T) {
	a, b := newPair(t, nil, newBadLine(t, "delay=25ms,jitter=20ms,loss=20%")...)
	call(t, a, b)
	eventually(t, "b sees a", func() bool { return b.eye.sees(1, 60) })
	b.eye.mu.Lock()
	defer b.eye.mu.Unlock()
	if b.eye.bad > 0 || b.eye.backs > 0 {
		t.Errorf("%d smeared pictures, %d went back", b.eye.bad, b.eye.backs)
	}
}
