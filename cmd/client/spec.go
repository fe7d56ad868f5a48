package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
	"visavis.example/internal/media/playout"
	"visavis.example/internal/media/wav"
	"visavis.example/internal/media/y4m"
)

// spec says where pictures or sound come from or go to, as --camera, --microphone and --speaker write it:
// KIND or KIND:VALUE. The zero spec leaves the choice to the settings.
type spec struct{ kind, value string }

var (
	none       = spec{kind: "none"}
	theDefault = spec{kind: "default"}
)

// devices reads the three device flags; files are looked into at once, so that a mistake ends the program before a call.
func (m *mediaOptions) devices(camera, microphone, speaker string) error {
	var err1, err2, err3 error
	m.camera, err1 = readSpec("camera", camera, "pattern", "file", "device")
	m.microphone, err2 = readSpec("microphone", microphone, "tone", "speech", "file", "device")
	m.speaker, err3 = readSpec("speaker", speaker, "file", "device")
	err := errors.Join(err1, err2, err3)
	if err == nil && m.camera.kind == "file" {
		err = named("camera", probeY4M(m.camera.value))
	}
	if err == nil && m.microphone.kind == "file" {
		err = named("microphone", probeWAV(m.microphone.value))
	}
	return err
}

func named(flag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("--%s: %w", flag, err)
}

func probeY4M(path string) error {
	r, err := y4m.Open(path)
	if err != nil {
		return err
	}
	return r.Close()
}

func probeWAV(path string) error {
	r, err := wav.Open(path)
	if err != nil {
		return err
	}
	return r.Close()
}

func readSpec(flag, s string, kinds ...string) (spec, error) {
	if s == "" {
		return spec{}, nil
	}
	kind, value, _ := strings.Cut(s, ":")
	p := spec{kind, value}
	if p == none || p == theDefault {
		return p, nil
	}
	for _, k := range kinds {
		if k == kind {
			return p, named(flag, p.check())
		}
	}
	return spec{}, fmt.Errorf("--%s is default, none, %s; not %q", flag, strings.Join(kinds, ", "), s)
}

func (p spec) check() error {
	switch p.kind {
	case "pattern":
		if _, err := strconv.ParseUint(p.value, 10, 8); p.value != "" && err != nil {
			return fmt.Errorf("the pattern's number is 0 to 255, not %q", p.value)
		}
	case "tone":
		if hz, err := strconv.ParseFloat(p.value, 64); p.value != "" && (err != nil || !(hz >= 20 && hz <= 20000)) {
			return fmt.Errorf("the tone in Hz is 20 to 20000, not %q", p.value)
		}
	case "file", "device":
		if p.value == "" {
			return fmt.Errorf("%s: needs a name after the colon", p.kind)
		}
	}
	return nil
}

// orSetting gives the flag's choice, or what the settings say: "" the default device, "none", or a device's name.
func (p spec) orSetting(name string) spec {
	switch {
	case p != spec{}:
		return p
	case name == "":
		return theDefault
	case name == "none":
		return none
	}
	return spec{"chosen", name}
}

// openCamera gives the source of own pictures; nil for none.
func (m *mediaOptions) openCamera(p spec) (media.VideoSource, error) {
	switch p.kind {
	case "none":
		return nil, nil
	case "pattern":
		id, _ := strconv.Atoi(p.value)
		return &capture.Pattern{Width: m.width, Height: m.height, FPS: m.fps, ID: uint8(id)}, nil
	case "file":
		return &capture.File{Path: p.value, Width: m.width, Height: m.height}, nil
	case "screen":
		return capture.OpenScreen(p.value, min(m.fps, 15))
	case "chosen": // what the settings name may be unplugged today
		if src, err := capture.OpenCamera(p.value, m.width, m.height, m.fps); err == nil {
			return src, nil
		}
		return capture.OpenCamera("", m.width, m.height, m.fps)
	}
	return capture.OpenCamera(p.value, m.width, m.height, m.fps)
}

func openMicrophone(p spec) (media.AudioSource, error) {
	switch p.kind {
	case "none":
		return nil, nil
	case "tone":
		hz, _ := strconv.ParseFloat(p.value, 64)
		return &capture.Tone{Hz: hz}, nil
	case "speech":
		return &capture.Speech{}, nil
	case "file":
		return &capture.WAV{Path: p.value}, nil
	case "chosen":
		if src, err := capture.OpenMicrophone(p.value); err == nil {
			return src, nil
		}
		return capture.OpenMicrophone("")
	}
	return capture.OpenMicrophone(p.value)
}

// openSpeaker never gives nil: without a speaker sound is pulled all the same, so that recordings and counters go on.
func openSpeaker(p spec) (media.AudioSink, error) {
	switch p.kind {
	case "none":
		return &playout.Null{}, nil
	case "file":
		return &playout.Null{Name: filepath.Base(p.value)}, nil // calls.heard writes it
	case "chosen":
		if sink, err := playout.OpenSpeaker(p.value); err == nil {
			return sink, nil
		}
		return playout.OpenSpeaker("")
	}
	return playout.OpenSpeaker(p.value)
}
