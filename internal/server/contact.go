package server

import (
	"cmp"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"visavis.example/internal/server/echo"
	"visavis.example/internal/server/hub"
	"visavis.example/internal/server/relay"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

// contact is the Echo contact as the hub sees it: one device that is always connected.
type contact struct {
	hub  *hub.Hub
	echo *echo.Contact

	mu      sync.Mutex
	waiting map[string]chan signal.Envelope // requests without a reply, by id
}

// Send implements hub.Conn.
func (c *contact) Send(m *hub.Message) {
	if m.RequestID == "" {
		c.echo.Deliver(m.Envelope)
		return
	}
	c.mu.Lock()
	reply := c.waiting[m.RequestID]
	delete(c.waiting, m.RequestID)
	c.mu.Unlock()
	if reply != nil {
		reply <- m.Envelope // has room for it
	}
}

// Close implements hub.Conn; nothing else ever connects as this device.
func (c *contact) Close(int, string) {}

// request is echo.Contact's way to the hub.
func (c *contact) request(e signal.Envelope) (signal.Envelope, error) {
	reply := make(chan signal.Envelope, 1)
	e.RequestID = signal.NewID()
	c.mu.Lock()
	if c.waiting == nil {
		c.waiting = make(map[string]chan signal.Envelope)
	}
	c.waiting[e.RequestID] = reply
	c.mu.Unlock()
	c.hub.Request(c, e)
	select {
	case r := <-reply:
		if r.Code == signal.CodeError {
			p, _ := signal.Decode[signal.Problem](r)
			return r, &signal.Error{Code: p.Error, Message: r.Message}
		}
		return r, nil
	case <-c.hub.Stopped():
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, e.RequestID)
		return signal.Envelope{}, hub.ErrStopped
	}
}

// relayDesk is the relay as the hub needs it.
type relayDesk struct {
	relay  *relay.Server
	host   string // what the operator says; empty: what the device used
	secure bool   // the site's port speaks TLS
}

// ICEServers implements hub.Relay. The device reached the site at HOST:PORT; nothing: it is in this process.
func (d *relayDesk) ICEServers(at, userID, deviceID, callID string, life time.Duration) []signal.ICEServer {
	name, password := d.relay.Credentials(userID, deviceID, callID, life)
	return []signal.ICEServer{{URLs: d.urls(at), Username: name, Credential: password}}
}

// urls are the ways to the relay: its own port by UDP and TCP, and inside TLS the port of the site, which networks that
// let nothing else out let out.
func (d *relayDesk) urls(at string) []string {
	if at == "" {
		if a := d.relay.Addr().Addr(); !a.IsUnspecified() {
			return d.relay.URLs(a.String())
		}
		return d.relay.URLs("127.0.0.1")
	}
	host, port, _ := net.SplitHostPort(at) // authorityOf has made it
	host = cmp.Or(d.host, host)
	urls := d.relay.URLs(host)
	if d.secure {
		urls = append(urls, "turns:"+net.JoinHostPort(host, port)+"?transport=tcp")
	}
	return urls
}

// AllowPeer implements hub.Relay.
func (d *relayDesk) AllowPeer(callID string, a netip.Addr) { d.relay.AllowPeer(callID, a) }

// HoldCall implements hub.Relay.
func (d *relayDesk) HoldCall(callID string) { d.relay.HoldCall(callID) }

// OpenCall implements hub.Relay.
func (d *relayDesk) OpenCall(callID string) { d.relay.OpenCall(callID) }

// Owns implements hub.Relay.
func (d *relayDesk) Owns(callID, deviceID string, at netip.AddrPort) bool {
	return d.relay.Owns(callID, deviceID, at)
}

// Leave implements hub.Relay.
func (d *relayDesk) Leave(callID, deviceID string) { d.relay.Leave(callID, deviceID) }

// EndCall implements hub.Relay.
func (d *relayDesk) EndCall(callID string) { d.relay.EndCall(callID) }

// records is the store's journal as the hub needs it.
type records struct{ *store.Journal }

// SaveCall implements hub.Journal.
func (r records) SaveCall(c hub.Record) { r.Journal.SaveCall(store.Call(c)) }

// SaveMessage implements hub.Journal.
func (r records) SaveMessage(m signal.ChatMessage, blocked bool, done func(signal.ChatMessage, error)) {
	row := store.Message{From: m.FromID, To: m.ToID, Text: m.Text, Sent: m.Sent, Blocked: blocked}
	r.Journal.SaveMessage(row, func(row store.Message, err error) {
		m.ID = row.ID
		done(m, err)
	})
}

// SaveRead implements hub.Journal.
func (r records) SaveRead(userID string, in signal.Read) {
	r.Journal.SaveRead(store.Read{UserID: userID, With: in.With, UpTo: in.ID})
}

// hostOf is the name or address in a Host header, without its port; empty when there is none that could be dialled.
func hostOf(header string) string {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = header
	}
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	for _, r := range host {
		if ok := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_'; !ok {
			return ""
		}
	}
	if len(host) > 253 {
		return ""
	}
	return host
}

// authorityOf is where a device has reached us, as HOST:PORT: what its Host header says, with the scheme's port when it
// names none; else where its connection has come to.
func authorityOf(header string, secure bool, local net.Addr) string {
	host := hostOf(header)
	if host == "" {
		return local.String()
	}
	port := "80"
	if secure {
		port = "443"
	}
	if _, p, err := net.SplitHostPort(header); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err == nil && n > 0 {
			port = strconv.FormatUint(n, 10)
		}
	}
	return net.JoinHostPort(host, port)
}
