package testkit

import (
	"errors"
	"fmt"
	"io"
	"math"

	"visavis.example/internal/media"
	"visavis.example/internal/media/wav"
	"visavis.example/internal/media/y4m"
)

// Seen is what the markers in a recording said, one entry a picture; unreadable pictures have OK false.
type Seen []Mark

// Mark is the marker of one picture.
type Mark struct {
	ID uint8
	N  uint16
	OK bool
}

// Marks reads a recording of received pictures.
func Marks(path string) (Seen, error) {
	r, err := y4m.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var (
		seen Seen
		pool media.Pool
	)
	for {
		f := pool.Get(r.Width, r.Height)
		err := r.Next(f)
		if err == nil {
			id, n, ok := media.ReadMarker(f)
			seen = append(seen, Mark{id, n, ok})
		}
		f.Release()
		if errors.Is(err, io.EOF) {
			return seen, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// Moving counts the different pictures with that id: pictures that are the other's, decoded, and not a still.
func (s Seen) Moving(id uint8) int {
	n := map[uint16]bool{}
	for _, m := range s {
		if m.OK && m.ID == id {
			n[m.N] = true
		}
	}
	return len(n)
}

// Foreign counts readable markers of anybody else.
func (s Seen) Foreign(id uint8) int {
	n := 0
	for _, m := range s {
		if m.OK && m.ID != id {
			n++
		}
	}
	return n
}

// Samples gives all of a wav file.
func Samples(path string) ([]int16, error) {
	r, err := wav.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all []int16
	buf := make([]int16, media.SampleRate)
	for {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			return all, nil
		} else if err != nil {
			return nil, err
		}
	}
}

const window = media.SampleRate / 10 // 100 ms

// ToneSeconds is how long, in a recording of received sound, hz held at least half of the power of 100 ms.
func ToneSeconds(path string, hz float64) (float64, error) {
	pcm, err := Samples(path)
	if err != nil {
		return 0, err
	}
	n := 0
	for ; len(pcm) >= window; pcm = pcm[window:] {
		if total := power(pcm[:window]); total > 100*100 && Goertzel(pcm[:window], hz) > total/2 {
			n++
		}
	}
	return float64(n) / 10, nil
}

// Loud is the share of 100 ms pieces of a recording that are clearly not silence.
func Loud(path string) (float64, error) {
	pcm, err := Samples(path)
	if err != nil {
		return 0, err
	}
	loud, all := 0, 0
	for ; len(pcm) >= window; pcm = pcm[window:] {
		all++
		if power(pcm[:window]) > 200*200 {
			loud++
		}
	}
	if all == 0 {
		return 0, fmt.Errorf("%s holds less than 100 ms of sound", path)
	}
	return float64(loud) / float64(all), nil
}

// power is the mean square.
func power(pcm []int16) float64 {
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return sum / float64(len(pcm))
}

// Goertzel is the mean square of the part of pcm (48 kHz) at hz (Goertzel 1958).
func Goertzel(pcm []int16, hz float64) float64 {
	k := 2 * math.Cos(2*math.Pi*hz/media.SampleRate)
	var a, b float64
	for _, v := range pcm {
		a, b = float64(v)+k*a-b, a
	}
	n := float64(len(pcm))
	return 2 * (a*a + b*b - k*a*b) / (n * n)
}

// Clip writes a camera and a microphone for a browser: three seconds of a moving picture with the marker of id, and
// pulses of a tone (an unbroken one would be taken for noise, and suppressed).
func Clip(video, sound string, id uint8, hz float64) error {
	const frames, fps = 90, 30
	out, err := y4m.Create(video, 640, 360, fps)
	if err != nil {
		return err
	}
	var pool media.Pool
	for n := range frames {
		f := pool.Get(640, 360)
		paint(f, n, id)
		media.DrawMarker(f, id, uint16(n))
		err = errors.Join(err, out.Write(f))
		f.Release()
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	w, err := wav.Create(sound)
	if err != nil {
		return err
	}
	pcm := make([]int16, 3*media.SampleRate)
	for i := range pcm {
		if t := float64(i) / media.SampleRate; math.Mod(t, 0.5) < 0.35 {
			pcm[i] = int16(9000 * math.Sin(2*math.Pi*hz*t))
		}
	}
	return errors.Join(w.Write(pcm), w.Close())
}

// paint draws a slope of grey that wanders, tinted by id.
func paint(f *media.Frame, n int, id uint8) {
	for y := range f.Height {
		row := f.Y[y*f.StrideY:][:f.Width]
		for x := range row {
			row[x] = byte(60 + (x/3+y/2+4*n)%120)
		}
	}
	for y := range f.Height / 2 {
		for x := range f.Width / 2 {
			f.U[y*f.StrideUV+x] = 100 + id%8*8
			f.V[y*f.StrideUV+x] = 150 - id%8*8
		}
	}
}
