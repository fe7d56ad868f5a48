package lossylink

import (
	"net"
	"slices"
	"sync"
	"time"
)

// Shape puts a bad line before conn: what is written to it travels through a Line of that Spec before conn sends it. Give
// it to both ends, or with the relay's socket to a whole call. Needs no root. Close it instead of conn.
func Shape(conn net.PacketConn, s Spec, seed uint64) *Shaped {
	c := &Shaped{PacketConn: conn, line: NewLine(s, seed), began: time.Now(), wake: make(chan struct{}, 1), closed: make(chan struct{})}
	c.loop.Go(c.send)
	return c
}

// Shaped is a PacketConn behind a bad line.
type Shaped struct {
	net.PacketConn
	began  time.Time
	wake   chan struct{}
	closed chan struct{}
	once   sync.Once
	loop   sync.WaitGroup

	mu   sync.Mutex
	line *Line
}

// WriteTo never waits and never fails: what becomes of a packet is the line's matter.
func (c *Shaped) WriteTo(p []byte, to net.Addr) (int, error) {
	c.mu.Lock()
	c.line.Put(Packet{slices.Clone(p), to}, time.Since(c.began))
	c.mu.Unlock()
	c.stir()
	return len(p), nil
}

// Set changes the line; see Spec.Apply.
func (c *Shaped) Set(text string) error {
	c.mu.Lock()
	err := c.line.Set(text, time.Since(c.began))
	c.mu.Unlock()
	c.stir()
	return err
}

// Count is the line's counters so far.
func (c *Shaped) Count() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.line.Count
}

func (c *Shaped) stir() {
	select {
	case c.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// send hands packets to the socket when they are due.
func (c *Shaped) send() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due, next := c.due()
		for _, p := range due {
			_, _ = c.PacketConn.WriteTo(p.Data, p.To) // a packet more that is lost
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-c.wake:
		case <-c.closed:
			return
		}
	}
}

func (c *Shaped) due() (due []Packet, next time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Since(c.began)
	for p, ok := c.line.Due(now); ok; p, ok = c.line.Due(now) {
		due = append(due, p)
	}
	if at, ok := c.line.Next(); ok {
		return due, max(at-now, 0)
	}
	return due, time.Hour
}

// Close closes conn; what is still under way is lost.
func (c *Shaped) Close() error {
	err := c.PacketConn.Close()
	c.once.Do(func() { close(c.closed) })
	c.loop.Wait()
	return err
}
