package peer

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"visavis.example/internal/media"
)

func TestCameraOffAndOn(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)

	a.SetCamera(nil)
	eventually(t, "the picture stands still", func() bool {
		before := b.eye.present.Load()
		quiet := time.NewTimer(300 * time.Millisecond)
		<-quiet.C
		return b.eye.present.Load() == before
	})
	eventually(t, "sound goes on", func() bool { return b.ear.hears(440) })

	b.eye.again()
	a.SetCamera(&pattern{width: 240, height: 180, fps: 30, id: 7})
	eventually(t, "b sees the new camera", func() bool { return b.eye.sees(7, 10) })
	b.eye.again()
	a.SetCamera(&pattern{width: 320, height: 180, fps: 30, id: 8})
	eventually(t, "b sees the third camera", func() bool { return b.eye.sees(8, 10) })
	if b.eye.bad > 0 {
		t.Errorf("%d pictures without marker", b.eye.bad)
	}
	if _, n := find[Offer](a); n != 1 {
		t.Errorf("%d offers", n)
	}
}

func TestStartWithoutDevices(t *testing.T) {
	a, b := newPair(t, nil)
	for _, p := range []*party{b, a} {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "connection", func() bool { return has[Connected](a) && has[Connected](b) })
	a.SetCamera(&pattern{width: 320, height: 180, fps: 30, id: 1})
	eventually(t, "b sees a", func() bool { return b.eye.sees(1, 5) })
	b.SetMicrophone(&tone{hz: 620})
	eventually(t, "a hears b", func() bool { return a.ear.hears(620) })
}

func TestMute(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)
	a.SetMuted(true)
	eventually(t, "silence", b.ear.silent)
	if st := b.audioIn.buffer.Counts(); st.Lost > 5 {
		t.Errorf("muting looks like loss: %+v", st)
	}
	a.SetMuted(false)
	eventually(t, "sound", func() bool { return b.ear.hears(440) })
}

func TestMicrophoneAndSpeakerChange(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)
	a.SetMicrophone(&tone{hz: 500})
	eventually(t, "new tone", func() bool { return b.ear.hears(500) })
	other := &ear{}
	b.SetSpeaker(other)
	eventually(t, "new speaker", func() bool { return other.hears(500) })
	b.SetSpeaker(nil)
	a.SetMicrophone(nil)
}

// broken fails to start and counts how often it is closed.
type broken struct{ closed atomic.Int32 }

func (*broken) Label() string                  { return "broken" }
func (*broken) Start(func(*media.Frame)) error { return errors.New("in use") }
func (b *broken) Close() error                 { b.closed.Add(1); return nil }

func TestBrokenCamera(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	bad := &broken{}
	a.SetCamera(bad)
	eventually(t, "DeviceFailed", func() bool { return has[DeviceFailed](a) })
	e, _ := find[DeviceFailed](a)
	if e.Device != Camera || e.Label != "broken" || e.Err == nil || bad.closed.Load() != 1 {
		t.Errorf("%+v, closed %d times", e, bad.closed.Load())
	}
	eventually(t, "b hears a", func() bool { return b.ear.hears(440) })
}

// camera does what the test says when it is started and closed.
type camera struct {
	label        string
	begun        chan struct{} // closed by Start
	let          chan struct{} // Start waits for it; nil: does not
	start, close error
}

func (c *camera) Label() string { return c.label }
func (c *camera) Close() error  { return c.close }

func (c *camera) Start(func(*media.Frame)) error {
	close(c.begun)
	if c.let != nil {
		<-c.let
	}
	return c.start
}

// What goes wrong with a camera that another has taken the place of is no failure of the new one.
func TestReplacedCameraFailsQuietly(t *testing.T) {
	stop, ended := make(chan struct{}), make(chan struct{})
	k := &keeper[media.VideoSource]{
		wish: newSlot[media.VideoSource](), stop: stop, gone: func() {}, log: slog.New(slog.DiscardHandler),
		start:  func(d media.VideoSource) error { return d.Start(nil) },
		failed: func(label string, err error) { t.Errorf("%s: %v", label, err) },
	}
	go func() { defer close(ended); k.run() }()
	slow := &camera{label: "slow", begun: make(chan struct{}), let: make(chan struct{}), start: errors.New("in use")}
	stuck := &camera{label: "stuck", begun: make(chan struct{}), close: errors.New("does not answer")}
	good := &camera{label: "good", begun: make(chan struct{})}
	k.set(slow)
	<-slow.begun
	k.set(stuck)
	close(slow.let)
	<-stuck.begun
	k.set(good)
	<-good.begun
	close(stop)
	<-ended
}

func TestCloseEarlyAndLate(t *testing.T) {
	camera := &broken{}
	s := &Session{Offerer: true}
	s.SetCamera(camera)
	s.Close()
	s.Close()
	late := &broken{}
	s.SetCamera(late)
	if camera.closed.Load() != 1 || late.closed.Load() != 1 {
		t.Errorf("closed %d and %d times", camera.closed.Load(), late.closed.Load())
	}
	s.GotOffer("x")
	s.SetMuted(true)

	var events atomic.Int32
	s = &Session{Offerer: true, IncludeLoopback: true, OnEvent: func(Event) { events.Add(1) }}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	n := events.Load()
	s.GotAnswer("x")
	if events.Load() != n {
		t.Error("an event after Close")
	}
	if err := (&Session{Codecs: []string{"h265"}}).Start(); err == nil {
		t.Error("unknown codec accepted")
	}
}

func TestEachSendsItsFavourite(t *testing.T) {
	a, b := newPair(t, nil)
	a.Codecs, b.Codecs = []string{"vp9", "vp8"}, []string{"vp8", "vp9"}
	call(t, a, b)
	flows(t, a, b)
	eventually(t, "statistics", func() bool { return has[Stats](a) })
	if s, _ := find[Stats](a); s.SendCodec != "vp9" || s.ReceiveCodec != "vp8" {
		t.Errorf("a sends %q and gets %q", s.SendCodec, s.ReceiveCodec)
	}
}

func TestCommonCodec(t *testing.T) {
	a, b := newPair(t, nil)
	a.Codecs, b.Codecs = []string{"vp9", "vp8"}, []string{"vp8"}
	call(t, a, b)
	flows(t, a, b)
	if c := loadCodec(&a.videoOut.count.codec); c != "vp8" {
		t.Errorf("a sends %q", c)
	}
}

// A decoder that has lost its way gets a key frame, and the request crosses the wire.
func TestKeyFrameOnRequest(t *testing.T) {
	a, b := newPair(t, nil)
	call(t, a, b)
	flows(t, a, b)
	keys := a.videoOut.count.keys.Load()
	b.videoIn.resync.Store(true)
	eventually(t, "a key frame", func() bool { return a.videoOut.count.keys.Load() > keys })
	b.eye.again()
	flows(t, a, b)
	if b.videoIn.count.keysAsked.Load() == 0 || b.eye.bad > 0 {
		t.Errorf("%d asked for, %d smeared", b.videoIn.count.keysAsked.Load(), b.eye.bad)
	}
}
