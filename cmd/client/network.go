package main

import (
	"net"
	"slices"
	"sync"
	"time"
)

// networks watches this machine's addresses and its sleep: a call must know at once that the way it took is gone. Asking
// the system twice a second costs less than telling its many ways to announce a change apart.
type networks struct {
	changed func(slept bool)

	stop chan struct{}
	done sync.WaitGroup
}

const (
	lookEvery = 500 * time.Millisecond
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
	addresses []string
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
	slices.Sort(s.addresses)
	return s
}

// differs says whether something has changed since, and whether the machine slept in between.
func (s sight) differs(before sight) (changed, slept bool) {
	slept = s.at.Round(0).Sub(before.at.Round(0)) > lookEvery+sleptFor
	return slept || !slices.Equal(s.addresses, before.addresses), slept
}
