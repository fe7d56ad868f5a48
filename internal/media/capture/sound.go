package capture

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pion/mediadevices/pkg/driver"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"

	"visavis.example/internal/media"
	"visavis.example/internal/media/soundcard"
)

// Microphones are the names for OpenMicrophone, the default device first; devices come and go, so ask again. Empty when
// there is no sound system.
func Microphones() []string {
	_, _ = listMicrophones()
	var names []string
	for _, d := range audioDrivers() {
		if name := d.Info().Name; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// audioDrivers is what the driver manager has, in the order in which people should see it.
func audioDrivers() []driver.Driver {
	drivers := driver.GetManager().Query(driver.FilterAudioRecorder())
	microphones.mu.Lock()
	defer microphones.mu.Unlock()
	rank := func(d driver.Driver) int {
		switch known, ok := microphones.known[d.Info().Label]; {
		case ok && known.Default:
			return 0
		case ok && known.Monitor():
			return 2
		}
		return 1
	}
	slices.SortFunc(drivers, func(a, b driver.Driver) int {
		if r := rank(a) - rank(b); r != 0 {
			return r
		}
		return compareInfo(a.Info(), b.Info())
	})
	return drivers
}

// OpenMicrophone finds the microphone of that name, "" for the system's default. It is opened by Start. The source goes
// on with another device when this one disappears; see Failing.
func OpenMicrophone(name string) (media.AudioSource, error) {
	found, err := listMicrophones()
	switch {
	case name == "" && err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoMicrophone, err)
	case name == "" && !slices.ContainsFunc(found, func(d soundcard.Device) bool { return !d.Monitor() }):
		return nil, ErrNoMicrophone // the default would be a speaker's sound: the others would hear themselves
	}
	for _, d := range driver.GetManager().Query(driver.FilterAudioRecorder()) {
		if info := d.Info(); info.Name == name && (name != "" || info.Label == defaultLabel) {
			return &soundSource{driver: d, label: orDefault(name, "Default microphone")}, nil
		}
	}
	return nil, fmt.Errorf("microphone %q: %w", name, ErrNoMicrophone)
}

func orDefault(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

// soundSource reads one audio driver and cuts what it gives into blocks.
type soundSource struct {
	driver driver.Driver
	label  string

	once    sync.Once
	stop    chan struct{}
	done    chan struct{}
	failure *failure
	cut     cutter
}

// Label is the device's name.
func (s *soundSource) Label() string { return s.label }

// Failed is described by Failing.
func (s *soundSource) Failed() <-chan error { return s.failure.failed() }

func (s *soundSource) Start(deliver func(block []int16, at time.Time)) error {
	if s.stop != nil {
		return errStarted
	}
	r, err := s.open()
	if err != nil {
		return fmt.Errorf("open %s: %w", s.label, err)
	}
	s.cut.deliver = deliver
	s.stop, s.done, s.failure = make(chan struct{}), make(chan struct{}), newFailure()
	go s.read(r)
	return nil
}

// open takes the first property that is 48 kHz, and the first of all when none says so.
func (s *soundSource) open() (audio.Reader, error) {
	microphones.opening.Lock()
	defer microphones.opening.Unlock()
	if s.driver.Status() != driver.StateClosed {
		return nil, ErrBusy
	}
	if err := s.driver.Open(); err != nil {
		return nil, err
	}
	props := s.driver.Properties()
	if len(props) == 0 {
		_ = s.driver.Close()
		return nil, errors.New("device offers no format")
	}
	best := 0
	if i := slices.IndexFunc(props, func(p prop.Media) bool { return p.SampleRate == media.SampleRate }); i >= 0 {
		best = i
	}
	return s.driver.(driver.AudioRecorder).AudioRecord(props[best]) // closes the driver on error
}

// Close ends delivery. The driver is closed first, which ends a Read that waits.
func (s *soundSource) Close() error {
	if s.stop == nil {
		return nil
	}
	var err error
	s.once.Do(func() {
		close(s.stop)
		microphones.opening.Lock()
		err = s.driver.Close()
		microphones.opening.Unlock()
		<-s.done
		s.failure.end()
	})
	return err
}

func (s *soundSource) read(r audio.Reader) {
	defer close(s.done)
	lost, end := make(chan struct{}), make(chan struct{})
	go s.forward(r, end, lost)
	defer func() { close(end); <-lost }()
	for {
		chunk, release, err := r.Read()
		select {
		case <-s.stop:
			return
		default:
		}
		if err == nil {
			err = s.cut.write(chunk, captured(r, chunk))
			release()
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("device ended")
			}
			s.failure.tell(fmt.Errorf("%s: %w", s.label, err))
			return
		}
	}
}

// forward passes on that our own driver lost its device.
func (s *soundSource) forward(r audio.Reader, end, done chan struct{}) {
	defer close(done)
	l, ok := r.(interface{ Lost() <-chan error })
	if !ok {
		return
	}
	select {
	case err, open := <-l.Lost():
		if open {
			s.failure.tell(fmt.Errorf("%s: %w", s.label, err))
		}
	case <-end:
	}
}

func captured(r audio.Reader, chunk wave.Audio) time.Time {
	if c, ok := r.(interface{ Captured() time.Time }); ok {
		return c.Captured()
	}
	return time.Now().Add(-time.Duration(chunk.ChunkInfo().Len) * time.Second / media.SampleRate)
}

// cutter makes mono blocks of whatever chunks come.
type cutter struct {
	deliver func(block []int16, at time.Time)
	block   [media.BlockSamples]int16
	n       int
}

func (c *cutter) write(chunk wave.Audio, at time.Time) error {
	info := chunk.ChunkInfo()
	if info.SamplingRate != 0 && info.SamplingRate != media.SampleRate {
		return fmt.Errorf("device gives %d Hz, not %d", info.SamplingRate, media.SampleRate)
	}
	if m, ok := chunk.(*wave.Int16Interleaved); ok && c.n == 0 && info.Channels == 1 && len(m.Data) == media.BlockSamples {
		c.deliver(m.Data, at)
		return nil
	}
	at = at.Add(-time.Duration(c.n) * time.Second / media.SampleRate)
	for i := range info.Len {
		sum := 0
		for ch := range info.Channels {
			sum += sample(chunk, i, ch)
		}
		c.block[c.n] = int16(sum / max(info.Channels, 1))
		if c.n++; c.n == media.BlockSamples {
			c.deliver(c.block[:], at)
			c.n, at = 0, at.Add(blockTime)
		}
	}
	return nil
}

// sample reads one value; wave's own conversions of float samples are off by 16 bits.
func sample(chunk wave.Audio, i, ch int) int {
	switch m := chunk.(type) {
	case *wave.Int16Interleaved:
		return int(m.Data[i*m.Size.Channels+ch])
	case *wave.Float32Interleaved:
		return int(min(max(m.Data[i*m.Size.Channels+ch], -1), 1) * 32767)
	}
	return int(int16(chunk.At(i, ch).Int() >> 16))
}
