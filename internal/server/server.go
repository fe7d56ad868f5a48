// Package server is a whole Visavis server as a value: Config in, Start, Close. It owns the HTTPS routes and the sockets
// and wires what does the work: accounts (who somebody is), hub (presence and calls), store (SQLite), relay (STUN and
// TURN), echo (the contact that answers by itself) and web (the browser client). cmd/server runs one from flags; tests
// run many at once, each on free ports and a folder of its own. It keeps nothing in global variables.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/backup"
	"visavis.example/internal/server/door"
	"visavis.example/internal/server/echo"
	"visavis.example/internal/server/hub"
	"visavis.example/internal/server/metrics"
	"visavis.example/internal/server/relay"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

// EchoID is the user id of the Echo contact.
const EchoID = "echo"

// Server is one server. Set Config, Start, Close.
type Server struct {
	Config

	store    *store.Store
	journal  *store.Journal
	accounts *accounts.Accounts
	relay    *relay.Server // nil: none
	hub      *hub.Hub
	sockets  *sockets
	streams  *streams
	cert     *identity // nil: plain HTTP
	listener net.Listener
	room     *room      // of connections with nothing to read; nil: there is none
	door     *door.Door // of the site's port, from serve on
	http     *http.Server
	visits   visits // to it
	adminAt  string // the socket of the operator's commands
	meters   *meters
	metrics  *metrics.Door // nil: nothing is shown
	stopping atomic.Bool   // Close has begun
	failed   chan error
	quit     chan struct{}
	running  sync.WaitGroup // our own goroutines, sockets aside

	// turn is held while a change is made to the database and then to the hub, so that two changes of the same thing come
	// to both in the same order. Such changes are rare and each person's are limited.
	turn sync.Mutex

	undo []func() // what Close does, last first
}

// Start brings the server up; when it returns nil, clients can connect. When it fails, all that it began is undone. ctx
// is for the start only.
func (s *Server) Start(ctx context.Context) error {
	if err := s.fill(); err != nil {
		return err
	}
	s.failed, s.quit, s.meters = make(chan error, 1), make(chan struct{}), newMeters()
	for _, step := range []func(context.Context) error{
		s.takeFolder, s.loadCertificate, s.listen, s.openStore, s.startRelay, s.startHub, s.startEcho, s.serve, s.openAdmin, s.openMetrics, s.announce,
	} {
		if err := step(ctx); err != nil {
			s.Sockets.Close()
			s.Close()
			return err
		}
	}
	for _, a := range s.Sockets.Close() {
		s.Logger.Warn("the service manager opens a socket that no setting uses: its unit and the configuration differ", "socket", a)
	}
	s.Logger.Info("server listens", "url", s.URL(), "turn", s.turnText(), "data", s.DataDir, "version", s.Version)
	return nil
}

// Close ends everything in the order that tells clients most: no new requests, calls that ring end with server_stopped,
// sockets close with 1012 (they come back later), then the relay and the database.
func (s *Server) Close() {
	s.stopping.Store(true)
	for len(s.undo) > 0 {
		last := len(s.undo) - 1
		f := s.undo[last]
		s.undo = s.undo[:last]
		f()
	}
}

func (s *Server) atClose(f func()) { s.undo = append(s.undo, f) }

// Failed gives the error that ended a started server from inside, if one does.
func (s *Server) Failed() <-chan error { return s.failed }

// Addr is where the site listens.
func (s *Server) Addr() netip.AddrPort {
	a, _ := s.listener.Addr().(*net.TCPAddr) // "tcp" listeners have no other
	return a.AddrPort()
}

// TURNAddr is where the relay listens; the zero AddrPort when there is none.
func (s *Server) TURNAddr() netip.AddrPort {
	if s.relay == nil {
		return netip.AddrPort{}
	}
	return s.relay.Addr()
}

// MetricsAddr is where metrics and profiles are shown; the zero AddrPort when they are not.
func (s *Server) MetricsAddr() netip.AddrPort {
	if s.metrics == nil {
		return netip.AddrPort{}
	}
	return s.metrics.Addr()
}

// CertFile is the PEM file of the certificate that clients meet; empty with plain HTTP.
func (s *Server) CertFile() string {
	if s.cert == nil {
		return ""
	}
	return s.cert.file
}

// Fingerprint is the SHA-256 of that certificate, as browsers show it; empty with plain HTTP, and while an authority has
// not issued one yet.
func (s *Server) Fingerprint() string {
	if s.cert == nil {
		return ""
	}
	return s.cert.fingerprint()
}

// URL is the address of the site for somebody on this machine.
func (s *Server) URL() string {
	scheme := "https"
	if s.HTTP {
		scheme = "http"
	}
	host, _, _ := net.SplitHostPort(s.Listen) // fill has checked it
	a := s.Addr()
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, fmt.Sprint(a.Port()))
}

// OtherURLs are the addresses of the site for other machines: its domains, or all addresses of this machine; none when it
// listens on one address only.
func (s *Server) OtherURLs() []string {
	a := s.Addr()
	if len(s.ACME.Domains) > 0 {
		return s.domainURLs(a.Port())
	}
	if !a.Addr().IsUnspecified() {
		return nil
	}
	scheme, _, _ := strings.Cut(s.URL(), ":")
	var urls []string
	_, ips := ownNames("")
	for _, ip := range ips {
		if ip.IsGlobalUnicast() {
			urls = append(urls, scheme+"://"+net.JoinHostPort(ip.String(), fmt.Sprint(a.Port())))
		}
	}
	return urls
}

func (s *Server) domainURLs(port uint16) (urls []string) {
	for _, d := range s.ACME.Domains {
		if port == 443 {
			urls = append(urls, "https://"+d)
		} else {
			urls = append(urls, "https://"+net.JoinHostPort(d, fmt.Sprint(port)))
		}
	}
	return urls
}

func (s *Server) turnText() string {
	if s.relay == nil {
		return NoTURN
	}
	return s.relay.Addr().String()
}

// takeFolder makes the data folder and keeps other servers out of it.
func (s *Server) takeFolder(context.Context) error {
	if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	f, err := lockFolder(s.DataDir)
	if err != nil {
		return err
	}
	s.atClose(func() { _ = f.Close() }) // and with it the lock
	if err := backup.Whole(s.DataDir); err != nil {
		return err
	}
	return backup.Tidy(s.DataDir)
}

func (s *Server) listen(ctx context.Context) error {
	l, err := s.Sockets.Listen(ctx, s.Listen)
	if err != nil {
		return portTaken(err, s.Listen, "--listen")
	}
	s.listener = l
	s.atClose(func() { _ = l.Close() }) // again after the http.Server has closed it, or because that never began
	return nil
}

func (s *Server) openStore(ctx context.Context) error {
	s.store = &store.Store{Path: filepath.Join(s.DataDir, backup.Database)}
	if err := s.store.Start(ctx); err != nil {
		return fmt.Errorf("data folder %s: %w", s.DataDir, err)
	}
	s.atClose(func() {
		if err := s.store.Close(); err != nil {
			s.Logger.Error("database not closed cleanly", "error", err)
		}
	})
	s.accounts = &accounts.Accounts{
		Store: s.store, Limits: s.Limits.Accounts, Work: s.Passwords, SignUp: s.SignUp, Inviting: s.Inviting, Logger: s.Logger,
		Forgot: func(id string) { s.sockets.signOut(id) },
	}
	if err := s.accounts.Start(ctx); err != nil {
		return err
	}
	err := s.store.PutContact(ctx, store.User{ID: EchoID, Name: "Echo", NameKey: "echo", Kind: string(signal.KindEcho), Created: time.Now()})
	if err != nil {
		return err
	}
	s.journal = &store.Journal{Store: s.store, Logger: s.Logger, Queue: s.Limits.JournalQueue}
	if err := s.journal.Start(); err != nil {
		return err
	}
	s.atClose(s.journal.Close)
	return nil
}

func (s *Server) startRelay(ctx context.Context) error {
	if s.TURNListen == NoTURN {
		return nil
	}
	secret, err := relaySecret(s.DataDir)
	if err != nil {
		return err
	}
	r := &relay.Server{
		Secret: secret,
		Listen: s.TURNListen, PublicIP: s.PublicIP, PublicIP6: s.PublicIP6, LAN: s.LAN, PortMin: s.PortMin, PortMax: s.PortMax,
		Portable: s.TURNPortable, Limits: s.Limits.Relay,
		OpenTCP: func(a string) (net.Listener, error) { return s.Sockets.Listen(ctx, a) },
		OpenUDP: func(a string) (net.PacketConn, error) { return s.Sockets.ListenPacket(ctx, a) },
		Logger:  s.Logger.With("part", "relay"),
	}
	if err := r.Start(); err != nil {
		return portTaken(err, s.TURNListen, "--turn-listen")
	}
	s.relay = r
	s.atClose(r.Close)
	return nil
}

func (s *Server) startHub(ctx context.Context) error {
	users, err := s.store.Users(ctx)
	if err != nil {
		return err
	}
	running, alive, err := s.store.Running(ctx)
	if err != nil {
		return err
	}
	h := &hub.Hub{
		Config: hub.Config{
			Server: "visavis-server/" + s.Version, Run: signal.NewID(), RingTimeout: s.RingTimeout, PeerGoneAfter: s.PeerGoneAfter,
			Invites: s.Limits.Invites, Calls: s.Limits.Calls, Chat: s.Limits.Chat,
			Linger: s.Limits.Linger, NewsEvery: newsEvery, RelayLife: s.Limits.RelayLife,
		},
		Alive: alive, Journal: records{s.journal}, Meter: s.meters, Logger: s.Logger.With("part", "hub"),
	}
	for _, u := range users {
		if !u.Disabled {
			h.Users = append(h.Users, signal.User{ID: u.ID, Name: u.Name, Kind: signal.Kind(u.Kind)})
		}
	}
	if h.Blocks, h.Quiet, err = s.wishes(ctx, users); err != nil {
		return err
	}
	for _, c := range running {
		h.Running = append(h.Running, hub.Record(c))
	}
	if s.relay != nil {
		h.Relay = &relayDesk{relay: s.relay, host: s.TURNHost, secure: s.cert != nil}
	}
	if err := h.Start(); err != nil {
		return err
	}
	s.hub = h
	s.room = newRoom()
	s.atClose(s.room.Close)
	s.sockets = newSockets(s.Limits.SocketsPerPerson)
	s.streams = newStreams(h, s.sockets, s.meters, &s.Limits)
	s.sockets.streams = s.streams
	s.atClose(func() { s.sockets.closeAll(closeRestart, "the server stops") })
	s.atClose(h.Close)
	return nil
}

func (s *Server) startEcho(context.Context) error {
	c := &contact{hub: s.hub}
	c.echo = &echo.Contact{
		Request: c.request, RingFor: s.EchoRingFor, MaxCalls: s.Limits.EchoCalls, IncludeLoopback: onlyLoopback(s.Addr().Addr()), Logger: s.Logger.With("part", "echo"),
	}
	if err := c.echo.Start(); err != nil {
		return err
	}
	s.atClose(c.echo.Close)
	s.hub.Connect(c, hub.Hello{UserID: EchoID, Connect: signal.Connect{DeviceID: signal.NewID(), Device: "server"}})
	return nil
}

func (s *Server) serve(context.Context) error {
	h, err := s.handler()
	if err != nil {
		return err
	}
	if err := s.startKeeper(); err != nil {
		return err
	}
	s.http = s.newHTTPServer(h)
	s.openDoor()
	s.running.Go(func() {
		err := s.http.Serve(s.door)
		if !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve %s: %w", s.Listen, err)
		}
	})
	s.running.Go(s.turnWheel)
	s.running.Go(s.purge)
	s.running.Go(s.watchCertificate)
	s.atClose(func() {
		s.sockets.tellStopping(s.ReturnWithin)
		close(s.quit)
		s.drain()
		ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
		defer cancel()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close() // whoever is still busy has had its time
		}
		s.running.Wait()
	})
	return nil
}

// turnWheel pings sockets, a tenth of them at each turn, and does what else is due now and then.
func (s *Server) turnWheel() {
	var t thrift
	defer t.end()
	s.sockets.pingAll(s.PingEvery, s.quit, func(now time.Time) {
		s.streams.sweep(now)
		t.turn(s.sockets.connects())
	})
}

// purge forgets ended sessions, daily.
func (s *Server) purge() {
	day := time.NewTicker(24 * time.Hour)
	defer day.Stop()
	for {
		select {
		case <-day.C:
			if err := s.accounts.Purge(context.Background()); err != nil {
				s.Logger.Warn("ended sessions not forgotten", "error", err)
			}
		case <-s.quit:
			return
		}
	}
}
