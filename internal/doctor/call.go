package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"visavis.example/internal/signal"
)

// way is one way to the relay.
type way struct {
	name string // "UDP"
	fits func(url string) bool
	open string // what a firewall has to let through
	need bool   // people cannot do without it
}

var ways = []way{
	{"UDP", func(u string) bool { return strings.HasPrefix(u, "turn:") && strings.HasSuffix(u, "=udp") }, "UDP", true},
	{"TCP", func(u string) bool { return strings.HasPrefix(u, "turn:") && strings.HasSuffix(u, "=tcp") }, "TCP", false},
	{"TLS", func(u string) bool { return strings.HasPrefix(u, "turns:") }, "TCP", false},
}

// Why a call through the relay failed.
var (
	errNoRelay = errors.New("the relay gives no address")
	errNoMedia = errors.New("the relay gives an address, but nothing comes back through it")
)

// calls signs in and calls Echo by every way. It says whether a call could be made by the way that people need.
func (d *Doctor) calls(ctx context.Context) (called bool) {
	g, err := d.signIn(ctx)
	if err != nil {
		d.cannotSignIn(err)
		return false
	}
	defer g.leave(d)
	l, err := d.openLine(ctx, g.token)
	if err != nil {
		d.bad("socket", fmt.Sprintf("signed in, but calls cannot be signalled: %v", err), "a proxy in front must pass WebSockets on (Upgrade and Connection headers, no time limit below 30 s)")
		return false
	}
	defer l.close()
	d.good("sign-in", "signed in and connected")
	for _, w := range ways {
		called = d.tryWay(ctx, l, w) || called
		if d.servers == nil {
			break // Echo could not be called at all: the next would say the same
		}
	}
	return called
}

// tryWay makes one call to Echo. The first that is accepted tells which servers there are.
func (d *Doctor) tryWay(ctx context.Context, l *line, w way) bool {
	check := "relay by " + w.name
	if d.servers != nil && d.url(w) == "" {
		if w.name == "TLS" && !d.Address.Secure {
			d.skipped(check, "this server has no TLS of its own")
			return false
		}
		d.offersNone(check, w)
		return false
	}
	began := d.Now()
	err := d.echoCall(ctx, l, w)
	var refused *signal.Error
	switch {
	case err == nil:
		d.good(check, "called Echo, and heard it after %s", d.Now().Sub(began).Round(100*time.Millisecond))
		return true
	case errors.Is(err, errNotOffered):
		d.offersNone(check, w)
	case errors.Is(err, errNoRelay):
		d.bad(check, fmt.Sprintf("%v (%s)", err, d.url(w)), fmt.Sprintf("open %s %s in the firewall of the server's machine and of whoever rents it out; behind a router forward it", w.open, portOf(d.url(w))))
	case errors.Is(err, errNoMedia):
		d.bad(check, err.Error(), "set public-ip to the address by which others reach the server, and open the relay's UDP ports (turn-ports) in the firewall")
	case errors.As(err, &refused):
		d.bad(check, "Echo cannot be called: "+refused.Message, "what the server logs says why")
	default:
		d.bad(check, fmt.Sprintf("Echo cannot be called: %v", err), "what the server logs says why")
	}
	return false
}

var errNotOffered = errors.New("not offered")

func (d *Doctor) offersNone(check string, w way) {
	text := "the server offers no relay by " + w.name
	if w.need {
		d.bad(check, text, "set turn-listen: without a relay, people behind most routers cannot call each other")
		return
	}
	d.warning(check, text, "people in networks that let nothing but web pages through cannot call")
}

// url is the address of the relay by that way; empty: there is none.
func (d *Doctor) url(w way) string {
	for _, s := range d.servers {
		if i := slices.IndexFunc(s.URLs, w.fits); i >= 0 {
			return s.URLs[i]
		}
	}
	return ""
}

// portOf is the port in turn:HOST:PORT?transport=udp.
func portOf(url string) string {
	at, _, _ := strings.Cut(url, "?")
	return at[strings.LastIndex(at, ":")+1:]
}

// echoCall is one whole call through the relay: nil once sound has come back.
func (d *Doctor) echoCall(ctx context.Context, l *line, w way) error {
	ctx, cancel := context.WithTimeout(ctx, 4*d.Patience)
	defer cancel()
	call := signal.NewID()
	pushes := l.begin(call)
	if _, err := l.request(ctx, signal.CallInvite, call, signal.Invite{RelayOnly: true}); err != nil {
		return err
	}
	accepted, err := d.accepted(ctx, pushes)
	if err != nil {
		return err
	}
	defer d.hangUp(l, call, pushes)
	d.servers = accepted.ICEServers
	if d.url(w) == "" {
		return errNotOffered
	}
	m, err := d.newMedia(w)
	if err != nil {
		return err
	}
	defer m.close()
	if err := d.negotiate(ctx, l, call, m, pushes); err != nil {
		return err
	}
	if w.need {
		d.reach(ctx, w)
	}
	return nil
}

func (d *Doctor) accepted(ctx context.Context, pushes <-chan signal.Envelope) (signal.Accepted, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Patience)
	defer cancel()
	for {
		select {
		case e := <-pushes:
			if e.Code == signal.CodeEnded {
				return signal.Accepted{}, endedError(e)
			}
			if e.Code == signal.CodeAccepted {
				return signal.Decode[signal.Accepted](e)
			}
		case <-ctx.Done():
			return signal.Accepted{}, errors.New("it does not answer")
		}
	}
}

func endedError(e signal.Envelope) error {
	ended, err := signal.Decode[signal.Ended](e)
	if err != nil {
		return err
	}
	return fmt.Errorf("the call ended: %s", ended.Reason)
}

// negotiate sends the offer with all candidates at once, and goes on until sound has come back.
func (d *Doctor) negotiate(ctx context.Context, l *line, call string, m *media, pushes <-chan signal.Envelope) error {
	offer, err := m.offer(ctx, d.Patience)
	if err != nil {
		return err
	}
	if _, err := l.request(ctx, signal.MessageOffer, call, signal.SDP{SDP: offer}); err != nil {
		return err
	}
	timer := time.NewTimer(d.Patience)
	defer timer.Stop()
	for {
		select {
		case e := <-pushes:
			if e.Code == signal.CodeEnded {
				return endedError(e)
			}
			if err := m.got(e); err != nil {
				return err
			}
		case <-m.heard:
			_, _ = l.request(ctx, signal.CallReport, call, signal.Report{Path: signal.PathRelay}) // for the record only
			return nil
		case s := <-m.states:
			if s == webrtc.PeerConnectionStateFailed {
				return errNoMedia
			}
		case <-timer.C:
			return errNoMedia
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hangUp ends the call and waits until the server says so: the next may only begin then.
func (d *Doctor) hangUp(l *line, call string, pushes <-chan signal.Envelope) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := l.request(ctx, signal.CallHangup, call, signal.Hangup{}); err != nil {
		return // it has ended already
	}
	for {
		select {
		case e := <-pushes:
			if e.Code == signal.CodeEnded {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
