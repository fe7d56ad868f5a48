package capture

import (
	"fmt"
	"time"

	"visavis.example/internal/media"
)

const (
	soundSlack = 200 * time.Millisecond
	catchUp    = 1000 // blocks at most that are made for nobody after a standstill: a machine may have slept for hours
)

// madeSound delivers blocks that fill makes, at the pace of a device: what a machine without time has missed is gone.
type madeSound struct {
	beat  *beat
	block [media.BlockSamples]int16
	made  int64
}

// start fails on the second call.
func (m *madeSound) start(fill func(block []int16), deliver func(block []int16, at time.Time)) error {
	if m.beat != nil {
		return errStarted
	}
	m.beat = &beat{rate: float64(time.Second / blockTime), slack: soundSlack, step: func(n int64, due time.Time) bool {
		for m.made = max(m.made, n-catchUp); m.made < n; m.made++ {
			fill(m.block[:])
		}
		fill(m.block[:])
		m.made++
		deliver(m.block[:], due.Add(-blockTime))
		return true
	}}
	m.beat.start()
	return nil
}

func (m *madeSound) close() {
	if m.beat != nil {
		m.beat.close()
	}
}

// Tone is an AudioSource: one steady sine wave at a quarter of full scale, easy to find again at the other end.
type Tone struct {
	Hz float64 // 0: 440

	sound madeSound
	wave  oscillator
}

// Label says which tone.
func (t *Tone) Label() string { return fmt.Sprintf("%g Hz tone", t.hz()) }

func (t *Tone) hz() float64 {
	if t.Hz == 0 {
		return 440
	}
	return t.Hz
}

// Start begins; it fails for a tone that 48 kHz cannot carry.
func (t *Tone) Start(deliver func(block []int16, at time.Time)) error {
	if hz := t.hz(); !(hz > 0 && hz < media.SampleRate/2) {
		return fmt.Errorf("tone of %g Hz: outside 0 to 24000", hz)
	}
	return t.sound.start(t.fill, deliver)
}

// Close ends delivery.
func (t *Tone) Close() error {
	t.sound.close()
	return nil
}

func (t *Tone) fill(block []int16) {
	for i := range block {
		block[i] = int16(8192 * t.wave.next(t.hz()))
	}
}
