package main

import (
	"context"
	"math"

	"visavis.example/internal/testkit/lossylink"
)

// party is one end of a call: a real client in its namespace.
type party interface {
	// Ready starts it and returns when it is signed in.
	Ready(ctx context.Context) error
	Call(ctx context.Context, whom string) error
	// Accept takes the call that rings; a client that answers by itself only looks on.
	Accept(ctx context.Context) error
	// Connected returns when media flows.
	Connected(ctx context.Context) error
	PID() int
	// Finish hangs up if it is the caller, ends the client, and says what it saw.
	Finish(ctx context.Context, caller bool) (*witness, error)
	// Close ends what Finish did not.
	Close()
}

// who is what a party is made of.
type who struct {
	Name   string
	Host   lossylink.Host
	Camera string // y4m
	Sound  string // wav
	Quiet  bool   // only the call, nothing watched: for CPU and memory
	Sees   kind   // what the other is
	Record bool   // the pictures it gets are wanted for their quality
}

// witness is what one end saw. All times are Unix seconds of the machine's one clock.
type witness struct {
	Accepted  float64 // the person's answer; callee only
	Captured  []sight
	Presented []sight
	// A Visavis's own words; empty otherwise.
	Encoded, Sent     []sight // of what it sends
	Received, Decoded []sight // of what it gets
	Said              loudness
	Heard             loudness
	Estimate          []point // bit/s that the sender believes in
	Concealed         []point // concealed samples so far
	Samples           []point // samples of sound so far
	Counted           map[string]float64
	Quality           []point // PSNR of presented pictures, dB
}

// concealedShare of the sound from..to, 0 to 1.
func (w *witness) concealedShare(from, to float64) float64 {
	all := growth(w.Samples, from, to)
	if all <= 0 {
		return math.NaN()
	}
	return growth(w.Concealed, from, to) / all
}

// growth of a total between the first and the last time it was read within from..to.
func growth(total []point, from, to float64) float64 {
	var first, last point
	for _, p := range total {
		if p.T < from || p.T > to {
			continue
		}
		if first.T == 0 {
			first = p
		}
		last = p
	}
	return last.V - first.V
}
