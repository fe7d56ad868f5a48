package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/export"
	"visavis.example/internal/server/store"
)

// export is a download of all that the server keeps of the person who asks.
func (s *Server) export(w http.ResponseWriter, r *http.Request, session accounts.Session) error {
	if err := s.accounts.MayExport(session.User.ID); err != nil {
		return err
	}
	u, err := s.store.User(r.Context(), session.User.ID)
	if err != nil {
		return err
	}
	s.sync(r.Context())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="visavis-%s.json"`, time.Now().UTC().Format("2006-01-02")))
	s.stream(r.Context(), w, u)
	return nil
}

// stream writes an export. When it breaks off, so does the connection: half of it must not pass for all.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, u store.User) {
	control := http.NewResponseController(w)
	err := export.Write(ctx, s.store, u, time.Now(), w, func() { _ = control.SetWriteDeadline(time.Now().Add(s.Limits.ReplyWait)) })
	if err == nil {
		return
	}
	var line *net.OpError
	if errors.As(err, &line) {
		err = line.Err // without both its ends: no addresses of people at this level
	}
	if !errors.Is(err, context.Canceled) {
		s.Logger.Warn("export broken off", "user", u.ID, "error", err)
	}
	panic(http.ErrAbortHandler)
}
