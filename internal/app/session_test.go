package app

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// Several people who came, went or are new are told of together; oneself may be among them.
func TestSeveralPeopleChange(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		here, fresh := bert, signal.User{ID: "u-new", Name: "Zoe", Kind: signal.KindPerson}
		here.Online = !bert.Online
		before := len(r.now().People)
		r.server.push(signal.UserChanges, signal.CodeUserChanges, "", signal.Users{Users: []signal.User{anna, here, fresh}})
		people := r.now().People
		has := func(u signal.User) bool {
			return slices.ContainsFunc(people, func(p Person) bool { return p.User == u })
		}
		if len(people) != before+1 || !has(here) || !has(fresh) || has(anna) {
			t.Errorf("people are %+v", people)
		}
	})
}

func TestSignInAndOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		secrets := &Tokens{File: filepath.Join(dir, "sessions.json"), NoKeyring: true}
		file := filepath.Join(dir, "visavis", "settings.json")
		kept := func(a *App) { a.Secrets, a.SettingsFile = secrets, file }

		r := newRig(t, kept)
		r.server.loginErr = &signal.Error{Code: signal.ErrWrongPassword, Message: "Name or password is wrong."}
		r.SignIn("example.org", " anna ", "wrong")
		if s := r.now(); s.Link != SignedOut || s.SigningIn || s.SignInError != "Name or password is wrong." {
			t.Fatalf("after a wrong password: %+v", s)
		}
		r.server.loginErr = nil
		r.SignIn("example.org", "anna", "right")
		r.now()
		r.server.online("")
		s := r.now()
		if s.Link != Online || s.Self != anna || len(s.People) != 2 || s.People[0].Name != "Bert" || s.Settings.Name != "Anna" {
			t.Fatalf("online: %+v", s)
		}
		r.Close()

		// The next start signs in by itself, and a server that refuses the token ends that.
		r = newRig(t, kept)
		synctest.Wait()
		if !slices.Equal(r.server.tokens, []string{"vc1_anna"}) || len(r.server.logins) != 0 {
			t.Fatalf("tokens %q, logins %v", r.server.tokens, r.server.logins)
		}
		r.server.online("")
		r.SignOut()
		if s := r.now(); s.Link != SignedOut || len(s.People) != 0 || s.Settings.Name != "Anna" {
			t.Fatalf("signed out: %+v", s)
		}
		time.Sleep(time.Second)
		if !slices.Equal(r.server.logouts, []string{"vc1_anna"}) {
			t.Errorf("logouts %q", r.server.logouts)
		}
		r.Close()
		if token, err := secrets.Get("example.org", "Anna"); token != "" || err != nil {
			t.Errorf("token %q kept, %v", token, err)
		}
	})
}

// Who signed in is kept even when the command line had said it before.
func TestSettingsFromTheCommandLineAreKeptAfterSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "settings.json")
		r := newRig(t, func(a *App) {
			a.SettingsFile = file
			a.Override = func(s *Settings) { s.Server, s.Name = "example.org", "Anna" }
		})
		r.SignIn("example.org", "Anna", "password")
		synctest.Wait()
		r.Close()
		if s, err := LoadSettings(file, Settings{}); err != nil || s.Server != "example.org" || s.Name != "Anna" {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func TestRefusedToken(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		talking(r)
		err := &signal.Error{Code: signal.ErrUnauthorized, Message: "The session has ended."}
		r.server.events <- signal.Event{State: signal.StateRefused, Err: err}
		if s := r.now(); s.Link != SignedOut || s.SignInError != "The session has ended." {
			t.Fatalf("%+v", s)
		}
		r.ended(signal.EndHangup)
	})
}

func TestALiveCallOutlivesTheSocket(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		id := talking(r)
		r.server.cut()
		if s := r.now(); s.Link != Connecting || s.LinkNote != "The connection to the server was lost." {
			t.Fatalf("link %d %q", s.Link, s.LinkNote) // the window itself adds that it tries again
		}
		r.media.say(LocalCandidate{signal.Candidate{Candidate: "meanwhile"}})
		r.SetMicrophone(false)
		time.Sleep(10 * time.Second)
		r.phase(call.Active)
		r.server.online(id)
		r.phase(call.Active)
		if c := r.server.said(signal.MessageCandidate); len(c) != 1 {
			t.Errorf("candidates after the reconnect: %+v", c)
		}
		said := r.server.said(signal.CallMedia)
		if m, _ := signal.Decode[signal.Media](said[len(said)-1]); m.Microphone {
			t.Error("the other was not told of the microphone")
		}
	})
}

// When the hub has ended the call meanwhile, the record says why.
func TestReconnectFindsTheCallGone(t *testing.T) {
	test(t, func(_ *testing.T, r *rig) {
		id := talking(r)
		r.server.cut()
		at := time.Now()
		r.server.records[id] = signal.CallRecord{ID: id, Reason: signal.EndPeerGone, Ended: &at}
		r.server.online("")
		r.ended(signal.EndPeerGone)
		talking(r)
		r.server.cut()
		r.server.online("some-other-call-01234567")
		r.ended(signal.EndServerLost)
	})
}

// A hang-up said while the server was away is said again when it is back, if the hub still has the call.
func TestHangupWhileOffline(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		id := talking(r)
		r.server.cut()
		r.Hangup()
		r.ended(signal.EndHangup)
		if len(r.server.said(signal.CallHangup)) != 0 {
			t.Fatal("sent into a lost socket")
		}
		r.server.online(id)
		if len(r.server.said(signal.CallHangup)) != 1 {
			t.Error("never said")
		}
	})
}

func TestInviteIsSaidAgainAfterACut(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.server.replies[signal.CallInvite] = nil
		r.Dial(bert.ID, true)
		r.phase(call.Dialing)
		r.server.cut()
		r.server.online("")
		r.phase(call.Dialing)
		if n := len(r.server.said(signal.CallInvite)); n != 2 {
			t.Errorf("invited %d times", n)
		}
		time.Sleep(call.RingTimeout + time.Second)
		r.ended(signal.EndServerLost)
	})
}

// The hub had taken the invite and ended the call before the socket came back: there is nothing to say again.
func TestReconnectFindsTheDialledCallGone(t *testing.T) {
	test(t, func(_ *testing.T, r *rig) {
		r.Dial(bert.ID, true)
		r.phase(call.Dialing)
		id := r.now().Call.ID
		r.server.cut()
		at := time.Now()
		r.server.records[id] = signal.CallRecord{ID: id, Reason: signal.EndBusy, Ended: &at}
		r.server.online("")
		r.ended(signal.EndBusy)
	})
}

func TestDialOffline(t *testing.T) {
	test(t, func(_ *testing.T, r *rig) {
		r.server.cut()
		r.Dial(bert.ID, true)
		r.ended(signal.EndServerLost)
	})
}

// What is asked for before Close is done: the server is told of the hang-up and of the end of the session.
func TestSignOutThenClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		talking(r)
		r.SignOut()
		r.Close()
		if len(r.server.said(signal.CallHangup)) != 1 || !slices.Equal(r.server.logouts, []string{"vc1_anna"}) {
			t.Errorf("hung up %d times, logouts %q", len(r.server.said(signal.CallHangup)), r.server.logouts)
		}
	})
}

// It is not declined, which would stop the ringing on the person's other devices.
func TestACallThatComesInWhileSigningOutRingsOnElsewhere(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		talking(r)
		r.server.replies[signal.CallHangup] = nil // the last word is not acknowledged
		r.SignOut()
		synctest.Wait()
		r.server.push(signal.CallInvite, signal.CodeInvite, "call-late-0123456", signal.Invite{From: &bert})
		r.phase(call.Incoming)
		time.Sleep(2 * time.Second)
		if s := r.now(); s.Link != SignedOut {
			t.Fatalf("link %d", s.Link)
		}
		r.phase(call.Idle)
		if said := r.server.said(signal.CallReject); len(said) != 0 {
			t.Errorf("rejected: %+v", said)
		}
		if on := r.media.rings(); on != "" {
			t.Errorf("the %s goes on", on)
		}
	})
}

// Who closes the window while it rings has not said no: the other devices ring on.
func TestCloseLeavesTheRingToOtherDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		r.server.push(signal.CallInvite, signal.CodeInvite, "call-in-0123456789", signal.Invite{From: &bert, Early: true})
		r.phase(call.Incoming)
		began := time.Now()
		r.Close()
		for _, m := range []signal.Method{signal.CallReject, signal.CallHangup, signal.CallCancel} {
			if said := r.server.said(m); len(said) != 0 {
				t.Errorf("said %+v", said)
			}
		}
		if r.media.rings() != "" || r.media.open != 0 || time.Since(began) > 100*time.Millisecond {
			t.Errorf("rings %q, %d connections open, took %v", r.media.rings(), r.media.open, time.Since(began))
		}
	})
}

func TestSilence(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.server.push(signal.CallInvite, signal.CodeInvite, "call-in-0123456789", signal.Invite{From: &bert})
		r.phase(call.Incoming)
		r.Silence()
		r.phase(call.Incoming)
		if on := r.media.rings(); on != "" {
			t.Errorf("the %s goes on", on)
		}
		r.Accept(false)
		r.phase(call.Connecting)
	})
}

func TestCloseHangsUpFirst(t *testing.T) {
	for name, answer := range map[string]bool{"acknowledged": true, "silence": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := signedIn(t)
				talking(r)
				if !answer {
					r.server.replies[signal.CallHangup] = nil
				}
				began := time.Now()
				r.Close()
				if len(r.server.said(signal.CallHangup)) != 1 || r.media.open != 0 {
					t.Error("not hung up")
				}
				if took := time.Since(began); answer && took > 100*time.Millisecond || took > 2*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	path, err := SettingsPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{Server: "example.org", Camera: "none", Theme: "dark"}
	if err := saveSettings(path, want); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSettings(path, Settings{Name: "kept"}); err != nil || got.Camera != "none" {
		t.Errorf("%+v, %v", got, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSettings(path, Settings{Name: "first"}); err == nil || got.Name != "first" {
		t.Errorf("%+v, %v", got, err)
	}
	if b, _ := os.ReadFile(path + ".broken"); string(b) != "{half" {
		t.Error("the broken file was not kept")
	}
}

func TestTokensInAFile(t *testing.T) {
	s := &Tokens{File: filepath.Join(t.TempDir(), "new", "sessions.json"), NoKeyring: true}
	if err := errors.Join(s.Set("a", "anna", "1"), s.Set("b", "anna", "2"), s.Delete("a", "anna")); err != nil {
		t.Fatal(err)
	}
	one, err1 := s.Get("a", "anna")
	two, err2 := s.Get("b", "anna")
	if one != "" || two != "2" || err1 != nil || err2 != nil {
		t.Errorf("%q %q %v %v", one, two, err1, err2)
	}
	if info, _ := os.Stat(s.File); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestNoKeyringWithoutABus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if (&Tokens{}).keyring() {
		t.Error("would ask a bus that is not there")
	}
}

func TestEveryEndHasWords(t *testing.T) {
	reasons := []signal.EndReason{
		signal.EndHangup, signal.EndDeclined, signal.EndCancelled, signal.EndBusy, signal.EndNoAnswer, signal.EndOffline, signal.EndDoNotDisturb,
		signal.EndAnsweredElsewhere, signal.EndDeclinedElsewhere, signal.EndPeerGone, signal.EndConnectionFailed,
		signal.EndServerLost, signal.EndServerStopped, signal.ErrAlreadyInCall, signal.ErrNotFound, signal.ErrTooMany, signal.ErrBlocked,
	}
	for _, reason := range reasons {
		for _, outgoing := range []bool{true, false} {
			text := EndText(reason, outgoing, "Bert")
			if text == "" || strings.Contains(text, string(reason)+")") {
				t.Errorf("%s: %q", reason, text)
			}
		}
	}
}
