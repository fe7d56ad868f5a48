package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/server/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

type all struct {
	Head
	Calls    []Call    `json:"calls"`
	Messages []Message `json:"messages"`
}

// filled is a store with two people, n calls of the same id (clients make ids) and n lines.
func filled(t *testing.T, n int) (*store.Store, store.User) {
	t.Helper()
	s := &store.Store{Path: filepath.Join(t.TempDir(), "visavis.db")}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, name := range []string{"ann", "bob"} {
		if err := s.AddUser(t.Context(), store.User{ID: name, Name: name, NameKey: name, Kind: "person", Password: "$argon2id$", Created: noon}); err != nil {
			t.Fatal(err)
		}
	}
	j := &store.Journal{Store: s, Logger: slog.New(slog.DiscardHandler)}
	if err := j.Start(); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i := range n {
		at := noon.Add(time.Duration(i) * time.Second)
		j.SaveCall(store.Call{ID: "same", Caller: "ann", Callee: "bob", CallerDevice: "d", Started: at, Ended: at, Reason: "offline"})
		j.SaveMessage(store.Message{From: "bob", To: "ann", Text: fmt.Sprint("line ", i), Sent: at}, func(store.Message, error) {})
	}
	u, err := s.User(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	return s, u
}

func TestManyPages(t *testing.T) {
	const n = 2*page + 7
	s, u := filled(t, n)
	var b bytes.Buffer
	pages := 0
	if err := Write(t.Context(), s, u, noon, &b, func() { pages++ }); err != nil {
		t.Fatal(err)
	}
	var x all
	if err := json.Unmarshal(b.Bytes(), &x); err != nil {
		t.Fatal(err)
	}
	if len(x.Calls) != n || !x.Calls[n-1].Started.Equal(noon) || len(x.Messages) != n || x.Messages[n-1].Text != fmt.Sprint("line ", n-1) || pages < 6 {
		t.Errorf("%d calls, %d messages, %d pages", len(x.Calls), len(x.Messages), pages)
	}
}

func TestNothingToExport(t *testing.T) {
	s, u := filled(t, 0)
	var b bytes.Buffer
	if err := Write(t.Context(), s, u, noon, &b, nil); err != nil {
		t.Fatal(err)
	}
	var x all
	if err := json.Unmarshal(b.Bytes(), &x); err != nil || x.Calls == nil || x.Messages == nil || x.Account.Name != "ann" {
		t.Errorf("%s, %v", b.String(), err)
	}
}

// failing takes some bytes and no more.
type failing struct{ left int }

var errGone = errors.New("gone")

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errGone
	}
	return len(b), nil
}

// A reader who goes away ends the export at once.
func TestReaderGoesAway(t *testing.T) {
	s, u := filled(t, 3*page)
	pages := 0
	if err := Write(t.Context(), s, u, noon, &failing{left: 10_000}, func() { pages++ }); !errors.Is(err, errGone) || pages > 1 {
		t.Errorf("%v after %d pages", err, pages)
	}
}
