package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Door shows a Registry at /metrics and Go's profiles under /debug/pprof/, to programs on this machine only. A profile
// tells a lot about a server and costs it CPU, so the door refuses to be opened on any but a loopback address, and it
// answers only who comes from one and asks for one by name: a web page that a browser on this machine shows could
// otherwise read it under a name of its own that leads here (DNS rebinding). Set the fields, Start, Close.
type Door struct {
	Listen   string // HOST:PORT, loopback
	Registry *Registry
	Logger   *slog.Logger

	listener net.Listener
	http     *http.Server
	running  sync.WaitGroup
}

// ErrNotLoopback is why a door does not open on an address that other machines may reach.
var ErrNotLoopback = errors.New("metrics and profiles are for this machine only: give a loopback address, such as 127.0.0.1:9464")

const (
	headerWait  = 5 * time.Second
	profileWait = 2 * time.Minute // for the longest profile that may be asked for
	maxHeaders  = 16 << 10
)

// Start opens the door.
func (d *Door) Start(ctx context.Context) error {
	host, _, err := net.SplitHostPort(d.Listen)
	if err != nil {
		return fmt.Errorf("metrics address %q is not HOST:PORT: %w", d.Listen, err)
	}
	if !loopback(host) {
		return fmt.Errorf("%w, not %q", ErrNotLoopback, d.Listen)
	}
	if d.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", d.Listen); err != nil {
		return fmt.Errorf("open metrics: %w", err)
	}
	// A name may lead elsewhere than it should.
	if a, ok := d.listener.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("%w, not %q", ErrNotLoopback, d.Listen), d.listener.Close())
	}
	d.http = &http.Server{
		Handler: d.handler(), ReadHeaderTimeout: headerWait, ReadTimeout: headerWait, WriteTimeout: profileWait, MaxHeaderBytes: maxHeaders,
		ErrorLog: slog.NewLogLogger(d.Logger.Handler(), slog.LevelDebug),
	}
	d.running.Go(func() {
		if err := d.http.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
			d.Logger.Error("metrics are not shown any more", "error", err)
		}
	})
	return nil
}

// Close shuts the door; who is still reading is cut off.
func (d *Door) Close() {
	_ = d.http.Close()
	d.running.Wait()
}

// Addr is where it listens.
func (d *Door) Addr() netip.AddrPort {
	a, _ := d.listener.Addr().(*net.TCPAddr) // Start has checked it
	return a.AddrPort()
}

func (d *Door) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", ContentType)
		_ = d.Registry.Write(w) // it can only fail when nobody reads it
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // and every profile that has a name
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/cmdline", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not shown: settings may be on it", http.StatusNotFound)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !fromHere(r) {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// fromHere says whether a program of this machine asks, knowing whom.
func fromHere(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	host, _, bad := net.SplitHostPort(r.Host)
	if bad != nil {
		host = r.Host
	}
	return err == nil && from.Addr().Unmap().IsLoopback() && loopback(strings.Trim(host, "[]"))
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
