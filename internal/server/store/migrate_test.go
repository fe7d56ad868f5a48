package store

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
)

// A file of the first version, with people, calls and chat in it, is brought up to date and keeps all of it.
func TestFirstVersionIsBroughtUpToDate(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "visavis.db")
	db, err := open(path, "journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(ctx, 1); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		`INSERT INTO users (id, name, name_key, kind, password, created_ms) VALUES ('a', 'Anna', 'anna', 'person', 'x', 1), ('b', 'Bob', 'bob', 'person', 'y', 2)`,
		`INSERT INTO sessions (id, user_id, device, created_ms, used_ms) VALUES ('s', 'a', 'laptop', 3, 4)`,
		`INSERT INTO calls (id, caller, callee, caller_device, callee_device, video, started_ms, accepted_ms, ended_ms, reason, ended_by, path, setup_ms)
			VALUES ('c', 'a', 'b', 'd', '', 1, 5, 0, 6, 'offline', '', '', 0)`,
		`INSERT INTO messages (room, from_id, to_id, text, sent_ms) VALUES ('a b', 'a', 'b', 'hello', 7), ('', 'b', '', 'hello all', 8)`,
	} {
		if _, err := db.ExecContext(ctx, row); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	s := start(t, path)
	if n, err := s.Session(ctx, "s"); err != nil || n.User.Name != "Anna" || n.User.Disabled || n.User.DND || n.User.Look != "" {
		t.Errorf("the session is %+v, %v", n, err)
	}
	if calls, err := s.Calls(ctx, "b", "", 10); err != nil || len(calls) != 1 || calls[0].Blocked || calls[0].Peer.Name != "Anna" {
		t.Errorf("Bob's calls are %+v, %v", calls, err)
	}
	for with, want := range map[string]string{"a": "hello", "": "hello all"} {
		if lines, err := s.History(ctx, "b", with, 0, 10); err != nil || len(lines) != 1 || lines[0].Text != want {
			t.Errorf("Bob reads %+v, %v", lines, err)
		}
	}
	if all := unreadOf(t, s, "b"); len(all) != 0 {
		t.Errorf("what is old is news to Bob: %+v", all)
	}
	if err := s.Block(ctx, Block{"a", "b"}, noon, 10); err != nil {
		t.Error(err)
	}
}
