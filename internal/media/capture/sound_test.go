package capture

import (
	"io"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"

	"visavis.example/internal/media"
)

// fakeMicrophone is somebody else's audio driver: stereo floats in chunks of an odd length.
type fakeMicrophone struct {
	closed chan struct{}
	end    bool
}

func (m *fakeMicrophone) Open() error {
	m.closed = make(chan struct{})
	return nil
}

func (m *fakeMicrophone) Close() error {
	if m.closed != nil {
		close(m.closed)
		m.closed = nil
	}
	return nil
}

func (m *fakeMicrophone) Properties() []prop.Media {
	return []prop.Media{
		{Audio: prop.Audio{SampleRate: 44100, ChannelCount: 2, SampleSize: 4, IsFloat: true, IsInterleaved: true}},
		{Audio: prop.Audio{SampleRate: 48000, ChannelCount: 2, SampleSize: 4, IsFloat: true, IsInterleaved: true}},
	}
}

func (m *fakeMicrophone) AudioRecord(p prop.Media) (audio.Reader, error) {
	closed, n := m.closed, 0
	return audio.ReaderFunc(func() (wave.Audio, func(), error) {
		select {
		case <-closed:
			return nil, nil, io.EOF
		case <-time.After(time.Millisecond):
		}
		if m.end && n > 5000 {
			return nil, nil, io.EOF
		}
		c := wave.NewFloat32Interleaved(wave.ChunkInfo{Len: 700, Channels: 2, SamplingRate: p.SampleRate})
		for i := range 700 {
			c.Data[2*i], c.Data[2*i+1] = float32(n%1000)/32767, float32(n%1000+2)/32767
			n++
		}
		return c, func() {}, nil
	}), nil
}

func plugMicrophone(t *testing.T, name string, m *fakeMicrophone) media.AudioSource {
	t.Helper()
	label := "fake:" + name
	_ = driver.GetManager().Register(m, driver.Info{Label: label, Name: name, DeviceType: driver.Microphone})
	t.Cleanup(func() { unregister(label) })
	s, err := OpenMicrophone(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMicrophonesOfTheManagerAreCutIntoBlocks(t *testing.T) {
	s := plugMicrophone(t, "Fake microphone", &fakeMicrophone{})
	blocks := make(chan []int16, 30)
	err := s.Start(func(b []int16, _ time.Time) {
		select {
		case blocks <- append([]int16(nil), b...):
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range cap(blocks) {
		b := <-blocks
		if len(b) != media.BlockSamples {
			t.Fatalf("block of %d", len(b))
		}
		for _, v := range b {
			if want := int16(n%1000 + 1); v < want-1 || v > want {
				t.Fatalf("sample %d is %d, want the mean %d", n, v, want)
			}
			n++
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error("closed twice:", err)
	}
}

func TestBlocksKeepTheTimeOfTheirFirstSample(t *testing.T) {
	start := time.Unix(0, 0)
	blocks := 0
	c := cutter{deliver: func(_ []int16, at time.Time) {
		if d := at.Sub(start) - time.Duration(blocks)*blockTime; d < -time.Microsecond || d > time.Microsecond {
			t.Errorf("block %d is off by %v", blocks, d)
		}
		blocks++
	}}
	for i := range 100 {
		chunk := wave.NewInt16Interleaved(wave.ChunkInfo{Len: 1100, Channels: 1, SamplingRate: 48000})
		if err := c.write(chunk, start.Add(time.Duration(i)*1100*time.Second/48000)); err != nil {
			t.Fatal(err)
		}
	}
	if blocks != 229 {
		t.Errorf("%d blocks", blocks)
	}
	if c.write(wave.NewInt16Interleaved(wave.ChunkInfo{Len: 441, Channels: 1, SamplingRate: 44100}), start) == nil {
		t.Error("44.1 kHz taken for 48")
	}
}

func TestMicrophoneThatEndsIsReported(t *testing.T) {
	s := plugMicrophone(t, "Ending microphone", &fakeMicrophone{end: true})
	if err := s.Start(func([]int16, time.Time) {}); err != nil {
		t.Fatal(err)
	}
	if err := failure1(t, s); err == nil {
		t.Error("nothing told")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, open := <-s.(Failing).Failed(); open {
		t.Error("told twice")
	}
}

func TestMissingMicrophone(t *testing.T) {
	if _, err := OpenMicrophone("No such microphone"); err == nil {
		t.Error("found")
	}
}

func TestRingKeepsOrderAndDropsTheNewest(t *testing.T) {
	r := &ring{wake: make(chan struct{}, 1)}
	block, out := make([]int16, media.BlockSamples), make([]int16, media.BlockSamples)
	at := time.Unix(0, 0)
	for i := range ringBlocks + 3 {
		block[0] = int16(i)
		r.put(block, at.Add(time.Duration(i)))
	}
	for i := range ringBlocks {
		got, ok := r.get(out)
		if !ok || out[0] != int16(i) || !got.Equal(at.Add(time.Duration(i))) {
			t.Fatalf("block %d: %v %d %v", i, ok, out[0], got)
		}
	}
	if _, ok := r.get(out); ok || r.dropped.Load() != 3 {
		t.Errorf("%v left, %d dropped", ok, r.dropped.Load())
	}
	if n := testing.AllocsPerRun(100, func() { r.put(block, at); r.get(out) }); n > 0 {
		t.Errorf("%v allocations on the device's thread", n)
	}
}

func TestRingBetweenTwoThreads(t *testing.T) {
	r := &ring{wake: make(chan struct{}, 1)}
	const blocks = 20000
	go func() {
		block := make([]int16, media.BlockSamples)
		for i := range blocks {
			block[0], block[media.BlockSamples-1] = int16(i), int16(i)
			r.put(block, time.Time{})
		}
		block[0], block[media.BlockSamples-1] = -1, -1
		for before := r.dropped.Load(); ; before = r.dropped.Load() {
			if r.put(block, time.Time{}); r.dropped.Load() == before {
				return
			}
		}
	}()
	out, last := make([]int16, media.BlockSamples), int16(-1)
	for {
		if _, ok := r.get(out); !ok {
			<-r.wake
			continue
		}
		if out[0] != out[media.BlockSamples-1] {
			t.Fatalf("torn block: %d and %d", out[0], out[media.BlockSamples-1])
		}
		if out[0] == -1 {
			return
		}
		if out[0] <= last {
			t.Fatalf("block %d after %d", out[0], last)
		}
		last = out[0]
	}
}
