package server

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"visavis.example/internal/server/hub"
	"visavis.example/internal/server/metrics"
	"visavis.example/internal/server/relay"
	"visavis.example/internal/signal"
)

// NoMetrics as Config.MetricsListen, like an empty one, means that nothing is shown.
const NoMetrics = "none"

// meters is what a running server counts; docs/operating.md lists the names. No label ever comes from outside.
type meters struct {
	metrics.Registry

	callsEnded *metrics.Counters // by reason
	callPaths  *metrics.Counters // of accepted calls: direct, relay, unknown
	callSetup  *metrics.Histogram
	callLength *metrics.Histogram
	refused    *metrics.Counters // requests on sockets, by error code
	apiRefused *metrics.Counters // the same over HTTP
	signIns    *metrics.Counter
	signUps    *metrics.Counter
	sockets    *metrics.Counters // how sockets ended
	sessions   *metrics.Counters // of sockets: those that were resumed, and new ones
	repeats    *metrics.Counter  // requests that had been carried out on an earlier socket
}

// errorCodes are all that a request can be refused with.
var errorCodes = []string{
	signal.ErrBadRequest, signal.ErrUnknownMethod, signal.ErrNotConnected, signal.ErrNotFound, signal.ErrNotInCall, signal.ErrAlreadyInCall,
	signal.ErrAlreadyAnswered, signal.ErrTooMany, signal.ErrUnauthorized, signal.ErrWrongPassword, signal.ErrNameTaken, signal.ErrBadName,
	signal.ErrBadPassword, signal.ErrInternal, signal.ErrForbidden, signal.ErrInviteNeeded, signal.ErrInviteInvalid, signal.ErrSignUpClosed,
	signal.ErrBlocked, signal.ErrDisabled,
}

func newMeters() *meters {
	m := &meters{}
	m.callsEnded = m.Counters("visavis_calls_ended_total", "Calls that have ended, by reason.", "reason",
		string(signal.EndHangup), string(signal.EndDeclined), string(signal.EndCancelled), string(signal.EndBusy), string(signal.EndNoAnswer),
		string(signal.EndOffline), string(signal.EndPeerGone), string(signal.EndConnectionFailed), string(signal.EndServerStopped),
		string(signal.EndDoNotDisturb))
	m.callPaths = m.Counters("visavis_calls_path_total", "Accepted calls that have ended, by the path that media took.", "path",
		string(signal.PathDirect), string(signal.PathRelay), pathUnknown)
	m.callSetup = m.Histogram("visavis_call_setup_seconds", "From accept to first picture or sound, as the slower device says.",
		0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
	m.callLength = m.Histogram("visavis_call_duration_seconds", "How long accepted calls lasted.", 10, 30, 60, 300, 900, 1800, 3600, 7200)
	m.refused = m.Counters("visavis_requests_refused_total", "Requests on sockets that were refused, by error code.", "code", errorCodes...)
	m.apiRefused = m.Counters("visavis_http_refused_total", "Requests of the HTTP API that were refused, by error code.", "code", errorCodes...)
	m.signIns = m.Counter("visavis_sign_ins_total", "Sign-ins with the right password.")
	m.signUps = m.Counter("visavis_sign_ups_total", "New accounts made by people themselves.")
	m.sockets = m.Counters("visavis_sockets_ended_total", "How sockets ended: left, lost or signed_out; flood and slow_reader, counted besides, were given up by the server.", "how",
		hub.Left.String(), hub.Lost.String(), hub.SignedOut.String(), socketFlood, socketSlow)
	m.sessions = m.Counters("visavis_websocket_sessions_total", "Sockets whose session was resumed, and those with a new one.", "how", sessionResumed, sessionNew)
	m.repeats = m.Counter("visavis_websocket_repeats_total", "Requests that were said again after a cut and had been carried out before it.")
	return m
}

// Labels of our own.
const (
	sessionResumed = "resumed"
	sessionNew     = "new"
	pathUnknown    = "unknown"
	socketFlood    = "flood"
	socketSlow     = "slow_reader"
)

// CallEnded implements hub.Meter.
func (m *meters) CallEnded(r hub.Record) {
	m.callsEnded.With(r.Reason).Inc()
	if r.Accepted.IsZero() {
		return
	}
	m.callLength.Observe(max(0, r.Ended.Sub(r.Accepted).Seconds()))
	path := r.Path
	if path == "" {
		path = pathUnknown
	}
	m.callPaths.With(path).Inc()
	if r.SetupMs > 0 {
		m.callSetup.Observe(float64(r.SetupMs) / 1000)
	}
}

// Refused implements hub.Meter.
func (m *meters) Refused(code string) { m.refused.With(code).Inc() }

// scrapeWait is for the hub, when somebody looks.
const scrapeWait = 2 * time.Second

// openMetrics opens the door to what is counted, when there is one.
func (s *Server) openMetrics(ctx context.Context) error {
	if s.MetricsListen == "" || s.MetricsListen == NoMetrics {
		return nil
	}
	s.watch()
	d := &metrics.Door{Listen: s.MetricsListen, Registry: &s.meters.Registry, Logger: s.Logger.With("part", "metrics")}
	if err := d.Start(ctx); err != nil {
		return portTaken(err, s.MetricsListen, "--metrics-listen")
	}
	s.metrics = d
	s.atClose(d.Close)
	return nil
}

// watch adds what is not counted but asked for when somebody looks.
func (s *Server) watch() {
	m := s.meters
	m.Process(s.Version, time.Now())
	census := func(pick func(hub.Census) int) func() float64 {
		return func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeWait)
			defer cancel()
			c, err := s.hub.Census(ctx)
			if err != nil {
				return 0 // it has stopped, and so has everything that could be counted
			}
			return float64(pick(c))
		}
	}
	m.Gauge("visavis_users", "Accounts, the Echo contact too.", census(func(c hub.Census) int { return c.Users }))
	m.Gauge("visavis_users_online", "People with a device that is connected.", census(func(c hub.Census) int { return c.Online }))
	m.Gauge("visavis_devices_online", "Connected devices.", census(func(c hub.Census) int { return c.Devices }))
	m.Gauge("visavis_calls_ringing", "Calls that ring.", census(func(c hub.Census) int { return c.Ringing }))
	m.Gauge("visavis_calls_talking", "Calls that have been accepted and go on.", census(func(c hub.Census) int { return c.Talking }))
	m.Gauge("visavis_sockets", "Open WebSockets.", func() float64 { return float64(s.sockets.count()) })
	m.Gauge("visavis_password_hashes_running", "Passwords that are being hashed (argon2id).", func() float64 { return float64(s.accounts.Hashing().Running) })
	m.Gauge("visavis_password_hashes_waiting", "Sign-ins that wait for a core to hash a password.", func() float64 { return float64(s.accounts.Hashing().Waiting) })
	m.CounterFunc("visavis_password_hashes_total", "Passwords that were hashed.", func() float64 { return float64(s.accounts.Hashing().Done) })
	m.CounterFunc("visavis_password_hashes_refused_total", "Sign-ins that were told to come back because no core was free.",
		func() float64 { return float64(s.accounts.Hashing().Refused) })
	m.Gauge("visavis_journal_waiting", "Calls and lines of chat on their way to disk.", func() float64 { return float64(s.journal.Waiting()) })
	m.Gauge("visavis_journal_failing", "1 while calls and chat cannot be written.", func() float64 {
		if s.journal.Failing() {
			return 1
		}
		return 0
	})
	if s.relay != nil {
		s.watchRelay()
	}
}

// watchRelay shows what goes through the relay. Up is from its clients to their peers, down the other way; bytes are payload.
func (s *Server) watchRelay() {
	m, stats := s.meters, s.relay.Stats
	m.Gauge("visavis_relay_allocations", "TURN allocations.", func() float64 { return float64(stats().Allocations) })
	m.Gauge("visavis_relay_connections", "TCP connections to the relay.", func() float64 { return float64(stats().Streams) })
	up, down := "up", "down"
	m.CountersFunc("visavis_relay_bytes_total", "Payload relayed.", "way", []string{up, down}, func(way string) float64 {
		if now := stats(); way == up {
			return float64(now.UpBytes)
		} else {
			return float64(now.DownBytes)
		}
	})
	m.CountersFunc("visavis_relay_packets_total", "Packets relayed.", "way", []string{up, down}, func(way string) float64 {
		if now := stats(); way == up {
			return float64(now.UpPackets)
		} else {
			return float64(now.DownPackets)
		}
	})
	left := map[string]func(relay.Stats) uint64{
		"refused": func(n relay.Stats) uint64 { return n.Refused }, "capped": func(n relay.Stats) uint64 { return n.Capped },
		"dropped": func(n relay.Stats) uint64 { return n.Dropped }, "limited": func(n relay.Stats) uint64 { return n.Limited },
	}
	m.CountersFunc("visavis_relay_left_out_total", "Packets not relayed: refused for where they go, capped by the rate, dropped as senseless; and errors not sent (limited).",
		"why", slices.Sorted(maps.Keys(left)), func(why string) float64 { return float64(left[why](stats())) })
}

// ready says whether somebody who comes now can sign in, call, and have kept what they write. Unlike healthz it says no
// while the server stops and while the disk is full.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	switch {
	case s.stopping.Load():
		return refuse(http.StatusServiceUnavailable, signal.ErrInternal, "The server is stopping.")
	case s.journal.Failing():
		return refuse(http.StatusServiceUnavailable, signal.ErrInternal, "The server cannot store anything at the moment.")
	}
	if err := s.store.Ping(r.Context()); err != nil {
		return err
	}
	if err := s.hub.Ping(r.Context()); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	return nil
}
