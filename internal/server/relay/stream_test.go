package relay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"
)

// serve gives bytes to a stream and collects the frames pion would see.
func serve(t *testing.T, b []byte) (frames [][]byte, err error) {
	t.Helper()
	near, far := net.Pipe()
	l := newListener(nil, newGuard(), &sync.WaitGroup{})
	s := l.admit(near)
	go func() {
		for len(b) > 0 { // in pieces, as TCP may
			n := min(len(b), 7)
			if _, err := far.Write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
		_ = far.Close()
	}()
	defer func() { _ = s.Close(); _ = far.Close() }()
	for buf := make([]byte, maxDatagram); ; {
		n, err := s.Read(buf)
		if err != nil {
			return frames, err
		}
		frames = append(frames, append([]byte(nil), buf[:n]...))
	}
}

func TestFrames(t *testing.T) {
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewSoftware("x")).Raw
	data := []byte{0x40, 0x01, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0}
	got, err := serve(t, bytes.Join([][]byte{binding, data, binding, data}, nil))
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if len(got) != 4 || !bytes.Equal(got[0], binding) || !bytes.Equal(got[1], data) || !bytes.Equal(got[2], binding) {
		t.Errorf("%d frames: %x", len(got), got)
	}
	for name, b := range map[string][]byte{
		"HTTP":             []byte("GET / HTTP/1.1\r\n\r\n"),
		"TLS":              {0x16, 3, 1, 0, 100},
		"a wrong cookie":   {0, 1, 0, 0},
		"an odd length":    {0, 1, 0, 3, 0x21, 0x12, 0xa4, 0x42},
		"a high channel":   {0x50, 0, 0, 0},
		"the old channels": {0x7f, 0xff, 0, 0},
		"a long message":   {0, 1, 6, 0x40, 0x21, 0x12, 0xa4, 0x42},
		"long data":        {0x40, 1, 6, 0x40},
		// 65516 and the header of 20 make 65536, which is 0 where lengths have 16 bits.
		"an overflow":         {0, 1, 0xff, 0xec, 0x21, 0x12, 0xa4, 0x42},
		"an overflow of data": {0x40, 1, 0xff, 0xfd},
	} {
		got, err := serve(t, append(b, make([]byte, 100)...))
		if !errors.Is(err, errNotTURN) && !errors.Is(err, errTooLong) || len(got) > 0 {
			t.Errorf("%s: %d frames, %v", name, len(got), err)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
	f.Add([]byte{0x40, 0x01, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0})
	f.Add([]byte{0, 1, 0xff, 0xec, 0x21, 0x12, 0xa4, 0x42})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < channelHeader {
			return
		}
		size, err := frameSize(b)
		length := int(binary.BigEndian.Uint16(b[2:]))
		if err == nil && (size < channelHeader+length || size > stunHeader+length || size%4 != 0) {
			t.Errorf("%x: %d bytes", b[:4], size)
		}
	})
}

// Who opens a connection and says nothing, or stops half-way, is not waited for.
func TestSilentStreamsEnd(t *testing.T) {
	for name, b := range map[string]string{"silence": "", "half a frame": "\x00\x01\x00\x08\x21\x12\xa4\x42"} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			s := newListener(nil, newGuard(), &sync.WaitGroup{}).admit(near)
			defer s.Close()
			go func() { _, _ = far.Write([]byte(b)) }()
			began := time.Now()
			_, err := s.Read(make([]byte, maxDatagram))
			if !isTimeout(err) || time.Since(began) != firstFrameIn {
				t.Errorf("%s: %v after %v", name, err, time.Since(began))
			}
		})
	}
}

// A client that does not read does not hold up the relay for long.
func TestSlowStreamsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		s := newListener(nil, newGuard(), &sync.WaitGroup{}).admit(near)
		defer s.Close()
		began := time.Now()
		if _, err := s.Write([]byte("hello")); !isTimeout(err) || time.Since(began) != writeWithin {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, err := s.Write([]byte("hello")); err == nil {
			t.Error("written after half a frame")
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	s := start(t, &Server{})
	open := make([]net.Conn, 0, DefaultLimits.PerAddress)
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
	ask := func(c net.Conn) error {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Write(binding); err != nil {
			return err
		}
		_, err := c.Read(make([]byte, 100))
		return err
	}
	dialTCP := func() net.Conn {
		c, err := net.Dial("tcp", s.TCPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range DefaultLimits.PerAddress {
		c := dialTCP()
		open = append(open, c)
		if err := ask(c); err != nil {
			t.Fatal(err)
		}
	}
	c := dialTCP()
	defer c.Close()
	if err := ask(c); err == nil || isTimeout(err) {
		t.Errorf("one connection too many: %v", err)
	}
	_ = open[0].Close()
	for deadline := time.Now().Add(10 * time.Second); ; { // the place is free once the relay has noticed
		again := dialTCP()
		err := ask(again)
		_ = again.Close()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// failing is a listener that fails, then is closed.
type failing struct {
	net.Listener
	left int
}

func (l *failing) Accept() (net.Conn, error) {
	if l.left--; l.left >= 0 {
		return nil, errors.New("too many open files")
	}
	return nil, net.ErrClosed
}

func TestAcceptErrorsDoNotEndTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &failing{left: 5}
		l := newListener(inner, nil, nil)
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) || inner.left >= 0 {
			t.Errorf("%v with %d errors left", err, inner.left)
		}
	})
}
