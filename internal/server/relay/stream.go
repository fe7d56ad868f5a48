package relay

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

// Time limits of TCP clients.
const (
	firstFrameIn = 10 * time.Second // to the first frame, and between frames while there is no allocation
	quietFor     = 11 * time.Minute // an allocation not refreshed for 10 minutes is gone
	writeWithin  = 10 * time.Second // then the client is too slow for a call
)

// listener is a source of TCP connections as pion sees it: it survives errors of Accept (pion's loop ends at the first)
// and bounds the number of connections.
type listener struct {
	net.Listener
	*crowd
	guard   *guard
	running *sync.WaitGroup
	closed  chan struct{}
	shut    sync.Once
}

// crowd is the TCP clients of all listeners together.
type crowd struct {
	mu      sync.Mutex
	ended   bool
	streams map[*stream]struct{}
	perIP   map[netip.Addr]int
	clients map[client]struct{}
}

func newListener(l net.Listener, g *guard, running *sync.WaitGroup) *listener {
	return &listener{
		Listener: l, guard: g, running: running, closed: make(chan struct{}),
		crowd: &crowd{streams: map[*stream]struct{}{}, perIP: map[netip.Addr]int{}, clients: map[client]struct{}{}},
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for failures := 0; ; {
		c, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			if failures++; !pause(failures, l.closed) {
				return nil, net.ErrClosed
			}
			continue
		}
		failures = 0
		if s := l.admit(c); s != nil {
			return s, nil
		}
		_ = c.Close()
	}
}

// open is how many connections there are.
func (l *crowd) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.streams)
}

func (l *listener) admit(c net.Conn) *stream {
	from := clientOf(c.RemoteAddr())
	limits := l.guard.book.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	// The book knows clients by their address: one port of theirs must not come in by two listeners at once.
	if _, twice := l.clients[from]; twice || l.ended || len(l.streams) >= limits.Streams || l.perIP[from.at.Addr()] >= limits.PerAddress {
		return nil
	}
	s := &stream{Conn: c, in: bufio.NewReaderSize(c, 4096), listener: l, client: from}
	l.streams[s] = struct{}{}
	l.clients[from] = struct{}{}
	l.perIP[from.at.Addr()]++
	l.running.Add(1) // pion serves it until it is closed
	return s
}

func (l *crowd) forget(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, s)
	delete(l.clients, s.client)
	if l.perIP[s.client.at.Addr()]--; l.perIP[s.client.at.Addr()] <= 0 {
		delete(l.perIP, s.client.at.Addr())
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.shut.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// closeStreams ends the connections, which pion leaves open when it closes.
func (l *crowd) closeStreams() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for s := range l.streams {
		_ = s.Conn.Close() // pion's reader then calls stream.Close
	}
}

// stream is one TCP client as pion sees it. Its Read gives one whole frame at a time, because pion's own framing takes
// the length modulo 65536 (a header that says 65516 makes it loop for ever) and recurses for every piece it reads.
type stream struct {
	net.Conn
	in       *bufio.Reader
	listener *listener
	client   client
	once     sync.Once
}

var (
	errNotTURN = errors.New("neither STUN nor ChannelData")
	errTooLong = errors.New("frame too long")
)

// Read gives the next frame. b has maxDatagram bytes, as pion's buffer has.
func (s *stream) Read(b []byte) (int, error) {
	g := s.listener.guard
	g.book.births.past(s.client)
	for {
		n, err := s.readFrame(b)
		if err != nil || g.admits(b[:n], s.client) {
			return n, err
		}
	}
}

func (s *stream) readFrame(b []byte) (int, error) {
	wait := firstFrameIn
	if s.listener.guard.book.hasAllocation(s.client) {
		wait = quietFor
	}
	if err := s.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return 0, err
	}
	head, err := s.in.Peek(channelHeader)
	if err != nil {
		return 0, err
	}
	if head[0]>>6 == 0 {
		if head, err = s.in.Peek(stunHeader); err != nil {
			return 0, err
		}
	}
	size, err := frameSize(head)
	if err != nil {
		return 0, err
	}
	if size >= len(b) {
		return 0, errTooLong
	}
	return io.ReadFull(s.in, b[:size])
}

const (
	channelHeader = 4  // bytes
	stunHeader    = 20 // bytes
)

// frameSize reads the header of a frame: RFC 8489, section 5, and RFC 8656, section 12.5.
func frameSize(head []byte) (int, error) {
	length := int(binary.BigEndian.Uint16(head[2:]))
	switch {
	case head[0]>>6 == 0 && stun.IsMessage(head) && length%4 == 0:
		return stunHeader + length, nil
	case head[0]>>4 == 4: // channels 0x4000 to 0x4FFF
		return channelHeader + (length+3)&^3, nil
	}
	return 0, errNotTURN
}

// Write sends one message of pion's.
func (s *stream) Write(b []byte) (int, error) {
	out, ok := s.listener.guard.answers(b, s.client)
	if !ok {
		return len(b), nil
	}
	if err := s.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return 0, err
	}
	if _, err := s.Conn.Write(out); err != nil {
		_ = s.Conn.Close() // what was written may be half a frame
		return 0, err
	}
	return len(b), nil
}

// Close is called by pion when it has stopped reading.
func (s *stream) Close() error {
	err := s.Conn.Close()
	s.once.Do(func() {
		s.listener.forget(s)
		s.listener.running.Done()
	})
	return err
}
