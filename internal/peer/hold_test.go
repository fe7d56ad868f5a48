package peer

import (
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/stun/v4"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	"github.com/pion/webrtc/v4"
)

// wiretap is a network that sorts what is sent: over TURN, and from our own addresses.
type wiretap struct {
	transport.Net
	loses func(b []byte) bool // what is sent from our own addresses and never arrives; nil: nothing

	mu     sync.Mutex
	media  int // RTP, by whatever way
	checks int // ICE checks from our own addresses
	direct int // anything else from there but questions to a STUN server
	relay  int
}

func newWiretap(t *testing.T) *wiretap {
	t.Helper()
	n, err := stdnet.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	return &wiretap{Net: n}
}

type wiretapConn struct {
	transport.UDPConn
	wiretap *wiretap
}

func (c wiretapConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.wiretap.sent(b, true)
	if c.wiretap.loses != nil && c.wiretap.loses(b) {
		return len(b), nil
	}
	return c.UDPConn.WriteTo(b, to)
}

type wiretapPacketConn struct {
	net.PacketConn
	wiretap *wiretap
}

func (c wiretapPacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.wiretap.sent(b, false)
	return c.PacketConn.WriteTo(b, to)
}

func (n *wiretap) ListenUDP(network string, at *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, at)
	return wiretapConn{c, n}, err
}

func (n *wiretap) ListenPacket(network, at string) (net.PacketConn, error) {
	c, err := n.Net.ListenPacket(network, at)
	return wiretapPacketConn{c, n}, err
}

// sent reads a datagram: a STUN message, a Send indication or channel data of TURN (RFC 8656), or media.
func (n *wiretap) sent(b []byte, own bool) {
	isMedia := func(b []byte) bool { // and not RTCP (RFC 5761 section 4)
		return len(b) > 12 && b[0]>>6 == 2 && (b[1]&0x7f < 64 || b[1]&0x7f >= 96)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case isMedia(b):
		n.media++
	case len(b) > 4 && b[0]>>6 == 1 && isMedia(b[4:]): // channel data
		n.media++
	case stunType(b) == 0x0016: // Send indication: its DATA attribute
		for a := b[stunHeader:]; len(a) >= 4; {
			size := int(binary.BigEndian.Uint16(a[2:]))
			if binary.BigEndian.Uint16(a) == 0x0013 && isMedia(a[4:4+size]) {
				n.media++
			}
			a = a[min(4+(size+3)&^3, len(a)):]
		}
	}
	switch {
	case !own:
		n.relay++
	case stunType(b) == stunRequest && hasUsername(b):
		n.checks++
	case stunType(b) != stunRequest:
		n.direct++
	}
}

func (n *wiretap) counts() (media, checks, direct, relay int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.media, n.checks, n.direct, n.relay
}

// heldPair is two sessions that ring: with devices open, which is the worst case, and a relay between them.
func heldPair(t *testing.T, url string) (a, b *party, taps [2]*wiretap) {
	t.Helper()
	taps = [2]*wiretap{newWiretap(t), newWiretap(t)}
	a, b = newPair(t, func(s *Session) {
		s.Held = true
		s.ICEServers = []ICEServer{{URLs: []string{"stun:" + strings.TrimSuffix(strings.TrimPrefix(url, "turn:"), "?transport=udp"), url}, Username: "u", Credential: "secret"}}
	}, taps[0], taps[1])
	call(t, a, b)
	return a, b, taps
}

// ready says whether both ends of a held call are connected, which they tell nobody.
func ready(p *party) bool { return p.pc.ConnectionState().String() == "connected" }

func TestHeldSessionsConnectAndTellNothing(t *testing.T) {
	udp, _ := newRelay(t)
	a, b, taps := heldPair(t, udp)
	eventually(t, "connected while it rings", func() bool { return ready(a) && ready(b) })
	eventually(t, "the encoder is warm", func() bool { return a.videoOut.lastSize.Load() != 0 })
	ringing := time.After(time.Second) // what would leave now must not
	<-ringing
	for i, p := range []*party{a, b} {
		media, checks, direct, relay := taps[i].counts()
		if media+checks+direct > 0 || relay == 0 {
			t.Errorf("%d while it rings: %d media packets, %d checks and %d others from own addresses, %d to the relay", i, media, checks, direct, relay)
		}
		if has[Connected](p) || has[FirstVideo](p) || has[FirstAudio](p) {
			t.Error("something was said to be there before accept")
		}
		p.mu.Lock()
		for _, e := range p.events {
			text := ""
			switch e := e.(type) {
			case LocalCandidate:
				text = e.Candidate.Candidate
				if !strings.Contains(text, "typ relay raddr 0.0.0.0 rport 0") {
					t.Errorf("told while it rings: %s", text)
				}
			case Offer:
				text = e.SDP
			case Answer:
				text = e.SDP
			}
			if strings.Contains(text, "typ host") || strings.Contains(text, "typ srflx") {
				t.Errorf("told while it rings: %s", text)
			}
		}
		p.mu.Unlock()
	}

	began := time.Now()
	b.Release()
	a.Release()
	eventually(t, "pictures", func() bool { return has[FirstVideo](a) && has[FirstVideo](b) })
	t.Logf("pictures on both sides %v after release", time.Since(began).Round(time.Millisecond))
	flows(t, a, b)
	eventually(t, "a direct path", func() bool {
		x, _ := find[Connected](a)
		y, _ := find[Connected](b)
		return has[Connected](a) && has[Connected](b) && !x.Relay && !y.Relay
	})
	t.Logf("direct %v after release", time.Since(began).Round(time.Millisecond))
	if a.eye.bad > 0 || has[Disconnected](a) || has[Disconnected](b) {
		t.Errorf("the move was seen: %d bad pictures", a.eye.bad)
	}
	if !remeasured(a) || !remeasured(b) {
		t.Error("the direct path is taken for the relayed one")
	}
	seen := b.eye.present.Load()
	eventually(t, "pictures go on", func() bool { return b.eye.present.Load() > seen+20 })
}

// The caller takes the direct path when the other side checks it; whether the other side has heard that it should depends
// on packets that a bad line loses. One direction must not stay on the relay for that.
func TestBothTakeTheDirectPath(t *testing.T) {
	udp, _ := newRelay(t)
	a, b, taps := heldPair(t, udp)
	eventually(t, "connected while it rings", func() bool { return ready(a) && ready(b) })
	var first atomic.Pointer[time.Time]
	taps[0].loses = func(b []byte) bool {
		now := time.Now()
		return stunType(b) == stunRequest && nominates(b) && (first.CompareAndSwap(nil, &now) || now.Sub(*first.Load()) < time.Second)
	}
	b.Release()
	a.Release()
	eventually(t, "a direct path both ways", func() bool {
		x, _ := find[Connected](a)
		y, _ := find[Connected](b)
		return has[Connected](a) && has[Connected](b) && !x.Relay && !y.Relay
	})
}

func nominates(b []byte) bool {
	m := &stun.Message{Raw: b}
	return m.Decode() == nil && m.Contains(stun.AttrUseCandidate)
}

// Without a relay the early connection does not come to be; after accept the direct paths are found as ever.
func TestHeldSessionsWithoutARelay(t *testing.T) {
	a, b, _ := heldPair(t, "turn:127.0.0.1:9?transport=udp")
	eventually(t, "offer and answer", func() bool { return has[Offer](a) && has[Answer](b) })
	began := time.Now()
	a.Release()
	b.Release()
	eventually(t, "connected", func() bool { return has[Connected](a) && has[Connected](b) })
	t.Logf("connected %v after release", time.Since(began).Round(time.Millisecond))
	flows(t, a, b)
	if c, _ := find[Connected](a); c.Relay {
		t.Error("relayed")
	}
}

// One side accepts long before the other hears of it: what it sends meanwhile is neither shown nor lost.
func TestEarlyMediaWaits(t *testing.T) {
	udp, _ := newRelay(t)
	a, b, _ := heldPair(t, udp)
	eventually(t, "connected while it rings", func() bool { return ready(a) && ready(b) })
	b.Release()
	eventually(t, "b sends", func() bool { return b.videoOut.count.frames.Load() > 2 }) // no feedback comes yet, so not many
	if has[FirstVideo](a) || a.eye.present.Load() > 0 || a.videoOut.count.frames.Load() > 0 {
		t.Error("a shows or sends something before it knows of the accept")
	}
	began := time.Now()
	a.Release()
	eventually(t, "a sees", func() bool { return has[FirstVideo](a) })
	t.Logf("first picture %v after release", time.Since(began).Round(time.Millisecond))
	if n := b.videoOut.count.keys.Load(); n > 2 {
		t.Errorf("%d key frames", n)
	}
	flows(t, a, b)
}

// What a browser and pion take for the same line differs. While it rings, pion must not be given anything else than relays
// in any spelling: it would look a .local name up, and so show itself to everybody on this network.
func TestHeldSessionTakesRelaysOnly(t *testing.T) {
	udp, _ := newRelay(t)
	a, b, _ := heldPair(t, udp)
	eventually(t, "connected while it rings", func() bool { return ready(a) && ready(b) })
	mid := "0"
	for _, line := range []string{
		"candidate:1 1 udp 1 127.0.0.1 901 typ host",
		"candidate:1 1 udp\t1\t127.0.0.1\t9\ttyp\trelay 1 127.0.0.1 902 typ host",
		"candidate:1 1 udp\u00a01\u00a0127.0.0.1\u00a09\u00a0typ\u00a0relay 1 127.0.0.1 903 typ host",
		"candidate:9 1 udp 1 127.0.0.1 999 typ relay raddr 127.0.0.2 rport 9", // the last, and good
	} {
		b.GotCandidate(Candidate{Candidate: line, SDPMid: &mid})
	}
	eventually(t, "the last is known", func() (last bool) {
		for _, stat := range b.pc.GetStats() {
			if c, ok := stat.(webrtc.ICECandidateStats); ok && c.Type == webrtc.StatsTypeRemoteCandidate {
				last = last || c.Port == 999
				if c.CandidateType != webrtc.ICECandidateTypeRelay {
					t.Fatalf("pion knows of port %d as %s", c.Port, c.CandidateType)
				}
			}
		}
		return last
	})
	for _, end := range []string{"\r", "\n", "\r\n", "\r\r\n", "\n\r"} {
		text := "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0" + end +
			"a=candidate:1 1 udp 1 127.0.0.1 901 typ host" + end +
			"a=candidate:9 1 udp 1 127.0.0.1 999 typ relay raddr 127.0.0.2 rport 9" + end + "a=sendrecv\r\n"
		var read sdp.SessionDescription
		if err := read.UnmarshalString(b.withheld(text)); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, a := range read.MediaDescriptions[0].Attributes {
			if a.IsICECandidate() {
				lines = append(lines, a.Value)
			}
		}
		if len(lines) != 1 || !strings.HasSuffix(lines[0], " 999 typ relay raddr 0.0.0.0 rport 0") {
			t.Errorf("with %q at the end of lines pion reads %q", end, lines)
		}
	}
}
