package playout

import (
	"sync"
	"time"

	"visavis.example/internal/media"
)

// Null is an AudioSink that nobody hears: it pulls at the pace of a device, so that everything before it works as always.
type Null struct {
	puller puller
}

// Label names the sink.
func (n *Null) Label() string { return "None" }

// Start begins.
func (n *Null) Start(fill func(block []int16)) error { return n.puller.start(fill) }

// Close ends the pulling.
func (n *Null) Close() error {
	n.puller.close()
	return nil
}

const catchUp = 2 * time.Second

// puller pulls a block every 10 ms by the clock. Deadlines are computed from the start, so nothing drifts; blocks that
// were missed are pulled at once, unless the machine stood still for longer than catchUp.
type puller struct {
	block      [media.BlockSamples]int16
	stop, done chan struct{}
	ending     sync.Once
}

func (p *puller) start(pull func(block []int16)) error {
	if p.stop != nil {
		return errStarted
	}
	p.stop, p.done = make(chan struct{}), make(chan struct{})
	go p.run(pull)
	return nil
}

func (p *puller) close() {
	if p.stop == nil {
		return
	}
	p.ending.Do(func() { close(p.stop) })
	<-p.done
}

func (p *puller) run(pull func(block []int16)) {
	defer close(p.done)
	due := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due = due.Add(blockTime)
		wait := time.Until(due)
		if wait < -catchUp {
			due = time.Now()
		}
		timer.Reset(max(wait, 0))
		select {
		case <-p.stop:
			return
		case <-timer.C:
		}
		select {
		case <-p.stop: // both were ready
			return
		default:
		}
		pull(p.block[:])
	}
}
