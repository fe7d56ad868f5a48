package playout

import (
	"sync"
	"time"

	"visavis.example/internal/media"
)

// Null is an AudioSink that nobody hears: it pulls at the pace of a device, so that everything before it works as always.
// With a Name it stands for a file that a Recorder writes.
type Null struct {
	Name string // "": "None"

	puller puller
}

// Label names the sink.
func (n *Null) Label() string {
	if n.Name == "" {
		return "None"
	}
	return n.Name
}

// Heard implements Timed.
func (n *Null) Heard() time.Time { return n.puller.due }

// Start begins.
func (n *Null) Start(fill func(block []int16)) error { return n.puller.start(fill) }

// Close ends the pulling.
func (n *Null) Close() error {
	n.puller.close()
	return nil
}

const catchUp = 100 * time.Millisecond // a sound card has no more in its buffers: it would have played silence

// puller pulls a block every 10 ms by the clock. Deadlines are computed from the start, so nothing drifts; blocks that
// were missed are pulled at once, those of longer ago than catchUp are left out.
type puller struct {
	block      [media.BlockSamples]int16
	due        time.Time // of the block that is being pulled
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
	p.due = time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p.due = p.due.Add(blockTime)
		wait := time.Until(p.due)
		if late := -wait - catchUp; late > 0 {
			p.due = p.due.Add((late + blockTime - 1) / blockTime * blockTime)
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
