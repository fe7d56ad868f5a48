package main

import (
	"errors"
	"fmt"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/playout"
	"visavis.example/internal/media/trace"
)

// record opens the files that the command line asks for; they live as long as the program, over several calls.
func (c *calls) record() error {
	o := c.options
	if o.trace != "" {
		var err error
		if c.trace, err = trace.Open(o.trace); err != nil {
			return err
		}
	}
	if o.record != "" {
		y := &playout.Y4MFile{Path: o.record, Width: o.recordWidth, Height: o.recordHeight, FPS: o.fps}
		if err := y.Start(); err != nil {
			return fmt.Errorf("record video: %w", err)
		}
		c.recorder = y
	}
	heard := ""
	if o.speaker.kind == "file" {
		heard = o.speaker.value
	}
	var err1, err2 error
	c.spoken, err1 = c.recordSound(o.recordMicrophone)
	c.heard, err2 = c.recordSound(heard)
	return errors.Join(err1, err2)
}

// recordSound gives nil when neither a file nor a clock for the trace is wanted.
func (c *calls) recordSound(path string) (*playout.Recorder, error) {
	if path == "" && !c.trace.On() {
		return nil, nil
	}
	r := &playout.Recorder{Path: path}
	if err := r.Start(); err != nil {
		return nil, fmt.Errorf("record sound: %w", err)
	}
	return r, nil
}

// endRecords finishes the files and says which of them are not complete.
func (c *calls) endRecords() error {
	var errs []error
	if c.recorder != nil {
		errs = append(errs, c.recorder.Close())
		c.log.Debug("recorded", "pictures", c.recorder.Written(), "dropped", c.recorder.Dropped())
	}
	for _, r := range []*playout.Recorder{c.spoken, c.heard} {
		if err := r.Close(); err != nil {
			errs = append(errs, fmt.Errorf("record sound: %w", err))
		}
	}
	return errors.Join(append(errs, c.trace.Close())...) // last: the sound recorders still tell it their clocks
}

// tappedAudio is a microphone whose sound is recorded as it comes, before anything is done to it.
type tappedAudio struct {
	media.AudioSource
	into *playout.Section
}

func tapAudio(s media.AudioSource, into *playout.Section) media.AudioSource {
	if into == nil {
		return s
	}
	return tappedAudio{s, into}
}

func (t tappedAudio) Start(deliver func(block []int16, at time.Time)) error {
	return t.AudioSource.Start(func(block []int16, at time.Time) {
		t.into.Put(block, at)
		deliver(block, at)
	})
}

func (t tappedAudio) Failed() <-chan error { return failedOf(t.AudioSource) }

// tappedSink is a speaker whose sound is recorded as it is played.
type tappedSink struct {
	media.AudioSink
	into *playout.Section
}

func tapSink(s media.AudioSink, into *playout.Section) media.AudioSink {
	if into == nil {
		return s
	}
	return tappedSink{s, into}
}

func (t tappedSink) Start(fill func(block []int16)) error {
	heard := time.Now
	if s, ok := t.AudioSink.(playout.Timed); ok {
		heard = s.Heard
	}
	return t.AudioSink.Start(func(block []int16) {
		at := heard()
		fill(block)
		t.into.Put(block, at)
	})
}

func (t tappedSink) Failed() <-chan error { return failedOf(t.AudioSink) }
