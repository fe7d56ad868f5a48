package hub

import (
	"net/netip"
	"strings"
	"time"

	"visavis.example/internal/signal"
)

// inCall gives the call that d is one of the two devices of, and the other one.
func (c *core) inCall(d *device, e signal.Envelope) (*call, *device, error) {
	if k := c.calls[e.CallID]; k != nil {
		if o := k.other(d); o != nil {
			return k, o, nil
		}
	}
	return nil, nil, errNotInCall
}

// forward answers d and gives the other device the same method as a push. The data has been read and is written anew, so
// that nothing passes which this server does not know.
func (c *core) forward(d, to *device, e signal.Envelope, code signal.Code, data any) error {
	m := push(e.Method, code, e.CallID, data)
	m.FromID, m.ToID = d.person.user.ID, to.person.user.ID
	if len(m.JSON()) > signal.MaxUnnumbered { // other escapes than the sender's may have made it longer
		return problem(signal.ErrBadRequest, "The message is too long.")
	}
	if to.conn == nil {
		size := len(m.Data)
		if len(to.held) >= signal.MaxHeld || to.heldSize+size > signal.MaxHeldBytes {
			return problem(signal.ErrTooMany, "The other's device is away.")
		}
		to.held, to.heldSize = append(to.held, m), to.heldSize+size
	} else {
		to.conn.Send(m)
	}
	answer(d.conn, Reply(e, nil))
	return nil
}

func (c *core) description(d *device, e signal.Envelope) error {
	s, err := signal.Decode[signal.SDP](e)
	if err != nil {
		return err
	}
	k, to, end, err := c.route(d, e, s.Device)
	if err != nil {
		return err
	}
	code := signal.CodeAnswer
	if e.Method == signal.MessageOffer {
		code = signal.CodeOffer
	}
	s.Device = end.nameFor(k, to)
	if end != nil {
		if s.SDP, err = hideAddresses(s.SDP, c.relayOf(k, d)); err != nil {
			return err
		}
		return c.forward(d, to, e, code, s)
	}
	for line := range strings.Lines(s.SDP) {
		if at, ok := strings.CutPrefix(line, "a=candidate:"); ok {
			c.allow(k, at)
		}
	}
	delete(k.candidates, d)
	k.offered = k.offered || e.Method == signal.MessageOffer && d == k.from
	return c.forward(d, to, e, code, s)
}

var errCandidates = problem(signal.ErrTooMany, "So many candidates are not needed to connect.")

func (c *core) candidate(d *device, e signal.Envelope) error {
	i, err := signal.Decode[signal.Candidate](e)
	if err != nil {
		return err
	}
	k, to, end, err := c.route(d, e, i.Device)
	if err != nil {
		return err
	}
	i.Device = end.nameFor(k, to)
	if end != nil {
		if i.Candidate, err = hideCandidate(i.Candidate, c.relayOf(k, d)); err != nil {
			return err
		}
		return c.forward(d, to, e, signal.CodeCandidate, i)
	}
	if k.candidates[d] >= signal.MaxCandidates {
		return errCandidates
	}
	if k.candidates == nil {
		k.candidates = make(map[*device]int)
	}
	k.candidates[d]++
	if at, ok := strings.CutPrefix(strings.TrimPrefix(i.Candidate, "a="), "candidate:"); ok {
		c.allow(k, at)
	}
	return c.forward(d, to, e, signal.CodeCandidate, i)
}

// allow tells the relay an address that a party has named for itself: foundation, component, protocol, priority, address
// (RFC 8839 section 5.1). Names that only the local network knows (.local) are no addresses.
func (c *core) allow(k *call, candidate string) {
	f := strings.Fields(candidate)
	if len(f) < 6 {
		return
	}
	if a, err := netip.ParseAddr(f[4]); err == nil && a.Zone() == "" {
		c.relay.AllowPeer(k.ID, a)
	}
}

func (c *core) media(d *device, e signal.Envelope) error {
	m, err := signal.Decode[signal.Media](e)
	if err != nil {
		return err
	}
	_, to, err := c.inCall(d, e)
	if err != nil {
		return err
	}
	return c.forward(d, to, e, signal.CodeMedia, m)
}

// restart passes on that one side has lost the path.
func (c *core) restart(d *device, e signal.Envelope) error {
	r, err := signal.Decode[signal.Restart](e)
	if err != nil {
		return err
	}
	_, to, err := c.inCall(d, e)
	if err != nil {
		return err
	}
	return c.forward(d, to, e, signal.CodeRestart, r)
}

// report keeps what a device measured: the call went over the relay if one side says so, and was set up when the slower
// side had picture or sound.
func (c *core) report(d *device, e signal.Envelope) error {
	r, err := signal.Decode[signal.Report](e)
	if err != nil {
		return err
	}
	k, _, err := c.inCall(d, e)
	if err != nil {
		return err
	}
	was := k.Record
	if r.Path != signal.PathUnknown {
		k.paths[d] = r.Path
		k.Path = string(r.Path)
		for _, p := range k.paths {
			if p == signal.PathRelay {
				k.Path = string(p)
			}
		}
	}
	k.SetupMs = max(k.SetupMs, r.SetupMs)
	answer(d.conn, Reply(e, nil))
	if r.Flows {
		k.flows = c.now
		c.schedule(k)
	}
	if k.Record != was {
		c.save(k)
	}
	return nil
}

// noRelay stands in when there is no relay.
type noRelay struct{}

func (noRelay) ICEServers(string, string, string, string, time.Duration) []signal.ICEServer {
	return []signal.ICEServer{}
}
func (noRelay) AllowPeer(string, netip.Addr) {}
func (noRelay) HoldCall(string)              {}
func (noRelay) OpenCall(string)              {}
func (noRelay) Owns(string, string, netip.AddrPort) bool {
	return false
}
func (noRelay) Leave(string, string) {}
func (noRelay) EndCall(string)       {}
