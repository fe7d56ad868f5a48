package main

import (
	"net"
	"slices"
	"sync"
	"time"
)

// networks watches this machine's addresses, which of them it prefers, and its sleep: a call must know at once that the way it took is gone. Asking
// the system five times a second costs less than telling its many ways to announce a change apart.
type networks struct {
	changed func(slept bool)

	stop chan struct{}
	done sync.WaitGroup
}

const (
	lookEvery = 200 * time.Millisecond
	sleptFor  = 3 * time.Second // that the wall clock went on while this program did not
)

func (n *networks) start() {
	n.stop = make(chan struct{})
	n.done.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		last := look()
		for {
			select {
			case <-n.stop:
				return
			case <-tick.C:
			}
			now := look()
			if changed, slept := now.differs(last); changed {
				n.changed(slept)
			}
			last = now
		}
	})
}

func (n *networks) close() {
	if n.stop != nil {
		close(n.stop)
		n.done.Wait()
	}
}

// sight is what was seen at a time.
type sight struct {
	at        time.Time // with its monotonic reading, which stands still in sleep on some systems
	addresses []string  // with their interfaces, and those that it sends from
}

func look() sight {
	s := sight{at: time.Now()}
	list, err := net.Interfaces()
	if err != nil {
		return s
	}
	for _, i := range list {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		at, _ := i.Addrs()
		for _, a := range at {
			s.addresses = append(s.addresses, i.Name+" "+a.String())
		}
	}
	s.addresses = append(s.addresses, route("udp4", "192.0.2.1:9"), route("udp6", "[2001:db8::1]:9")) // of RFC 5737 and 3849
	slices.Sort(s.addresses)
	return s
}

// route is the address that the system would send from; connecting a datagram socket sends nothing.
func route(network, to string) string {
	c, err := net.Dial(network, to)
	if err != nil {
		return ""
	}
	defer c.Close()
	host, _, _ := net.SplitHostPort(c.LocalAddr().String())
	return "route " + host
}

// differs says whether something has changed since, and whether the machine slept in between.
func (s sight) differs(before sight) (changed, slept bool) {
	slept = s.at.Round(0).Sub(before.at.Round(0)) > lookEvery+sleptFor
	return slept || !slices.Equal(s.addresses, before.addresses), slept
}
