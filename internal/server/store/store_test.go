package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		os.Exit(keepWriting(path))
	}
	goleak.VerifyTestMain(m)
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func start(t *testing.T, path string) *Store {
	t.Helper()
	s := &Store{Path: path}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func withUsers(t *testing.T, s *Store, names ...string) {
	t.Helper()
	for i, n := range names {
		u := User{ID: n, Name: strings.ToUpper(n), NameKey: n, Kind: "person", Password: "x", Created: noon.Add(time.Duration(i) * time.Second)}
		if err := s.AddUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
}

func journal(t *testing.T, s *Store) *Journal {
	t.Helper()
	j := &Journal{Store: s, Logger: slog.New(slog.DiscardHandler)}
	if err := j.Start(); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestUsersAndSessions(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "odd name? with #marks%20.db")
	s := start(t, path)
	withUsers(t, s, "alice", "bob")
	if err := s.AddUser(ctx, User{ID: "other", Name: "Alice", NameKey: "alice", Kind: "person"}); !errors.Is(err, ErrNameTaken) {
		t.Fatalf("second alice: %v, want ErrNameTaken", err)
	}
	u, err := s.UserByKey(ctx, "alice")
	if err != nil || u.Name != "ALICE" || !u.Created.Equal(noon) {
		t.Fatalf("alice is %+v, %v", u, err)
	}
	if _, err := s.UserByKey(ctx, `alice" OR 1=1 --`); !errors.Is(err, ErrNotFound) {
		t.Fatalf("odd name: %v, want ErrNotFound", err)
	}
	for i := range 3 {
		at := noon.Add(time.Duration(i) * time.Minute)
		if _, err := s.AddSession(ctx, Session{ID: fmt.Sprint("s", i), User: u, Device: "d", Created: at, Used: at}, 2); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Session(ctx, "s0"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("oldest of three sessions, two kept: %v, want ErrNotFound", err)
	}
	if err := s.TouchSession(ctx, "s2", noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.PurgeSessions(ctx, noon, noon.Add(30*time.Minute)); n != 1 || err != nil {
		t.Fatalf("purged %d, %v; want only the unused one", n, err)
	}
	n, err := s.Session(ctx, "s2")
	if err != nil || n.User.ID != "alice" || !n.Used.Equal(noon.Add(time.Hour)) {
		t.Fatalf("session is %+v, %v", n, err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("database file: %v, %v; want mode 0600", fi.Mode(), err)
	}
}

func TestCallsSurviveARestartAndPage(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "visavis.db")
	s := start(t, path)
	withUsers(t, s, "alice", "bob", "carol")
	j := journal(t, s)
	for i := range 5 {
		c := Call{ID: fmt.Sprint("call", i), Caller: "alice", Callee: "bob", CallerDevice: "d", Video: true, Started: noon.Add(time.Duration(i) * time.Minute)}
		if i == 3 {
			c.Caller, c.Callee = "carol", "alice"
		}
		j.SaveCall(c)
		c.Accepted, c.CalleeDevice = c.Started.Add(time.Second), "e"
		j.SaveCall(c)
		if i != 4 {
			c.Ended, c.Reason, c.EndedBy, c.Path, c.SetupMs = c.Started.Add(time.Minute), "hangup", "bob", "relay", 321
			j.SaveCall(c)
		}
	}
	if err := j.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, path)
	got, err := s.Calls(ctx, "alice", "", 3)
	if err != nil || len(got) != 3 || got[0].ID != "call4" || got[1].Peer.Name != "CAROL" || got[2].ID != "call2" {
		t.Fatalf("newest three: %+v, %v", got, err)
	}
	if c := got[1].Call; c.SetupMs != 321 || c.Path != "relay" || c.EndedBy != "bob" || c.Ended.Sub(c.Started) != time.Minute {
		t.Fatalf("ended call is %+v", c)
	}
	if got, err = s.Calls(ctx, "alice", "call2", 10); err != nil || len(got) != 2 || got[1].ID != "call0" {
		t.Fatalf("before call2: %+v, %v", got, err)
	}
	if _, err := s.Calls(ctx, "bob", "call3", 10); !errors.Is(err, ErrNotFound) {
		t.Fatalf("paging by somebody else's call: %v, want ErrNotFound", err)
	}
	if _, err := s.Call(ctx, "bob", "call3"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("somebody else's call: %v, want ErrNotFound", err)
	}
	running, alive, err := s.Running(ctx)
	if err != nil || len(running) != 1 || running[0].ID != "call4" || running[0].CalleeDevice != "e" || time.Since(alive) > time.Minute {
		t.Fatalf("running: %+v, alive %v, %v", running, alive, err)
	}
}

func TestHistory(t *testing.T) {
	ctx := t.Context()
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob", "carol")
	j := journal(t, s)
	defer j.Close()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var ids []int64
	for i := range 30 {
		to := []string{"", "bob", "carol"}[i%3]
		wg.Add(1)
		j.SaveMessage(Message{From: "alice", To: to, Text: fmt.Sprintf("line %d '; DROP TABLE users --", i), Sent: noon}, func(m Message, err error) {
			defer wg.Done()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			ids = append(ids, m.ID)
		})
	}
	wg.Wait()
	for i := 1; i < len(ids); i++ {
		if ids[i] <= ids[i-1] {
			t.Fatalf("ids are not in order: %v", ids)
		}
	}
	got, err := s.History(ctx, "bob", "alice", 0, 4)
	if err != nil || len(got) != 4 || got[3].Text != "line 28 '; DROP TABLE users --" || got[0].FromName != "ALICE" {
		t.Fatalf("bob with alice: %+v, %v", got, err)
	}
	if got, err = s.History(ctx, "bob", "alice", got[0].ID, 100); err != nil || len(got) != 6 {
		t.Fatalf("older: %d lines, %v; want 6", len(got), err)
	}
	if got, err = s.History(ctx, "bob", "carol", 0, 100); err != nil || len(got) != 0 {
		t.Fatalf("bob sees %d lines of others, %v", len(got), err)
	}
	if got, err = s.History(ctx, "carol", "", 0, 100); err != nil || len(got) != 10 {
		t.Fatalf("lobby: %d lines, %v; want 10", len(got), err)
	}
}

func TestFullDiskLosesNothingAcknowledged(t *testing.T) {
	ctx := t.Context()
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob")
	j := journal(t, s)
	defer j.Close()
	var pages int
	if err := s.write.QueryRow(`PRAGMA page_count`).Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec(fmt.Sprint(`PRAGMA max_page_count = `, pages+8)); err != nil {
		t.Fatal(err)
	}
	said := 0
	for full := false; !full; {
		answer := make(chan error)
		j.SaveMessage(Message{From: "alice", Text: strings.Repeat("x", 2000), Sent: noon}, func(_ Message, err error) { answer <- err })
		switch err := <-answer; {
		case err == nil:
			said++
		case errors.Is(err, ErrFull):
			full = true
		default:
			t.Fatal(err)
		}
	}
	if said == 0 {
		t.Fatal("nothing fitted")
	}
	// A call that cannot be written now is written once there is room.
	j.SaveCall(Call{ID: "call", Caller: "alice", Callee: "bob", CallerDevice: strings.Repeat("d", 5000), Started: noon})
	if err := j.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Call(ctx, "alice", "call"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("call on a full disk: %v, want ErrNotFound", err)
	}
	if err := s.AddUser(ctx, User{ID: "carol", NameKey: "carol", Password: strings.Repeat("p", 5000)}); !errors.Is(err, ErrFull) {
		t.Fatalf("new user on a full disk: %v, want ErrFull", err)
	}
	if got, err := s.History(ctx, "alice", "", 0, 200); err != nil || len(got) != said {
		t.Fatalf("%d lines read back, %v; %d were acknowledged", len(got), err, said)
	}
	if _, err := s.write.Exec(`PRAGMA max_page_count = 1000000`); err != nil {
		t.Fatal(err)
	}
	for {
		if err := j.Sync(ctx); err != nil {
			t.Fatal(err)
		}
		c, err := s.Call(ctx, "alice", "call")
		if err == nil && c.Peer.ID == "bob" {
			break
		}
		if !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	}
}

func TestABrokenRowDoesNotHoldUpOthers(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob")
	j := journal(t, s)
	defer j.Close()
	j.SaveCall(Call{ID: "ghost", Caller: "nobody", Callee: "bob", Started: noon})
	j.SaveCall(Call{ID: "call", Caller: "alice", Callee: "bob", Started: noon})
	answer := make(chan error)
	j.SaveMessage(Message{From: "nobody", Text: "boo", Sent: noon}, func(_ Message, err error) { answer <- err })
	if err := <-answer; err == nil {
		t.Fatal("a message from nobody was written")
	}
	if _, err := s.Call(t.Context(), "bob", "call"); err != nil {
		t.Fatalf("the good call: %v", err)
	}
}

func TestNewerDataIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "visavis.db")
	s := start(t, path)
	if _, err := s.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := (&Store{Path: path}).Start(t.Context()); !errors.Is(err, ErrNewer) {
		t.Fatalf("start on newer data: %v, want ErrNewer", err)
	}
}

func TestNotADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "visavis.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is a letter, not a database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&Store{Path: path}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Fatalf("start on a letter: %v", err)
	}
}
