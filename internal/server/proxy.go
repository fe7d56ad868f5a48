package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops is how many proxies in a row are believed; a longer header is somebody's play.
const maxHops = 16

// behindProxies makes RemoteAddr of a request the address of who asks, when the connection comes from a proxy that the
// operator has named: the last entry of X-Forwarded-For that no such proxy has written. From everybody else the headers
// are taken away: anybody can write them.
func (s *Server) behindProxies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.trusts(remote(r)) {
			for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
				r.Header.Del(h)
			}
		} else if a := s.forwardedFor(r); a.IsValid() {
			// The port is that of the proxy's connection: nobody has told the real one, and nothing uses it.
			r.RemoteAddr = netip.AddrPortFrom(a, 0).String()
		}
		next.ServeHTTP(w, r)
	})
}

// trusts says whether a may speak for others.
func (s *Server) trusts(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// forwardedFor goes back through the proxies to the first address that is none of them; the zero Addr when nobody says
// anything that can be read.
func (s *Server) forwardedFor(r *http.Request) netip.Addr {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	var last netip.Addr
	for n, hop := range slices.Backward(hops) {
		a, ok := hopAddr(strings.TrimSpace(hop))
		if !ok || len(hops)-n > maxHops {
			break
		}
		if last = a; !s.trusts(a) {
			break
		}
	}
	return last
}

// hopAddr reads an entry as proxies write it: an address, with a port after it or not.
func hopAddr(s string) (netip.Addr, bool) {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a.Unmap().WithZone(""), err == nil
}

// forwardedHTTPS says whether the browser speaks HTTPS to the proxy in front of this plain server.
func forwardedHTTPS(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// ParseProxies reads a list of addresses and networks: "127.0.0.1, ::1, 10.0.0.0/8".
func ParseProxies(s string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if a, err := netip.ParseAddr(part); err == nil {
			a = a.Unmap().WithZone("")
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", part)
		}
		if p.Bits() == 0 {
			return nil, fmt.Errorf("%s is everybody: anyone could then pretend to be anyone", part)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}
