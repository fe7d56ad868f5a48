//go:build !linux || !(amd64 || arm64)

package relay

import (
	"net"
	"net/netip"
	"sync"
)

// fastPath gives none: see fast_linux.go.
func fastPath(net.PacketConn, *book, *sync.WaitGroup) (net.PacketConn, func(netip.AddrPort) (net.PacketConn, error)) {
	return nil, nil
}
