package main

import (
	"fmt"
	"io"
	"slices"

	"visavis.example/internal/media/capture"
	"visavis.example/internal/media/playout"
	"visavis.example/internal/peer"
)

// printDevices lists what --camera device:NAME and the others can name (the first of each is the default), and what
// --codecs can: not every build has H.264.
func printDevices(out io.Writer) error {
	for _, group := range []struct {
		title string
		names []string
	}{
		{"Cameras", capture.Cameras()},
		{"Screens", capture.Screens()},
		{"Microphones", capture.Microphones()},
		{"Speakers", playout.Speakers()},
		{"Picture codecs", codecs()},
	} {
		if _, err := fmt.Fprintln(out, group.title+":"); err != nil {
			return err
		}
		if len(group.names) == 0 {
			group.names = []string{"(none found)"}
		}
		for _, name := range group.names {
			if _, err := fmt.Fprintln(out, "  "+name); err != nil {
				return err
			}
		}
	}
	return nil
}

const withoutH264 = "(built without h264)"

// codecs are those of this build in their order of preference, and what it lacks.
func codecs() []string {
	if slices.Contains(peer.DefaultCodecs, "h264") {
		return peer.DefaultCodecs
	}
	return append(slices.Clone(peer.DefaultCodecs), withoutH264)
}
