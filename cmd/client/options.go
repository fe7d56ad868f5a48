package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"visavis.example/internal/app"
	"visavis.example/internal/media/process"
	"visavis.example/internal/peer"
)

// options is the command line, checked.
type options struct {
	command string // "", register, call, answer, devices

	server, ca, user string
	invite           string // for register
	password         string
	hasPassword      bool
	configDir        string

	media mediaOptions

	peer       string // whom to call
	from       string
	autoAnswer bool
	once       bool
	after      time.Duration // it rings before it is answered
	wait       bool
	duration   time.Duration
	events     string
	verbose    bool

	signIn, register bool
	screenshot       string
	screenshotAfter  time.Duration
}

// mediaOptions is what the command line says about devices; empty specs leave the choice to the settings.
type mediaOptions struct {
	camera, microphone, speaker spec
	width, height               int
	fps                         float64
	codecs                      []string
	relayOnly                   bool
	record                      string // y4m file or "-"
	recordWidth, recordHeight   int
	recordMicrophone            string           // wav file
	trace                       string           // file of what happens to each picture
	processing                  *process.Options // of the microphone's sound; nil: the settings say, for real devices only
}

var errHelp = errors.New("help was asked for")

// parse reads the flags of a command, which may stand before and after its argument.
func parse(command string, args []string) (*options, error) {
	o := &options{command: command}
	var passwordFile, camera, microphone, speaker, size, recordSize, codecs, processing string
	f := flag.NewFlagSet("visavis "+command, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.server, "server", "", "")
	f.StringVar(&o.ca, "ca", "", "")
	f.StringVar(&o.user, "user", "", "")
	f.StringVar(&passwordFile, "password-file", "", "")
	f.StringVar(&o.configDir, "config-dir", "", "")
	f.StringVar(&camera, "camera", "", "")
	f.StringVar(&microphone, "microphone", "", "")
	f.StringVar(&speaker, "speaker", "", "")
	f.StringVar(&size, "size", "1280x720", "")
	f.Float64Var(&o.media.fps, "fps", 30, "")
	f.StringVar(&codecs, "codecs", "", "")
	f.StringVar(&processing, "processing", "default", "")
	f.BoolVar(&o.media.relayOnly, "relay-only", false, "")
	f.StringVar(&o.media.record, "record-video", "", "")
	f.StringVar(&o.media.recordMicrophone, "record-microphone", "", "")
	f.StringVar(&recordSize, "record-size", "", "")
	f.DurationVar(&o.duration, "duration", 0, "")
	f.StringVar(&o.events, "events", "", "")
	f.StringVar(&o.media.trace, "trace", "", "")
	f.BoolVar(&o.verbose, "verbose", false, "")
	if command == "register" || command == "" {
		f.StringVar(&o.invite, "invite", "", "")
	}
	if command == "call" || command == "" {
		f.BoolVar(&o.wait, "wait", false, "")
	}
	if command == "answer" || command == "" {
		f.StringVar(&o.from, "from", "", "")
		f.BoolVar(&o.once, "once", false, "")
		f.DurationVar(&o.after, "after", 0, "")
	}
	if command == "" {
		f.BoolVar(&o.signIn, "sign-in", false, "")
		f.BoolVar(&o.register, "register", false, "")
		f.StringVar(&o.peer, "call", "", "")
		f.BoolVar(&o.autoAnswer, "auto-answer", false, "")
		f.StringVar(&o.screenshot, "screenshot", "", "")
		f.DurationVar(&o.screenshotAfter, "screenshot-after", 5*time.Second, "")
	}
	rest, err := interspersed(f, args)
	if err != nil {
		return nil, err
	}
	if err := o.arguments(rest); err != nil {
		return nil, err
	}
	o.readInvite()
	if recordSize == "" {
		recordSize = size
	}
	err = errors.Join(
		o.media.devices(camera, microphone, speaker), o.media.codecList(codecs), o.media.processingList(processing),
		readSize("size", size, &o.media.width, &o.media.height),
		readSize("record-size", recordSize, &o.media.recordWidth, &o.media.recordHeight),
		o.readPassword(passwordFile), o.check(),
	)
	if err != nil {
		return nil, usageError{err}
	}
	return o, nil
}

// interspersed parses flags wherever they stand and gives what is none.
func interspersed(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		switch err := f.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			return nil, errHelp
		case err != nil:
			return nil, usageError{err}
		}
		if f.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, f.Arg(0))
		args = f.Args()[1:]
	}
}

func (o *options) arguments(rest []string) error {
	switch {
	case o.command == "call" && len(rest) == 1:
		o.peer = rest[0]
	case o.command == "call":
		return usageError{errors.New("call whom? visavis call USER")}
	case len(rest) > 0:
		return usageError{fmt.Errorf("%q is too much", rest[0])}
	}
	o.autoAnswer = o.autoAnswer || o.command == "answer"
	return nil
}

func (o *options) check() error {
	switch {
	case !(o.media.fps >= 1 && o.media.fps <= 120): // NaN is neither
		return fmt.Errorf("--fps is 1 to 120, not %v", o.media.fps)
	case o.media.camera.kind == "pattern" && (o.media.width < 64 || o.media.height < 36):
		return errors.New("--camera pattern needs a --size of 64x36 at least")
	case o.duration < 0:
		return errors.New("--duration is not negative")
	case o.after < 0:
		return errors.New("--after is not negative")
	case o.events == "-" && o.media.record == "-":
		return errors.New("--events and --record-video cannot both be standard output")
	}
	return nil
}

func readSize(flag, s string, width, height *int) error {
	w, h, ok := strings.Cut(s, "x")
	var err1, err2 error
	*width, err1 = strconv.Atoi(w)
	*height, err2 = strconv.Atoi(h)
	if !ok || err1 != nil || err2 != nil || *width < 16 || *height < 16 || *width > 4096 || *height > 4096 || *width%2 != 0 || *height%2 != 0 {
		return fmt.Errorf("--%s is WIDTHxHEIGHT in even numbers from 16 to 4096, such as 1280x720, not %q", flag, s)
	}
	return nil
}

func (o *options) readPassword(file string) error {
	if o.command == "devices" {
		return nil
	}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("--password-file: %w", err)
		}
		o.password, o.hasPassword = strings.TrimRight(string(b), "\r\n"), true
		return nil
	}
	o.password, o.hasPassword = os.LookupEnv("VISAVIS_PASSWORD")
	return nil
}

// override puts who and where from the command line over what was kept.
func (o *options) override(s *app.Settings) {
	if o.server != "" {
		s.Server = o.server
	}
	if o.user != "" {
		s.Name = o.user
	}
}

// settings gives what the window kept, with the command line over it. It is good even with an error.
func (o *options) settings() (app.Settings, error) {
	s := app.DefaultSettings()
	path, err := app.SettingsPath(o.configDir)
	if err == nil {
		s, err = app.LoadSettings(path, s)
	}
	o.override(&s)
	return s, err
}

// tokens is where the session is kept; a folder of its own keeps the person's keyring out of it.
func (o *options) tokens(settingsPath string) *app.Tokens {
	return &app.Tokens{File: filepath.Join(filepath.Dir(settingsPath), "sessions.json"), NoKeyring: o.configDir != ""}
}

func (m *mediaOptions) codecList(list string) error {
	if list == "" {
		return nil
	}
	for _, c := range strings.Split(list, ",") {
		if !slices.Contains(peer.DefaultCodecs, c) {
			return fmt.Errorf("--codecs: %q is none of %s", c, strings.Join(peer.DefaultCodecs, ", "))
		}
		m.codecs = append(m.codecs, c)
	}
	return nil
}

func (m *mediaOptions) processingList(list string) error {
	if list == "default" {
		return nil
	}
	m.processing = &process.Options{}
	if list == "none" {
		return nil
	}
	for _, p := range strings.Split(list, ",") {
		switch p {
		case "echo":
			m.processing.Echo = true
		case "noise":
			m.processing.Noise = true
		case "gain":
			m.processing.Gain = true
		default:
			return fmt.Errorf("--processing is default, none, or some of echo,noise,gain; not %q", list)
		}
	}
	return nil
}

// processingOf says what is done to the sound of a microphone: a file or a tone has neither room nor talker.
func (m *mediaOptions) processingOf(microphone spec, s app.Settings) process.Options {
	switch {
	case m.processing != nil:
		return *m.processing
	case microphone.kind == "tone" || microphone.kind == "speech" || microphone.kind == "file":
		return process.Options{}
	}
	return process.Options{Echo: s.EchoCancellation, Noise: s.NoiseSuppression, Gain: s.GainControl}
}
