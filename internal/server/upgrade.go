package server

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/gorilla/websocket"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/signal"
)

// upgrader makes sockets with small buffers: reading uses the one of upgraded, and the write buffer is only held while
// something is written.
var upgrader = websocket.Upgrader{
	WriteBufferSize: 1024,
	WriteBufferPool: &sync.Pool{},
	Subprotocols:    []string{signal.Subprotocol},
	CheckOrigin:     func(*http.Request) bool { return true }, // upgrade has checked it
}

// upgrade turns GET /ws into a socket. It returns at once; the socket reads in a goroutine of its own.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	session, err := s.mayConnect(r)
	if err == nil {
		err = s.sockets.reserve(session.User.ID)
	}
	switch {
	case errors.Is(err, errTooManySockets):
		s.fail(w, refuse(http.StatusTooManyRequests, signal.ErrTooMany, "You are connected from too many devices."))
		return
	case errors.Is(err, errNoSockets):
		s.fail(w, refuse(http.StatusServiceUnavailable, signal.ErrInternal, "The server is stopping. Please try again in a moment."))
		return
	case err != nil:
		s.fail(w, err)
		return
	}
	// The library takes the server's own limits away; who does not take the answer must not keep this goroutine.
	up := upgrader
	up.HandshakeTimeout = s.Limits.ReplyWait
	u := &upgraded{ResponseWriter: w}
	conn, err := up.Upgrade(u, r, nil)
	if err != nil { // it has been answered
		s.sockets.release(session.User.ID)
		return
	}
	k := &socket{
		outbox: outbox{conn: conn, line: u.line, writers: &s.sockets.writers, limits: &s.Limits}, server: s, session: session,
		reader: u.reader, waits: waiterOf(conn.NetConn()),
		host: authorityOf(r.Host, s.cert != nil, conn.LocalAddr()), deadAfter: 2 * s.PingEvery,
	}
	if s.sockets.start(k) != nil {
		_ = conn.Close()
		return
	}
	// A sign-out since mayConnect has ended the session's sockets without this one.
	if _, _, err := s.authenticate(r); errors.Is(err, accounts.ErrUnauthorized) {
		k.signOut()
	}
}

// mayConnect checks all that a socket needs before there is one.
func (s *Server) mayConnect(r *http.Request) (accounts.Session, error) {
	session, byCookie, err := s.authenticate(r)
	if err != nil {
		return session, err
	}
	// Browsers send a cookie along with sockets that other sites open, and always say where the page is from.
	origin := r.Header.Get("Origin")
	if origin == "" && byCookie || origin != "" && !s.sameOrigin(origin, r.Host) {
		return session, refuse(http.StatusForbidden, signal.ErrUnauthorized, "Sockets from other sites are not taken.")
	}
	if !slices.Contains(websocket.Subprotocols(r), signal.Subprotocol) {
		return session, refuse(http.StatusBadRequest, signal.ErrBadRequest, "The subprotocol "+signal.Subprotocol+" is needed.")
	}
	return session, nil
}

// sameOrigin compares scheme, host and port; both sides leave out the scheme's usual port. Behind a proxy on this machine
// that speaks HTTPS outside, pages of this plain server have the other scheme.
func (s *Server) sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, host) && (u.Scheme == "https" || s.HTTP && u.Scheme == "http")
}
