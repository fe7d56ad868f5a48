package lossylink

import (
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestShape only looks for what no busy machine can do by itself: packets that come too early, or though they were lost.
func TestShape(t *testing.T) {
	a, b := socket(t), socket(t)
	s := Shape(a, Spec{Delay: 80 * ms, Loss: 0.5}, 5)
	defer s.Close()
	start := time.Now()
	for range 100 {
		if _, err := s.WriteTo([]byte("hello"), b.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	lost := int(s.Count().Lost)
	if lost < 25 || lost > 75 {
		t.Errorf("%d of 100 lost at 50 %%", lost)
	}
	_ = b.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 100)
	for i := range 100 - lost {
		n, _, err := b.ReadFrom(buf)
		if err != nil || string(buf[:n]) != "hello" {
			t.Fatalf("packet %d: %q, %v", i, buf[:n], err)
		}
		if i == 0 && time.Since(start) < 80*ms {
			t.Errorf("the first came after %v", time.Since(start))
		}
	}
	if err := s.Set("block=1"); err != nil {
		t.Fatal(err)
	}
	_, _ = s.WriteTo([]byte("never"), b.LocalAddr())
	if now := int(s.Count().Lost); now != lost+1 {
		t.Errorf("%d lost after a block, before %d", now, lost)
	}
}

func socket(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
