package lossylink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// device is the TUN devices of a host in a network namespace of its own. Neither has a name outside: the namespace lives
// as long as namespace is open or a program runs in it, so nothing stays behind whatever ends us, and two runs cannot
// collide. The second device is down until Link.Interface brings it up.
type device struct {
	tun       [interfaces]int
	namespace int
}

func (d device) close() {
	for _, t := range d.tun {
		_ = unix.Close(t)
	}
	_ = unix.Close(d.namespace)
}

// newDevice makes the namespace of h with its loopback, its devices and their addresses.
func newDevice(h Host) (d device, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread, which is in the new namespace now, ends with the goroutine
		d, err = makeDevice(h)
	}()
	<-done
	return d, err
}

func makeDevice(h Host) (device, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return device{}, fmt.Errorf("make a network namespace: %w", err)
	}
	// IPv6 would add packets of its own (router solicitations) and no path.
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0o644)
	ns, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return device{}, fmt.Errorf("open the network namespace: %w", err)
	}
	// What comes for one device's address may have been asked for through the other.
	_ = os.WriteFile("/proc/sys/net/ipv4/conf/all/rp_filter", []byte("0"), 0o644)
	_ = os.WriteFile("/proc/sys/net/ipv4/conf/default/rp_filter", []byte("0"), 0o644)
	d := device{namespace: ns}
	if err := flags("lo", true); err != nil {
		unix.Close(ns)
		return device{}, err
	}
	for n := range d.tun {
		if d.tun[n], err = newTUN(h, n); err != nil {
			for _, made := range d.tun[:n] {
				unix.Close(made)
			}
			unix.Close(ns)
			return device{}, fmt.Errorf("set up %s of host %s: %w", interfaceName(n), h, err)
		}
	}
	if err := setInterface(0, true); err != nil {
		d.close()
		return device{}, fmt.Errorf("bring up %s of host %s: %w", interfaceName(0), h, err)
	}
	return d, nil
}

const (
	interfaces = 2
	queued     = 2000 // packets between the namespace and us
)

func interfaceName(n int) string { return fmt.Sprintf("eth%d", n) }

// newTUN makes the n-th device of a host, down, with its address: 10.77.n.1 for A.
func newTUN(h Host, n int) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	tun, err := unix.NewIfreq(interfaceName(n))
	if err == nil {
		tun.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, tun)
	}
	at := net.ParseIP(h.Address()).To4()
	at[2] = byte(n)
	for _, step := range []struct {
		request uint
		set     func(*unix.Ifreq) error
	}{
		{unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(at) }},
		{unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) }},
		{unix.SIOCSIFTXQLEN, func(r *unix.Ifreq) error { r.SetUint32(queued); return nil }},
		{unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(0); return nil }}, // an address brings it up
	} {
		if err == nil {
			err = ioctl(interfaceName(n), step.request, step.set)
		}
	}
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

func ioctl(name string, request uint, set func(*unix.Ifreq) error) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := set(r); err != nil {
		return err
	}
	return unix.IoctlIfreq(s, request, r)
}

func flags(name string, up bool) error {
	return ioctl(name, unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error {
		r.SetUint16(0)
		if up {
			r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		}
		return nil
	})
}

// setInterface brings a device of this thread's namespace up or down; the first one that is up has the way to others.
func setInterface(n int, up bool) error {
	if err := flags(interfaceName(n), up); err != nil || !up {
		return err
	}
	return defaultRoute(interfaceName(n), uint32(n))
}

// Interface brings a network interface of h up or down: 0, which is up from the start, or 1, whose address is
// 10.77.1.1 for A.
func (l *Link) Interface(h Host, n int, up bool) error {
	return inside(l.namespaces[h], func() error { return setInterface(n, up) })
}

// defaultRoute sends everything else into our device too, where it is dropped: programs find out their own address by
// asking for the way to the internet. It speaks rtnetlink(7), for ip(8) is not on every machine.
func defaultRoute(name string, metric uint32) error {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	const size = unix.SizeofNlMsghdr + unix.SizeofRtMsg + 2*(unix.SizeofRtAttr+4)
	b := make([]byte, 0, size)
	b = binary.NativeEndian.AppendUint32(b, size)
	b = binary.NativeEndian.AppendUint16(b, unix.RTM_NEWROUTE)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_ACK)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0) // sequence, port
	b = append(b, unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RT_SCOPE_LINK, unix.RTN_UNICAST, 0, 0, 0, 0)
	b = binary.NativeEndian.AppendUint16(b, unix.SizeofRtAttr+4)
	b = binary.NativeEndian.AppendUint16(b, unix.RTA_OIF)
	b = binary.NativeEndian.AppendUint32(b, uint32(device.Index))
	b = binary.NativeEndian.AppendUint16(b, unix.SizeofRtAttr+4)
	b = binary.NativeEndian.AppendUint16(b, unix.RTA_PRIORITY)
	b = binary.NativeEndian.AppendUint32(b, metric)
	if err := unix.Sendto(s, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("add a default route: %w", err)
	}
	n, _, err := unix.Recvfrom(s, b[:cap(b)], 0)
	if err == nil && n >= unix.SizeofNlMsghdr+4 {
		if code := int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:cap(b)])); code != 0 {
			err = unix.Errno(-code)
		}
	}
	if err != nil {
		return fmt.Errorf("add a default route: %w", err)
	}
	return nil
}

// inside runs f on a thread that is in the namespace, and ends the thread.
func inside(namespace string, f func() error) error {
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		var fd int
		if fd, err = unix.Open(namespace, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		err = unix.Setns(fd, unix.CLONE_NEWNET)
		unix.Close(fd)
		if err == nil {
			err = f()
		}
	}()
	<-done
	return err
}

// Possible says why namespaces cannot be joined here, nil if they can.
func Possible() error {
	if os.Geteuid() != 0 {
		return errors.New("network namespaces and TUN devices need root: run it with sudo")
	}
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("no TUN devices here: %w", err)
	}
	_ = f.Close()
	d, err := newDevice(A) // a container's root may open the one and not make the other
	if err != nil {
		return err
	}
	d.close()
	return nil
}

// In runs f on a thread of h's namespace; sockets that f opens belong there. f starts no goroutine that does.
func (l *Link) In(h Host, f func() error) error { return inside(l.namespaces[h], f) }
