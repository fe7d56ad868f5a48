package peer

import (
	"sync"
	"time"
)

// decodeQueue holds assembled pictures for the decoder until it is time to show them, maxShowDelay at most. All must be
// decoded, because each is the reference of the next, so it is not the place to drop single ones; when it is full, the
// rest until a key frame is worthless.
type decodeQueue struct {
	mu    sync.Mutex
	queue []timedPicture
	wake  chan struct{}
}

type timedPicture struct {
	picture
	show    time.Time     // when it is to be shown,
	held    time.Duration // so much of that for the sound's sake,
	planned time.Time     // and when it would have been but for a standstill; due sets it
}

const (
	decodeQueueLimit = 60
	overdueLimit     = 3 // pictures that are due at once and still shown; beyond it only the newest are
)

func newDecodeQueue() *decodeQueue { return &decodeQueue{wake: make(chan struct{}, 1)} }

// put gives false when it had to throw everything away: the next picture must be a key frame.
func (q *decodeQueue) put(p timedPicture) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) >= decodeQueueLimit {
		q.queue = nil
		return false
	}
	q.queue = append(q.queue, p)
	signal(q.wake)
	return true
}

// due gives the next picture when it is time for it, and how many behind it are due as well; otherwise how long to wait,
// 0 for until wake. A picture's time is less by ahead: decoding takes that long. From still on the one that is shown
// stands still, if that is not zero: what comes next is due at once then, even before its time.
func (q *decodeQueue) due(now time.Time, ahead time.Duration, still time.Time) (p timedPicture, behind int, wait time.Duration, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 {
		return timedPicture{}, 0, 0, false
	}
	p = q.queue[0]
	p.planned = p.show
	if !still.IsZero() && p.show.After(still) {
		p.show = still
	}
	soon := now.Add(ahead + time.Millisecond)
	if wait := p.show.Sub(soon); wait > 0 {
		return timedPicture{}, 0, wait, false
	}
	q.queue = q.queue[1:]
	for _, next := range q.queue {
		if next.show.Before(soon) {
			behind++
		}
	}
	return p, behind, 0, true
}
