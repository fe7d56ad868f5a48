package lossylink

import (
	"context"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

func started(t *testing.T, c Config) *Link {
	t.Helper()
	if err := Possible(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	var err error
	if c.Program, err = Build(ctx, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	l, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestRealLink sends UDP through the namespaces. Only lower bounds of time, and shares that chance keeps by far.
func TestRealLink(t *testing.T) {
	l := started(t, Config{Lines: []string{"both delay=30ms", "ab loss=20%"}, Seed: 1})
	a, b := l.listen(t, A), l.listen(t, B)

	const n = 500
	start := time.Now()
	go func() {
		for range n { // 2 Mbit/s, so that no buffer overflows
			_, _ = a.WriteTo(make([]byte, 500), b.LocalAddr())
			time.Sleep(2 * ms)
		}
		_ = l.Set("ab", "loss=0")
		time.Sleep(100 * ms)
		for range 10 { // the end, and some for good measure
			_, _ = a.WriteTo([]byte("end"), b.LocalAddr())
			time.Sleep(10 * ms)
		}
	}()
	buf := make([]byte, 1000)
	_ = b.SetReadDeadline(time.Now().Add(30 * time.Second))
	got := 0
	for {
		k, from, err := b.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got == 0 && time.Since(start) < 30*ms {
			t.Errorf("the first packet took %v", time.Since(start))
		}
		if from.String() != a.LocalAddr().String() {
			t.Errorf("from %v", from)
		}
		if k == 3 {
			break
		}
		got++
	}
	if got < n*70/100 || got > n*90/100 {
		t.Errorf("%d of %d came at 20 %% loss", got, n)
	}
	if c := l.Changes(); len(c) != 1 || c[0].Spec != "loss=0" {
		t.Errorf("changes: %v", c)
	}
	for deadline := time.Now().Add(10 * time.Second); !slices.ContainsFunc(l.Seconds(), func(s Second) bool { return s.Link == "ab" && s.Lost > 0 }); {
		if time.Now().After(deadline) {
			t.Fatal("no second tells of a lost packet")
		}
		time.Sleep(50 * ms)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(l.namespaces[A]); err == nil {
		t.Error("the namespace is still there")
	}
}

func (l *Link) listen(t *testing.T, h Host) net.PacketConn {
	t.Helper()
	var c net.PacketConn
	err := l.In(h, func() (err error) {
		c, err = net.ListenPacket("udp4", h.Address()+":0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestSecondInterface: a host that loses one of its two interfaces reaches others by the other one.
func TestSecondInterface(t *testing.T) {
	l := started(t, Config{Seed: 1})
	b := l.listen(t, B)
	buf := make([]byte, 100)
	from := func() string { // says hello from A by whatever way there is, and back
		t.Helper()
		c, err := l.Dial(A, "udp4", b.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		_ = b.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, at, err := b.ReadFrom(buf)
		if err == nil {
			_, err = b.WriteTo([]byte("and back"), at)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if err == nil {
			_, err = c.Read(buf)
		}
		if err != nil {
			t.Fatal(err)
		}
		host, _, _ := net.SplitHostPort(at.String())
		return host
	}
	if got := from(); got != "10.77.0.1" {
		t.Errorf("at first it is at %s", got)
	}
	for _, change := range []struct {
		n  int
		up bool
	}{{1, true}, {0, false}} {
		if err := l.Interface(A, change.n, change.up); err != nil {
			t.Fatal(err)
		}
	}
	if got := from(); got != "10.77.1.1" {
		t.Errorf("with the other interface it is at %s", got)
	}
	if err := l.Interface(A, 0, true); err != nil {
		t.Fatal(err)
	}
	if got := from(); got != "10.77.0.1" {
		t.Errorf("in the end it is at %s", got)
	}
}
