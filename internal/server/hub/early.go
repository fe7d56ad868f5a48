package hub

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"visavis.example/internal/signal"
)

// earlyEnd is a ringing device that the caller is connected with before anybody has accepted. Until then neither learns
// the other's address: descriptions and candidates pass without, and the relay takes packets of the call's own
// allocations only.
type earlyEnd struct {
	name     string // for the caller: a device's real id is its person's matter
	from, to int    // messages of the caller and to it
}

var errEarlyFlood = problem(signal.ErrTooMany, "So much is not needed to connect while it rings.")

// beginEarly gives a ringing device and the caller what they need to connect, if both can and there is room. It returns
// the device's servers.
func (c *core) beginEarly(k *call, d *device) []signal.ICEServer {
	switch {
	case k.phase != ringing || !k.mayEarly || k.caller.many() || k.callee.many():
		return nil
	case k.early[d] == nil && len(k.early) >= signal.MaxEarly:
		return nil
	case k.early[d] == nil:
		k.early[d] = &earlyEnd{name: strconv.Itoa(len(k.early) + 1)}
	}
	c.relay.HoldCall(k.ID)
	return c.iceServers(k, d)
}

// tellEarly tells the caller of a device that can be connected early.
func (c *core) tellEarly(k *call, d *device) {
	end := k.early[d]
	if end == nil || k.phase != ringing || k.from.conn == nil {
		return
	}
	m := push(signal.CallRinging, signal.CodeRinging, k.ID, signal.Ringing{
		Devices: k.ringing(), Device: end.name, ICEServers: c.iceServers(k, k.from),
	})
	m.FromID, m.ToID = k.callee.user.ID, k.caller.user.ID
	k.from.conn.Send(m)
}

// settleEarly follows an accept: who has lost is cut off from the relay, and the two who talk may now be direct.
func (c *core) settleEarly(k *call) {
	if len(k.early) == 0 {
		return
	}
	for d := range k.early {
		if d != k.to {
			c.relay.Leave(k.ID, d.id)
		}
	}
	c.relay.OpenCall(k.ID)
}

// keptEarly names the early connection that goes on after accept; empty: none.
func (k *call) keptEarly() string {
	if end := k.early[k.to]; end != nil && k.answer.Early {
		return end.name
	}
	return ""
}

// route finds the other end of a description or a candidate that names a device, or none: before accept the early
// connection's, after it the call's.
func (c *core) route(d *device, e signal.Envelope, name string) (k *call, to *device, end *earlyEnd, err error) {
	k = c.calls[e.CallID]
	if k == nil || k.phase != ringing {
		if k, to, err = c.inCall(d, e); err == nil && name != "" && (k.early[k.to] == nil || k.early[k.to].name != name) {
			err = errNotInCall // one that has lost
		}
		return k, to, nil, err
	}
	switch {
	case k.from == d && name != "":
		for o, at := range k.early {
			if at.name == name {
				to, end = o, at
				end.from++
			}
		}
	case k.early[d] != nil && name == "":
		to, end = k.from, k.early[d]
		end.to++
	}
	if end == nil {
		return nil, nil, nil, errNotInCall
	}
	if end.from > signal.MaxEarlyMessages || end.to > signal.MaxEarlyMessages {
		return nil, nil, nil, errEarlyFlood
	}
	return k, to, end, nil
}

// nameFor is the device name that goes with what to gets: the caller must know which of its connections is meant.
func (end *earlyEnd) nameFor(k *call, to *device) string {
	if end != nil && to == k.from {
		return end.name
	}
	return ""
}

var errAddress = problem(signal.ErrBadRequest, "Before accept there are relay candidates only.")

// relayOf says whether an address is that of a relayed port which d has for the call.
func (c *core) relayOf(k *call, d *device) func(netip.AddrPort) bool {
	return func(at netip.AddrPort) bool { return c.relay.Owns(k.ID, d.id, at) }
}

// hideCandidate takes the sender's own address out of a relay candidate (RFC 8839 section 5.1: raddr); other candidates
// are that address and do not pass. Nor does one that only says it is a relay's: a browser sends checks to whatever address
// it is told, from its own, and somebody who rings would learn that.
func hideCandidate(text string, owns func(netip.AddrPort) bool) (string, error) {
	if text == "" {
		return "", nil
	}
	f := strings.Fields(text)
	if len(f) < 8 || f[6] != "typ" || f[7] != "relay" {
		return "", errAddress
	}
	if at, err := netip.ParseAddrPort(net.JoinHostPort(f[4], f[5])); err != nil || !owns(at) {
		return "", errAddress
	}
	for i := 8; i+1 < len(f); i += 2 {
		switch f[i] {
		case "raddr":
			f[i+1] = "0.0.0.0"
		case "rport":
			f[i+1] = "0"
		}
	}
	return strings.Join(f, " "), nil
}

// hideAddresses does that for a description. Its other addresses (o=, c=, a=rtcp:) mean nothing with ICE. A line ends with
// either character: to some who read it, it does.
func hideAddresses(sdp string, owns func(netip.AddrPort) bool) (string, error) {
	var b strings.Builder
	b.Grow(len(sdp))
	for text := range strings.FieldsFuncSeq(sdp, func(r rune) bool { return r == '\r' || r == '\n' }) {
		f := strings.Fields(text)
		switch at, candidate := strings.CutPrefix(text, "a=candidate:"); {
		case candidate:
			hidden, err := hideCandidate(at, owns)
			if err != nil {
				return "", err
			}
			text = "a=candidate:" + hidden
		case strings.HasPrefix(text, "c="):
			text = "c=IN IP4 0.0.0.0"
		case strings.HasPrefix(text, "a=rtcp:"):
			text = "a=rtcp:9 IN IP4 0.0.0.0"
		case strings.HasPrefix(text, "o=") && len(f) == 6:
			f[3], f[4], f[5] = "IN", "IP4", "0.0.0.0"
			text = strings.Join(f, " ")
		}
		b.WriteString(text)
		b.WriteString("\r\n")
	}
	return b.String(), nil
}
