package playout

import (
	"fmt"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/soundcard"
)

// Speakers are the names for OpenSpeaker, the default one first; devices come and go, so ask again. Empty when there is no
// sound system.
func Speakers() []string {
	devices, err := soundcard.List(soundcard.Playback)
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(devices))
	for _, d := range devices {
		names = append(names, d.Name)
	}
	return names
}

// OpenSpeaker finds the speaker of that name, "" for the system's default. It is opened by Start, pulls 10 ms at a time
// on the device's thread, and goes on with another device when this one disappears; see Failing.
func OpenSpeaker(name string) (media.AudioSink, error) {
	devices, err := soundcard.List(soundcard.Playback)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSpeaker, err)
	}
	if name == "" && len(devices) > 0 {
		return &speaker{}, nil
	}
	for _, d := range devices {
		if d.Name == name {
			return &speaker{name: name}, nil
		}
	}
	if name == "" {
		return nil, ErrNoSpeaker
	}
	return nil, fmt.Errorf("speaker %q: %w", name, ErrNoSpeaker)
}

type speaker struct {
	name   string
	stream *soundcard.Stream
}

// Label is the device's name.
func (s *speaker) Label() string {
	if s.name == "" {
		return "Default speaker"
	}
	return s.name
}

// Failed is described by Failing.
func (s *speaker) Failed() <-chan error {
	if s.stream == nil {
		return nil
	}
	return s.stream.Failed()
}

// Heard implements Timed: the block is behind those that the device holds already.
func (s *speaker) Heard() time.Time { return time.Now().Add(soundcard.Ahead) }

func (s *speaker) Start(fill func(block []int16)) error {
	if s.stream != nil {
		return errStarted
	}
	stream := &soundcard.Stream{Kind: soundcard.Playback, Name: s.name, Block: fill}
	if err := stream.Start(); err != nil {
		return err
	}
	s.stream = stream
	return nil
}

func (s *speaker) Close() error {
	if s.stream != nil {
		s.stream.Close()
	}
	return nil
}
