package app

import (
	"crypto/tls"
	"log/slog"
	"sync"

	"visavis.example/internal/signal"
)

// Servers is the real Dialer: HTTPS and WebSocket to servers whose certificate TLS trusts. Close it after the App.
type Servers struct {
	TLS    *tls.Config // from signal.Trust; nil: the system's roots
	Logger *slog.Logger

	mu   sync.Mutex
	apis map[string]*signal.API // by Address.Base
}

// Accounts implements Dialer.
func (d *Servers) Accounts(server string) (Accounts, error) {
	addr, err := signal.ParseAddress(server)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	api := d.apis[addr.Base()]
	if api == nil {
		if d.apis == nil {
			d.apis = map[string]*signal.API{}
		}
		api = signal.NewAPI(addr, d.TLS)
		d.apis[addr.Base()] = api
	}
	return api, nil
}

// Connect implements Dialer.
func (d *Servers) Connect(server, token string, c signal.Connect) (Signaler, error) {
	addr, err := signal.ParseAddress(server)
	if err != nil {
		return nil, err
	}
	client := &signal.Client{URL: addr.Socket(), Token: token, TLS: d.TLS, Connect: c, Logger: d.Logger}
	if err := client.Start(); err != nil {
		return nil, err
	}
	return client, nil
}

// Close lets go of idle connections.
func (d *Servers) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, api := range d.apis {
		api.Close()
	}
}
