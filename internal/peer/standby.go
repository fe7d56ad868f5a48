package peer

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// standby knows ways to the other beside the one that media takes: from other addresses of this machine, or to addresses
// that the other got later. Each is checked until it answers, and then often enough that one is at hand when the present
// way is lost, and that address translators keep it open. It is pure but for the paths it names.
type standby struct {
	ways []*way
}

// way is one of them.
type way struct {
	packetPath
	checks  int // unanswered
	next    time.Time
	rtt     time.Duration
	heard   time.Time // its last answer; zero: none yet
	refused time.Time // the other did not follow us there
	sent    map[[transactionIDSize]byte]time.Time
}

const (
	maxWays    = 16
	wayTries   = 10 // checks that nobody answers
	wayEvery   = 2500 * time.Millisecond
	wayFresh   = 3 * wayEvery           // an answer says so long that the way is open
	wayHurry   = 50 * time.Millisecond  // between two checks when the path is gone
	refusedFor = 30 * time.Second       // that a way is not taken without need
	goneFor    = 300 * time.Millisecond // for one to answer before an ICE restart, which takes some three round trips
	silentFor  = 5 * time.Second        // that a way is sought in a hurry when the path is silent
	moveEvery  = 50 * time.Millisecond  // between two words about a move
	moveAtMost = 600 * time.Millisecond // for the other to follow
)

// add begins with a way. When there is no room, one that was given up makes it; if none was, the new one is dropped.
func (s *standby) add(p packetPath, now time.Time) {
	if s.find(p) != nil {
		return
	}
	if len(s.ways) >= maxWays {
		i := slices.IndexFunc(s.ways, func(w *way) bool { return w.checks >= wayTries && !w.open(now) })
		if i < 0 {
			return
		}
		s.ways = slices.Delete(s.ways, i, i+1)
	}
	s.ways = append(s.ways, &way{packetPath: p, next: now, sent: map[[transactionIDSize]byte]time.Time{}})
}

func (s *standby) find(p packetPath) *way {
	i := slices.IndexFunc(s.ways, func(w *way) bool { return w.packetPath == p })
	if i < 0 {
		return nil
	}
	return s.ways[i]
}

// keep leaves out the ways that are none any more.
func (s *standby) keep(which func(*way) bool) {
	s.ways = slices.DeleteFunc(s.ways, func(w *way) bool { return !which(w) })
}

// due gives a way to check now; nil: none.
func (s *standby) due(now time.Time, hurry bool) *way {
	for _, w := range s.ways {
		if hurry && w.next.Sub(now) > wayHurry {
			w.next = now // the pause was a calm time's
		}
		if now.Before(w.next) || w.checks >= wayTries && !hurry {
			continue
		}
		pause := findPauses[min(w.checks, len(findPauses)-1)] * time.Millisecond
		switch {
		case hurry:
			pause = wayHurry
		case w.open(now):
			pause = wayEvery
		}
		w.checks++
		w.next = now.Add(pause)
		return w
	}
	return nil
}

// eager says whether one has not had its first checks yet, which are soon after each other.
func (s *standby) eager(now time.Time) bool {
	return slices.ContainsFunc(s.ways, func(w *way) bool {
		return w.heard.IsZero() && w.checks < wayTries && w.next.Sub(now) < time.Second
	})
}

// sentCheck notes a check.
func (w *way) sentCheck(id [transactionIDSize]byte, now time.Time) {
	maps.DeleteFunc(w.sent, func(_ [transactionIDSize]byte, at time.Time) bool { return now.Sub(at) > checkLife })
	w.sent[id] = now
}

// answered takes the answer to a check; a way must answer by itself.
func (s *standby) answered(p packetPath, id [transactionIDSize]byte, now time.Time) {
	w := s.find(p)
	if w == nil {
		return
	}
	if at, ok := w.sent[id]; ok {
		delete(w.sent, id)
		w.heard, w.rtt, w.checks = now, max(now.Sub(at), 1), 0
		w.next = now.Add(wayEvery)
	}
}

func (w *way) open(now time.Time) bool { return !w.heard.IsZero() && now.Sub(w.heard) < wayFresh }

// best gives the quickest open way from one of these addresses that has answered since; nil: none.
func (s *standby) best(now, since time.Time, from func(netip.Addr) bool) (best *way) {
	for _, w := range s.ways {
		refused := !w.refused.IsZero() && now.Sub(w.refused) < refusedFor
		if w.open(now) && !w.heard.Before(since) && !refused && from(w.at()) && (best == nil || w.rtt < best.rtt) {
			best = w
		}
	}
	return best
}

// at is our address.
func (p packetPath) at() netip.Addr { return p.conn.at() }
