package server

import (
	"context"
	"errors"
	"net"
	"net/http"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/admin"
	"visavis.example/internal/server/hub"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

// peopleRoutes is what a person does about the own account, and about others.
func (s *Server) peopleRoutes() map[string]map[string]apiHandler {
	return map[string]map[string]apiHandler{
		"/api/me":            {http.MethodGet: s.withSession(s.me), http.MethodDelete: s.withSession(s.leave)},
		"/api/me/dnd":        {http.MethodPut: s.changing(s.setDND)},
		"/api/password":      {http.MethodPost: s.changing(s.changePassword)},
		"/api/sessions":      {http.MethodGet: s.withSession(s.sessions), http.MethodDelete: s.withSession(s.endSessions)},
		"/api/sessions/{id}": {http.MethodDelete: s.withSession(s.endSession)},
		"/api/blocks":        {http.MethodGet: s.withSession(s.blocks)},
		"/api/blocks/{id}":   {http.MethodPut: s.changing(s.block), http.MethodDelete: s.changing(s.unblock)},
		"/api/invites":       {http.MethodGet: s.withSession(s.invites), http.MethodPost: s.changing(s.createInvite)},
		"/api/invites/{id}":  {http.MethodDelete: s.changing(s.revokeInvite)},
		"/api/invite/check":  {http.MethodPost: s.checkInvite},
		"/api/export":        {http.MethodGet: s.withSession(s.export)},
	}
}

// changing is withSession for what a person may not do without end. Ending sessions is not among it: whoever has stolen
// one must not be able to use that up.
func (s *Server) changing(h func(http.ResponseWriter, *http.Request, accounts.Session) error) apiHandler {
	return s.withSession(func(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
		if err := s.accounts.MayChange(session.User.ID); err != nil {
			return err
		}
		return h(w, r, session)
	})
}

func done(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) me(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	id := session.User.ID
	u, err := s.store.User(r.Context(), id)
	if err != nil {
		return err
	}
	seen, err := s.hub.Seen(r.Context(), id, []string{id})
	if err != nil {
		return err
	}
	out := signal.Me{User: session.User, DND: s.accounts.DND(u), MayInvite: s.accounts.MayInvite()}
	out.User.Online, out.User.DND = seen[id].Online, out.DND != nil
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) setDND(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var in signal.DND
	if err := s.readJSON(w, r, &in); err != nil {
		return err
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	until, err := s.accounts.SetDND(r.Context(), session.User.ID, in)
	if err != nil {
		return err
	}
	if err := s.hub.SetQuiet(r.Context(), hub.Quiet{UserID: session.User.ID, Until: until}, in.On); err != nil {
		return err
	}
	return done(w)
}

func (s *Server) changePassword(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var in signal.NewPassword
	if err := s.readJSON(w, r, &in); err != nil {
		return err
	}
	if err := s.accounts.ChangePassword(r.Context(), session, in, remote(r)); err != nil {
		return err
	}
	s.sockets.signOutUser(session.User.ID, session.ID)
	return done(w)
}

func (s *Server) sessions(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	out, err := s.accounts.Sessions(r.Context(), session)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) endSession(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	id, err := s.accounts.EndSession(r.Context(), session, r.PathValue("id"))
	if err != nil {
		return err
	}
	s.sockets.signOut(id)
	if id == session.ID {
		s.setCookie(w, r, "", -1)
	}
	return done(w)
}

// endSessions signs out everywhere else, or everywhere.
func (s *Server) endSessions(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	hereToo := false
	switch all := r.URL.Query().Get("all"); all {
	case "", "0":
	case "1":
		hereToo = true
	default:
		return refuse(http.StatusBadRequest, signal.ErrBadRequest, "all is 0 or 1.")
	}
	if err := s.accounts.EndSessions(r.Context(), session, hereToo); err != nil {
		return err
	}
	keep := session.ID
	if hereToo {
		keep = ""
		s.setCookie(w, r, "", -1)
	}
	s.sockets.signOutUser(session.User.ID, keep)
	return done(w)
}

func (s *Server) blocks(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	users, err := s.store.BlockedBy(r.Context(), session.User.ID)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(users))
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	seen, err := s.hub.Seen(r.Context(), session.User.ID, ids)
	if err != nil {
		return err
	}
	out := signal.Blocked{Users: []signal.User{}}
	for _, u := range users {
		v, ok := seen[u.ID]
		if !ok { // disabled
			v = signal.User{ID: u.ID, Name: u.Name, Kind: signal.Kind(u.Kind)}
		}
		out.Users = append(out.Users, v)
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) block(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	b := store.Block{Owner: session.User.ID, Other: r.PathValue("id")}
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := s.accounts.Block(r.Context(), b.Owner, b.Other); err != nil {
		return err
	}
	if err := s.hub.Block(r.Context(), hub.Block(b), true); err != nil {
		return err
	}
	return done(w)
}

func (s *Server) unblock(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	b := store.Block{Owner: session.User.ID, Other: r.PathValue("id")}
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := s.store.Unblock(r.Context(), b); err != nil {
		return err
	}
	if err := s.hub.Block(r.Context(), hub.Block(b), false); err != nil {
		return err
	}
	return done(w)
}

func (s *Server) invites(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	out, err := s.accounts.Invites(r.Context(), session.User.ID)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) createInvite(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var in signal.NewInvite
	if err := s.readJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.accounts.CreateInvite(r.Context(), session.User.ID, in)
	if err != nil {
		return err
	}
	out.URL = admin.URL(s.siteFor(r), out.Invite)
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) revokeInvite(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	if err := s.accounts.RevokeInvite(r.Context(), session.User.ID, r.PathValue("id")); err != nil {
		return err
	}
	return done(w)
}

func (s *Server) checkInvite(w http.ResponseWriter, r *http.Request) error {
	var in signal.CheckInvite
	if err := s.readJSON(w, r, &in); err != nil {
		return err
	}
	out, err := s.accounts.CheckInvite(r.Context(), in.Invite, remote(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// siteFor is the site's address as who asks reached it, or as this server knows itself when that cannot be read.
func (s *Server) siteFor(r *http.Request) string {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		host, port = r.Host, ""
	}
	if host = hostOf(host); host == "" {
		return s.URL()
	}
	scheme := "https"
	if s.HTTP && loopbackHost(host) { // else a proxy speaks HTTPS outside
		scheme = "http"
	}
	if port == "" {
		if net.ParseIP(host) != nil && net.ParseIP(host).To4() == nil {
			host = "[" + host + "]"
		}
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// leave deletes the person who asks.
func (s *Server) leave(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	var in signal.Leave
	if err := s.readJSON(w, r, &in); err != nil {
		return err
	}
	if err := s.accounts.CheckLeaving(r.Context(), session, in, remote(r)); err != nil {
		return err
	}
	if err := s.deleteUser(r.Context(), session.User.ID, in.Lines); err != nil {
		return err
	}
	s.setCookie(w, r, "", -1)
	return done(w)
}

// deleteUser ends what a person does and then forgets the person. A crash in between leaves the account as it was.
func (s *Server) deleteUser(ctx context.Context, id string, lines bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Limits.ReplyWait) // who asked may be gone; it is done all the same
	defer cancel()
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := s.hub.RemoveUser(ctx, id); err != nil {
		return err
	}
	err := s.journal.Sync(ctx) // calls that ended by this, and chat on its way
	if err == nil {
		err = s.store.DeleteUser(ctx, id, lines)
	}
	if err != nil {
		return errors.Join(err, s.rejoin(ctx, id))
	}
	s.sockets.signOutUser(id, "")
	s.Logger.Info("account deleted", "user", id, "lines", lines)
	return nil
}

// rejoin puts a person of the store on the roster, with all wishes.
func (s *Server) rejoin(ctx context.Context, id string) error {
	u, err := s.store.User(ctx, id)
	if err != nil {
		return err
	}
	blocks, err := s.store.Blocks(ctx)
	if err != nil {
		return err
	}
	s.hub.AddUser(signal.User{ID: u.ID, Name: u.Name, Kind: signal.Kind(u.Kind)})
	for _, b := range blocks {
		if b.Owner == id || b.Other == id {
			err = errors.Join(err, s.hub.Block(ctx, hub.Block(b), true))
		}
	}
	if u.DND {
		err = errors.Join(err, s.hub.SetQuiet(ctx, hub.Quiet{UserID: id, Until: u.DNDUntil}, true))
	}
	return err
}

// wishes is what the hub must know of people's wishes when it starts.
func (s *Server) wishes(ctx context.Context, users []store.User) (blocks []hub.Block, quiet []hub.Quiet, err error) {
	rows, err := s.store.Blocks(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range rows {
		blocks = append(blocks, hub.Block(b))
	}
	for _, u := range users {
		if s.accounts.DND(u) != nil {
			quiet = append(quiet, hub.Quiet{UserID: u.ID, Until: u.DNDUntil})
		}
	}
	return blocks, quiet, nil
}
