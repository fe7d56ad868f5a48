//go:build amd64 || arm64

package relay

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// fastPath carries ChannelData of UDP clients past pion: it takes a listener over and gives what pion is to read in its
// place, and the function that opens relayed ports beside it. It gives nil where the system does not offer what that
// takes, and then the listener is as it was.
//
// pion spends most of its time in the kernel, with one receive that says "nothing more", one wake-up and one send for
// every packet. Here one goroutine reads the listener and all relayed ports in batches (recvmmsg), sends back over the
// listener in batches (sendmmsg), and lets the kernel cut runs of packets for one receiver (UDP_SEGMENT). pion keeps the
// rest: STUN, credentials, allocations, permissions, lifetimes, and packets of peers without a channel. Where a packet may
// go is asked of the book, as on the portable path.
func fastPath(
	listener net.PacketConn, b *book, running *sync.WaitGroup,
) (net.PacketConn, func(netip.AddrPort) (net.PacketConn, error)) {
	udp, ok := listener.(*net.UDPConn)
	if !ok {
		return nil, nil
	}
	p, err := newPlane(udp, b)
	if err != nil {
		return nil, nil
	}
	_ = udp.Close() // the plane has its own descriptor; Go's poller need not watch this one too
	running.Go(p.run)
	return p, p.open
}

// newPlane makes a plane for a listener, which stays open.
func newPlane(udp *net.UDPConn, b *book) (*plane, error) {
	raw, err := udp.SyscallConn()
	if err != nil {
		return nil, err
	}
	p := &plane{
		book: b, local: udp.LocalAddr(), pace: pace(b.limits.BitsPerSecond), slow: newQueue(slowFromClients), done: make(chan struct{}),
		clients: map[key]*port{}, ports: map[int32]*port{}, polls: spins,
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { p.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil || failed != nil {
		return nil, fmt.Errorf("take the listener over: %w", cmp.Or(err, failed))
	}
	if err := p.prepare(); err != nil {
		_ = unix.Close(p.fd)
		return nil, err
	}
	return p, nil
}

const listenerBuffer = 4 << 20 // bytes; the system may allow less

// prepare makes the epoll set and puts it into Go's poller.
func (p *plane) prepare() error {
	own, err := unix.Getsockname(p.fd)
	if err != nil {
		return fmt.Errorf("read the listener's address: %w", err)
	}
	_, p.v6 = own.(*unix.SockaddrInet6)
	if unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, listenerBuffer) != nil { // needs CAP_NET_ADMIN
		_ = unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, listenerBuffer)
	}
	if unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, listenerBuffer) != nil {
		_ = unix.SetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, listenerBuffer)
	}
	_, err = unix.GetsockoptInt(p.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT) // Linux 4.18
	p.segments = err == nil

	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make an epoll set: %w", err)
	}
	if err := unix.SetNonblock(epoll, true); err != nil { // else os.NewFile keeps it from Go's poller
		_ = unix.Close(epoll)
		return fmt.Errorf("make an epoll set: %w", err)
	}
	p.epoll, p.file = epoll, os.NewFile(uintptr(epoll), "epoll")
	if p.parking, err = p.file.SyscallConn(); err == nil {
		err = p.watch(p.fd)
	}
	if err != nil {
		_ = p.file.Close()
		return fmt.Errorf("use an epoll set: %w", err)
	}
	return nil
}

// watch puts a socket into the set, told of once when something comes.
func (p *plane) watch(fd int) error {
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd)})
}

// open makes the socket of a relayed port. Go's poller does not know it.
func (p *plane) open(at netip.AddrPort) (net.PacketConn, error) {
	family := unix.AF_INET
	if at.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a relayed port: %w", os.NewSyscallError("socket", err))
	}
	q, err := p.adopt(fd, at)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open a relayed port: %w", err)
	}
	return q, nil
}

func (p *plane) adopt(fd int, at netip.AddrPort) (*port, error) {
	var bind unix.Sockaddr
	if at.Addr().Is4() {
		bind = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	} else {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return nil, os.NewSyscallError("setsockopt", err)
		}
		bind = &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	if err := unix.Bind(fd, bind); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	q := &port{plane: p, fd: fd, slow: newQueue(slowFromPeers), done: make(chan struct{})}
	switch own := name.(type) {
	case *unix.SockaddrInet4:
		q.local = netip.AddrPortFrom(netip.AddrFrom4(own.Addr), uint16(own.Port))
	case *unix.SockaddrInet6:
		q.local, q.v6 = netip.AddrPortFrom(netip.AddrFrom16(own.Addr), uint16(own.Port)), true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, net.ErrClosed
	}
	if err := p.watch(fd); err != nil {
		return nil, err
	}
	p.ports[int32(fd)] = q
	return q, nil
}
