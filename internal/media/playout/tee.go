package playout

import "visavis.example/internal/media"

// Tee presents to all sinks, in that order; nil ones are left out.
func Tee(sinks ...media.VideoSink) media.VideoSink {
	var t tee
	for _, s := range sinks {
		if s != nil {
			t = append(t, s)
		}
	}
	return t
}

type tee []media.VideoSink

// Present hands the same frame to each.
func (t tee) Present(f *media.Frame) {
	for _, s := range t {
		s.Present(f)
	}
}
