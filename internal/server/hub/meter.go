package hub

import (
	"context"
	"errors"

	"visavis.example/internal/signal"
)

// Meter counts what happens in the hub. Its methods are called from the hub's loop and must not block.
type Meter interface {
	CallEnded(Record)    // every call once, also those that nobody answered
	Refused(code string) // a request, by one of signal's error codes
}

// noMeter stands in when nobody counts.
type noMeter struct{}

func (noMeter) CallEnded(Record) {}
func (noMeter) Refused(string)   {}

// refusal is the code with which Refuse answers an error.
func refusal(err error) string {
	var p *signal.Error
	switch {
	case errors.As(err, &p):
		return p.Code
	case errors.Is(err, signal.ErrMalformed):
		return signal.ErrBadRequest
	}
	return signal.ErrInternal
}

// Census is how many there are.
type Census struct {
	Users   int // with an account, and the server's own contacts
	Online  int // people with a connected device
	Devices int // connected, of people
	Ringing int // calls
	Talking int // calls
}

// Ping says whether the hub does its work.
func (h *Hub) Ping(ctx context.Context) error {
	_, err := h.count(ctx, func(*core) Census { return Census{} })
	return err
}

// Census counts. It costs a look at everybody: for people who watch a server, not for requests.
func (h *Hub) Census(ctx context.Context) (Census, error) { return h.count(ctx, (*core).census) }

func (h *Hub) count(ctx context.Context, how func(*core) Census) (Census, error) {
	answer := make(chan Census, 1)
	h.post(func(c *core) { answer <- how(c) })
	select {
	case n := <-answer:
		return n, nil
	case <-h.done:
		return Census{}, ErrStopped
	case <-ctx.Done():
		return Census{}, ctx.Err()
	}
}

func (c *core) census() Census {
	n := Census{Users: len(c.people)}
	for _, p := range c.people {
		if p.user.Kind == signal.KindPerson && p.online() {
			n.Online++
			n.Devices += p.here
		}
	}
	for _, k := range c.calls {
		if k.phase == ringing {
			n.Ringing++
		} else {
			n.Talking++
		}
	}
	return n
}

// String is a word for logs and metrics.
func (p Parting) String() string {
	switch p {
	case Left:
		return "left"
	case SignedOut:
		return "signed_out"
	case Lost:
	}
	return "lost"
}
