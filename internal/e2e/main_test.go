// Package e2e tests whole calls: the real server, the real windowless client and real Chromium, over loopback. A call
// counts only when each side's recording holds the other's marker, moving, and the other's tone.
package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
)

var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "visavis-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	if bin, err = testkit.Binaries(ctx, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// scene is one test's stage with a running server and people who have accounts.
type scene struct {
	*testkit.Stage
	t   *testing.T
	ctx context.Context
	srv *testkit.Server

	tokens map[string]string // of people whose records are read
}

// limit is for a test that hangs; nothing here measures time.
const limit = 2 * time.Minute

func newScene(t *testing.T, people []string, serverArgs ...string) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	s := &scene{Stage: &testkit.Stage{Dir: t.TempDir(), Bin: bin}, t: t, ctx: ctx}
	srv, err := s.Server(ctx, serverArgs...)
	s.must(err)
	t.Cleanup(srv.Close)
	s.srv = srv
	s.must(s.Register(ctx, srv, people...))
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// person is a running windowless client that records what it gets.
type person struct {
	*testkit.Process
	s    *scene
	name string
	id   uint8   // of the pattern it sends
	hz   float64 // of the tone it sends
}

var (
	ids   = map[string]uint8{"alice": 1, "bob": 2, "carol": 3}
	tones = map[string]float64{"alice": 440, "bob": 660, "carol": 880}
)

func (s *scene) start(name string, args ...string) *person {
	s.t.Helper()
	all := append(append([]string{}, args...),
		"--camera", fmt.Sprintf("pattern:%d", ids[name]), "--microphone", fmt.Sprintf("tone:%g", tones[name]),
		"--speaker", "file:"+s.Path(name+".wav"), "--record-video", s.Path(name+".y4m"), "--size", "640x360", "--fps", "30")
	p, err := s.Client(s.srv, name, all...)
	s.must(err)
	s.t.Cleanup(p.Close)
	return &person{Process: p, s: s, name: name, id: ids[name], hz: tones[name]}
}

// answer starts a client that answers, and waits until it is signed in.
func (s *scene) answer(name string, args ...string) *person {
	s.t.Helper()
	p := s.start(name, append([]string{"answer"}, args...)...)
	p.wait("signed-in")
	return p
}

func (p *person) wait(event string) testkit.Event {
	p.s.t.Helper()
	e, err := p.Wait(p.s.ctx, event)
	p.s.must(err)
	return e
}

// ended waits for the end of the call and checks its reason.
func (p *person) ended(reason signal.EndReason) {
	p.s.t.Helper()
	if e := p.wait("ended"); e.Fields["reason"] != string(reason) {
		p.s.t.Errorf("%s's call ended with %v, want %s", p.name, e.Fields["reason"], reason)
	}
}

func (p *person) exit(want int) {
	p.s.t.Helper()
	code, err := p.Exit(p.s.ctx)
	p.s.must(err)
	if code != want {
		p.s.t.Errorf("%s ended with %d, want %d; it said:\n%s", p.name, code, want, p.Errors())
	}
}

// met checks this person's recordings for the other's moving marker and tone. Call it when the program has ended.
func (p *person) met(id uint8, hz float64) {
	p.s.t.Helper()
	seen, err := testkit.Marks(p.s.Path(p.name + ".y4m"))
	p.s.must(err)
	if n := seen.Moving(id); n < 20 {
		p.s.t.Errorf("%s saw %d different pictures of %d in %d recorded", p.name, n, id, len(seen))
	}
	if n := seen.Foreign(id); n > 0 {
		p.s.t.Errorf("%s saw %d pictures of somebody else", p.name, n)
	}
	heard, err := testkit.ToneSeconds(p.s.Path(p.name+".wav"), hz)
	p.s.must(err)
	if heard < 1 {
		p.s.t.Errorf("%s heard %.0f Hz for %.1f s", p.name, hz, heard)
	}
}

// talked is the end of a call: both programs end well, and each has seen and heard the other.
func talked(alice, bob *person) {
	alice.s.t.Helper()
	alice.ended(signal.EndHangup)
	bob.ended(signal.EndHangup)
	alice.exit(0)
	bob.exit(0)
	alice.met(bob.id, bob.hz)
	bob.met(alice.id, alice.hz)
}

// api is the server's HTTPS side, and a session of that person there; it outlives the server.
func (s *scene) api(name string) (api *signal.API, token string) {
	s.t.Helper()
	address, err := signal.ParseAddress(s.srv.URL)
	s.must(err)
	trust, err := signal.Trust(s.srv.CA)
	s.must(err)
	api = signal.NewAPI(address, trust)
	s.t.Cleanup(api.Close)
	if s.tokens[name] == "" {
		in, err := api.Login(s.ctx, signal.Register{Name: name, Password: testkit.Password, Device: "test"})
		s.must(err)
		if s.tokens == nil {
			s.tokens = map[string]string{}
		}
		s.tokens[name] = in.Token
	}
	return api, s.tokens[name]
}

// record reads a person's newest call back from the server.
func (s *scene) record(name string) signal.CallRecord {
	s.t.Helper()
	api, token := s.api(name)
	defer api.Close()
	calls, err := api.Calls(s.ctx, token, "", 10)
	s.must(err)
	if len(calls.Calls) == 0 {
		s.t.Fatalf("the server has no call of %s", name)
	}
	one, err := api.Call(s.ctx, token, calls.Calls[0].ID)
	s.must(err)
	return one
}

func clip(t *testing.T, dir string, id uint8, hz float64) (video, sound string) {
	t.Helper()
	video, sound = filepath.Join(dir, fmt.Sprintf("clip%d.y4m", id)), filepath.Join(dir, fmt.Sprintf("clip%d.wav", id))
	if err := testkit.Clip(video, sound, id, hz); err != nil {
		t.Fatal(err)
	}
	return video, sound
}
