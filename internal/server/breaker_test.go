package server_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// breaker is the network between clients and a server, which breaks: connections are reset after a random number of
// bytes, in the middle of whatever goes either way just then.
type breaker struct {
	t        *testing.T
	to       string
	listener net.Listener
	breaking atomic.Bool  // connections made from now on do not live long
	shut     atomic.Bool  // none are made
	cuts     atomic.Int64 // connections that were broken
	running  sync.WaitGroup

	mu   sync.Mutex
	dice *rand.Rand
	open map[net.Conn]bool

	heard *sync.Cond // some talker's counts have changed
}

// Every connection lives for so many bytes of both ways together: some do not get through the upgrade, some are cut
// while a session is being resumed, the most after a few messages.
const (
	shortestLife = 200
	longestLife  = 5000
)

func newBreaker(t *testing.T, to string) *breaker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{t: t, to: to, listener: l, dice: rand.New(rand.NewPCG(1, 2)), open: map[net.Conn]bool{}, heard: sync.NewCond(&sync.Mutex{})}
	b.running.Go(b.accept)
	t.Cleanup(func() {
		_ = l.Close()
		b.cutAll()
		b.running.Wait()
	})
	return b
}

func (b *breaker) url() string { return "ws://" + b.listener.Addr().String() + "/ws" }

func (b *breaker) accept() {
	for {
		near, err := b.listener.Accept()
		if err != nil {
			return
		}
		if b.shut.Load() {
			reset(near)
			continue
		}
		far, err := net.Dial("tcp", b.to)
		if err != nil {
			reset(near)
			continue
		}
		b.mu.Lock()
		left := &atomic.Int64{}
		left.Store(int64(shortestLife + b.dice.IntN(longestLife-shortestLife)))
		b.open[near], b.open[far] = true, true
		b.mu.Unlock()
		broken := &sync.Once{}
		b.running.Go(func() { b.pass(near, far, left, broken) })
		b.running.Go(func() { b.pass(far, near, left, broken) })
	}
}

// pass carries bytes until the connection's life is over.
func (b *breaker) pass(from, to net.Conn, left *atomic.Int64, broken *sync.Once) {
	defer b.forget(from, to)
	buf := make([]byte, 1024)
	mortal := b.breaking.Load()
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if rest := left.Add(-int64(n)); mortal && rest <= 0 {
				_, _ = to.Write(buf[:max(0, n+int(rest))]) // the beginning of something may still arrive
				broken.Do(func() { b.cuts.Add(1) })
				reset(from)
				reset(to)
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				reset(from)
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				_ = to.(*net.TCPConn).CloseWrite()
			} else {
				reset(to)
			}
			return
		}
	}
}

func (b *breaker) forget(conns ...net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range conns {
		delete(b.open, c)
	}
}

// cutAll breaks every connection now.
func (b *breaker) cutAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.open {
		reset(c)
	}
}

// reset ends a connection as a network does that is no more: what is on its way is lost.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
