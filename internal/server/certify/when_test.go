package certify

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

func TestRenewsWithAThirdLeft(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, life := range []time.Duration{90 * 24 * time.Hour, 6 * 24 * time.Hour} {
		to := from.Add(life)
		for _, roll := range []float64{0, 0.5, 1} {
			left := to.Sub(renewAt(from, to, roll))
			if left < life/3 || left > life*11/30+time.Second {
				t.Errorf("of %v, %v are left", life, left)
			}
		}
	}
}

func TestPausesBetweenTries(t *testing.T) {
	const long = 30 * 24 * time.Hour
	var spent time.Duration
	tries := 1
	for n := 1; ; n++ { // within the first hour
		if spent += retryIn(n, retryFirst, long, 0, 0); spent >= time.Hour {
			break
		}
		tries++
	}
	if tries != 5 {
		t.Errorf("%d tries in the first hour", tries)
	}
	for _, c := range []struct {
		failures    int
		left, asked time.Duration
		want        time.Duration
	}{
		{1, long, 0, 2 * time.Minute},
		{1000, long, 0, retryMost},
		{1000, 23 * time.Hour, 0, retryLate},
		{1000, 0, 0, retryLate},
		{1000, -time.Hour, 0, retryLate},
		{1, long, time.Hour, time.Hour},          // it said so
		{1, long, 100 * time.Hour, retryMost},    // not for ever
		{1, 0, 3 * time.Hour, 3 * time.Hour},     // sooner would be refused
		{1000, long, time.Minute, retryMost},     // we may be slower
		{2, long, -time.Minute, 4 * time.Minute}, // nonsense
	} {
		if got := retryIn(c.failures, retryFirst, c.left, c.asked, 0); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		if got := retryIn(c.failures, retryFirst, c.left, c.asked, 1); got != c.want+c.want/10 {
			t.Errorf("%+v: at most %v", c, got)
		}
	}
}

func TestThePauseAnAuthorityAsksFor(t *testing.T) {
	limited := &acme.Error{ProblemType: "urn:ietf:params:acme:error:rateLimited", Header: map[string][]string{"Retry-After": {"90"}}}
	if got := askedFor(limited); got < 80*time.Second || got > 90*time.Second {
		t.Errorf("asked for %v", got)
	}
	if got := askedFor(&acme.Error{ProblemType: "urn:ietf:params:acme:error:malformed"}); got != 0 {
		t.Errorf("asked for %v", got)
	}
	for err, want := range map[error]string{
		&acme.AuthorizationError{}: "port 443", limited: "limits", &diskError{limited}: "data folder",
	} {
		if got := advice(err); !strings.Contains(got, want) {
			t.Errorf("%T: %q", err, got)
		}
	}
}
