package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// soon is how long a test waits for what must come.
const soon = 20 * time.Second

// dozer is a sleeper that says when it is woken.
type dozer chan struct{}

func (d dozer) wake() { d <- struct{}{} }

func (d dozer) woken(t *testing.T, by string) {
	t.Helper()
	select {
	case <-d:
	case <-time.After(soon):
		t.Fatalf("not woken by %s", by)
	}
}

// waitingPair is two ends of a TCP connection, of which ours may wait in the room.
func waitingPair(t *testing.T, r *room) (ours waiter, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if theirs, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	c, err := patientListener{l, r}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return waiterOf(c), theirs
}

// openRoom opens a room; without one, each waits by itself, and all must be the same.
func openRoom(t *testing.T, alone bool) *room {
	t.Helper()
	if alone {
		return nil
	}
	r := newRoom()
	if r == nil {
		t.Fatal("no room")
	}
	t.Cleanup(r.Close)
	return r
}

// tried reads without waiting.
func tried(c waiter) (string, error) {
	c.Try(true)
	defer c.Try(false)
	b := make([]byte, 64)
	n, err := c.Read(b)
	return string(b[:n]), err
}

func TestWaitingEnds(t *testing.T) {
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprintf("alone=%v", alone), func(t *testing.T) {
			r := openRoom(t, alone)
			for _, c := range []struct {
				by   string
				do   func(ours waiter, theirs net.Conn)
				want error
			}{
				{"bytes", func(_ waiter, theirs net.Conn) { _, _ = theirs.Write([]byte("x")) }, nil},
				{"the other's end", func(_ waiter, theirs net.Conn) { _ = theirs.Close() }, io.EOF},
				{"its own end", func(ours waiter, _ net.Conn) { _ = ours.Close() }, net.ErrClosed},
				{"a deadline that is over", func(ours waiter, _ net.Conn) { _ = ours.SetReadDeadline(time.Now().Add(-time.Second)) }, os.ErrDeadlineExceeded},
				{"a deadline", func(ours waiter, _ net.Conn) { _ = ours.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) }, os.ErrDeadlineExceeded},
				{"a deadline that has come nearer", func(ours waiter, _ net.Conn) {
					_ = ours.SetReadDeadline(time.Now().Add(time.Hour))
					_ = ours.SetDeadline(time.Now().Add(20 * time.Millisecond))
				}, os.ErrDeadlineExceeded},
			} {
				for _, before := range []bool{true, false} { // it happens before the waiting begins, or after
					ours, theirs := waitingPair(t, r)
					d := make(dozer, 1)
					if before {
						c.do(ours, theirs)
						ours.Await(d)
					} else {
						ours.Await(d)
						c.do(ours, theirs)
					}
					d.woken(t, c.by)
					if _, err := tried(ours); !errors.Is(err, c.want) {
						t.Errorf("%s (before: %v): reading gives %v, want %v", c.by, before, err, c.want)
					}
					_ = ours.Close()
					_ = theirs.Close()
				}
			}
		})
	}
}

// A deadline that was moved away ends nothing, and the next one is kept all the same.
func TestDeadlineMovesAway(t *testing.T) {
	r := openRoom(t, false)
	late, _ := waitingPair(t, r)
	soonest, _ := waitingPair(t, r)
	lateWoken, woken := make(dozer, 1), make(dozer, 1)
	_ = late.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_ = late.SetReadDeadline(time.Now().Add(time.Hour))
	late.Await(lateWoken)
	for range 3 {
		_ = soonest.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		soonest.Await(woken)
		woken.woken(t, "its deadline")
		if _, err := tried(soonest); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("reading gives %v", err)
		}
	}
	if len(lateWoken) != 0 {
		t.Error("one whose deadline was moved away has been woken")
	}
}

// Many wait at once, over and over: each is woken for what it gets, none for ever, and none costs a goroutine.
func TestManyWait(t *testing.T) {
	r := openRoom(t, false)
	const many, rounds = 200, 20
	ours, theirs, woken := make([]waiter, many), make([]net.Conn, many), make([]dozer, many)
	before := runtime.NumGoroutine()
	for i := range many {
		ours[i], theirs[i] = waitingPair(t, r)
		woken[i] = make(dozer, 1)
		ours[i].Await(woken[i])
	}
	if now := runtime.NumGoroutine(); now > before+2 {
		t.Errorf("%d goroutines wait for %d connections", now-before, many)
	}
	for round := range rounds {
		for i, c := range theirs {
			if _, err := fmt.Fprintf(c, "%d to %d", round, i); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range ours {
			for {
				woken[i].woken(t, "its bytes")
				got, err := tried(c)
				if errors.Is(err, errNothing) { // woken for nothing does no harm
					c.Await(woken[i])
					continue
				}
				if want := fmt.Sprintf("%d to %d", round, i); got != want || err != nil {
					t.Fatalf("got %q, %v, want %q", got, err, want)
				}
				c.Await(woken[i])
				break
			}
		}
	}
}

// A descriptor is given again at once: what waited there before has no part in what comes now.
func TestDescriptorIsGivenAgain(t *testing.T) {
	r := openRoom(t, false)
	for range 50 {
		old, far := waitingPair(t, r)
		gone := make(dozer, 2)
		old.Await(gone)
		_, _ = far.Write([]byte("for the old one"))
		_ = old.Close()
		gone.woken(t, "its end")
		now, theirs := waitingPair(t, r)
		woken := make(dozer, 1)
		now.Await(woken)
		_, _ = theirs.Write([]byte("for the new one"))
		for {
			woken.woken(t, "its bytes")
			got, err := tried(now)
			if errors.Is(err, errNothing) {
				now.Await(woken)
				continue
			}
			if got != "for the new one" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
			break
		}
		if len(gone) != 0 {
			t.Fatal("who has left was woken twice")
		}
		_ = now.Close()
		_ = far.Close()
		_ = theirs.Close()
	}
}
