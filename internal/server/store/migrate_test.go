package store

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pressly/goose/v3"
)

// ofVersion makes a file as an older program left it.
func ofVersion(t *testing.T, version int64, rows ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "visavis.db")
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
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if _, err := db.ExecContext(t.Context(), row); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file of the first version, with people, calls and chat in it, is brought up to date and keeps all of it.
func TestFirstVersionIsBroughtUpToDate(t *testing.T) {
	ctx := t.Context()
	path := ofVersion(
		t, 1,
		`INSERT INTO users (id, name, name_key, kind, password, created_ms) VALUES ('a', 'Anna', 'anna', 'person', 'x', 1), ('b', 'Bob', 'bob', 'person', 'y', 2)`,
		`INSERT INTO sessions (id, user_id, device, created_ms, used_ms) VALUES ('s', 'a', 'laptop', 3, 4)`,
		`INSERT INTO calls (id, caller, callee, caller_device, callee_device, video, started_ms, accepted_ms, ended_ms, reason, ended_by, path, setup_ms)
			VALUES ('c', 'a', 'b', 'd', '', 1, 5, 0, 6, 'offline', '', '', 0)`,
		`INSERT INTO messages (room, from_id, to_id, text, sent_ms) VALUES ('a b', 'a', 'b', 'hello', 7), ('', 'b', '', 'hello all', 8)`,
	)

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

// What a file of the version before says is unread is so afterwards.
func TestUnreadOutlivesAnUpdate(t *testing.T) {
	path := ofVersion(
		t, 3,
		`INSERT INTO users (id, name, name_key, kind, password, created_ms) VALUES ('a', 'Anna', 'anna', 'person', 'x', 1), ('b', 'Bob', 'bob', 'person', 'y', 2),
			('c', 'Carol', 'carol', 'person', 'z', 3)`,
		`INSERT INTO messages (room, from_id, to_id, text, sent_ms, blocked) VALUES ('a b', 'a', 'b', '1', 7, 0), ('a b', 'a', 'b', '2', 8, 0),
			('a b', 'a', 'b', '3', 9, 0), ('b c', 'c', 'b', '4', 10, 0), ('b c', 'c', 'b', '5', 11, 1), ('', 'a', '', '6', 12, 0), ('b c', 'c', 'b', '7', 13, 0)`,
		`INSERT INTO reads VALUES ('b', 'a', 1)`,
	)
	want := []Unread{{"c", 2, 7}, {"", 1, 6}, {"a", 2, 3}}
	if got := unreadOf(t, start(t, path), "b"); !slices.Equal(got, want) {
		t.Errorf("Bob has not seen %+v, want %+v", got, want)
	}
}
