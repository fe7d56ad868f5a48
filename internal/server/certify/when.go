package certify

import (
	"errors"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	// retryFirst doubles after each failure: five tries in the first hour, as many failed proofs as Let's Encrypt allows.
	retryFirst = 2 * time.Minute
	retryMost  = 12 * time.Hour
	retryLate  = time.Hour // at most, when there is no certificate or it ends within a day
)

// renewAt is when a certificate is renewed: with a third of its life left, as authorities advise whatever its length, and
// up to a thirtieth earlier, so that not all servers of a day come at once. roll is 0 to 1.
func renewAt(from, to time.Time, roll float64) time.Time {
	life := to.Sub(from)
	return to.Add(-life/3 - time.Duration(roll*float64(life)/30))
}

// retryIn is the pause after so many failures in a row (1 and more) with so much of the present certificate's life left
// (0 and less: none). asked is the pause that the authority asked for. roll is 0 to 1 and makes it up to a tenth longer.
func retryIn(failures int, first, left, asked time.Duration, roll float64) time.Duration {
	most := retryMost
	if left < 24*time.Hour {
		most = retryLate
	}
	pause := most
	if failures < 20 {
		pause = min(first<<(failures-1), most)
	}
	pause = max(pause, min(asked, retryMost)) // it knows its limits, but not that we have no certificate
	return pause + time.Duration(roll*float64(pause)/10)
}

// askedFor is the pause that a refusal asks for; 0: none.
func askedFor(err error) time.Duration {
	var refused *acme.Error
	if !errors.As(err, &refused) {
		return 0
	}
	wait, _ := acme.RateLimit(refused)
	return wait
}

// retryNonce lets the library repeat what failed for a stale nonce only (RFC 8555, section 6.5); for all else Keeper has
// its own pauses, which are longer.
func retryNonce(n int, _ *http.Request, res *http.Response) time.Duration {
	if res != nil && res.StatusCode == http.StatusBadRequest && n < 10 {
		return time.Duration(n) * 10 * time.Millisecond
	}
	return -1
}
