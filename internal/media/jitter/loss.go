package jitter

const (
	lossForget = 0.998 // a packet: half is forgotten after 7 s
	lossyFrom  = 0.0035
	lossyTo    = 0.001 // 14 s after two losses
	deepFrom   = 0.05  // so much loss is worth waiting for copies of copies
	maxDepth   = 2     // packets after the lost one that are worth waiting for
	copyRecent = 200   // packets
)

// loss learns how many packets do not come, and how much later their copies do.
type loss struct {
	share float64
	lossy bool
	seen  [maxDepth + 1]int64 // the newest packet's number when a copy came so many packets after its original
}

// came takes a packet before which so many are missing.
func (l *loss) came(missing int64) {
	for range min(missing, 100) {
		l.share = l.share*lossForget + (1 - lossForget)
	}
	l.share *= lossForget
	switch {
	case l.share > lossyFrom:
		l.lossy = true
	case l.share < lossyTo:
		l.lossy = false
	}
}

// cameLate takes back a loss: it was only overtaken.
func (l *loss) cameLate() { l.share = max(l.share-(1-lossForget), 0) }

func (l *loss) copied(depth, newest int64) {
	if depth > 0 && depth <= maxDepth {
		l.seen[depth] = newest
	}
}

// depth is for how many packets after a lost one it pays to wait.
func (l *loss) depth(newest int64) int64 {
	recent := func(d int) bool { return l.seen[d] != 0 && newest-l.seen[d] < copyRecent }
	switch {
	case !l.lossy:
		return 0
	case l.share > deepFrom && recent(2):
		return 2
	case recent(1):
		return 1
	}
	return 0
}
