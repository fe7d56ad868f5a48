package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"visavis.example/internal/signal"
)

// fakeOwn is Own: it keeps what it is asked, and answers as the test tells it to.
type fakeOwn struct {
	own      sync.Mutex
	asked    []string
	refuse   error  // of everything that changes something
	before   func() // runs before such an answer
	me       signal.Me
	blocked  []signal.User
	sessions []signal.SessionInfo
	info     signal.Info
	invite   error // of CheckInvite
	usesLeft int   // of the one invitation, more than 1
}

func (f *fakeOwn) note(format string, args ...any) error {
	f.own.Lock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
	before, err := f.before, f.refuse
	f.own.Unlock()
	if before != nil {
		before()
	}
	return err
}

// take gives what was asked since the last take.
func (f *fakeOwn) take() []string {
	synctest.Wait()
	f.own.Lock()
	defer f.own.Unlock()
	got := f.asked
	f.asked = nil
	return got
}

func (f *fakeOwn) Info(context.Context) (signal.Info, error) { return f.info, f.note("info") }

func (f *fakeOwn) CheckInvite(_ context.Context, invite string) (signal.InviteIsGood, error) {
	if err := f.note("check %s", invite); err != nil {
		return signal.InviteIsGood{}, err
	}
	return signal.InviteIsGood{By: "Bert", Expires: noon}, f.invite
}

func (f *fakeOwn) Account(context.Context, string) (signal.Me, error) {
	f.own.Lock()
	defer f.own.Unlock()
	return f.me, nil
}

func (f *fakeOwn) Sessions(context.Context, string) (signal.Sessions, error) {
	return signal.Sessions{Sessions: f.sessions}, nil
}

func (f *fakeOwn) Blocks(context.Context, string) (signal.Blocked, error) {
	f.own.Lock()
	defer f.own.Unlock()
	return signal.Blocked{Users: slices.Clone(f.blocked)}, nil
}

func (f *fakeOwn) Invites(context.Context, string) (signal.Invites, error) {
	return signal.Invites{Invites: []signal.InviteInfo{{ID: "i1", UsesLeft: 1 + f.usesLeft, Expires: noon}}}, nil
}

func (f *fakeOwn) ChangePassword(_ context.Context, _ string, p signal.NewPassword) error {
	return f.note("password %s %s", p.Old, p.New)
}

func (f *fakeOwn) SetDND(_ context.Context, _ string, d signal.DND) error {
	return f.note("dnd %v", d.On)
}

func (f *fakeOwn) EndSession(_ context.Context, _, id string) error { return f.note("end %s", id) }

func (f *fakeOwn) EndSessions(_ context.Context, _ string, hereToo bool) error {
	return f.note("end all %v", hereToo)
}
func (f *fakeOwn) Block(_ context.Context, _, id string) error   { return f.note("block %s", id) }
func (f *fakeOwn) Unblock(_ context.Context, _, id string) error { return f.note("unblock %s", id) }
func (f *fakeOwn) CreateInvite(context.Context, string, signal.NewInvite) (signal.Invitation, error) {
	return signal.Invitation{ID: "i1", URL: "https://example.org/#invite=x"}, f.note("invite")
}

func (f *fakeOwn) RevokeInvite(_ context.Context, _, id string) error { return f.note("revoke %s", id) }

func (f *fakeOwn) DeleteAccount(_ context.Context, _ string, l signal.Leave) error {
	return f.note("delete %s %v", l.Password, l.Lines)
}

func (f *fakeOwn) Export(_ context.Context, _ string, w io.Writer) error {
	if _, err := io.WriteString(w, `{"half":`); err != nil {
		return err
	}
	return f.note("export")
}

var (
	noon     = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	wrong    = &signal.Error{Code: signal.ErrWrongPassword, Message: "The password is wrong."}
	laptop   = signal.SessionInfo{ID: "here", Device: "laptop", Current: true, Used: noon.Add(-time.Hour)}
	phone    = signal.SessionInfo{ID: "phone", Device: "phone", Used: noon}
	oldPhone = signal.SessionInfo{ID: "old", Device: "old phone", Used: noon.Add(-999 * time.Hour)}
)

func (r *rig) said(step Step, text string, failed bool) {
	r.t.Helper()
	if got := r.now().Account; got.Said != (Outcome{step, text, failed}) || got.Busy != "" {
		r.t.Errorf("said %+v, busy %q", got.Said, got.Busy)
	}
}

func TestAccountPage(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.server.sessions = []signal.SessionInfo{oldPhone, laptop, phone}
		r.server.me = signal.Me{User: anna, DND: &signal.DND{On: true, Until: &noon}, MayInvite: true}
		r.LoadAccount()
		s := r.now()
		if a := s.Account; !slices.Equal(a.Sessions, []signal.SessionInfo{laptop, phone, oldPhone}) || len(a.Invites) != 1 || !a.MayInvite ||
			!s.Self.DND || a.DNDUntil != noon {
			t.Fatalf("%+v", a)
		}
		r.EndSession("old")
		if got := r.now().Account.Sessions; !slices.Equal(got, []signal.SessionInfo{laptop, phone}) {
			t.Errorf("%+v", got)
		}
		r.EndOtherSessions()
		r.said(StepSessions, "All other devices are signed out.", false)
		if got := r.now().Account.Sessions; !slices.Equal(got, []signal.SessionInfo{laptop}) {
			t.Errorf("%+v", got)
		}
		r.CreateInvite()
		if got := r.now().Account.NewInvite; got != "https://example.org/#invite=x" {
			t.Error(got)
		}
		r.server.usesLeft = -1
		r.LoadAccount()
		if got := r.now().Account.NewInvite; got != "" {
			t.Error("used, and still offered:", got)
		}
		r.server.usesLeft = 0
		r.CreateInvite()
		r.now()
		r.RevokeInvite("i1")
		if got := r.now().Account; got.NewInvite != "" || len(got.Invites) != 0 {
			t.Errorf("%+v", got)
		}
		r.SetDND(false, time.Time{})
		if got := r.now(); got.Self.DND || !got.Account.DNDUntil.IsZero() {
			t.Errorf("still not to be disturbed: %+v", got.Self)
		}
	})
}

func TestChangePassword(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.server.refuse = wrong
		r.ChangePassword("a", "b")
		r.said(StepPassword, "The password is wrong.", true)
		r.server.refuse = nil
		r.ChangePassword("a", "b")
		r.said(StepPassword, "Your password is changed. All other devices are signed out.", false)
		r.server.refuse = errors.New("reset by peer")
		r.ChangePassword("b", "c")
		r.said(StepPassword, "The connection to the server was lost.", true)
	})
}

func TestOneStepAtATime(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		hold := make(chan struct{})
		r.server.before = func() { <-hold }
		r.ChangePassword("a", "b")
		if s := r.now(); s.Account.Busy != StepPassword {
			t.Fatalf("%+v", s.Account)
		}
		r.Block(bert.ID)
		r.SignOutEverywhere()
		r.DeleteAccount("pw", false)
		close(hold)
		if got := r.server.take(); !slices.Equal(got, []string{"password a b"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestBlock(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		r.Block(bert.ID)
		s := r.now()
		if !slices.Equal(s.Account.Blocked, []signal.User{bert}) || !s.People[1].Blocked || s.People[1].ID != bert.ID {
			t.Fatalf("%+v", s.People)
		}
		r.server.refuse = wrong
		r.Unblock(bert.ID)
		if s := r.now(); len(s.Account.Blocked) != 1 || !s.Account.Said.Failed {
			t.Errorf("refused, and taken for done: %+v", s.Account)
		}
		r.server.refuse = nil
		r.Unblock(bert.ID)
		if s := r.now(); len(s.Account.Blocked) != 0 || s.People[0].ID != bert.ID || s.People[0].Blocked {
			t.Errorf("%+v", s.People)
		}
		// Another device has blocked somebody while this one was away.
		r.server.blocked = []signal.User{cleo}
		r.server.cut()
		r.server.online("")
		if s := r.now(); !slices.Equal(s.Account.Blocked, []signal.User{cleo}) {
			t.Errorf("%+v", s.Account.Blocked)
		}
	})
}

func TestAnotherDeviceSwitchesDND(t *testing.T) {
	test(t, func(t *testing.T, r *rig) {
		self := anna
		self.DND = true
		r.server.me = signal.Me{User: self, DND: &signal.DND{On: true, Until: &noon}}
		r.server.push(signal.UserSelf, signal.CodeUserSelf, "", signal.UserChange{User: self})
		if s := r.now(); !s.Self.DND || s.Account.DNDUntil != noon {
			t.Errorf("%+v until %v", s.Self, s.Account.DNDUntil)
		}
		// When it is over, the calls that never rang are there.
		r.server.me = signal.Me{User: anna}
		r.server.list = []signal.CallRecord{{ID: "call-missed", Missed: true, Reason: signal.EndDoNotDisturb}}
		r.server.push(signal.UserSelf, signal.CodeUserSelf, "", signal.UserChange{User: anna})
		if s := r.now(); s.Self.DND || !s.Account.DNDUntil.IsZero() || len(s.Calls) != 1 {
			t.Errorf("%+v until %v, calls %+v", s.Self, s.Account.DNDUntil, s.Calls)
		}
	})
}

// The server closes the socket of a session that is ended before it answers: that is no news to who wanted it.
func TestLeavingForGood(t *testing.T) {
	for name, leave := range map[string]func(*rig){
		"everywhere": func(r *rig) { r.SignOutEverywhere() },
		"delete":     func(r *rig) { r.DeleteAccount("pw", true) },
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, r *rig) {
				r.server.refuse = wrong
				leave(r)
				if s := r.now(); s.Link != Online || !s.Account.Said.Failed {
					t.Fatalf("refused, and left: %+v", s)
				}
				r.server.refuse = nil
				r.server.before = func() {
					err := &signal.Error{Code: signal.ErrUnauthorized, Message: "The session has ended."}
					r.server.events <- signal.Event{State: signal.StateRefused, Err: err}
					time.Sleep(time.Millisecond)
				}
				leave(r)
				time.Sleep(time.Second)
				s := r.now()
				if s.Link != SignedOut || s.SignInError != "" || len(s.Notices) != 1 || len(s.People) != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestExport(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(a *App) { a.ExportDir = dir })
		r.SignIn("example.org", "anna", "password")
		synctest.Wait()
		r.server.online("")
		r.server.me = signal.Me{User: signal.User{Name: "../An na"}}
		r.Export()
		r.Export() // while the first runs: not begun
		time.Sleep(time.Second)
		r.Export()
		time.Sleep(time.Second)
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		day := time.Now().Format("2006-01-02")
		want := []string{filepath.Join(dir, "visavis----An-na-"+day+"-2.json"), filepath.Join(dir, "visavis----An-na-"+day+".json")}
		if !slices.Equal(files, want) {
			t.Errorf("%q, want %q", files, want)
		}
		r.said(StepExport, "Saved as "+want[0], false)
		if info, err := os.Stat(want[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		r.server.refuse = errors.New("cut")
		r.Export()
		time.Sleep(time.Second)
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 || !r.now().Account.Said.Failed {
			t.Errorf("half a file is left: %q", left)
		}
		r.Close()
	})
}

func TestLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.Close()
		r.server.info = signal.Info{SignUpMode: signal.SignUpInvite}
		r.LookUp("example.org", "")
		if d := r.now().Door; d.Mode != signal.SignUpInvite || d.Server != "example.org" || d.Good || d.Bad {
			t.Fatalf("%+v", d)
		}
		r.LookUp("example.org", "")
		r.LookUp("example.org", "secret")
		if d := r.now().Door; !d.Good || d.By != "Bert" || d.Expires != noon {
			t.Errorf("%+v", d)
		}
		if got := r.server.take(); !slices.Equal(got, []string{"info", "info", "check secret"}) {
			t.Errorf("asked %q", got)
		}
		r.server.invite = &signal.Error{Code: signal.ErrInviteInvalid, Message: "no"}
		r.LookUp("example.org", "other")
		if d := r.now().Door; !d.Bad || d.Good {
			t.Errorf("%+v", d)
		}
		r.server.info = signal.Info{} // an older server, which says only that nobody may
		r.LookUp("old.example.org", "")
		if d := r.now().Door; d.Mode != signal.SignUpClosed {
			t.Errorf("%+v", d)
		}
		r.SignUp("example.org", "anna", "password", "secret")
		synctest.Wait()
		if l := r.server.logins; len(l) != 1 || l[0].Invite != "secret" {
			t.Errorf("%+v", l)
		}
	})
}
