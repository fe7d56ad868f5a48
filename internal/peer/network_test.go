package peer

import (
	"math/rand"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/vnet"
	"github.com/pion/turn/v5"
)

// line is a made-up network between two parties.
type line struct {
	mu     sync.Mutex
	rand   *rand.Rand
	loss   float64
	dead   atomic.Bool
	rtp    atomic.Int64
	lost   atomic.Int64
	resent map[uint16]int // RTX packets by the number they repair, by first seen SSRC
}

// pass decides about one datagram. Only RTP is lost at random: the handshake has its own test.
func (l *line) pass(c vnet.Chunk) bool {
	if l.dead.Load() {
		return false
	}
	b := c.UserData()
	if len(b) < 13 || b[0]>>6 != 2 || b[1]&0x7f >= 64 && b[1]&0x7f < 96 {
		return true
	}
	l.rtp.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if pt := b[1] & 0x7f; pt == payloadVP8RTX || pt == payloadVP9RTX {
		l.resent[uint16(b[2])<<8|uint16(b[3])]++
	}
	if l.rand.Float64() < l.loss {
		l.lost.Add(1)
		return false
	}
	return true
}

func newLine(t *testing.T, delay, jitter time.Duration, loss float64) (*line, []transport.Net) {
	t.Helper()
	l := &line{rand: rand.New(rand.NewSource(42)), loss: loss, resent: map[uint16]int{}}
	router, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "10.1.2.0/24", LoggerFactory: logging.NewDefaultLoggerFactory(), MinDelay: delay, MaxJitter: jitter,
	})
	if err != nil {
		t.Fatal(err)
	}
	router.AddChunkFilter(l.pass)
	nets := startRouter(t, router, []string{"10.1.2.3"}, []string{"10.1.2.4"})
	return l, nets
}

// startRouter joins machines with these addresses, one network each.
func startRouter(t *testing.T, router *vnet.Router, machines ...[]string) (nets []transport.Net) {
	t.Helper()
	for _, ips := range machines {
		n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: ips})
		if err != nil {
			t.Fatal(err)
		}
		if err := router.AddNet(n); err != nil {
			t.Fatal(err)
		}
		nets = append(nets, n)
	}
	if err := router.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = router.Stop() })
	return nets
}

func TestLossAndReordering(t *testing.T) {
	for _, codec := range []string{"vp8", "vp9"} {
		t.Run(codec, func(t *testing.T) {
			l, nets := newLine(t, 20*time.Millisecond, 15*time.Millisecond, 0.05)
			a, b := newPair(t, func(s *Session) { s.Codecs, s.IncludeLoopback = []string{codec}, false }, nets...)
			call(t, a, b)
			flows(t, a, b)
			began, before := time.Now(), b.eye.present.Load()
			eventually(t, "60 pictures more", func() bool { return b.eye.present.Load() >= before+60 })
			fps := 60 / time.Since(began).Seconds() // said, not demanded: the machine may be busy
			if b.eye.bad > 0 || b.eye.backs > 0 {
				t.Errorf("%d smeared pictures, %d went back", b.eye.bad, b.eye.backs)
			}
			repaired := b.videoIn.count.repaired.Load() + b.videoIn.count.recovered.Load()
			if l.lost.Load() == 0 || repaired == 0 {
				t.Errorf("%d lost, %d repaired", l.lost.Load(), repaired)
			}
			if n := a.wire.resent.Load(); n > 3*l.lost.Load() {
				t.Errorf("%d sent again for %d lost in both directions", n, l.lost.Load())
			}
			s, _ := find[Stats](b)
			t.Logf("%.1f fps, %d of %d lost, %d sent again by a; b: %+v", fps, l.lost.Load(), l.rtp.Load(), a.wire.resent.Load(), s)
		})
	}
}

func TestNoPathFails(t *testing.T) {
	l, nets := newLine(t, 5*time.Millisecond, 0, 0)
	l.dead.Store(true)
	a, b := newPair(t, func(s *Session) { s.IncludeLoopback, s.failAfter = false, 2*time.Second }, nets...)
	call(t, a, b)
	eventually(t, "Failed", func() bool { return has[Failed](a) && has[Failed](b) })
	if e, n := find[Failed](a); n != 1 || e.Why == "" || has[Connected](a) {
		t.Errorf("%d times Failed: %q", n, e.Why)
	}
}

// newRelay runs a TURN server on loopback, over UDP and TCP.
func newRelay(t *testing.T) (udp, tcp string) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	generator := &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "test",
		AuthHandler: func(ra *turn.RequestAttributes) (string, []byte, bool) {
			return ra.Username, turn.GenerateAuthKey(ra.Username, ra.Realm, "secret"), true
		},
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: conn, RelayAddressGenerator: generator}},
		ListenerConfigs:   []turn.ListenerConfig{{Listener: listener, RelayAddressGenerator: generator}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return "turn:" + conn.LocalAddr().String() + "?transport=udp", "turn:" + listener.Addr().String() + "?transport=tcp"
}

func TestRelayOnly(t *testing.T) {
	udp, tcp := newRelay(t)
	for name, url := range map[string]string{"udp": udp, "tcp": tcp} {
		t.Run(name, func(t *testing.T) {
			a, b := newPair(t, func(s *Session) {
				s.RelayOnly = true
				s.ICEServers = []ICEServer{{URLs: []string{url}, Username: "u", Credential: "secret"}}
			})
			call(t, a, b)
			flows(t, a, b)
			for _, p := range []*party{a, b} {
				if c, _ := find[Connected](p); !c.Relay {
					t.Error("the path is said to be direct")
				}
				p.mu.Lock()
				for _, e := range p.events {
					if c, ok := e.(LocalCandidate); ok && !strings.Contains(c.Candidate.Candidate, "typ relay") {
						t.Errorf("candidate shown: %s", c.Candidate.Candidate)
					}
				}
				p.mu.Unlock()
			}
			for _, sdp := range []string{first[Offer](a).SDP, first[Answer](b).SDP} {
				if strings.Contains(sdp, "typ host") || strings.Contains(sdp, "typ srflx") {
					t.Errorf("address shown in %s", sdp)
				}
			}
		})
	}
}

func first[E Event](p *party) E {
	e, _ := find[E](p)
	return e
}
