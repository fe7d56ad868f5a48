package main

import (
	"errors"
	"fmt"
	"image/png"
	"os"

	"visavis.example/internal/testkit"
)

// measure takes the medians of a window's statistics, leaving out the start.
func (s *Side) measure(p *testkit.Process) {
	stats := testkit.Stats(p.Events())
	s.FramesPerSecond = stats.Median("framesPerSecond")
	s.Width, s.Height = int(stats.Median("frameWidth")), int(stats.Median("frameHeight"))
	s.ReceiveKbps, s.SendKbps = stats.Median("receiveKbps"), stats.Median("sendKbps")
	s.Path = stats.Last("path")
}

// judge reads the recordings: the picture must be the other's and move, the sound must be speech-like for a good part.
func (s *Side) judge(name, pictures, sound string, other uint8) error {
	marks, err := testkit.Marks(pictures)
	if err != nil {
		return fmt.Errorf("%s's recording: %w", name, err)
	}
	s.MarkersRead = marks.Moving(other)
	share, err := testkit.Loud(sound)
	if err != nil {
		return fmt.Errorf("%s's recording: %w", name, err)
	}
	s.HeardShare = share
	var problems []error
	if s.MarkersRead < 100 {
		problems = append(problems, fmt.Errorf("%s saw only %d different pictures of the other", name, s.MarkersRead))
	}
	if s.HeardShare < 0.15 {
		problems = append(problems, fmt.Errorf("%s heard the other for only %.0f %% of the time", name, 100*s.HeardShare))
	}
	if s.EndReason != "hangup" {
		problems = append(problems, fmt.Errorf("%s's call ended with %q", name, s.EndReason))
	}
	return errors.Join(problems...)
}

// drawn fails when a screenshot is one of an empty window: a picture of a person has thousands of colours.
func drawn(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("screenshot: %w", err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		return fmt.Errorf("screenshot %s: %w", path, err)
	}
	colours := map[[3]uint32]bool{}
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			r, g, b, _ := m.At(x, y).RGBA()
			colours[[3]uint32{r, g, b}] = true
		}
	}
	if len(colours) < 1000 {
		return fmt.Errorf("%s has only %d colours: the window did not show the other", path, len(colours))
	}
	return nil
}
