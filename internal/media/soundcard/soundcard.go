// Package soundcard is the one place that talks to miniaudio (malgo): it lists microphones and speakers and keeps one of
// them running with blocks of 10 ms. capture and playout build their devices on it. It notices devices that fall silent
// (unplugging one gives no error, callbacks just stop), and goes on with another. It never decodes, mixes or logs.
package soundcard

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gen2brain/malgo"
)

// Kind is what a device does.
type Kind int

// Kinds of devices.
const (
	Playback Kind = iota
	Capture
)

func (k Kind) String() string {
	if k == Playback {
		return "speaker"
	}
	return "microphone"
}

func (k Kind) malgo() malgo.DeviceType {
	if k == Playback {
		return malgo.Playback
	}
	return malgo.Capture
}

// Device is one that is there now.
type Device struct {
	ID      string // stable for the device while the system runs; not for people
	Name    string // unique in one list: a second device of that name gets " (2)"
	Default bool

	id malgo.DeviceID
}

// Errors of List and Stream.Start, wrapped.
var (
	ErrNoSystem = errors.New("no sound system found")
	ErrNotFound = errors.New("not found")
)

// backends leaves out miniaudio's null device: silence that nobody hears must be an error, not a speaker.
func backends() []malgo.Backend {
	switch runtime.GOOS {
	case "windows":
		return []malgo.Backend{malgo.BackendWasapi, malgo.BackendDsound, malgo.BackendWinmm}
	case "darwin":
		return []malgo.Backend{malgo.BackendCoreaudio}
	case "linux":
		b := []malgo.Backend{malgo.BackendPulseaudio} // PipeWire speaks it too
		if cards, _ := filepath.Glob("/dev/snd/pcm*"); len(cards) > 0 {
			b = append(b, malgo.BackendAlsa) // without a card its library only fills the terminal with complaints
		}
		return b
	}
	return []malgo.Backend{malgo.BackendSndio, malgo.BackendAudio4, malgo.BackendOss, malgo.BackendPulseaudio, malgo.BackendJack}
}

// openContext connects to the sound system. Every list and every device takes a connection of its own, a few
// milliseconds: a shared one would be dead for good after the sound server restarted.
func openContext() (*malgo.AllocatedContext, error) {
	c, err := malgo.InitContext(backends(), malgo.ContextConfig{}, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSystem, err)
	}
	return c, nil
}

func closeContext(c *malgo.AllocatedContext) {
	_ = c.Uninit()
	c.Free()
}

// List gives the devices that are there now, the default one first and recordings of a speaker ("Monitor of …") last.
func List(k Kind) ([]Device, error) {
	c, err := openContext()
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", k, err)
	}
	defer closeContext(c)
	return list(c, k)
}

func list(c *malgo.AllocatedContext, k Kind) ([]Device, error) {
	infos, err := c.Devices(k.malgo())
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", k, err)
	}
	devices := make([]Device, 0, len(infos))
	for _, i := range infos {
		devices = append(devices, Device{ID: i.ID.String(), Name: i.Name(), Default: i.IsDefault != 0, id: i.ID})
	}
	slices.SortStableFunc(devices, func(a, b Device) int { return a.rank() - b.rank() })
	nameApart(devices)
	return devices, nil
}

// Monitor is whether the device records what a speaker plays: hardly what a person wants as a microphone.
func (d Device) Monitor() bool {
	return strings.HasPrefix(d.Name, "Monitor of ") // PulseAudio's and PipeWire's word for it
}

func (d Device) rank() int {
	switch {
	case d.Monitor():
		return 2
	case d.Default:
		return 0
	}
	return 1
}

func nameApart(devices []Device) {
	seen := map[string]int{}
	for i := range devices {
		name := devices[i].Name
		if name == "" {
			name = "Unnamed device"
		}
		seen[name]++
		if n := seen[name]; n > 1 {
			name = fmt.Sprintf("%s (%d)", name, n)
		}
		devices[i].Name = name
	}
}
