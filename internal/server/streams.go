package server

import (
	"slices"
	"sync"
	"time"

	"visavis.example/internal/server/hub"
	"visavis.example/internal/signal"
)

// streams is every session that can be resumed, by its id.
type streams struct {
	hub     *hub.Hub
	running *sync.WaitGroup // those of the sockets
	most    int             // of one user
	keep    signal.KeptLimits
	within  time.Duration // of the cut they are resumed
	meters  *meters

	mu     sync.Mutex
	byID   map[string]*stream
	byUser map[string][]*stream
}

func newStreams(h *hub.Hub, k *sockets, m *meters, l *Limits) *streams {
	return &streams{
		hub: h, meters: m, running: &k.running, most: k.most, keep: signal.KeptLimits{Messages: l.ResumeMessages, Bytes: l.ResumeBytes}, within: l.ResumeWait,
		byID: make(map[string]*stream), byUser: make(map[string][]*stream),
	}
}

// open gives a socket the session that it asks for, or a new one. Whether an id is unknown, somebody else's, over or too
// far behind makes no difference to who asks.
func (s *streams) open(k *socket, h hub.Hello) {
	s.mu.Lock()
	t := s.byID[h.Connect.Resume.Session]
	s.mu.Unlock()
	if t != nil && t.user == h.UserID && t.session == k.session.ID && t.device == h.Connect.DeviceID && t.resume(k, h) {
		s.meters.sessions.With(sessionResumed).Inc()
		return
	}
	s.meters.sessions.With(sessionNew).Inc()
	t = &stream{
		id: signal.NewID(), streams: s, user: h.UserID, device: h.Connect.DeviceID, session: k.session.ID, at: k, hail: h.RequestID,
		kept: signal.Kept{Limits: &s.keep},
	}
	k.stream, h.Session = t, t.id
	s.add(t)
	s.hub.Connect(t, h)
}

// add keeps a new stream. One user has no more of them than sockets: of those beyond that, the one that has been cut for
// longest goes.
func (s *streams) add(t *stream) {
	s.mu.Lock()
	s.byID[t.id] = t
	own := append(s.byUser[t.user], t)
	s.byUser[t.user] = own
	s.mu.Unlock()
	if len(own) <= s.most {
		return
	}
	var oldest *stream
	var since time.Time
	for _, o := range own {
		if at, cut := o.cutSince(); cut && (oldest == nil || at.Before(since)) {
			oldest, since = o, at
		}
	}
	if oldest != nil && oldest.expire(time.Now()) {
		s.gone(oldest, hub.Lost)
	}
}

// gone forgets a stream that has ended and tells the hub.
func (s *streams) gone(t *stream, how hub.Parting) {
	s.mu.Lock()
	delete(s.byID, t.id)
	own := slices.DeleteFunc(slices.Clone(s.byUser[t.user]), func(o *stream) bool { return o == t })
	if s.byUser[t.user] = own; len(own) == 0 {
		delete(s.byUser, t.user)
	}
	s.mu.Unlock()
	s.hub.Disconnect(t, how)
}

// cut gives the streams that are without a socket.
func (s *streams) cut(match func(*stream) bool) (some []*stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.byID {
		if _, cut := t.cutSince(); cut && match(t) {
			some = append(some, t)
		}
	}
	return some
}

// sweep ends those to which nobody has come back in time.
func (s *streams) sweep(now time.Time) {
	before := now.Add(-s.within)
	for _, t := range s.cut(func(*stream) bool { return true }) {
		if t.expire(before) {
			s.gone(t, hub.Lost)
		}
	}
}

// signOutIf ends those that match; those that have a socket end with it.
func (s *streams) signOutIf(match func(sessionID, userID string) bool) {
	for _, t := range s.cut(func(t *stream) bool { return match(t.session, t.user) }) {
		if t.expire(time.Now()) {
			s.gone(t, hub.SignedOut)
		}
	}
}
