package relay

import (
	"cmp"
	"net/netip"
	"sync"
	"time"
)

// refusals limits STUN errors to each source, so that a forged source address is not flooded with our 401s and nobody
// guesses at speed. Loopback cannot be forged from outside and is not limited: tests and proxies come from there.
type refusals struct {
	perSecond int // 0: the default

	mu   sync.Mutex
	left map[netip.Prefix]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxSources bounds the table; when it is full, those who have been quiet for a second are forgotten, and if that is
// nobody, nobody new is answered.
const maxSources = 1 << 16

// pass says whether one more error may be sent there.
func (r *refusals) pass(to netip.Addr, now time.Time) bool { return to.IsLoopback() || r.take(to, now) }

func (r *refusals) take(to netip.Addr, now time.Time) bool {
	bits := 32
	if to.Is6() {
		bits = 64
	}
	source, err := to.Prefix(bits)
	if err != nil {
		return false
	}
	most := float64(cmp.Or(r.perSecond, DefaultLimits.Refusals))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == nil {
		r.left = map[netip.Prefix]bucket{}
	}
	u, known := r.left[source]
	if !known {
		if len(r.left) >= maxSources && !r.forgetLocked(now) {
			return false
		}
		u = bucket{most, now}
	}
	u.tokens = min(most, u.tokens+now.Sub(u.at).Seconds()*most)
	u.at = now
	ok := u.tokens >= 1
	if ok {
		u.tokens--
	}
	r.left[source] = u
	return ok
}

func (r *refusals) forgetLocked(now time.Time) bool {
	for source, u := range r.left {
		if now.Sub(u.at) >= time.Second {
			delete(r.left, source)
		}
	}
	return len(r.left) < maxSources
}

func now() time.Time { return time.Now() }
