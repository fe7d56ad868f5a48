package server

import (
	"testing"
	"testing/synctest"
	"time"
)

// Pings of many sockets come in no bursts, and those of a turn do not reach into the next.
func TestPingsAreSpreadOverTheirTurn(t *testing.T) {
	for _, n := range []int{0, 1, pingsAtOnce, pingsAtOnce + 1, 1000, 50_000} {
		synctest.Test(t, func(t *testing.T) {
			began, done, most := time.Now(), 0, 0
			at := map[time.Time]int{}
			if !spread(make([]int, n), time.Second, nil, func(int) {
				done++
				at[time.Now()]++
				most = max(most, at[time.Now()])
			}) {
				t.Error("quit by itself")
			}
			took := time.Since(began)
			if done != n || most > pingsAtOnce || took >= time.Second || n >= 1000 && took < time.Second/2 || n <= pingsAtOnce && took > 0 {
				t.Errorf("%d of %d in %v, at most %d at once", done, n, took, most)
			}
		})
	}
}

func TestPingsEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quit, done := make(chan struct{}), 0
		close(quit)
		began := time.Now()
		if spread(make([]int, 1000), time.Second, quit, func(int) { done++ }) || done != pingsAtOnce || time.Since(began) > 0 {
			t.Errorf("went on for %v and %d", time.Since(began), done)
		}
	})
}
