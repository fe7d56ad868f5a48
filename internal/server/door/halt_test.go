package door

import (
	"net"
	"testing"
	"time"
)

func TestHaltServesWhoIsInAndLeavesTheOthersToTheNext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &Door{Listener: l, Wait: 20 * time.Second}
	d.Start()
	defer d.Close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	in := dial()
	there := func() int {
		d.crowd.mu.Lock()
		defer d.crowd.mu.Unlock()
		return d.crowd.queue.Len()
	}
	for begin := time.Now(); there() == 0; {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("it lets nobody in")
		}
	}
	empty := d.Halt()
	select {
	case <-empty:
		t.Fatal("somebody is at the door, and it says that there is nobody")
	default:
	}
	if _, err := in.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	c, err := d.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	select {
	case <-empty:
		t.Fatal("who accepts has not come back for more, and may not have noted the last one yet")
	case <-time.After(10 * time.Millisecond):
	}
	more := make(chan error, 1)
	go func() {
		_, err := d.Accept()
		more <- err
	}()
	<-empty
	late := dial() // the kernel takes it, and nobody of this process
	if _, err := late.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	if err := <-more; err == nil || d.Sites.Load() != 1 {
		t.Errorf("who came after the halt was let in: %v, %d", err, d.Sites.Load())
	}
}
