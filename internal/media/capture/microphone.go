package capture

import (
	"io"
	"sync"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"

	"visavis.example/internal/media"
	"visavis.example/internal/media/soundcard"
)

const (
	labelPrefix  = "visavis-microphone:" // our drivers' labels: this and the device's id
	defaultLabel = labelPrefix + "default"
	blockTime    = 10 * time.Millisecond
)

// microphones keeps the driver manager in step with the devices that are there.
var microphones struct {
	mu      sync.Mutex
	known   map[string]soundcard.Device // by label
	opening sync.Mutex                  // the drivers' states are not safe for concurrent use
}

// listMicrophones lists, registers what is new and deletes what is gone. The default device is always registered: its
// driver opens whatever is the default at that moment.
func listMicrophones() ([]soundcard.Device, error) {
	microphones.mu.Lock()
	defer microphones.mu.Unlock()
	devices, err := soundcard.List(soundcard.Capture)
	if microphones.known == nil {
		microphones.known = map[string]soundcard.Device{}
		register(defaultLabel, "", driver.PriorityHigh)
	}
	seen := map[string]bool{}
	for _, d := range devices {
		label := labelPrefix + d.ID
		seen[label] = true
		if old, ok := microphones.known[label]; ok && old.Name == d.Name {
			continue
		} else if ok {
			unregister(label)
		}
		microphones.known[label] = d
		register(label, d.Name, driver.PriorityNormal)
	}
	for label := range microphones.known {
		if !seen[label] {
			unregister(label)
			delete(microphones.known, label)
		}
	}
	return devices, err
}

func register(label, name string, p driver.Priority) {
	info := driver.Info{Label: label, Name: name, DeviceType: driver.Microphone, Priority: p}
	_ = driver.GetManager().Register(&microphone{device: name}, info) // never fails in v0.9.4
}

func unregister(label string) {
	m := driver.GetManager()
	for _, d := range m.Query(func(d driver.Driver) bool { return d.Info().Label == label }) {
		m.Delete(d.ID())
	}
}

// microphone is a driver.Adapter and driver.AudioRecorder on soundcard. mediadevices' own one hands out C memory after
// its callback ended and blocks the device's thread when the reader is late; this one copies into a ring.
type microphone struct {
	device string // soundcard's name, "" for the default
	stream *soundcard.Stream
	stop   chan struct{}
}

// Open prepares; the device itself is opened by AudioRecord.
func (m *microphone) Open() error {
	m.stop = make(chan struct{})
	return nil
}

func (m *microphone) Close() error {
	if m.stop != nil {
		close(m.stop)
		m.stop = nil
	}
	if m.stream != nil {
		m.stream.Close()
		m.stream = nil
	}
	return nil
}

func (m *microphone) Properties() []prop.Media {
	return []prop.Media{{Audio: prop.Audio{
		ChannelCount: 1, SampleRate: media.SampleRate, SampleSize: 2, Latency: blockTime, IsInterleaved: true,
	}}}
}

// AudioRecord opens the device. The reader gives 10 ms at a time, and io.EOF after Close.
func (m *microphone) AudioRecord(prop.Media) (audio.Reader, error) {
	r := &microphoneReader{ring: ring{wake: make(chan struct{}, 1)}, stop: m.stop}
	r.stream = &soundcard.Stream{Kind: soundcard.Capture, Name: m.device, Block: r.captured}
	if err := r.stream.Start(); err != nil {
		return nil, err
	}
	m.stream = r.stream
	r.chunk = wave.Int16Interleaved{
		Data: make([]int16, media.BlockSamples),
		Size: wave.ChunkInfo{Len: media.BlockSamples, Channels: 1, SamplingRate: media.SampleRate},
	}
	return r, nil
}

// microphoneReader is read by one goroutine; its chunk is valid until the next Read.
type microphoneReader struct {
	ring   ring
	stream *soundcard.Stream
	stop   chan struct{}
	chunk  wave.Int16Interleaved
	at     time.Time
}

// captured runs on the device's thread, when the block is complete.
func (r *microphoneReader) captured(block []int16) {
	r.ring.put(block, time.Now().Add(-blockTime))
}

func (r *microphoneReader) Read() (wave.Audio, func(), error) {
	for {
		select {
		case <-r.stop:
			return nil, nil, io.EOF
		default:
		}
		if at, ok := r.ring.get(r.chunk.Data); ok {
			r.at = at
			return &r.chunk, func() {}, nil
		}
		select {
		case <-r.stop:
		case <-r.ring.wake:
		}
	}
}

// Captured is when the chunk of the last Read began.
func (r *microphoneReader) Captured() time.Time { return r.at }

// Lost tells when the device was lost and could not be replaced.
func (r *microphoneReader) Lost() <-chan error { return r.stream.Failed() }
