package main

import (
	"fmt"
	"io"

	"visavis.example/internal/media/capture"
	"visavis.example/internal/media/playout"
)

// printDevices lists what --camera device:NAME and the others can name; the first of each is the default.
func printDevices(out io.Writer) error {
	for _, group := range []struct {
		title string
		names []string
	}{
		{"Cameras", capture.Cameras()},
		{"Screens", capture.Screens()},
		{"Microphones", capture.Microphones()},
		{"Speakers", playout.Speakers()},
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
