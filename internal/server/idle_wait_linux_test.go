package server_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// readersWait is how many sockets have a goroutine.
func readersWait() int {
	b := make([]byte, 4<<20)
	return bytes.Count(b[:runtime.Stack(b, true)], []byte(".(*socket).wake("))
}

// Who connects, asks what a client asks and then listens needs no goroutine while it does, though nobody has pinged it yet;
// who talks has one.
func TestAListenerHasNoGoroutine(t *testing.T) {
	s := open(t, func(c *server.Config) { c.PingEvery = time.Hour })
	p := s.guest("alice").raw()
	p.number(signal.Resume{}, "a")
	until := func(want int) {
		t.Helper()
		for end := time.Now().Add(patience); readersWait() != want; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("%d readers, want %d", readersWait(), want)
			}
		}
	}
	for range 3 {
		p.must(signal.MessageUnread, "", "", nil)
		until(0)
	}
	for range 10 {
		p.must(signal.MessageUnread, "", "", nil)
	}
	until(1)
}
