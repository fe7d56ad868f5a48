package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/door"
	"visavis.example/internal/server/store"
	"visavis.example/internal/server/web"
	"visavis.example/internal/signal"
)

// syncWait is how long the journal may take before calls are read.
const syncWait = 2 * time.Second

// handler is everything that the site answers.
func (s *Server) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	for path, methods := range s.peopleRoutes() {
		mux.Handle(path, s.api(methods))
	}
	for path, methods := range map[string]map[string]apiHandler{
		"/api/register":   {http.MethodPost: s.register},
		"/api/login":      {http.MethodPost: s.login},
		"/api/logout":     {http.MethodPost: s.logout},
		"/api/info":       {http.MethodGet: s.info},
		"/api/calls":      {http.MethodGet: s.withSession(s.calls)},
		"/api/calls/{id}": {http.MethodGet: s.withSession(s.call)},
		"/healthz":        {http.MethodGet: s.health},
		"/readyz":         {http.MethodGet: s.ready},
	} {
		mux.Handle(path, s.api(methods))
	}
	mux.Handle("/api/", s.api(nil))
	mux.HandleFunc("GET /ws", s.upgrade)
	mux.Handle("/", web.Handler())
	// A page of another origin must not act with a browser's cookie: Sec-Fetch-Site, or Origin against Host.
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.fail(w, refuse(http.StatusForbidden, signal.ErrUnauthorized, "Requests from other sites are not answered."))
	}))
	return s.strict(cross.Handler(mux)), nil
}

func (s *Server) newHTTPServer(h http.Handler) *http.Server {
	l := s.Limits
	srv := &http.Server{
		Handler: s.behindProxies(h), ReadHeaderTimeout: l.HeaderWait, ReadTimeout: l.BodyWait, WriteTimeout: l.ReplyWait, IdleTimeout: l.IdleWait,
		MaxHeaderBytes: l.HeaderBytes, ConnState: s.visits.note,
		ErrorLog: slog.NewLogLogger(s.Logger.With("part", "http").Handler(), slog.LevelDebug), // strangers cause most of it
	}
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(true) // the sockets' library upgrades HTTP/1.1 only
	return srv
}

// openDoor puts the site's port before the http.Server, and the relay beside it.
func (s *Server) openDoor() {
	s.door = &door.Door{
		Listener: patientListener{s.listener, s.room}, Wait: s.Limits.HeaderWait, Most: s.Limits.Undecided, Logger: s.Logger.With("part", "door"),
	}
	if s.cert != nil {
		s.door.TLS = s.cert.settings()
	}
	if s.relay != nil {
		s.door.TURN = s.relay.Serve
	}
	s.door.Start()
}

// remote is the address of who asks; behindProxies has looked at what proxies say.
func remote(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	return s.enter(w, r, func(ctx context.Context, in signal.Register) (signal.User, string, error) {
		u, token, err := s.accounts.Register(ctx, in, remote(r))
		if u.ID != "" { // also when only the sign-in after it failed
			s.meters.signUps.Inc()
			s.hub.AddUser(u)
		}
		return u, token, err
	})
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	return s.enter(w, r, func(ctx context.Context, in signal.Register) (signal.User, string, error) {
		u, token, err := s.accounts.Login(ctx, in, remote(r))
		if err == nil {
			s.meters.signIns.Inc()
		}
		return u, token, err
	})
}

// enter is register and login: the same body, the same reply. A session that the browser brought along is not used
// again: the new one has a new token.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, how func(context.Context, signal.Register) (signal.User, string, error)) error {
	var in signal.Register
	if err := s.readJSON(w, r, &in); err != nil {
		return err
	}
	u, token, err := how(r.Context(), in)
	if err != nil {
		return err
	}
	u.Online = false
	s.endCarried(r)
	if in.Cookie {
		s.setCookie(w, r, token, int(accounts.IdleLife/time.Second))
		token = ""
	}
	writeJSON(w, http.StatusOK, signal.SignedIn{User: u, Token: token})
	return nil
}

// endCarried ends the session whose cookie came along with a sign-in. Whoever put it there, for a browser that is somebody
// else's from now on it must be worth nothing (OWASP ASVS 5.0, 7.2.4).
func (s *Server) endCarried(r *http.Request) {
	old, byCookie, err := s.authenticate(r)
	if err != nil || !byCookie {
		return
	}
	if err := s.accounts.Logout(r.Context(), old); err != nil {
		s.Logger.Warn("session before a sign-in not ended", "user", old.User.ID, "error", err)
		return
	}
	s.sockets.signOut(old.ID)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	s.setCookie(w, r, "", -1)
	session, _, err := s.authenticate(r)
	if err != nil {
		return err
	}
	if err := s.accounts.Logout(r.Context(), session); err != nil {
		return err
	}
	s.sockets.signOut(session.ID)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) info(w http.ResponseWriter, _ *http.Request) error {
	mode := s.accounts.SignUp
	writeJSON(w, http.StatusOK, signal.Info{
		Name: "Visavis", Version: s.Version, Protocol: signal.Subprotocol, SignUp: mode == signal.SignUpOpen, SignUpMode: mode,
	})
	return nil
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) error {
	if err := s.store.Ping(r.Context()); err != nil {
		return err
	}
	if _, err := s.hub.Seen(r.Context(), "", nil); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

func (s *Server) calls(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	q := r.URL.Query()
	limit := 50
	if l := q.Get("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 || n > signal.MaxHistory {
			return refuse(http.StatusBadRequest, signal.ErrBadRequest, "limit is 1 to "+strconv.Itoa(signal.MaxHistory)+".")
		}
		limit = n
	}
	s.sync(r.Context())
	rows, err := s.store.Calls(r.Context(), session.User.ID, q.Get("before"), limit+1)
	if err != nil {
		return err
	}
	out := signal.Calls{Calls: []signal.CallRecord{}, More: len(rows) > limit}
	if out.More {
		rows = rows[:limit]
	}
	out.Calls, err = s.callRecords(r.Context(), session.User.ID, rows)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) call(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	s.sync(r.Context())
	row, err := s.store.Call(r.Context(), session.User.ID, r.PathValue("id"))
	if err != nil {
		return err
	}
	out, err := s.callRecords(r.Context(), session.User.ID, []store.PersonCall{row})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out[0])
	return nil
}

// sync waits for what the hub has said to be on disk, so that whoever asks after a push finds it. A disk that is full or
// slow does not keep older calls from being read.
func (s *Server) sync(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, syncWait)
	defer cancel()
	if err := s.journal.Sync(ctx); err != nil {
		s.Logger.Debug("calls are read before all is written", "error", err)
	}
}

// callRecords is calls as one person saw them.
func (s *Server) callRecords(ctx context.Context, userID string, rows []store.PersonCall) ([]signal.CallRecord, error) {
	ids := make([]string, 0, len(rows))
	for _, c := range rows {
		ids = append(ids, c.Peer.ID)
	}
	seen, err := s.hub.Seen(ctx, userID, ids)
	if err != nil {
		return nil, err
	}
	out := make([]signal.CallRecord, 0, len(rows))
	for _, c := range rows {
		r := callRecord(userID, c, time.Now())
		r.Peer.Online, r.Peer.DND = seen[r.Peer.ID].Online, seen[r.Peer.ID].DND
		out = append(out, r)
	}
	return out, nil
}

func callRecord(userID string, c store.PersonCall, now time.Time) signal.CallRecord {
	r := signal.CallRecord{
		ID: c.ID, Direction: signal.Outgoing, Video: c.Video, Started: c.Started,
		Peer:   signal.User{ID: c.Peer.ID, Name: c.Peer.Name, Kind: signal.Kind(c.Peer.Kind)},
		Reason: signal.EndReason(c.Reason), EndedBy: c.EndedBy, Path: signal.Path(c.Path), SetupMs: c.SetupMs,
	}
	if !c.Ended.IsZero() {
		r.Ended = &c.Ended
		now = c.Ended
	}
	if !c.Accepted.IsZero() {
		r.Accepted = &c.Accepted
		r.Seconds = max(0, now.Sub(c.Accepted).Seconds())
	}
	if c.Callee == userID {
		r.Direction = signal.Incoming
		r.Missed = r.Accepted == nil && r.Ended != nil && r.Reason != signal.EndDeclined
	}
	return r
}

// cookieName has the prefix with which browsers insist on Secure, on this host, on this path (RFC 6265bis section 4.1.3).
func (s *Server) cookieName(r *http.Request) string {
	if !s.secure(r) {
		return "visavis" // the prefix needs Secure, which browsers do not take over plain HTTP
	}
	return "__Host-visavis"
}

// secure says whether the browser speaks HTTPS, to this server or to the proxy in front of it.
func (s *Server) secure(r *http.Request) bool { return !s.HTTP || forwardedHTTPS(r) }

func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, token string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(r), Value: token, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: s.secure(r), SameSite: http.SameSiteStrictMode,
	})
}

// authenticate finds the session of a request: a bearer token, or the cookie.
func (s *Server) authenticate(r *http.Request) (session accounts.Session, byCookie bool, err error) {
	token := ""
	if h := r.Header.Get("Authorization"); h != "" {
		scheme, rest, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return session, false, accounts.ErrUnauthorized
		}
		token = strings.TrimSpace(rest)
	} else if c, err := r.Cookie(s.cookieName(r)); err == nil {
		token, byCookie = c.Value, true
	}
	session, err = s.accounts.Authenticate(r.Context(), token)
	return session, byCookie, err
}

func (s *Server) withSession(h func(http.ResponseWriter, *http.Request, accounts.Session) error) apiHandler {
	return func(w http.ResponseWriter, r *http.Request) error {
		session, _, err := s.authenticate(r)
		if err != nil {
			return err
		}
		if err := s.accounts.MayAsk(session); err != nil {
			return err
		}
		return h(w, r, session)
	}
}
