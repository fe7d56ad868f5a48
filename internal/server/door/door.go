// Package door lets one TCP port serve the site and the relay: it accepts, does the TLS handshake, and tells from ALPN
// and the first bytes who comes. Networks that let nothing out but HTTPS then carry calls as well. Package server puts
// one before its http.Server, for which it is the listener, and before the relay. It reads no more than it needs to tell
// the two apart, holds nobody who does not speak, and knows nothing of what is said afterwards.
//
// What comes is told apart as RFC 7983 does: a first byte below 4 begins a STUN message, 22 a TLS handshake, a letter a
// request of HTTP. Inside TLS, ALPN "stun.turn" and "stun.nat-discovery" (RFC 7443) name STUN; clients that name nothing,
// which is most TURN clients, are told by their first byte.
package door

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits, where Door says nothing else.
const (
	// DefaultWait is from accepting to the first byte inside TLS.
	DefaultWait = 5 * time.Second
	// DefaultMost is how many may be in between. One costs up to 40 KB while its keys are worked out, and 8 KB before.
	DefaultMost = 8192
)

// ALPN protocols.
const (
	alpnHTTP = "http/1.1"
	alpnTURN = "stun.turn"          // RFC 7443, section 3
	alpnSTUN = "stun.nat-discovery" // the same
)

// Door is one shared port. Set the fields, Start, and Accept what is for the site; Close ends it. It is a net.Listener.
type Door struct {
	Listener net.Listener
	TLS      *tls.Config    // without NextProtos but those of others, such as acme-tls/1; nil: plain, for loopback only
	TURN     func(net.Conn) // takes connections of STUN and TURN clients, and closes them; nil: there is no relay
	Wait     time.Duration  // 0: DefaultWait
	Most     int            // 0: DefaultMost
	Logger   *slog.Logger

	conf    *tls.Config
	site    chan net.Conn
	crowd   crowd
	halted  atomic.Bool
	asked   chan struct{} // whether Accept has come back for more
	closed  chan struct{}
	shut    sync.Once
	running sync.WaitGroup

	// Counts since the start, for statistics.
	Sites, TURNs, Refused atomic.Uint64
}

// Start begins to accept.
func (d *Door) Start() {
	if d.Wait == 0 {
		d.Wait = DefaultWait
	}
	if d.Most == 0 {
		d.Most = DefaultMost
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.TLS != nil {
		d.conf = d.TLS.Clone()
		d.conf.NextProtos = append([]string{alpnHTTP, alpnTURN, alpnSTUN}, d.TLS.NextProtos...)
	}
	d.site, d.asked, d.closed = make(chan net.Conn), make(chan struct{}), make(chan struct{})
	d.crowd.most = d.Most
	d.running.Go(d.accept)
}

// Accept implements net.Listener: the next connection whose client has begun to speak HTTP.
func (d *Door) Accept() (net.Conn, error) {
	for {
		select {
		case c := <-d.site:
			return c, nil
		case <-d.asked:
		case <-d.closed:
			return nil, net.ErrClosed
		}
	}
}

// Addr implements net.Listener.
func (d *Door) Addr() net.Addr { return d.Listener.Addr() }

// Close implements net.Listener: nobody is let in any more, and who is not through yet is turned away. Who is through is
// not touched. It returns when nothing of the door runs any more.
func (d *Door) Close() error {
	var err error
	d.shut.Do(func() {
		close(d.closed)
		err = d.Listener.Close()
		d.crowd.close()
	})
	d.running.Wait()
	return err
}

// Halt stops accepting: who comes from now on waits in the kernel, for the process that has the socket next. Who is at the
// door goes through, as long as somebody accepts. The channel is closed when nobody is there any more, and whoever accepts
// has come back for more, so that everybody is known to him.
func (d *Door) Halt() <-chan struct{} {
	d.halted.Store(true)
	if l, ok := d.Listener.(interface{ SetDeadline(t time.Time) error }); ok {
		_ = l.SetDeadline(time.Now()) // ends an Accept that waits
	}
	empty := make(chan struct{})
	go func() {
		defer close(empty)
		d.running.Wait()
		select {
		case d.asked <- struct{}{}:
		case <-d.closed:
		}
	}()
	return empty
}

// accept goes on after errors: the process may have too many files open for a while.
func (d *Door) accept() {
	for pause := time.Duration(0); ; {
		c, err := d.Listener.Accept()
		switch {
		case err == nil:
			pause = 0
			if d.crowd.enter(c) {
				d.running.Go(func() { d.meet(c) })
			} else {
				_ = c.Close()
			}
			continue
		case errors.Is(err, net.ErrClosed), d.halted.Load():
			return
		case pause == 0:
			d.Logger.Warn("no connection can be accepted", "error", err)
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-d.closed:
			return
		}
	}
}

// meet finds out who comes and brings them where they belong.
func (d *Door) meet(c net.Conn) {
	known, turn, err := d.recognise(c)
	d.crowd.leave(c)
	if err == nil {
		err = known.SetDeadline(time.Time{})
	}
	switch {
	case err != nil:
		d.Refused.Add(1)
		d.Logger.Debug("turned away at the door", "error", err)
		_ = c.Close()
	case turn:
		d.TURNs.Add(1)
		d.TURN(known)
	default:
		select {
		case d.site <- known:
			d.Sites.Add(1)
		case <-d.closed:
			_ = c.Close()
		}
	}
}

var (
	errNoRelay = errors.New("STUN, but there is no relay")
	errNobody  = errors.New("neither TLS nor HTTP nor STUN")
	errPlain   = errors.New("plain HTTP, sent on to HTTPS")
	errProved  = errors.New("an ACME authority has seen what it came for")
)

// recognise speaks TLS if the client does, and gives what is inside, with all that the client said.
func (d *Door) recognise(c net.Conn) (known net.Conn, turn bool, err error) {
	if err := c.SetDeadline(time.Now().Add(d.Wait)); err != nil {
		return nil, false, err
	}
	outer, kind, err := peek(c)
	switch {
	case err != nil:
		return nil, false, err
	case kind == isSTUN:
		return d.forTURN(outer)
	case kind == isHTTP && d.conf == nil:
		return outer, false, nil
	case kind == isHTTP:
		sendOn(outer)
		return nil, false, errPlain
	case kind != isTLS || d.conf == nil:
		return nil, false, errNobody
	}
	return d.handshake(outer)
}

func (d *Door) handshake(c net.Conn) (net.Conn, bool, error) {
	secure := tls.Server(c, d.conf)
	if err := secure.HandshakeContext(context.Background()); err != nil { // the deadline ends it
		return nil, false, err
	}
	switch agreed := secure.ConnectionState().NegotiatedProtocol; {
	case agreed == alpnTURN, agreed == alpnSTUN:
		return d.forTURN(secure)
	case slices.Contains(d.TLS.NextProtos, agreed):
		return nil, false, errProved
	}
	// Not by ALPN alone: whoever names HTTP by habit and speaks STUN is served.
	inner, kind, err := peek(secure)
	switch {
	case err != nil:
		return nil, false, err
	case kind == isSTUN:
		return d.forTURN(inner)
	case kind == isHTTP:
		return inner, false, nil
	}
	return nil, false, errNobody
}

func (d *Door) forTURN(c net.Conn) (net.Conn, bool, error) {
	if d.TURN == nil {
		return nil, false, errNoRelay
	}
	return c, true, nil
}
