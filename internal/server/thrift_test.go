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
