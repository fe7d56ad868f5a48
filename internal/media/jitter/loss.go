package jitter

const (
	lossForget = 0.998 // a packet: half is forgotten after 7 s
	lossyFrom  = 0.0035
	lossyTo    = 0.001            // 14 s after two losses
	maxDepth   = 3                // packets after the lost one that are worth waiting for
	waitAtMost = rate * 80 / 1000 // and so much sound, unless the nearest copy is farther
	copyRecent = 200              // packets
)

// deepFrom is how much loss makes it worth waiting for copies so many packets away, when there are nearer ones.
var deepFrom = [maxDepth + 1]float64{2: 0.05, 3: 0.12}

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

// depth is for how many packets after a lost one, each of frame samples, it pays to wait.
func (l *loss) depth(newest, frame int64) int64 {
	if !l.lossy {
		return 0
	}
	best := int64(0)
	for d := int64(1); d <= maxDepth; d++ {
		if l.seen[d] == 0 || newest-l.seen[d] > copyRecent {
			continue
		}
		if best == 0 || d*frame <= waitAtMost && (l.share > deepFrom[d] || d-best > 1 && l.share > deepFrom[d-1]) {
			best = d // a sender that leaves out the middle one knows that losses come in rows
		}
	}
	return best
}
