package main

import (
	"time"

	"visavis.example/internal/media"
)

// failing is what sources and sinks implement that can end by themselves; the channel gives at most one error and is
// closed by Close. It exists only after Start.
type failing interface{ Failed() <-chan error }

func watch(device any, failed func(error)) {
	if ch := failedOf(device); ch != nil {
		go func() {
			if err, ok := <-ch; ok && err != nil {
				failed(err)
			}
		}()
	}
}

// failedOf gives nil for a device that cannot fail or was not started.
func failedOf(device any) <-chan error {
	if f, ok := device.(failing); ok {
		return f.Failed()
	}
	return nil
}

type watchedVideo struct {
	media.VideoSource
	failed func(error)
}

func watchVideo(s media.VideoSource, failed func(error)) media.VideoSource {
	return watchedVideo{s, failed}
}

func (w watchedVideo) Start(deliver func(*media.Frame)) error {
	err := w.VideoSource.Start(deliver)
	if err == nil {
		watch(w.VideoSource, w.failed)
	}
	return err
}

type watchedAudio struct {
	media.AudioSource
	failed func(error)
}

func watchAudio(s media.AudioSource, failed func(error)) media.AudioSource {
	return watchedAudio{s, failed}
}

func (w watchedAudio) Start(deliver func(block []int16, at time.Time)) error {
	err := w.AudioSource.Start(deliver)
	if err == nil {
		watch(w.AudioSource, w.failed)
	}
	return err
}

type watchedSink struct {
	media.AudioSink
	failed func(error)
}

func watchSink(s media.AudioSink, failed func(error)) media.AudioSink {
	return watchedSink{s, failed}
}

func (w watchedSink) Start(fill func(block []int16)) error {
	err := w.AudioSink.Start(fill)
	if err == nil {
		watch(w.AudioSink, w.failed)
	}
	return err
}
