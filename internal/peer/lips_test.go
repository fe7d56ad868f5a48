package peer

import (
	"testing"
	"time"
)

// Over a real connection sound and picture are compared, and stay together.
func TestLipsOfACall(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)
	eventually(t, "sound and picture are together", func() bool {
		b.lips.mu.Lock()
		defer b.lips.mu.Unlock()
		return b.lips.sync.known && absDuration(b.lips.sync.offset) <= 40*time.Millisecond
	})
	b.lips.mu.Lock()
	defer b.lips.mu.Unlock()
	if s := b.lips.sync; s.soundExtra > maxExtra || s.pictureExtra > maxExtra {
		t.Errorf("sound held back %v, picture %v", s.soundExtra, s.pictureExtra)
	}
	t.Logf("%v apart, sound held back %v, picture %v", b.lips.sync.offset, b.lips.sync.soundExtra, b.lips.sync.pictureExtra)
}
