package peer

import "time"

// keyGate spaces key frames that are asked for. Each costs several pictures' bits, so who keeps asking gets them less
// and less often: no flood of requests can eat the line. It is pure.
type keyGate struct {
	last  time.Time
	pause time.Duration
}

const (
	keyPauseLeast = 300 * time.Millisecond
	keyPauseMost  = time.Second
	keyCalm       = 3 * time.Second // without one: the next may come at once
)

// may says whether a key frame may be sent now.
func (g *keyGate) may(now time.Time) bool { return g.last.IsZero() || now.Sub(g.last) >= g.pause }

// given says that one was sent; asked, that somebody wanted it.
func (g *keyGate) given(now time.Time, asked bool) {
	if g.last.IsZero() || now.Sub(g.last) > keyCalm || !asked {
		g.pause = keyPauseLeast
	} else {
		g.pause = min(g.pause*3/2, keyPauseMost)
	}
	g.last = now
}
