package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"visavis.example/internal/signal"
)

// Servers is the real Dialer: HTTPS and WebSocket to servers that an authority vouches for, or that the person has
// trusted by their certificate. Close it after the App.
type Servers struct {
	TLS    *tls.Config // from signal.Trust; nil: the system's roots
	Known  signal.Pins // nil: nobody is known, and nobody can be trusted
	Logger *slog.Logger

	places func(typed string) []string // tests only; nil: signal.Places

	mu   sync.Mutex
	apis map[signal.Address]*signal.API
}

// address checks an address, and that it does not lead past HTTPS.
func (d *Servers) address(server string) (signal.Address, error) {
	addr, err := signal.ParseAddress(server)
	if err != nil {
		return addr, err
	}
	return addr, signal.CheckDowngrade(addr, d.Known)
}

func (d *Servers) guard(addr signal.Address) *tls.Config {
	return (&signal.Guard{Address: addr, Base: d.TLS, Pins: d.Known}).TLS()
}

// TLSFor gives settings for other connections to that server: to its relay.
func (d *Servers) TLSFor(server string) *tls.Config {
	addr, err := d.address(server)
	if err != nil {
		return d.TLS
	}
	return d.guard(addr)
}

// reachWithin is how long a place may take to say that it is a Visavis server.
const reachWithin = 4 * time.Second

// Reach implements Dialer. Nothing is said to any place but a question for its name: what listens there may be somebody
// else's. A server that is known and shows another certificate is not passed over.
func (d *Servers) Reach(ctx context.Context, server string) string {
	places := signal.Places
	if d.places != nil {
		places = d.places
	}
	list := places(server)
	if len(list) == 1 {
		return server
	}
	doubtful := server
	for _, place := range list {
		accounts, err := d.Accounts(place)
		if err != nil {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, reachWithin)
		_, err = accounts.Info(asking)
		cancel()
		u := signal.UntrustedIn(err)
		if err == nil || u != nil && u.Changed() {
			return place
		}
		if u != nil {
			doubtful = place // our own port comes last, and is the likelier one to have a certificate of its own
		}
	}
	return doubtful
}

// Accounts implements Dialer.
func (d *Servers) Accounts(server string) (Accounts, error) {
	addr, err := d.address(server)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	api := d.apis[addr]
	if api == nil {
		if d.apis == nil {
			d.apis = map[signal.Address]*signal.API{}
		}
		api = signal.NewAPI(addr, d.guard(addr))
		d.apis[addr] = api
	}
	return api, nil
}

// Connect implements Dialer.
func (d *Servers) Connect(server, token string, c signal.Connect) (Signaler, error) {
	addr, err := d.address(server)
	if err != nil {
		return nil, err
	}
	client := &signal.Client{URL: addr.Socket(), Token: token, TLS: d.guard(addr), Connect: c, Logger: d.Logger}
	if err := client.Start(); err != nil {
		return nil, err
	}
	return client, nil
}

// Trust implements Dialer.
func (d *Servers) Trust(server, fingerprint string) error {
	addr, err := d.address(server)
	if err != nil {
		return err
	}
	if d.Known == nil {
		return nil
	}
	return d.Known.Keep(addr.Host, signal.Pin{Fingerprint: fingerprint, Since: time.Now()})
}

// Close lets go of idle connections.
func (d *Servers) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, api := range d.apis {
		api.Close()
	}
}
