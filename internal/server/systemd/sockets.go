// Package systemd takes over listening sockets that a service manager has opened (sd_listen_fds(3)) and tells it how the
// server is (sd_notify(3)). The sockets stay open in the manager while the server restarts: whoever connects meanwhile
// waits in the kernel's queue instead of being refused. Any parent that passes sockets the same way will do. Package
// server asks it for every address it listens on; without a manager it opens them itself.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
)

// firstDescriptor is SD_LISTEN_FDS_START.
const firstDescriptor = 3

// maxDescriptors bounds what a mistyped LISTEN_FDS makes us try.
const maxDescriptors = 64

// Sockets are the sockets that were passed and that nobody has asked for yet. A nil Sockets has none, and opens all.
type Sockets struct {
	mu      sync.Mutex
	streams []net.Listener
	packets []net.PacketConn
}

// Inherit finds the sockets by LISTEN_PID and LISTEN_FDS. It gives nil when there are none for this process.
func Inherit(env func(string) (string, bool)) (*Sockets, error) {
	pid, _ := env("LISTEN_PID")
	fds, _ := env("LISTEN_FDS")
	if pid != strconv.Itoa(os.Getpid()) || fds == "" {
		return nil, nil //nolint:nilnil // nobody has passed any
	}
	n, err := strconv.Atoi(fds)
	if err != nil || n < 0 || n > maxDescriptors {
		return nil, fmt.Errorf("LISTEN_FDS=%q is not a number of sockets", fds)
	}
	s := &Sockets{}
	for fd := firstDescriptor; fd < firstDescriptor+n; fd++ {
		if err := s.take(fd); err != nil {
			s.Close()
			return nil, fmt.Errorf("descriptor %d from the service manager: %w", fd, err)
		}
	}
	return s, nil
}

// take makes a listener of a descriptor, which the net package duplicates.
func (s *Sockets) take(fd int) error {
	f := os.NewFile(uintptr(fd), "LISTEN_FD_"+strconv.Itoa(fd)) //nolint:gosec // fd is small
	if f == nil {
		return errors.New("not open")
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err == nil {
		if _, ok := l.(*net.TCPListener); !ok {
			return errors.Join(errors.New("neither TCP nor UDP"), l.Close())
		}
		s.streams = append(s.streams, l)
		return nil
	}
	p, perr := net.FilePacketConn(f)
	if perr != nil {
		return fmt.Errorf("not a listening socket: %w", err)
	}
	if _, ok := p.(*net.UDPConn); !ok {
		return errors.Join(errors.New("neither TCP nor UDP"), p.Close())
	}
	s.packets = append(s.packets, p)
	return nil
}

// Listen gives the passed TCP socket for that HOST:PORT, or opens one.
func (s *Sockets) Listen(ctx context.Context, address string) (net.Listener, error) {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, l := range s.streams {
			if fits(l.Addr(), address) {
				s.streams = append(s.streams[:i:i], s.streams[i+1:]...)
				return l, nil
			}
		}
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}

// ListenPacket gives the passed UDP socket for that HOST:PORT, or opens one.
func (s *Sockets) ListenPacket(ctx context.Context, address string) (net.PacketConn, error) {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, p := range s.packets {
			if fits(p.LocalAddr(), address) {
				s.packets = append(s.packets[:i:i], s.packets[i+1:]...)
				return p, nil
			}
		}
	}
	return (&net.ListenConfig{}).ListenPacket(ctx, "udp", address)
}

// Close closes what nobody has asked for and gives its addresses: sockets that the manager opens in vain.
func (s *Sockets) Close() (unused []string) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.streams {
		unused = append(unused, "tcp "+l.Addr().String())
		_ = l.Close()
	}
	for _, p := range s.packets {
		unused = append(unused, "udp "+p.LocalAddr().String())
		_ = p.Close()
	}
	s.streams, s.packets = nil, nil
	return unused
}

// fits says whether a socket is what HOST:PORT asks for. Only two addresses that are both given have to agree: the unit
// file may say [::]:443 or one address where the configuration says :443.
func fits(have net.Addr, want string) bool {
	h, err := netip.ParseAddrPort(have.String())
	host, port, serr := net.SplitHostPort(want)
	if err != nil || serr != nil || strconv.Itoa(int(h.Port())) != port {
		return false
	}
	if host == "localhost" {
		return h.Addr().IsLoopback() || h.Addr().IsUnspecified()
	}
	w, err := netip.ParseAddr(host)
	return err != nil || w.IsUnspecified() || h.Addr().IsUnspecified() || w.Unmap() == h.Addr().Unmap()
}
