package store

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// said writes one line and gives its id.
func said(t *testing.T, j *Journal, m Message) int64 {
	t.Helper()
	id := make(chan int64, 1)
	j.SaveMessage(m, func(m Message, err error) {
		if err != nil {
			t.Error(err)
		}
		id <- m.ID
	})
	return <-id
}

func unreadOf(t *testing.T, s *Store, who string) []Unread {
	t.Helper()
	_, all, err := s.Unread(t.Context(), who, 10)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestUnread(t *testing.T) {
	ctx := t.Context()
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob", "carol")
	j := journal(t, s)
	defer j.Close()
	say := func(from, to string) int64 {
		return said(t, j, Message{From: from, To: to, Text: "x", Sent: noon.Add(time.Hour)})
	}
	read := func(who, with string, upTo int64) {
		t.Helper()
		j.SaveRead(Read{who, with, upTo})
		if err := j.Sync(ctx); err != nil {
			t.Fatal(err)
		}
	}
	check := func(who string, want ...Unread) {
		t.Helper()
		if got := unreadOf(t, s, who); !slices.Equal(got, want) {
			t.Errorf("%s has not seen %+v, want %+v", who, got, want)
		}
	}
	check("bob")
	first := say("alice", "bob")
	second := say("alice", "bob")
	say("bob", "alice")
	lobby := say("alice", "")
	check("bob", Unread{"", 1, lobby}, Unread{"alice", 2, second})
	check("carol", Unread{"", 1, lobby})
	read("bob", "alice", first)
	check("bob", Unread{"", 1, lobby}, Unread{"alice", 1, second})
	read("bob", "", lobby)
	read("bob", "alice", second)
	read("bob", "alice", first) // said late, by a device that was slow
	check("bob")
	read("bob", "alice", 1<<40) // of what is still to come nothing is read
	third := say("alice", "bob")
	check("bob", Unread{"alice", 1, third})
	if _, all, err := s.Unread(ctx, "alice", 0); err != nil || len(all) != 0 {
		t.Errorf("none were asked for: %+v, %v", all, err)
	}
	if newest, _, err := s.Unread(ctx, "bob", 10); err != nil || newest != third {
		t.Errorf("counted up to %d, %v, want %d", newest, err, third)
	}
	if all, err := s.Reads(ctx, "bob"); err != nil || len(all) != 2 || all[1] != (Read{"bob", "alice", third - 1}) {
		t.Errorf("bob has read %+v, %v", all, err)
	}
}

// What a person is not to see is not counted: lines of the blocked and of the deleted, and the lobby before one came.
func TestUnreadLeavesOut(t *testing.T) {
	ctx := t.Context()
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob", "carol", "dora")
	j := journal(t, s)
	defer j.Close()
	said(t, j, Message{From: "alice", Text: "long ago", Sent: noon.Add(-48 * time.Hour)})
	said(t, j, Message{From: "carol", To: "bob", Text: "x", Sent: noon})
	said(t, j, Message{From: "dora", To: "bob", Text: "x", Sent: noon})
	said(t, j, Message{From: "alice", To: "bob", Text: "x", Sent: noon, Blocked: true})
	if got := unreadOf(t, s, "bob"); len(got) != 2 {
		t.Fatalf("bob has not seen %+v", got)
	}
	if err := s.Block(ctx, Block{"bob", "carol"}, noon, 5); err != nil {
		t.Fatal(err)
	}
	said(t, j, Message{From: "carol", Text: "to all", Sent: noon.Add(time.Hour)})
	j.SaveRead(Read{"dora", "bob", 1})
	if err := j.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteUser(ctx, "dora", false); err != nil {
		t.Fatal(err)
	}
	if got := unreadOf(t, s, "bob"); len(got) != 0 {
		t.Errorf("bob has not seen %+v", got)
	}
	if all, err := s.Reads(ctx, "dora"); err != nil || len(all) != 0 {
		t.Errorf("of who has left there is %+v, %v", all, err)
	}
	j.SaveRead(Read{"nobody", "bob", 1}) // a device of somebody who has just left
	if err := j.Sync(ctx); err != nil || j.Failing() {
		t.Errorf("%v, failing %v", err, j.Failing())
	}
}

// However much was said before, only what is new is walked over, and of that the index alone: an account must not be able to
// hold up all readers.
func TestUnreadWalksOnlyWhatIsNew(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+unreadQuery, "bob", 1, maxUnread, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	walks := map[string]int{}
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(step, " m ") || strings.Contains(step, " messages") {
			walks[step]++
		}
	}
	want := map[string]int{
		"SEARCH messages USING COVERING INDEX messages_to (to_id=?)":                                              1, // its first entry: min
		"SEARCH messages USING COVERING INDEX messages_to (to_id=? AND from_id>?)":                                1,
		"SEARCH m USING COVERING INDEX messages_to (to_id=? AND from_id=? AND blocked=? AND rowid>? AND rowid<?)": 2,
		"SEARCH m USING INDEX messages_room (room=? AND id>? AND id<?)":                                           1,
	}
	if err := rows.Err(); err != nil || !maps.Equal(walks, want) {
		t.Errorf("%v; it walks over %v, want %v", err, walks, want)
	}
}

// What is counted has an end, also of one's own chats.
func TestUnreadCountEnds(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob")
	if _, err := s.write.ExecContext(t.Context(), `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO messages (room, from_id, to_id, text, sent_ms) SELECT 'alice bob', 'alice', 'bob', 'x', ?2 FROM n
			UNION ALL SELECT '', 'alice', '', 'x', ?2 FROM n`, maxUnread+5, toMs(noon.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	want := []Unread{{"", maxUnread, 2 * (maxUnread + 5)}, {"alice", maxUnread, maxUnread + 5}}
	if got := unreadOf(t, s, "bob"); !slices.Equal(got, want) {
		t.Errorf("bob has not seen %+v, want %+v", got, want)
	}
}

// What could not be written is kept until it can, the farthest of each chat.
func TestReadsOutliveABrokenDisk(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob")
	j := journal(t, s)
	defer j.Close()
	id := said(t, j, Message{From: "alice", To: "bob", Text: "x", Sent: noon})
	if _, err := s.write.ExecContext(t.Context(), `PRAGMA query_only(1)`); err != nil {
		t.Fatal(err)
	}
	j.SaveRead(Read{"bob", "alice", id})
	until(t, j.Failing)
	j.SaveRead(Read{"bob", "alice", id - 1})
	if _, err := s.write.ExecContext(t.Context(), `PRAGMA query_only(0)`); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return len(unreadOf(t, s, "bob")) == 0 })
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it never came")
		}
	}
}

// Of more chats than are asked for it is the newest that are told, and they alone are counted in.
func TestUnreadTellsTheNewest(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "visavis.db"))
	withUsers(t, s, "alice", "bob", "carol", "dora")
	j := journal(t, s)
	defer j.Close()
	var last int64
	for _, from := range []string{"dora", "carol", "alice", "carol"} {
		last = said(t, j, Message{From: from, To: "bob", Text: "x", Sent: noon.Add(time.Hour)})
	}
	for limit, want := range [][]Unread{nil, {{"carol", 2, last}}, {{"carol", 2, last}, {"alice", 1, last - 1}}} {
		if _, got, err := s.Unread(t.Context(), "bob", limit); err != nil || !slices.Equal(got, want) {
			t.Errorf("of %d chats: %+v, %v, want %+v", limit, got, err, want)
		}
	}
}
