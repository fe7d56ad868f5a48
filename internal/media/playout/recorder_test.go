package playout

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/wav"
)

// ramp is block n of a sound whose samples count, from 1 so that silence is told apart.
func ramp(n int) []int16 {
	b := make([]int16, media.BlockSamples)
	for i := range b {
		b[i] = int16((n*media.BlockSamples+i)%30000) + 1
	}
	return b
}

func readSamples(t *testing.T, path string) []int16 {
	t.Helper()
	r, err := wav.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var pcm []int16
	for b := make([]int16, 48000); ; {
		n, err := r.Read(b)
		if pcm = append(pcm, b[:n]...); err != nil {
			return pcm
		}
	}
}

// mark is one call of a Section's clock.
type mark struct {
	sample int64
	at     time.Time
}

func TestRecorderHasNoHoles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "heard.wav")
	synctest.Test(t, func(t *testing.T) {
		r := &Recorder{Path: path}
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		if r.Start() == nil {
			t.Error("started twice")
		}
		var marks []mark
		s := r.Section(func(sample int64, at time.Time) { marks = append(marks, mark{sample, at}) })
		start, n := time.Now(), 0
		null := Null{}
		err := null.Start(func(b []int16) {
			copy(b, ramp(n))
			s.Put(b, null.Heard())
			if n++; n == 150 {
				time.Sleep(1505 * time.Millisecond) // longer than what is caught up: 140 blocks are not pulled
				n += 140
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(6005 * time.Millisecond)
		_ = null.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error("closed twice:", err)
		}
		s.Put(ramp(0), time.Now()) // too late, no harm
		first := start.Add(blockTime)
		for i, m := range marks {
			if off := m.at.Sub(first) - time.Duration(m.sample)*time.Second/media.SampleRate; off != 0 {
				t.Errorf("sample %d is off by %v", m.sample, off)
			}
			if i > 0 && (m.at.Sub(marks[i-1].at) > 2*time.Second || m.sample <= marks[i-1].sample) {
				t.Errorf("%v after %v", m, marks[i-1])
			}
		}
		if len(marks) < 8 || marks[0].sample != 0 {
			t.Errorf("the clock was told %v", marks)
		}
	})
	pcm := readSamples(t, path)
	if len(pcm) != 600*media.BlockSamples {
		t.Fatalf("%d samples of 6 s", len(pcm))
	}
	silent := 0
	for i, v := range pcm {
		switch {
		case v == 0:
			silent++
		case v != int16(i%30000)+1:
			t.Fatalf("sample %d is %d", i, v)
		}
	}
	if silent != 140*media.BlockSamples {
		t.Errorf("%d silent samples", silent)
	}
}

// Calls follow each other in the file without the time between them, and an old call's device cannot write into the new.
func TestRecorderSections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "said.wav")
	synctest.Test(t, func(t *testing.T) {
		r := &Recorder{Path: path}
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		var first [2]mark
		for call := range 2 {
			begun := false
			s := r.Section(func(sample int64, at time.Time) {
				if !begun {
					first[call], begun = mark{sample, at}, true
				}
			})
			for n := range 100 {
				s.Put(ramp(call*100+n), time.Now())
				if call == 1 && n == 50 {
					old := Section{r: r}
					old.Put(ramp(9), time.Now())
				}
				time.Sleep(blockTime)
			}
			time.Sleep(time.Hour)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if d := first[1].at.Sub(first[0].at); first[1].sample != 48000 || d != time.Hour+time.Second {
			t.Errorf("second call at sample %d, %v later", first[1].sample, d)
		}
	})
	for i, v := range readSamples(t, path) {
		if v != int16(i%30000)+1 {
			t.Fatalf("sample %d is %d", i, v)
		}
	}
}

// A program that is killed leaves all but the last two seconds.
func TestRecorderIsPlayableAnytime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	synctest.Test(t, func(t *testing.T) {
		r := &Recorder{Path: path}
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		s := r.Section(nil)
		for n := range 500 {
			s.Put(ramp(n), time.Now())
			time.Sleep(blockTime)
		}
		if n := len(readSamples(t, path)); n < 3*media.SampleRate {
			t.Errorf("%d samples of 5 s", n)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// stuckFile is a disk that stands still, or is full.
type stuckFile struct {
	still   chan struct{}
	err     error
	samples int
}

func (f *stuckFile) Write(pcm []int16) error {
	if f.still != nil {
		<-f.still
	}
	f.samples += len(pcm)
	return f.err
}

func (f *stuckFile) Close() error { return nil }

func TestRecorderOnASlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &stuckFile{still: make(chan struct{})}
		r := &Recorder{out: f}
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		s := r.Section(nil)
		start := time.Now()
		for n := range 2000 {
			if at := time.Now(); at.Sub(start) != time.Duration(n)*blockTime {
				t.Fatalf("block %d had to wait", n)
			}
			s.Put(ramp(n), time.Now())
			time.Sleep(blockTime)
			if n == 1800 {
				close(f.still)
			}
		}
		err := r.Close()
		if err == nil || f.samples != 2000*media.BlockSamples {
			t.Errorf("%v, %d samples of 20 s", err, f.samples)
		}
	})
}

func TestRecorderErrors(t *testing.T) {
	r := &Recorder{Path: filepath.Join(t.TempDir(), "none", "x.wav")}
	if err := r.Start(); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	full := errors.New("no space left on device")
	r = &Recorder{out: &stuckFile{err: full}}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	r.Section(nil).Put(ramp(0), time.Now())
	if err := r.Close(); !errors.Is(err, full) {
		t.Error(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := &stuckFile{still: make(chan struct{})}
		r := &Recorder{out: f}
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		r.Section(nil).Put(ramp(0), time.Now())
		begin := time.Now()
		if err := r.Close(); err == nil || time.Since(begin) > 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		close(f.still)
		<-r.done
	})
	var none *Recorder
	none.Section(nil).Put(ramp(0), time.Now())
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

// The header says what the file holds: nothing else finds out how long it is.
func TestRecorderHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	r := &Recorder{Path: path}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	s, at := r.Section(nil), time.Now()
	for n := range 7 {
		s.Put(ramp(n), at.Add(time.Duration(n)*blockTime))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 44+7*960 || binary.LittleEndian.Uint32(b[40:]) != 7*960 || binary.LittleEndian.Uint32(b[4:]) != 36+7*960 {
		t.Errorf("%d bytes, header % x, %v", len(b), b[:44], err)
	}
}

// An hour of the null speaker: no block too many or too few.
func TestNullDoesNotDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Null
		blocks, start := 0, time.Now()
		err := n.Start(func([]int16) {
			blocks++
			if due := start.Add(time.Duration(blocks) * blockTime); !n.Heard().Equal(due) {
				t.Errorf("block %d is due at %v", blocks, n.Heard().Sub(start))
			}
			if blocks%1000 == 0 {
				time.Sleep(17 * time.Millisecond) // the machine is busy
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + blockTime/2)
		_ = n.Close()
		if blocks != hour {
			t.Errorf("%d blocks in an hour", blocks)
		}
	})
}
