package soundcard

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/gen2brain/malgo"
)

const (
	sampleRate   = 48000
	blockSamples = sampleRate / 100
	closeAtMost  = 2 * time.Second
	periods      = 3 // 10-17 ms from speaker to microphone over PulseAudio, and no dropouts on a busy machine
)

// Ahead is how much sound a playback device holds when it asks for the next block.
const Ahead = (periods - 1) * blockTime

// handle is one open device with the connection it needs.
type handle struct {
	context *malgo.AllocatedContext
	device  *malgo.Device
	name    string // of the device; "" when the system chose
	dead    atomic.Bool
}

// open starts the named device, or the system's default for "". data runs on the device's thread.
func open(k Kind, name string, data malgo.DataProc) (*handle, error) {
	c, err := openContext()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", k, err)
	}
	h := &handle{context: c, name: name}
	err = h.start(k, func(out, in []byte, frames uint32) {
		if !h.dead.Load() {
			data(out, in, frames)
		}
	})
	if err != nil {
		closeContext(c)
		return nil, fmt.Errorf("open %s: %w", h.describe(k), err)
	}
	return h, nil
}

func (h *handle) describe(k Kind) string {
	if h.name == "" {
		return "default " + k.String()
	}
	return fmt.Sprintf("%s %q", k, h.name)
}

func (h *handle) start(k Kind, data malgo.DataProc) error {
	devices, err := list(h.context, k)
	if err != nil {
		return err
	}
	config := malgo.DefaultDeviceConfig(k.malgo())
	config.SampleRate = sampleRate
	config.PeriodSizeInFrames, config.Periods = blockSamples, periods
	config.PerformanceProfile = malgo.LowLatency
	sub := &config.Playback
	if k == Capture {
		sub = &config.Capture
	}
	sub.Format, sub.Channels = malgo.FormatS16, 1
	if h.name != "" {
		var pin runtime.Pinner // C reads the id during InitDevice and copies it
		defer pin.Unpin()
		d, ok := find(devices, h.name)
		if !ok {
			return ErrNotFound
		}
		id := &malgo.DeviceID{}
		*id = d.id
		pin.Pin(id)
		sub.DeviceID = unsafe.Pointer(id)
	} else if len(devices) == 0 {
		return ErrNotFound
	}
	if h.device, err = malgo.InitDevice(h.context.Context, config, malgo.DeviceCallbacks{Data: data}); err != nil {
		return err
	}
	if err := h.device.Start(); err != nil {
		h.device.Uninit()
		return err
	}
	return nil
}

func find(devices []Device, name string) (*Device, bool) {
	for i := range devices {
		if devices[i].Name == name {
			return &devices[i], true
		}
	}
	return nil, false
}

// close ends the device; no data call runs after it. Stop must come first: ma_device_uninit waits for PulseAudio's loop
// without waking it, for ever when the stream is dead. A sound system that does not answer at all is left to itself.
func (h *handle) close() {
	h.dead.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.device.Stop()
		h.device.Uninit()
		closeContext(h.context)
	}()
	select {
	case <-done:
	case <-time.After(closeAtMost):
	}
}
