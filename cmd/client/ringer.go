package main

import (
	"log/slog"
	"math"

	"visavis.example/internal/media"
)

// ringer plays the ringtone and the ringback over and over until it is told to be quiet. Speakers are opened and closed
// on its queue, since that may take a while.
type ringer struct {
	log   *slog.Logger
	hands *queue
	open  func(spec) (media.AudioSink, error)

	sink media.AudioSink // the queue's
}

func newRinger(log *slog.Logger) *ringer {
	return &ringer{log: log, hands: newQueue(), open: openSpeaker}
}

func (r *ringer) play(incoming bool, on spec) {
	r.hands.put(func() {
		r.stop()
		sink, err := r.open(on)
		if err == nil {
			err = sink.Start(tune(incoming))
		}
		if err != nil {
			r.log.Warn("cannot ring", "err", err)
			return
		}
		r.sink = sink
	})
}

func (r *ringer) quiet() { r.hands.put(r.stop) }

func (r *ringer) stop() {
	if r.sink != nil {
		if err := r.sink.Close(); err != nil {
			r.log.Debug("close speaker after ringing", "err", err)
		}
		r.sink = nil
	}
}

func (r *ringer) close() {
	r.hands.close()
	r.stop()
}

// note is one tone of a tune: when it begins and how long it may sound, in seconds.
type note struct{ at, length, hz, volume float64 }

// The ringtone is three rising bell-like notes, twice, then a pause; the ringback the plain long tone of a telephone.
var (
	ringtone = []note{
		{0, 0.9, 659.3, 0.30},
		{0.18, 0.9, 784.0, 0.30},
		{0.36, 1.2, 987.8, 0.34},
		{1.1, 0.9, 659.3, 0.30},
		{1.28, 0.9, 784.0, 0.30},
		{1.46, 1.4, 1174.7, 0.32},
	}
	ringback = []note{{0, 1, 425, 0.10}}
)

const (
	ringtoneSeconds = 4
	ringbackSeconds = 5
)

// tune gives a fill function that plays a tune in a loop. The samples are made once: fill runs on the device's thread.
func tune(incoming bool) func(block []int16) {
	pcm := render(ringback, ringbackSeconds, false)
	if incoming {
		pcm = render(ringtone, ringtoneSeconds, true)
	}
	at := 0
	return func(block []int16) {
		for i := range block {
			block[i] = pcm[at]
			if at++; at == len(pcm) {
				at = 0
			}
		}
	}
}

// render mixes notes into a loop of so many seconds. Bells die away and have an octave above; others hold their level.
func render(notes []note, seconds int, bell bool) []int16 {
	mix := make([]float64, seconds*media.SampleRate)
	for _, n := range notes {
		first := int(n.at * media.SampleRate)
		count := int(n.length * media.SampleRate)
		for i := range count {
			t := float64(i) / media.SampleRate
			// 5 ms up and 30 ms down keep the loudspeaker from clicking.
			level := n.volume * min(1, t/0.005) * min(1, (n.length-t)/0.03)
			v := math.Sin(2 * math.Pi * n.hz * t)
			if bell {
				level *= math.Exp(-3.5 * t)
				v += 0.35 * math.Exp(-4*t) * math.Sin(2*math.Pi*2*n.hz*t)
			}
			if at := first + i; at < len(mix) {
				mix[at] += level * v
			}
		}
	}
	pcm := make([]int16, len(mix))
	for i, v := range mix {
		pcm[i] = int16(math.Round(32767 * max(-1, min(1, v))))
	}
	return pcm
}
