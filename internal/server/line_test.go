package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// slowConn notes what is written. What comes first has to wait before it is, until it is let.
type slowConn struct {
	net.Conn
	let    chan struct{} // nil: nobody waits
	first  atomic.Bool
	mu     sync.Mutex
	writes []string
	until  time.Time
}

func (c *slowConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, string(b))
	return len(b), nil
}

func (c *slowConn) SetWriteDeadline(t time.Time) error {
	if c.let != nil && !c.first.Swap(true) {
		<-c.let
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t
	return nil
}

func (c *slowConn) written() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.writes, "|")
}

func say(t *testing.T, w io.Writer, s string) {
	t.Helper()
	if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
		t.Fatalf("%q: %d written, %v", s, n, err)
	}
}

var closing = string([]byte{0x80 | websocket.CloseMessage, 0})

func TestFramesGoOutTogether(t *testing.T) {
	c := &slowConn{}
	l := &line{Conn: c}
	say(t, l, "a")
	l.gather()
	say(t, l, "b")
	_ = l.SetWriteDeadline(time.Now()) // the flush has its own
	say(t, l, "c")
	if l.settle() {
		t.Error("settled before it was flushed")
	}
	until := time.Now().Add(time.Hour)
	if err := l.flush(until); err != nil || !c.until.Equal(until) {
		t.Errorf("flushed: %v, until %v", err, c.until)
	}
	if !l.settle() {
		t.Error("not settled after the flush")
	}
	say(t, l, "d")
	l.gather()
	say(t, l, strings.Repeat("x", gatherMost-1))
	if l.full() {
		t.Error("full too early")
	}
	say(t, l, "x")
	if !l.full() {
		t.Error("never full")
	}
	say(t, l, strings.Repeat("y", gatherMost+1)) // too long to be copied
	say(t, l, closing)                           // nothing comes after it: it does not wait
	if !l.settle() {
		t.Error("a close frame waits")
	}
	if want := "a|bc|d|" + strings.Repeat("x", gatherMost) + "|" + strings.Repeat("y", gatherMost+1) + "|" + closing; c.written() != want {
		t.Errorf("written: %.40q", c.written())
	}
}

// What is said while something is on its way comes after it, a close frame last of all.
func TestFramesStayInOrder(t *testing.T) {
	c := &slowConn{let: make(chan struct{})}
	l := &line{Conn: c}
	l.gather()
	const first, pong = "\x81\x05first", "\x8a\x04pong"
	say(t, l, first)
	until := func(ok func() bool) {
		for !ok() {
			runtime.Gosched()
		}
	}
	gathered := func() string {
		l.mu.Lock()
		defer l.mu.Unlock()
		return string(l.frames)
	}
	var ends sync.WaitGroup
	ends.Go(func() { _ = l.flush(time.Time{}) })
	until(func() bool { return gathered() == "" })
	say(t, l, pong) // the reader's: it must not wait
	ends.Go(func() { say(t, l, closing) })
	until(func() bool { return gathered() == pong+closing || c.written() != "" })
	for range 1000 {
		runtime.Gosched() // whoever wants to overtake
	}
	close(c.let)
	ends.Wait()
	if want := first + "|" + pong + closing; c.written() != want {
		t.Errorf("written: %q, want %q", c.written(), want)
	}
}

// What a long message goes on with is text, also where it looks like the beginning of a close frame; and a close frame
// after it is one.
func TestTextIsNoCloseFrame(t *testing.T) {
	for name, size := range map[string]int{"short": 1000, "long": 60_000, "very long": 70_000} {
		t.Run(name, func(t *testing.T) {
			c := &slowConn{}
			l := &line{Conn: c}
			l.gather()
			begin := string([]byte{0x81, 126, byte(size >> 8), byte(size)})
			if size > 0xffff {
				begin = string([]byte{0x81, 127, 0, 0, 0, 0, 0, byte(size >> 16), byte(size >> 8), byte(size)})
			}
			say(t, l, begin+strings.Repeat("x", 500))
			say(t, l, closing+strings.Repeat("x", size-500-len(closing)-3))
			c.until = time.Time{}
			say(t, l, closing+"x")
			if !c.until.IsZero() {
				t.Errorf("text ends the socket at %v", c.until)
			}
			say(t, l, closing)
			if c.until.IsZero() || !l.settle() {
				t.Error("a close frame waits")
			}
		})
	}
}

// The deadline of a pong that is said while nothing is gathered is not that of the flush that begins just then.
func TestAPongsDeadlineIsItsOwn(t *testing.T) {
	c := &slowConn{let: make(chan struct{})}
	l := &line{Conn: c}
	var ends sync.WaitGroup
	ends.Go(func() { _ = l.SetWriteDeadline(time.Now().Add(time.Second)) })
	for !c.first.Load() {
		runtime.Gosched()
	}
	until := time.Now().Add(time.Hour)
	ends.Go(func() {
		l.gather()
		_ = l.flush(until)
	})
	for range 1000 {
		runtime.Gosched() // whoever wants to overtake
	}
	close(c.let)
	ends.Wait()
	if !c.until.Equal(until) {
		t.Errorf("the flush has until %v, want %v", c.until, until)
	}
}

// A socket whose other end takes nothing ends after the time for that, whatever was gathered.
func TestWritingEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	k := &line{Conn: ours}
	k.gather()
	big := bytes.Repeat([]byte("x"), 1<<20)
	for range 64 { // more than both ends' buffers
		_ = k.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err = k.Write(big); err != nil {
			break
		}
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing ends with %v", err)
	}
	if !k.settle() {
		t.Error("what was not taken is kept")
	}
}
