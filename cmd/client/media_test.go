package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"visavis.example/internal/app"
	"visavis.example/internal/media"
	"visavis.example/internal/media/capture"
	"visavis.example/internal/media/wav"
	"visavis.example/internal/media/y4m"
)

// side is one end of a call without a server: what it has to signal goes straight to the other.
type side struct {
	calls *calls
	peer  app.Peer
	spare app.Peer // another connection that was made while it rang, and not used
	news  chan app.MediaEvent
}

func newSide(t *testing.T, camera, microphone, dir string) *side {
	t.Helper()
	o := mediaOptions{
		width: 320, height: 180, fps: 15, codecs: []string{"vp8"},
		record: filepath.Join(dir, "seen.y4m"), recordWidth: 320, recordHeight: 180, trace: filepath.Join(dir, "trace.jsonl"),
		recordMicrophone: filepath.Join(dir, "said.wav"),
	}
	if err := o.devices(camera, microphone, "file:"+filepath.Join(dir, "heard.wav")); err != nil {
		t.Fatal(err)
	}
	c, err := newCalls(o, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	return &side{calls: c, news: make(chan app.MediaEvent, 1000)}
}

// connect opens both ends and passes on what they say until both have seen and heard the other, and for a while after.
func connect(t *testing.T, a, b *side, also time.Duration) {
	t.Helper()
	open := func(s *side, offerer bool) {
		p, err := s.calls.Open(app.MediaConfig{
			CallID: "call-1", Offerer: offerer, Microphone: true, Camera: true, Settings: app.Settings{Server: "127.0.0.1:8443"},
		}, func(e app.MediaEvent) { s.news <- e })
		if err != nil {
			t.Fatal(err)
		}
		s.peer = p
		s.spare, err = s.calls.Open(app.MediaConfig{CallID: "call-1", Held: true, Settings: app.Settings{Server: "127.0.0.1:8443"}}, func(app.MediaEvent) {})
		if err != nil {
			t.Fatal(err)
		}
	}
	open(b, false)
	open(a, true)
	limit := time.After(60 * time.Second)
	missing := map[string]bool{}
	for _, who := range []string{"a", "b"} {
		missing[who+" up"], missing[who+" seen"], missing[who+" heard"] = true, true, true
	}
	pass := func(who string, e app.MediaEvent, to app.Peer) {
		switch e := e.(type) {
		case app.LocalOffer:
			to.GotOffer(e.SDP)
		case app.LocalAnswer:
			to.GotAnswer(e.SDP)
		case app.LocalCandidate:
			to.GotCandidate(e.Candidate)
		case app.MediaUp:
			delete(missing, who+" up")
		case app.FirstVideo:
			delete(missing, who+" seen")
		case app.FirstAudio:
			delete(missing, who+" heard")
		case app.MediaFailed, app.MediaNotice, app.MediaLacks:
			t.Errorf("%s: %T %+v", who, e, e)
		}
	}
	var end <-chan time.Time
	for {
		select {
		case e := <-a.news:
			pass("a", e, b.peer)
		case e := <-b.news:
			pass("b", e, a.peer)
		case <-end:
			return
		case <-limit:
			t.Fatalf("still missing: %v", missing)
		}
		if len(missing) == 0 && end == nil {
			end = time.After(also)
		}
	}
}

// Two ends with made-up cameras and tones see and hear each other, and both leave recordings that show it.
func TestTwoEndsSeeAndHearEachOther(t *testing.T) {
	dirA, dirB := t.TempDir(), t.TempDir()
	a, b := newSide(t, "pattern:11", "tone:600", dirA), newSide(t, "pattern:22", "tone:1500", dirB)
	connect(t, a, b, 2*time.Second)
	for _, s := range []*side{a, b} {
		s.spare.Close()
		s.peer.Close()
		s.calls.Close()
	}
	check(t, dirA, 22, 1500)
	check(t, dirB, 11, 600)
	checkSound(t, filepath.Join(dirA, "said.wav"), 600)
	checkSound(t, filepath.Join(dirB, "said.wav"), 1500)
	checkTrace(t, dirA, dirB)
	checkTrace(t, dirB, dirA)
}

// One connection at a time has the devices: the next one gets them when that is closed, and closing one that waits does
// not wait.
func TestDevicesGoFromOneConnectionToTheNext(t *testing.T) {
	s := newSide(t, "pattern:11", "tone:600", t.TempDir())
	open := func() *link {
		p, err := s.calls.Open(app.MediaConfig{
			CallID: "call-1", Held: true, Devices: true, Microphone: true, Camera: true, Settings: app.Settings{Server: "127.0.0.1:8443"},
		}, func(app.MediaEvent) {})
		if err != nil {
			t.Fatal(err)
		}
		return p.(*link)
	}
	has := func(l *link) bool { // after its update
		got := make(chan bool)
		l.hands.put(func() { got <- l.turn })
		return <-got
	}
	first := open()
	if !has(first) {
		t.Fatal("the first has no devices")
	}
	second, third := open(), open()
	first.Close()
	third.Close() // whether it waits or has them
	if !has(second) {
		t.Error("the second never got the devices")
	}
	second.Close()
	if len(s.calls.turn) != 0 {
		t.Error("the devices are still taken")
	}
	s.calls.Close()
}

// check reads a recording: enough pictures with that marker, and that tone far above its neighbours.
func check(t *testing.T, dir string, id uint8, hz float64) {
	t.Helper()
	r, err := y4m.Open(filepath.Join(dir, "seen.y4m"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	numbers := map[uint16]bool{}
	var pool media.Pool
	for {
		f := pool.Get(320, 180)
		err := r.Next(f)
		if err == nil {
			if got, n, ok := media.ReadMarker(f); ok && got == id {
				numbers[n] = true
			}
		}
		f.Release()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(numbers) < 10 {
		t.Errorf("%d different pictures of %d", len(numbers), id)
	}
	checkSound(t, filepath.Join(dir, "heard.wav"), hz)
}

func checkSound(t *testing.T, path string, hz float64) {
	t.Helper()
	sound, err := wav.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sound.Close() }()
	var pcm []int16
	for b := make([]int16, 4800); ; {
		n, err := sound.Read(b)
		pcm = append(pcm, b[:n]...)
		if err != nil {
			break
		}
	}
	if len(pcm) < media.SampleRate {
		t.Fatalf("only %d samples", len(pcm))
	}
	pcm = pcm[len(pcm)-media.SampleRate/2:]
	if tone, other := power(pcm, hz), power(pcm, hz*1.31); tone < 100*other || tone < 1e-4 {
		t.Errorf("%v Hz has power %.2g, its neighbour %.2g", hz, tone, other)
	}
}

// checkTrace follows pictures from one end's trace to the other's: each has its number and RTP time at both, and time
// goes on from stage to stage.
func checkTrace(t *testing.T, from, to string) {
	t.Helper()
	sent, got := readTrace(t, from), readTrace(t, to)
	path := []struct {
		by    stages
		stage string
	}{{sent, "captured"}, {sent, "encoded"}, {sent, "sent"}, {got, "received"}, {got, "decoded"}, {got, "presented"}}
	for n := range got["presented"] {
		var before traceLine
		for i, p := range path {
			l, ok := one(p.by, p.stage, n)
			// Over loopback a packet has come before its sender is back from sending, on a busy machine long before.
			if !ok || l.W != 320 || l.H != 180 || l.T < before.T-0.1 || l.RTP != before.RTP && i > 1 || l.Call != "call-1" {
				t.Errorf("picture %d: %+v, before it %+v", n, p.by[p.stage][n], before)
			}
			before = l
		}
	}
	if n := len(got["presented"]); n < 10 {
		t.Errorf("%d pictures presented", n)
	}
	for _, stage := range []string{"mic", "speaker"} {
		var began float64
		for i, l := range got[stage][0] {
			zero := l.T - float64(l.Sample)/media.SampleRate
			if i == 0 {
				began = zero
			}
			if l.Sample < 0 || math.Abs(zero-began) > 0.002 || l.Call == "" {
				t.Errorf("%s: %+v, the first sample was at %f", stage, l, began)
			}
		}
		if n := len(got[stage][0]); n < 3 {
			t.Errorf("%d lines of the clock of the %s in two seconds", n, stage)
		}
	}
}

type traceLine struct {
	T             float64
	Stage         string
	Call          string
	Frame, Sample int64
	RTP           uint32
	W, H          int
}

// readTrace gives the lines of each stage by the picture's number.
func readTrace(t *testing.T, dir string) stages {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "trace.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	all := stages{}
	for line := range bytes.Lines(b) {
		var l traceLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if all[l.Stage] == nil {
			all[l.Stage] = map[int64][]traceLine{}
		}
		all[l.Stage][l.Frame] = append(all[l.Stage][l.Frame], l)
	}
	return all
}

// stages are a trace's lines by stage and picture.
type stages map[string]map[int64][]traceLine

func one(s stages, stage string, n int64) (traceLine, bool) {
	if l := s[stage][n]; len(l) == 1 {
		return l[0], true
	}
	return traceLine{}, false
}

// power is Goertzel's: the share of a frequency, 1 for a full-scale sine.
func power(pcm []int16, hz float64) float64 {
	var re, im float64
	for i, s := range pcm {
		a := 2 * math.Pi * hz * float64(i) / media.SampleRate
		re += float64(s) / 32768 * math.Cos(a)
		im += float64(s) / 32768 * math.Sin(a)
	}
	n := float64(len(pcm)) / 2
	return (re*re + im*im) / (n * n)
}

// fakeSink is a speaker that notes its life.
type fakeSink struct {
	mu   *sync.Mutex
	log  *[]string
	name string
}

func (s fakeSink) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.log = append(*s.log, what+" "+s.name)
}

func (s fakeSink) Start(fill func([]int16)) error {
	block := make([]int16, media.BlockSamples)
	loud := 0.0
	for range 30 {
		fill(block)
		loud = max(loud, power(block, 425)+power(block, 659.3))
	}
	s.note(fmt.Sprintf("start(%v)", loud > 1e-4))
	return nil
}
func (s fakeSink) Close() error  { s.note("close"); return nil }
func (s fakeSink) Label() string { return s.name }

func TestRinging(t *testing.T) {
	var mu sync.Mutex
	var log []string
	c := &calls{log: slog.New(slog.DiscardHandler), turn: make(chan struct{}, 1), ring: newRinger(slog.New(slog.DiscardHandler))}
	c.ring.open = func(p spec) (media.AudioSink, error) { return fakeSink{&mu, &log, p.kind}, nil }
	c.Ring(true, app.Settings{Speaker: "Headset"})  // rings where it is noticed
	c.Ring(false, app.Settings{Speaker: "Headset"}) // replaces the first
	c.Quiet()
	c.Quiet()
	c.Ring(true, app.Settings{Speaker: "none"}) // not at all
	done := make(chan struct{})
	c.ring.hands.put(func() { close(done) })
	<-done
	c.Ring(true, app.Settings{})
	c.ring.hands.put(func() {})
	flushed := make(chan struct{})
	c.ring.hands.put(func() { close(flushed) })
	<-flushed
	c.Close()
	want := "start(true) default, close default, start(true) chosen, close chosen, start(true) default, close default"
	if got := strings.Join(log, ", "); got != want {
		t.Errorf("%s", got)
	}
}

func TestTunesLoopWithoutClicksOrClipping(t *testing.T) {
	for name, pcm := range map[string][]int16{"ringtone": render(ringtone, ringtoneSeconds, true), "ringback": render(ringback, ringbackSeconds, false)} {
		step, top := 0, 0
		for i := range pcm {
			next := int(pcm[(i+1)%len(pcm)])
			step, top = max(step, next-int(pcm[i]), int(pcm[i])-next), max(top, int(pcm[i]), -int(pcm[i]))
		}
		if step > 6000 || top > 32000 || top < 1000 {
			t.Errorf("%s: largest step %d, top %d", name, step, top)
		}
	}
}

// A missing device is told in words, turns its switch off, and the call goes on with what there is.
func TestMissingDevices(t *testing.T) {
	dir := t.TempDir()
	s := newSide(t, "device:no such camera", "none", dir)
	p, err := s.calls.Open(app.MediaConfig{Offerer: true, Camera: true, Microphone: true}, func(e app.MediaEvent) { s.news <- e })
	if err != nil {
		t.Fatal(err)
	}
	var notice app.MediaNotice
	var lacks app.MediaLacks
	for limit := time.After(30 * time.Second); notice.Text == "" || !lacks.Camera || !lacks.Microphone; {
		select {
		case e := <-s.news:
			switch e := e.(type) {
			case app.MediaNotice:
				notice = e
			case app.MediaLacks:
				lacks.Camera = lacks.Camera || e.Camera
				lacks.Microphone = lacks.Microphone || e.Microphone
			}
		case <-limit:
			t.Fatalf("%+v %+v", notice, lacks)
		}
	}
	if !strings.HasPrefix(notice.Text, "No camera") {
		t.Errorf("%q", notice.Text)
	}
	p.Close()
	s.calls.Close()
	if _, err := os.Stat(filepath.Join(dir, "seen.y4m")); err != nil {
		t.Error(err)
	}
	l := &link{calls: s.calls, post: func(e app.MediaEvent) { notice, _ = e.(app.MediaNotice) }}
	l.notice("camera", fmt.Errorf("open: %w", capture.ErrBusy))
	if n := notice; n.Text != "The camera is used by another program." {
		t.Errorf("%q", n.Text)
	}
}

// A switch that has no device behind it goes back each time that it is pressed, and not only the first time.
func TestSwitchesWithoutDevices(t *testing.T) {
	s := newSide(t, "", "", t.TempDir())
	p, err := s.calls.Open(app.MediaConfig{
		Offerer: true, Camera: true, Microphone: true, Settings: app.Settings{Camera: "none", Microphone: "none"},
	}, func(e app.MediaEvent) { s.news <- e })
	if err != nil {
		t.Fatal(err)
	}
	defer s.calls.Close()
	defer p.Close()
	goesBack := func(what string, is func(app.MediaLacks) bool) {
		t.Helper()
		for limit := time.After(10 * time.Second); ; {
			select {
			case e := <-s.news:
				if l, ok := e.(app.MediaLacks); ok && is(l) {
					return
				}
			case <-limit:
				t.Fatalf("the switch of the %s stays on", what)
			}
		}
	}
	microphone := func(l app.MediaLacks) bool { return l.Microphone }
	camera := func(l app.MediaLacks) bool { return l.Camera }
	goesBack("microphone", microphone)
	goesBack("camera", camera)
	for range 2 {
		p.SetCamera(true)
		goesBack("camera", camera)
		p.SetMicrophone(true)
		goesBack("microphone", microphone)
		p.SetCamera(false)
		p.SetMicrophone(false)
	}
}

// A recording that the disk did not take is an error of the whole program, for scripts to see.
func TestRecordingToAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	t.Setenv("VISAVIS_PASSWORD", "secret")
	var out, errs bytes.Buffer
	line := "call b --user a --server ftp://x --record-video /dev/full --config-dir " + t.TempDir()
	code := run(strings.Fields(line), &out, &errs)
	if code != exitSignIn || !strings.Contains(errs.String(), "record video") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	o := mediaOptions{trace: "/dev/full"}
	c, err := newCalls(o, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	c.trace.Decide("test", "", nil, time.Now())
	if c.Close(); c.gaps == nil || !strings.HasPrefix(c.gaps.Error(), "trace: ") {
		t.Errorf("%v", c.gaps)
	}
}
