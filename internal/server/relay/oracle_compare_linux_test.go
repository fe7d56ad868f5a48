//go:build amd64 || arm64

package relay

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"golang.org/x/sys/unix"
)

// What came out of two worlds, and when there is no more to come.

// take gives all that has arrived since it was last asked, in words that mean the same in both worlds. The order of
// packets that came different ways is not kept by either path.
func (w *world) take(list []string) []string {
	buf := make([]byte, 4096)
	for i, p := range w.clients {
		for {
			n, _, err := readNow(p.c, buf)
			if err != nil {
				break
			}
			w.heard[i] = append(w.heard[i], bytes.Clone(buf[:n]))
		}
		for _, b := range w.heard[i] {
			if !bytes.Contains(b, marker) {
				list = append(list, fmt.Sprintf("client %d: %s", i, w.words(b)))
			}
		}
		w.heard[i] = nil
	}
	for i, c := range w.peers {
		for {
			n, from, err := readNow(c, buf)
			if err != nil {
				break
			}
			list = append(list, fmt.Sprintf("peer %d: from %s %x", i, w.name(from), buf[:n]))
		}
	}
	slices.Sort(list)
	return list
}

// readNow gives what has arrived, and an error when nothing has.
func readNow(c any, buf []byte) (n int, from netip.AddrPort, err error) {
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return 0, from, errors.ErrUnsupported
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return 0, from, err
	}
	var sa unix.Sockaddr
	failed := raw.Read(func(fd uintptr) bool {
		n, sa, err = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
		return true
	})
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		from = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		from = netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return n, from, errors.Join(err, failed)
}

// words takes out of a packet to a client what differs between any two runs: transaction ids and ports.
func (w *world) words(b []byte) string {
	m := &stun.Message{Raw: append([]byte(nil), b...)}
	if b[0]>>6 == 1 || m.Decode() != nil {
		return fmt.Sprintf("%x", b)
	}
	var from stun.XORMappedAddress
	_ = from.GetFromAs(m, stun.AttrXORPeerAddress)
	ip, _ := netip.AddrFromSlice(from.IP)
	data, _ := m.Get(stun.AttrData)
	return fmt.Sprintf("%s of %s: %x", m.Type, w.name(netip.AddrPortFrom(ip.Unmap(), uint16(from.Port))), data)
}

var marker = []byte("all that came before this has been read")

// handled returns when the relay has handled all that was sent so far. An answer from the listener says that of what
// clients sent, but not of what has come to relayed ports: they are read by others, on the portable path by a goroutine
// each, which may be as late as the machine is slow, and by then another step may have changed what its client may hear.
// So each port is sent a marker, and it does not matter whether its client may hear that: a port's packets are handled one
// after the other, and when the last has been taken, those before it are done.
func (w *world) handled(deadline time.Time) {
	w.t.Helper()
	w.alive() // now it is all at the ports, at the peers, or gone
	var ports []*relayed
	for i, p := range w.clients {
		r := w.s.book.sibling(w.calls[i/2], p.relayed)
		if r == nil {
			continue // it has left
		}
		if _, err := w.marking.WriteTo(marker, net.UDPAddrFromAddrPort(w.target(p))); err != nil {
			w.t.Fatal(err)
		}
		w.markers++
		ports = append(ports, r)
	}
	w.alive() // what this machine does late with packets to itself, it does in their order
	for _, r := range ports {
		for !taken(w.t, r.PacketConn) {
			if time.Now().After(deadline) {
				w.t.Fatalf("nobody reads %s", w.name(r.public))
			}
			w.alive()
		}
	}
	w.alive() // and the clients have what was sent to them
}

func (w *world) alive() {
	w.t.Helper()
	for _, p := range w.clients {
		p.alive()
	}
}

// taken says whether nothing waits at a relayed port any more.
func taken(t testing.TB, c net.PacketConn) bool {
	t.Helper()
	if q, fast := c.(*port); fast {
		q.plane.mu.Lock() // between two rounds: what was read has been sent on, or waits for pion
		defer q.plane.mu.Unlock()
		return q.closed || !readable(q.fd) && len(q.slow.waiting) == 0
	}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		t.Fatalf("a relayed port is a %T", c)
	}
	raw, err := udp.SyscallConn()
	waits := false
	if err == nil {
		err = raw.Control(func(fd uintptr) { waits = readable(int(fd)) })
	}
	return err != nil || !waits // closed, or read
}

func readable(fd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err != nil || n > 0
}

// settle lets both worlds handle what was sent, and compares.
func settle(t testing.TB, fast, portable *world, since []step) {
	t.Helper()
	var a, b []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		fast.handled(deadline)
		portable.handled(deadline)
		if a, b = fast.take(a), portable.take(b); slices.Equal(a, b) {
			return
		}
	}
	t.Fatalf("after %s\nonly the fast path sent:\n%s\nonly the portable path sent:\n%s",
		describe(since), strings.Join(without(a, b), "\n"), strings.Join(without(b, a), "\n"))
}

func describe(list []step) string {
	var s strings.Builder
	for _, x := range list {
		fmt.Fprintf(&s, "{%d %d %d %d %d} ", x.what%16, x.who%4, x.to, x.size, len(x.data))
	}
	return s.String()
}

func without(a, b []string) (only []string) {
	left := slices.Clone(b)
	for _, x := range a {
		if i := slices.Index(left, x); i >= 0 {
			left = slices.Delete(left, i, i+1)
		} else {
			only = append(only, x[:min(len(x), 200)])
		}
	}
	return only
}
