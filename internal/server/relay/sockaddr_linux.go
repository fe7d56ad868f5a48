//go:build amd64 || arm64

package relay

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockaddr is an address as the kernel reads it: a sockaddr_in in the room of a sockaddr_in6, or that.
type sockaddr struct {
	raw  unix.RawSockaddrInet6
	size uint32
}

// key is an address to look for: IPv4 as IPv6 writes it, so that one listener may have clients of both.
type key struct {
	ip   [16]byte
	port uint16
}

func keyOf(a netip.AddrPort) key { return key{a.Addr().As16(), a.Port()} }

// portOf reads a port, which the kernel keeps in the order of the network.
func portOf(raw *unix.RawSockaddrInet6) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&raw.Port))[:])
}

// rawKey reads an address that the kernel has written.
func rawKey(raw *unix.RawSockaddrInet6) (k key) {
	k.port = portOf(raw)
	if raw.Family == unix.AF_INET {
		k.ip[10], k.ip[11] = 0xff, 0xff
		copy(k.ip[12:], (*unix.RawSockaddrInet4)(unsafe.Pointer(raw)).Addr[:])
	} else {
		k.ip = raw.Addr
	}
	return k
}

// rawUDPAddr is the same as the net package has it.
func rawUDPAddr(raw *unix.RawSockaddrInet6) *net.UDPAddr {
	a := netip.AddrFrom16(rawKey(raw).ip).Unmap()
	if raw.Family == unix.AF_INET6 && raw.Scope_id != 0 && a.Is6() {
		a = a.WithZone(strconv.FormatUint(uint64(raw.Scope_id), 10))
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, portOf(raw)))
}

// newSockaddr writes an address for a socket of IPv6 or of IPv4; false: it cannot send there.
func newSockaddr(to netip.AddrPort, v6 bool) (sa sockaddr, ok bool) {
	a := to.Addr()
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&sa.raw.Port))[:], to.Port())
	switch {
	case v6:
		sa.raw.Family, sa.raw.Addr, sa.size = unix.AF_INET6, a.As16(), unix.SizeofSockaddrInet6
		sa.raw.Scope_id = zoneIndex(a.Zone())
	case a.Unmap().Is4():
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(&sa.raw))
		in.Family, in.Addr, sa.size = unix.AF_INET, a.Unmap().As4(), unix.SizeofSockaddrInet4
	default:
		return sa, false
	}
	return sa, a.IsValid()
}

// zoneIndex reads the zones that rawUDPAddr writes, and those with names.
func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0
	}
	return uint32(i.Index)
}
