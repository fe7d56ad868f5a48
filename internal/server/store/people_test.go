package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func invite(hash string, uses int, owner string) Invite {
	return Invite{ID: "id" + hash, Hash: hash, Owner: owner, Uses: uses, Created: noon, Expires: noon.Add(time.Hour)}
}

func newcomer(name string) User {
	return User{ID: name, Name: name, NameKey: name, Look: name, Kind: kindPerson, Password: "x", Created: noon}
}

// An invite makes as many accounts as it says, however many try at once.
func TestInviteIsUsedUp(t *testing.T) {
	ctx := t.Context()
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice")
	if err := s.AddInvite(ctx, invite("h", 3, "alice"), 10); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	in, out := 0, 0
	for i := range 20 {
		wg.Go(func() {
			err := s.AddInvitedUser(ctx, newcomer(fmt.Sprint("guest", i)), "h")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				in++
			case errors.Is(err, ErrInvite):
				out++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	users, err := s.Users(ctx)
	if in != 3 || out != 17 || err != nil || len(users) != 4 {
		t.Errorf("%d came in, %d did not, %d users, %v", in, out, len(users), err)
	}
	all, err := s.Invites(ctx, "alice")
	if err != nil || len(all) != 1 || all[0].Used != 3 || len(all[0].UsedBy) != 3 || all[0].OwnerName != "ALICE" {
		t.Errorf("invites %+v, %v", all, err)
	}
}

func TestInvitesThatAreNotGood(t *testing.T) {
	ctx := t.Context()
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob")
	for _, v := range []Invite{invite("late", 1, "alice"), invite("good", 1, "alice"), invite("mine", 1, "bob"), invite("op", 1, "")} {
		if v.Hash == "late" {
			v.Expires = noon
		}
		if err := s.AddInvite(ctx, v, 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddInvite(ctx, invite("more", 1, "bob"), 1); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
	// A name that is taken costs no invite.
	if err := s.AddInvitedUser(ctx, newcomer("alice"), "good"); !errors.Is(err, ErrNameTaken) {
		t.Errorf("a taken name: %v", err)
	}
	if v, err := s.Invite(ctx, "good", noon); err != nil || v.OwnerName != "ALICE" {
		t.Errorf("it is %+v, %v", v, err)
	}
	for _, h := range []string{"late", "none", ""} {
		if _, err := s.Invite(ctx, h, noon); !errors.Is(err, ErrInvite) {
			t.Errorf("invite %q: %v", h, err)
		}
		if err := s.AddInvitedUser(ctx, newcomer("new"), h); !errors.Is(err, ErrInvite) {
			t.Errorf("with %q: %v", h, err)
		}
	}
	// Those of somebody who has been disabled are not good while that lasts.
	if err := s.SetDisabled(ctx, "bob", true); err != nil {
		t.Fatal(err)
	}
	if err := s.AddInvitedUser(ctx, newcomer("new"), "mine"); !errors.Is(err, ErrInvite) {
		t.Errorf("a disabled person's: %v", err)
	}
	if err := s.DeleteInvite(ctx, "bob", "idgood"); !errors.Is(err, ErrNotFound) {
		t.Errorf("bob revokes alice's: %v", err)
	}
	if err := s.DeleteInvite(ctx, "alice", "idgood"); err != nil {
		t.Error(err)
	}
	if err := s.AddInvitedUser(ctx, newcomer("new"), "good"); !errors.Is(err, ErrInvite) {
		t.Errorf("a revoked one: %v", err)
	}
	if err := s.AddInvitedUser(ctx, newcomer("new"), "op"); err != nil {
		t.Errorf("the operator's: %v", err)
	}
	if err := s.PurgeInvites(ctx, noon.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Invites(ctx, ""); err != nil || len(all) != 2 {
		t.Errorf("what is left: %+v, %v", all, err)
	}
}

func TestLookalikesAreTaken(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	a, b := newcomer("coco"), newcomer("сосо") // the second in Cyrillic
	b.Look = "coco"
	if err := s.AddUser(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := s.AddUser(t.Context(), b); !errors.Is(err, ErrNameTaken) {
		t.Errorf("the lookalike: %v", err)
	}
}

func TestBlocks(t *testing.T) {
	ctx := t.Context()
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob", "carol", "dora")
	j := journal(t, s)
	say := func(from, to, text string, blocked bool, at time.Time) {
		t.Helper()
		save(t, j, Message{From: from, To: to, Text: text, Sent: at, Blocked: blocked})
	}
	defer j.Close()
	say("alice", "", "before, from alice", false, noon)
	say("bob", "", "before, from bob", false, noon)
	for range 2 { // twice is once
		if err := s.Block(ctx, Block{"alice", "bob"}, noon.Add(time.Minute), 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Block(ctx, Block{"alice", "nobody"}, noon, 2); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if err := s.Block(ctx, Block{"alice", "carol"}, noon, 1); !errors.Is(err, ErrLimit) {
		t.Errorf("too many: %v", err)
	}
	say("alice", "", "after, from alice", false, noon.Add(time.Hour))
	say("bob", "", "after, from bob", false, noon.Add(time.Hour))
	say("bob", "alice", "let me in", true, noon.Add(time.Hour))
	call := Call{ID: "c", Caller: "bob", Callee: "alice", CallerDevice: "d", Started: noon.Add(time.Hour), Ended: noon.Add(time.Hour), Reason: "offline", Blocked: true}
	j.SaveCall(call)
	if err := j.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	count := func(who, with string) int {
		t.Helper()
		lines, err := s.History(ctx, who, with, 0, 50)
		if err != nil {
			t.Fatal(err)
		}
		return len(lines)
	}
	for _, c := range []struct {
		who, with string
		want      int
		why       string
	}{
		{"alice", "", 2, "her own: none of bob's"},
		{"bob", "", 3, "his own, and what he had seen of hers before"},
		{"carol", "", 4, "everything"},
		{"alice", "bob", 0, "what he wrote to her never came"},
		{"bob", "alice", 1, "for him it did"},
	} {
		if got := count(c.who, c.with); got != c.want {
			t.Errorf("%s with %q reads %d lines, want %d: %s", c.who, c.with, got, c.want, c.why)
		}
	}
	for who, want := range map[string]int{"alice": 0, "bob": 1} {
		if calls, err := s.Calls(ctx, who, "", 10); err != nil || len(calls) != want {
			t.Errorf("%s finds %+v, %v", who, calls, err)
		}
	}
	if _, err := s.Call(ctx, "alice", "c"); !errors.Is(err, ErrNotFound) {
		t.Errorf("alice by its id: %v", err)
	}
	if got, err := s.BlockedBy(ctx, "alice"); err != nil || len(got) != 1 || got[0].ID != "bob" {
		t.Errorf("blocked by alice: %+v, %v", got, err)
	}
	if err := s.Unblock(ctx, Block{"alice", "bob"}); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Blocks(ctx); err != nil || len(all) != 0 {
		t.Errorf("still %+v, %v", all, err)
	}
	if a, b := count("alice", ""), count("alice", "bob"); a != 4 || b != 0 {
		t.Errorf("afterwards alice reads %d lines of the lobby and %d of bob's", a, b)
	}
}

// A session is not made with a password that has been changed meanwhile, nor for who is disabled.
func TestSessionsOfChangedAccounts(t *testing.T) {
	ctx := t.Context()
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice")
	u, err := s.User(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	add := func(id string) error {
		_, err := s.AddSession(ctx, Session{ID: id, User: u, Created: noon, Used: noon}, 10)
		return err
	}
	for _, id := range []string{"a", "b", "c"} {
		if err := add(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.ChangePassword(ctx, "alice", "new", "b"); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Sessions(ctx, "alice"); err != nil || len(all) != 1 || all[0].ID != "b" {
		t.Errorf("sessions after another password: %+v, %v", all, err)
	}
	if err := add("d"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a session with the old password: %v", err)
	}
	if err := s.SetPassword(ctx, "alice", u.Password, "old again"); err != nil {
		t.Fatal(err)
	}
	if u, err = s.User(ctx, "alice"); err != nil || u.Password != "new" {
		t.Fatalf("a rehash of the old one gives %q, %v", u.Password, err)
	}
	if err := s.SetDisabled(ctx, "alice", true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Session(ctx, "b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a session of a disabled person: %v", err)
	}
	if err := add("e"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a new one: %v", err)
	}
}

// marianne has left traces everywhere: what must not be found of her afterwards is in traces.
func marianne(t *testing.T, s *Store) (gone User, traces []string) {
	t.Helper()
	ctx := t.Context()
	gone = newcomer("gone")
	gone.Name, gone.NameKey, gone.Password = "Marianne-Delacroix", "marianne-delacroix", "$argon2id$secretsecret"
	if err := s.AddUser(ctx, gone); err != nil {
		t.Fatal(err)
	}
	if err := s.PutContact(ctx, User{ID: "echo", Name: "Echo", NameKey: "echo", Kind: "echo"}); err != nil {
		t.Fatal(err)
	}
	j := journal(t, s)
	defer j.Close()
	for _, m := range []Message{
		{From: "gone", To: "", Text: "lobby line"},
		{From: "gone", To: "bob", Text: "line to bob"},
		{From: "bob", To: "gone", Text: "line of bob"},
		{From: "gone", To: "echo", Text: "nobodyreadsthis"},
		{From: "echo", To: "gone", Text: "nobodyreadsthis"},
		{From: "gone", To: "carol", Text: "neverdelivered", Blocked: true},
	} {
		m.Sent = noon
		save(t, j, m)
	}
	for i, c := range []Call{
		{Caller: "gone", Callee: "bob", CallerDevice: "devicegone", CalleeDevice: "devicebob"},
		{Caller: "gone", Callee: "echo", CallerDevice: "devicegone"},
	} {
		c.ID, c.Started, c.Ended, c.Reason = fmt.Sprint("call", i), noon, noon, "hangup"
		j.SaveCall(c)
	}
	if _, err := s.AddSession(ctx, Session{ID: "sessionhash", User: gone, Device: "Mariannes Laptop", Created: noon, Used: noon}, 5); err != nil {
		t.Fatal(err)
	}
	if err := s.AddInvite(ctx, invite("invitehash", 1, "gone"), 5); err != nil {
		t.Fatal(err)
	}
	for _, b := range []Block{{"gone", "bob"}, {"carol", "gone"}} {
		if err := s.Block(ctx, b, noon, 5); err != nil {
			t.Fatal(err)
		}
	}
	return gone, []string{"arianne", "secretsecret", "sessionhash", "invitehash", "devicegone", "nobodyreadsthis", "neverdelivered"}
}

// What is left of somebody who has left: what others keep, without a name, and not one byte of the rest.
func TestDeletedPersonIsGone(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "visavis.db")
	s := start(t, path)
	withUsers(t, s, "bob", "carol")
	gone, traces := marianne(t, s)
	for _, trace := range traces {
		if !inFiles(t, path, trace) {
			t.Fatalf("%q is not in the files, so that the test shows nothing", trace)
		}
	}
	if err := s.DeleteUser(ctx, "gone", false); err != nil {
		t.Fatal(err)
	}
	for _, trace := range traces {
		if inFiles(t, path, trace) {
			t.Errorf("%q is still in the files", trace)
		}
	}
	if _, err := s.UserByKey(ctx, gone.NameKey); !errors.Is(err, ErrNotFound) {
		t.Errorf("by name: %v", err)
	}
	lines, err := s.History(ctx, "bob", "gone", 0, 10)
	if err != nil || len(lines) != 2 || lines[0].FromName != deletedName || lines[1].FromName != "BOB" {
		t.Errorf("bob keeps %+v, %v", lines, err)
	}
	calls, err := s.Calls(ctx, "bob", "", 10)
	if err != nil || len(calls) != 1 || calls[0].Peer.Name != deletedName || calls[0].Peer.Kind != kindDeleted || calls[0].CallerDevice != "" || calls[0].CalleeDevice != "devicebob" {
		t.Errorf("bob keeps %+v, %v", calls, err)
	}
	if all, err := s.Users(ctx); err != nil || len(all) != 3 {
		t.Errorf("users %+v, %v", all, err)
	}
	gone.ID = "another"
	if err := s.AddUser(ctx, gone); err != nil {
		t.Errorf("the name is not free: %v", err)
	}
	if err := s.DeleteUser(ctx, "bob", true); err != nil {
		t.Fatal(err)
	}
	// Now nobody keeps anything of the two but the lobby.
	if inFiles(t, path, "line to bob") || inFiles(t, path, "line of bob") || !inFiles(t, path, "lobby line") {
		t.Error("what only the two had")
	}
	for id, there := range map[string]bool{"gone": true, "bob": false} {
		if _, err := s.User(ctx, id); (err == nil) != there {
			t.Errorf("the row of %s: %v", id, err)
		}
	}
}

// save returns when the message is in the database.
func save(t *testing.T, j *Journal, m Message) {
	t.Helper()
	answer := make(chan error, 1)
	j.SaveMessage(m, func(_ Message, err error) { answer <- err })
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
}

func inFiles(t *testing.T, path, text string) bool {
	t.Helper()
	for _, f := range []string{path, path + "-wal"} {
		b, err := os.ReadFile(f)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

func TestLinesGoToo(t *testing.T) {
	ctx := t.Context()
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob")
	j := journal(t, s)
	defer j.Close()
	for _, m := range []Message{{From: "alice", To: "bob"}, {From: "bob", To: "alice"}, {From: "alice"}} {
		m.Text, m.Sent = "x", noon
		save(t, j, m)
	}
	if err := s.DeleteUser(ctx, "alice", true); err != nil {
		t.Fatal(err)
	}
	if lines, err := s.History(ctx, "bob", "alice", 0, 10); err != nil || len(lines) != 1 || lines[0].From != "bob" {
		t.Errorf("bob keeps %+v, %v", lines, err)
	}
	if lines, err := s.History(ctx, "bob", "", 0, 10); err != nil || len(lines) != 0 {
		t.Errorf("the lobby keeps %+v, %v", lines, err)
	}
}
