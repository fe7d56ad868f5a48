package main

import (
	"slices"
	"strings"
	"testing"

	"visavis.example/internal/media/codec/h264"
)

func TestCodecsOfThisBuild(t *testing.T) {
	list := codecs()
	if slices.Contains(list, "h264") != h264.Available || slices.Contains(list, withoutH264) == h264.Available {
		t.Errorf("codecs %q, H.264 is there: %v", list, h264.Available)
	}
	want := "preference: vp9,vp8 (built without h264)"
	if h264.Available {
		want = "preference: vp9,vp8,h264"
	}
	if !strings.Contains(help(), want) {
		t.Errorf("the help does not say %q", want)
	}
}
