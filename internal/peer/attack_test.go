package peer

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

var fingerprintLine = regexp.MustCompile(`a=fingerprint:sha-256 [0-9A-F:]+`)

// TestAttackFingerprintOfAThirdParty changes the fingerprint in an answer on its way, as a server or whoever sits in front
// of it could to let somebody else answer. The two ends then do not talk to each other at all (RFC 8827 section 5.6.4): no
// picture, no sound, and the call says that it failed.
func TestAttackFingerprintOfAThirdParty(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	third := make([]string, 32)
	for i := range third {
		third[i] = fmt.Sprintf("%02X", rng.IntN(256))
	}
	a, b := newPair(t, nil)
	b.hold = func(e Event) bool {
		answer, ok := e.(Answer)
		if !ok {
			return false
		}
		changed := fingerprintLine.ReplaceAllString(answer.SDP, "a=fingerprint:sha-256 "+strings.Join(third, ":"))
		if changed == answer.SDP {
			t.Error("there is no fingerprint in the answer")
		}
		a.GotAnswer(changed)
		return true
	}
	call(t, a, b)
	eventually(t, "the failure", func() bool { return has[Failed](a) })
	for _, p := range []*party{a, b} {
		if n := p.eye.present.Load(); n > 0 {
			t.Errorf("%d pictures came", n)
		}
		if has[Connected](p) {
			t.Error("a side says that it is connected")
		}
	}
	if a.ear.level(620) > 100 || b.ear.level(440) > 100 {
		t.Error("somebody hears the other")
	}
}
