package server

import "testing"

func TestThrift(t *testing.T) {
	var th thrift
	turns := func(n int, connects uint64, want int) {
		t.Helper()
		got := 0
		for range n {
			if th.due(connects) {
				got++
			}
		}
		if got != want {
			t.Errorf("after %d connects memory was given back %d times, want %d", connects, got, want)
		}
	}
	turns(100, 0, 0)
	turns(100, 499, 0) // few connects are not worth it
	turns(thriftTurns, 1000, 0)
	turns(thriftTurns-1, 2000, 0) // it goes on
	turns(100, 2010, 1)           // calm, but for a few
	turns(100, 2400, 0)
	turns(100, 2600, 1)
}

func TestGarbageOfAnIdleServer(t *testing.T) {
	var th thrift
	const live = 40 << 20
	made := uint64(300 << 20) // before it was first asked
	for i, c := range []struct {
		made uint64 // in this turn
		want int
	}{
		{0, usualGarbage},
		{300 << 10, calmGarbage},
		{900 << 10, calmGarbage},
		{1100 << 10, usualGarbage},
		{150 << 20, usualGarbage},
		{0, calmGarbage},
	} {
		made += c.made
		if got := th.garbage(made, live); got != c.want {
			t.Errorf("turn %d: %d %% of garbage, want %d", i, got, c.want)
		}
	}
	if got := th.garbage(made+1, 0); got != usualGarbage {
		t.Errorf("before anything was collected: %d %% of garbage", got)
	}
}
