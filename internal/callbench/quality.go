package main

import (
	"errors"
	"fmt"
	"io"
	"math"

	"visavis.example/internal/media"
	"visavis.example/internal/media/y4m"
)

// source gives a clip's pictures by their marker. It belongs to one goroutine.
type source struct {
	frames []*media.Frame
}

func openSource(path string) (*source, error) {
	r, err := y4m.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	s := &source{}
	for {
		f := media.NewFrame(r.Width, r.Height)
		if err := r.Next(f); errors.Is(err, io.EOF) {
			return s, nil
		} else if err != nil {
			return nil, err
		}
		s.frames = append(s.frames, f)
	}
}

// psnr of a picture's luma against the source's with that marker, without the marker's band (peak 255). A picture of another size
// is scaled as our recorder does.
func (s *source) psnr(f *media.Frame, marker int) (float64, error) {
	if marker < 0 || marker >= len(s.frames) {
		return 0, fmt.Errorf("no picture %d in the clip", marker)
	}
	want := s.frames[marker]
	if f.Width != want.Width || f.Height != want.Height {
		scaled := media.NewFrame(want.Width, want.Height)
		media.Scale(scaled, f)
		f = scaled
	}
	sum, n := 0.0, 0
	for y := range want.Height - want.Height/12 - 2 {
		a, b := f.Y[y*f.StrideY:][:want.Width], want.Y[y*want.StrideY:][:want.Width]
		for x := range a {
			d := float64(a[x]) - float64(b[x])
			sum += d * d
		}
		n += len(a)
	}
	return 10 * math.Log10(255*255/max(sum/float64(n), 1e-3)), nil
}

// readRecording gives each recorded picture's marker, and of some in between their quality.
func readRecording(path string, clip *source, every int) (markers []int, quality map[int]float64, err error) {
	r, err := y4m.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	f := media.NewFrame(r.Width, r.Height)
	quality = map[int]float64{}
	for i := 0; ; i++ {
		if err := r.Next(f); errors.Is(err, io.EOF) {
			return markers, quality, nil
		} else if err != nil {
			return nil, nil, err
		}
		marker := -1
		if _, n, ok := media.ReadMarker(f); ok && int(n) < clipFrames {
			marker = int(n)
		}
		markers = append(markers, marker)
		if clip != nil && every > 0 && i%every == 0 && marker >= 0 {
			if quality[i], err = clip.psnr(f, marker); err != nil {
				return nil, nil, err
			}
		}
	}
}
