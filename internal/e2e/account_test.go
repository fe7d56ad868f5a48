package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"visavis.example/internal/signal"
	"visavis.example/internal/testkit"
)

// blankPage is a page of a browser in which nobody is signed in, without camera and microphone.
func (s *scene) blankPage(url string) *tab {
	s.t.Helper()
	profile, err := os.MkdirTemp("", "visavis-chromium-")
	s.must(err)
	s.t.Cleanup(func() { _ = os.RemoveAll(profile) })
	b, err := testkit.StartChromium(s.ctx, testkit.ChromiumConfig{Dir: profile, CertFile: s.srv.CA})
	s.must(err)
	s.t.Cleanup(b.Close)
	p, err := b.Open(url, 1100, 800)
	s.must(err)
	return &tab{Page: p, s: s}
}

func (t *tab) write(id, text string) {
	t.s.t.Helper()
	t.s.must(t.Type(t.s.ctx, id, text))
}

// says waits until the element in sight has a text with those words.
func (t *tab) says(id, words string) {
	t.s.t.Helper()
	b, err := json.Marshal(words)
	t.s.must(err)
	t.s.must(t.Until(t.s.ctx, fmt.Sprintf("%s says %q", id, words),
		fmt.Sprintf(`(e => e && e.checkVisibility() && e.textContent.includes(%s))(document.querySelector('[data-testid="%s"]'))`, b, id)))
}

// value reads a field.
func (t *tab) value(id string) (v string) {
	t.s.t.Helper()
	t.s.must(t.Until(t.s.ctx, id+" has something", fmt.Sprintf(`document.querySelector('[data-testid="%s"]')?.value`, id)))
	t.s.must(t.Eval(t.s.ctx, fmt.Sprintf(`document.querySelector('[data-testid="%s"]').value`, id), &v))
	return v
}

// shots leaves pictures in $VISAVIS_SHOTS, for people: light and dark, as wide as a desk and as a phone.
func (t *tab) shots(name string) { t.shotsOf(name, 844, 800) }

// settled resolves when the new colours are there: they take their time.
const settled = `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(async () => {
    await Promise.all(document.getAnimations().filter(a => a.effect?.getTiming().iterations !== Infinity).map(a => a.finished.catch(() => {})));
    done(true);
})))`

func (t *tab) shotsOf(name string, phone, desk int64) {
	if os.Getenv("VISAVIS_SHOTS") == "" {
		return
	}
	for _, look := range []struct {
		name          string
		width, height int64
		dark          bool
	}{{"-phone-dark", 390, phone, true}, {"-phone", 390, phone, false}, {"-dark", 1100, desk, true}, {"", 1100, desk, false}} {
		t.s.must(t.Look(t.s.ctx, look.width, look.height, look.dark))
		t.s.must(t.Eval(t.s.ctx, settled, nil))
		t.shot(name + look.name)
	}
}

// site is the server's HTTPS side, without anybody's session.
func (s *scene) site() *signal.API {
	s.t.Helper()
	address, err := signal.ParseAddress(s.srv.URL)
	s.must(err)
	trust, err := signal.Trust(s.srv.CA)
	s.must(err)
	a := signal.NewAPI(address, trust)
	s.t.Cleanup(a.Close)
	return a
}

// operator runs a command of the server's operator while it runs.
func (s *scene) operator(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.ctx, filepath.Join(bin, "visavis-server"), append(args, "--data", s.srv.Data)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("visavis-server %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestAnAccountsWholeLife takes one from the invitation link to its deletion, in a browser and against the real server.
func TestAnAccountsWholeLife(t *testing.T) {
	s := newScene(t, nil, "--sign-up", "invite")
	api := s.site()
	link := linkIn(t, s.operator("invite", "create"))

	// The link opens the form for a new account.
	alice := s.blankPage(link)
	alice.says("lead", "You are invited")
	alice.shots("account-invited")
	alice.write("username", "alice")
	alice.write("password", testkit.Password)
	alice.click("submit")
	s.must(alice.Visible(s.ctx, "user-Echo"))
	if _, err := api.CheckInvite(s.ctx, inviteIn(t, link)); !signal.IsCode(err, signal.ErrInviteInvalid) {
		t.Errorf("the invitation is still good: %v", err)
	}

	// Alice invites Bob.
	alice.click("menu")
	alice.click("account")
	alice.click("make-invite")
	theirs := alice.value("invite-link")
	if good, err := api.CheckInvite(s.ctx, inviteIn(t, theirs)); err != nil || good.By != "alice" {
		t.Errorf("%+v, %v", good, err)
	}
	bobs, err := api.Register(s.ctx, signal.Register{Name: "bob", Password: testkit.Password, Device: "phone", Invite: inviteIn(t, theirs)})
	s.must(err)

	alice.passwordAndSessions(api)
	alice.blockAndUnblock(api, bobs)
	alice.undisturbed()
	alice.leave(api)
}

func linkIn(t *testing.T, text string) string {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		if _, _, ok := signal.InviteLink(word); ok {
			return word
		}
	}
	t.Fatalf("no invitation link in %q", text)
	return ""
}

func inviteIn(t *testing.T, link string) string {
	t.Helper()
	_, invite, ok := signal.InviteLink(link)
	if !ok {
		t.Fatalf("%q is no invitation link", link)
	}
	return invite
}

const newPassword = "another horse 8 staple"

// passwordAndSessions changes the password, which ends the session of another device, and then ends one by hand.
func (t *tab) passwordAndSessions(api *signal.API) {
	s := t.s
	s.t.Helper()
	in, err := api.Login(s.ctx, signal.Register{Name: "alice", Password: testkit.Password, Device: "tablet"})
	s.must(err)
	t.write("old-password", "not this one")
	t.write("new-password", newPassword)
	t.click("change-password")
	s.must(t.Attribute(s.ctx, "outcome-password", "data-failed", ""))
	t.write("old-password", testkit.Password)
	t.click("change-password")
	t.says("outcome-password", "changed")
	t.shotsOf("account-page", 1900, 1600)
	if _, err := api.Me(s.ctx, in.Token); !signal.IsCode(err, signal.ErrUnauthorized) {
		s.t.Errorf("the tablet is still signed in: %v", err)
	}

	in, err = api.Login(s.ctx, signal.Register{Name: "alice", Password: newPassword, Device: "tablet"})
	s.must(err)
	t.click("people")
	t.click("menu")
	t.click("account")
	t.says("sessions", "tablet")
	t.click("end-session")
	s.must(t.Until(s.ctx, "the tablet is off the list", `!document.querySelector('[data-testid=sessions]').textContent.includes('tablet')`))
	if _, err := api.Me(s.ctx, in.Token); !signal.IsCode(err, signal.ErrUnauthorized) {
		s.t.Errorf("the tablet is still signed in: %v", err)
	}
}

// blockAndUnblock keeps Bob away: for him she is offline.
func (t *tab) blockAndUnblock(api *signal.API, bobs signal.SignedIn) {
	s := t.s
	s.t.Helper()
	t.click("user-bob")
	t.click("block")
	t.shots("account-block")
	t.click("block-confirm")
	t.says("blocked-bar", "You have blocked bob")
	t.shots("account-blocked")
	bob := s.start("bob", "call", "alice")
	bob.ended(signal.EndOffline)
	bob.exit(4)
	calls, err := api.Calls(s.ctx, bobs.Token, "", 1)
	if err != nil || len(calls.Calls) != 1 || calls.Calls[0].Peer.Online {
		s.t.Errorf("bob sees %+v, %v", calls, err)
	}
	t.state("idle")
	t.click("unblock")
	s.must(t.Visible(s.ctx, "chat-input"))
	bob = s.start("bob", "call", "alice")
	t.click("decline")
	bob.ended(signal.EndDeclined)
	bob.exit(4)
	t.state("idle")
}

// undisturbed switches calls off: Bob hears why, and Alice finds the missed call.
func (t *tab) undisturbed() {
	s := t.s
	s.t.Helper()
	t.click("menu")
	t.click("dnd")
	s.must(t.Attribute(s.ctx, "dnd", "aria-checked", "true"))
	t.click("dnd-hour")
	t.says("dnd-strip", "Do not disturb until")
	t.shots("account-dnd")
	t.click("menu")
	t.shots("account-strip")
	bob := s.start("bob", "call", "alice")
	bob.ended(signal.EndDoNotDisturb)
	bob.exit(4)
	t.state("idle")
	t.click("calls")
	t.says("calls-list", "Missed")
	t.click("dnd-off")
	s.must(t.Until(s.ctx, "the strip is gone", `document.querySelector('[data-testid=dnd-strip]').hidden`))
}

// leave deletes the account.
func (t *tab) leave(api *signal.API) {
	s := t.s
	s.t.Helper()
	t.click("menu")
	t.click("account")
	t.click("delete-account")
	t.write("delete-password", "not this one")
	t.click("delete-confirm")
	t.says("delete-problem", "wrong")
	t.shots("account-delete")
	t.write("delete-password", newPassword)
	t.click("delete-confirm")
	s.must(t.Visible(s.ctx, "username"))
	t.says("farewell", "deleted")
	_, err := api.Login(context.WithoutCancel(s.ctx), signal.Register{Name: "alice", Password: newPassword})
	if !signal.IsCode(err, signal.ErrWrongPassword) {
		s.t.Errorf("who is deleted signs in: %v", err)
	}
}

// TestClosingADeviceLeavesTheRing: a program that ends while it rings has not declined for the person's other devices.
func TestClosingADeviceLeavesTheRing(t *testing.T) {
	s := newScene(t, []string{"alice"})
	bob := s.browser("bob")
	desk := s.answer("bob", "--after", "1m")
	alice := s.start("alice", "call", "bob")
	desk.wait("incoming")
	bob.state("incoming")
	desk.Signal(syscall.SIGINT)
	_, err := desk.Exit(s.ctx)
	s.must(err)
	bob.click("accept")
	bob.state("active")
	bob.met(alice.id, alice.hz)
	bob.click("hangup")
	alice.ended(signal.EndHangup)
	alice.exit(0)
}

// TestClosedSignUp: the page says how one gets an account, and asks for none.
func TestClosedSignUp(t *testing.T) {
	s := newScene(t, nil, "--sign-up", "closed")
	v := s.blankPage(s.srv.URL)
	v.says("footnote", "whoever runs this server")
	s.must(v.Until(s.ctx, "there is no form for an account", `!document.querySelector('[data-testid=register]').checkVisibility()`))
	v.shots("account-closed")
}
