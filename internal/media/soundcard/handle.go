package soundcard

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/gen2brain/malgo"
)

const (
	sampleRate   = 48000
	blockSamples = sampleRate / 100
	periods      = 3 // 10-17 ms from speaker to microphone over PulseAudio, and no dropouts on a busy machine
)

// handle is one open device with the connection it needs.
type handle struct {
	context *malgo.AllocatedContext
	device  *malgo.Device
	name    string // of the device; "" when the system chose
}

// open starts the named device, or the system's default for "". data runs on the device's thread.
func open(k Kind, name string, data malgo.DataProc) (*handle, error) {
	c, err := openContext()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", k, err)
	}
	h := &handle{context: c, name: name}
	if err := h.start(k, data); err != nil {
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
		pin.Pin(&d.id)
		sub.DeviceID = unsafe.Pointer(&d.id)
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

// close ends the device; no callback runs after it.
func (h *handle) close() {
	h.device.Uninit()
	closeContext(h.context)
}
