package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
)

// tab is a signed-in page of a browser whose camera shows marker id and whose microphone plays hz.
type tab struct {
	*testkit.Page
	s    *scene
	name string
	id   uint8
	hz   float64
}

// browser starts a Chromium of its own for that person (devices belong to a browser, not to a tab) and registers there.
func (s *scene) browser(name string) *tab {
	s.t.Helper()
	return s.browserWith(name, "")
}

// browserWith is a browser whose pages run that script before their own.
func (s *scene) browserWith(name, script string) *tab {
	s.t.Helper()
	return s.browserAt(name, testkit.ChromiumConfig{Script: script})
}

// browserAt is a browser of that script, and in that network.
func (s *scene) browserAt(name string, conf testkit.ChromiumConfig) *tab {
	s.t.Helper()
	profile, err := os.MkdirTemp("", "visavis-chromium-") // outside TempDir: Chromium may still write while it ends
	s.must(err)
	s.t.Cleanup(func() { _ = os.RemoveAll(profile) })
	video, sound := clip(s.t, s.Dir, ids[name], tones[name])
	conf.Dir, conf.CertFile, conf.Camera, conf.Sound = profile, s.srv.CA, video, sound
	b, err := testkit.StartChromium(s.ctx, conf)
	s.must(err)
	s.t.Cleanup(b.Close)
	p, err := b.Open(s.srv.URL, 1100, 700)
	s.must(err)
	t := &tab{Page: p, s: s, name: name, id: ids[name], hz: tones[name]}
	t.click("register")
	s.must(p.Type(s.ctx, "username", name))
	s.must(p.Type(s.ctx, "password", testkit.Password))
	t.click("submit")
	s.must(p.Visible(s.ctx, "user-Echo"))
	return t
}

func (t *tab) click(id string) {
	t.s.t.Helper()
	t.s.must(t.Click(t.s.ctx, id))
}

// state waits until the call is in that phase.
func (t *tab) state(phase string) {
	t.s.t.Helper()
	t.s.must(t.Attribute(t.s.ctx, "call-state", "data-state", phase))
}

// met waits for the other's moving marker in the page's remote picture and its tone in the remote sound.
func (t *tab) met(id uint8, hz float64) {
	t.s.t.Helper()
	t.s.must(t.Mark(t.s.ctx, id))
	t.s.must(t.Tone(t.s.ctx, hz))
}

func (t *tab) ended(reason signal.EndReason) {
	t.s.t.Helper()
	t.s.must(t.Attribute(t.s.ctx, "end-reason", "data-reason", string(reason)))
}

// shot leaves a picture in $VISAVIS_SHOTS, for people.
func (t *tab) shot(name string) {
	dir := os.Getenv("VISAVIS_SHOTS")
	if dir == "" {
		return
	}
	b, err := t.Screenshot(t.s.ctx)
	t.s.must(err)
	t.s.must(os.WriteFile(filepath.Join(dir, name+".png"), b, 0o644))
}

func TestClientCallsChromium(t *testing.T) {
	s := newScene(t, []string{"alice"})
	bob := s.browser("bob")
	alice := s.start("alice", "call", "bob", "--duration", "15s")
	alice.wait("ringing")
	bob.shot("incoming")
	bob.click("accept")
	bob.state("active")
	bob.met(alice.id, alice.hz)
	bob.shot("call")
	alice.ended(signal.EndHangup)
	bob.ended(signal.EndHangup)
	bob.shot("ended")
	alice.exit(0)
	alice.met(bob.id, bob.hz)
	if r := s.record("alice"); r.Path != signal.PathDirect || r.Reason != signal.EndHangup {
		t.Errorf("the record says %+v", r)
	}
}

func TestChromiumCallsClient(t *testing.T) {
	s := newScene(t, []string{"alice"})
	alice := s.answer("alice", "--once", "--after", "2s") // so that they are connected while it rings
	bob := s.browser("bob")
	bob.click("call-alice")
	bob.state("active")
	bob.met(alice.id, alice.hz)
	alice.wait("first-remote-frame")
	alice.wait("first-remote-audio")
	for range 4 { // so long a recording
		alice.wait("stats")
	}
	bob.click("hangup")
	bob.ended(signal.EndHangup)
	alice.ended(signal.EndHangup)
	alice.exit(0)
	alice.met(bob.id, bob.hz)
	if r := s.record("alice"); r.Path != signal.PathDirect {
		t.Errorf("the record says %+v", r)
	}
}

// meet lets alice call bob from one page to the other, until each has seen and heard the other.
func meet(alice, bob *tab) {
	alice.s.t.Helper()
	alice.click("call-bob")
	alice.state("ringing_out")
	bob.click("accept")
	alice.state("active")
	bob.state("active")
	alice.met(bob.id, bob.hz)
	bob.met(alice.id, alice.hz)
}

// talkedInPage has bob, in a browser, accept alice's call, which she ends; each has seen and heard the other.
func talkedInPage(alice *person, bob *tab) {
	alice.s.t.Helper()
	alice.wait("ringing")
	bob.click("accept")
	bob.state("active")
	bob.met(alice.id, alice.hz)
	alice.ended(signal.EndHangup)
	bob.ended(signal.EndHangup)
	alice.exit(0)
	alice.met(bob.id, bob.hz)
}

func TestChromiumCallsChromium(t *testing.T) {
	s := newScene(t, nil)
	alice, bob := s.browser("alice"), s.browser("bob")
	meet(alice, bob)
	bob.click("hangup")
	alice.ended(signal.EndHangup)
	bob.ended(signal.EndHangup)
}

func TestChromiumDeclines(t *testing.T) {
	s := newScene(t, []string{"alice"})
	bob := s.browser("bob")
	alice := s.start("alice", "call", "bob")
	bob.click("decline")
	bob.state("idle") // no page to close
	alice.ended(signal.EndDeclined)
	alice.exit(4)
}

func TestCallerGivesUp(t *testing.T) {
	s := newScene(t, []string{"alice"})
	bob := s.browser("bob")
	alice := s.start("alice", "call", "bob")
	bob.state("incoming")
	alice.wait("ringing")
	alice.Signal(syscall.SIGINT)
	alice.ended(signal.EndCancelled)
	bob.ended(signal.EndCancelled)
	if r := s.record("bob"); !r.Missed || r.Reason != signal.EndCancelled {
		t.Errorf("bob's record says %+v", r)
	}
}

func TestNobodyAnswers(t *testing.T) {
	s := newScene(t, []string{"alice"}, "--ring-timeout", "2s")
	bob := s.browser("bob")
	alice := s.start("alice", "call", "bob")
	alice.wait("ringing")
	alice.ended(signal.EndNoAnswer)
	bob.ended(signal.EndNoAnswer)
	alice.exit(4)
	if r := s.record("bob"); !r.Missed || r.Reason != signal.EndNoAnswer {
		t.Errorf("bob's record says %+v", r)
	}
}

// TestGlare stops the server while two people dial each other, so that it finds both invites when it goes on.
func TestGlare(t *testing.T) {
	s := newScene(t, nil)
	alice, bob := s.browser("alice"), s.browser("bob")
	s.must(alice.Visible(s.ctx, "call-bob"))
	s.must(bob.Visible(s.ctx, "call-alice"))
	s.srv.Signal(syscall.SIGSTOP)
	alice.click("call-bob")
	bob.click("call-alice")
	alice.state("dialing")
	bob.state("dialing")
	s.srv.Signal(syscall.SIGCONT)
	alice.state("active")
	bob.state("active")
	alice.met(bob.id, bob.hz)
	bob.met(alice.id, alice.hz)
	alice.click("hangup")
	alice.ended(signal.EndHangup)
	bob.ended(signal.EndHangup)
	if a, b := s.record("alice"), s.record("bob"); a.ID != b.ID {
		t.Errorf("alice remembers call %s, bob %s", a.ID, b.ID)
	}
}

func TestChromiumCallsEcho(t *testing.T) {
	s := newScene(t, nil)
	alice := s.browser("alice")
	alice.click("call-Echo")
	alice.state("active")
	alice.met(alice.id, alice.hz)
	alice.click("hangup")
	alice.ended(signal.EndHangup)
}
