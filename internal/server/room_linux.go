package server

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// roomEvents is how many connections are woken together.
const roomEvents = 128

// room is where connections with nothing to read wait: all of them in one epoll set, which is nested in Go's poller. A
// goroutine for each would be most of what an idle client costs. Go's poller goes on watching the same descriptors, for
// who reads and writes as usual; its read deadlines end nobody's wait here, so the room keeps them as well.
type room struct {
	began   time.Time // what deadlines are counted from: they must not move with the wall clock
	epoll   int
	file    *os.File
	parking syscall.RawConn
	running sync.WaitGroup

	mu     sync.Mutex
	places []*waitingConn // by descriptor: who waits
	next   time.Duration  // none who waits has a deadline before; 0: none has any
	closed bool
}

// newRoom opens one; nil where the system does not have what it takes: then each waits by itself.
func newRoom() *room {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	if unix.SetNonblock(epoll, true) != nil { // else os.NewFile keeps it from Go's poller
		_ = unix.Close(epoll)
		return nil
	}
	r := &room{began: time.Now(), epoll: epoll, file: os.NewFile(uintptr(epoll), "epoll")}
	if r.parking, err = r.file.SyscallConn(); err == nil {
		err = r.file.SetReadDeadline(time.Time{}) // only a file that is in Go's poller has deadlines
	}
	if err != nil {
		_ = r.file.Close()
		return nil
	}
	r.running.Go(r.run)
	return r
}

// Close ends the room once nobody is in it any more.
func (r *room) Close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	_ = r.file.Close()
	r.running.Wait()
}

// enter lets a connection wait, until it is woken once; false: it must do so elsewhere.
func (r *room) enter(c *waitingConn) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.closed || r.closed {
		return false // where it waits else it is told so
	}
	how := unix.EPOLL_CTL_MOD
	if !c.watched {
		how = unix.EPOLL_CTL_ADD
	}
	// What is there already is an event as well.
	once := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: c.fd}
	if unix.EpollCtl(r.epoll, how, int(c.fd), &once) != nil {
		return false // the system allows every user so many of them
	}
	c.watched = true
	if missing := int(c.fd) + 1 - len(r.places); missing > 0 {
		r.places = append(r.places, make([]*waitingConn, missing)...)
	}
	r.places[c.fd] = c
	r.expectLocked(c.until)
	return true
}

// leave takes out one that is about to be closed, and says whether it waited.
func (r *room) leave(c *waitingConn) (waited bool) {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c.closed = true
	if waited = r.waitsLocked(c); waited {
		r.places[c.fd] = nil
	}
	return waited
}

// waitsLocked looks a connection up; others may have its descriptor after it.
func (r *room) waitsLocked(c *waitingConn) bool {
	return int(c.fd) < len(r.places) && r.places[c.fd] == c
}

// remind keeps the read deadline of a connection.
func (r *room) remind(c *waitingConn, at time.Time) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.until = 0; !at.IsZero() {
		c.until = max(1, at.Sub(r.began))
	}
	if r.waitsLocked(c) {
		r.expectLocked(c.until)
	}
}

// expectLocked makes sure that the room looks at its deadlines at that time.
func (r *room) expectLocked(until time.Duration) {
	if until > 0 && (r.next == 0 || until < r.next) {
		r.next = until
		_ = r.file.SetReadDeadline(r.began.Add(until)) // it can; see newRoom
	}
}

// run wakes who has something to read, or a deadline behind it.
func (r *room) run() {
	events := make([]unix.EpollEvent, roomEvents)
	var awake []*waitingConn
	for {
		n := 0
		err := r.parking.Read(func(fd uintptr) bool {
			n = ready(int(fd), events)
			return n > 0
		})
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		awake = r.call(events[:n], time.Since(r.began), awake[:0])
		for _, c := range awake {
			go c.sleeper.wake()
		}
		clear(awake)
	}
}

// ready asks without waiting.
func ready(epoll int, events []unix.EpollEvent) int {
	for {
		n, err := unix.EpollWait(epoll, events, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0
		default:
			return n
		}
	}
}

// call appends those who wait no longer. An event may be for one who has left, and find another with its descriptor: to
// be woken for nothing does no harm.
func (r *room) call(events []unix.EpollEvent, now time.Duration, awake []*waitingConn) []*waitingConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		if c := r.places[e.Fd]; c != nil {
			r.places[e.Fd] = nil
			awake = append(awake, c)
		}
	}
	if r.next == 0 || now < r.next {
		return awake
	}
	r.next = 0
	_ = r.file.SetReadDeadline(time.Time{})
	for fd, c := range r.places {
		switch {
		case c == nil:
		case c.until == 0 || c.until > now:
			r.expectLocked(c.until)
		default:
			r.places[fd] = nil
			awake = append(awake, c)
			_ = c.TCPConn.SetReadDeadline(r.began) // Go's own timer may be a moment late, and reading would not fail yet
		}
	}
	return awake
}
