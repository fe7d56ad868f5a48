package server_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

// smallDisk is a folder on a disk of its own, which only root can have; package store tests the same without.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a disk of its own cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill writes a file until nothing fits any more.
func fill(t *testing.T, dir string) (remove func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for b := make([]byte, 4096); err == nil; {
		_, err = f.Write(b)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	_ = f.Close()
	return func() { _ = os.Remove(name) }
}

func TestAFullDiskLosesNothing(t *testing.T) {
	dir := smallDisk(t)
	c := config(dir)
	s := openConfig(t, c)
	a, b := s.guest("alice"), s.guest("bob")
	alice, bob := a.phone("a"), b.phone("b")
	alice.must(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: "before"})
	bob.push(signal.CodeChat, "")
	remove := fill(t, dir)

	acknowledged, refused := 1, false
	for range 1000 { // the write-ahead log has a little room of its own
		e := alice.ask(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: strings.Repeat("x", 1900)})
		if e.Code == signal.CodeError {
			if p := decode[signal.Problem](t, e); p.Error != signal.ErrInternal || !strings.Contains(e.Message, "not sent") {
				t.Fatalf("a line on a full disk: %+v", e)
			}
			refused = true
			break
		}
		acknowledged++
	}
	if !refused {
		t.Fatal("the disk does not fill")
	}
	reg := s.send("POST", "/api/register", `{"name":"carol","password":"`+password+`"}`)
	if f := reg.failure(); reg.status != http.StatusServiceUnavailable || f.Error != signal.ErrInternal || !strings.Contains(f.Message, "no room") {
		t.Errorf("registering on a full disk: %d %s", reg.status, reg.body)
	}
	// People can still talk, and read what is there.
	call := talk(alice, bob, b.user)
	bob.must(signal.CallHangup, "", call, signal.Hangup{})
	alice.ended(call, signal.EndHangup)
	if st := a.get("/api/calls", &signal.Calls{}); st != http.StatusOK {
		t.Errorf("reading calls: %d", st)
	}
	if h := s.send("GET", "/healthz", ""); h.status != http.StatusOK {
		t.Errorf("healthz: %d", h.status)
	}
	remove()
	// The call that could not be written is written now.
	var r signal.CallRecord
	for a.get("/api/calls/"+call, &r) == http.StatusNotFound {
		if t.Context().Err() != nil {
			t.Fatal("the call is never written")
		}
	}
	if r.Reason != signal.EndHangup {
		t.Errorf("the call is on record as %+v", r)
	}
	alice.must(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: "after"})
	acknowledged++
	s.close()
	s = openConfig(t, c)
	b.site = s
	bob = b.phone("b")
	seen := 0
	for before := int64(0); ; {
		m := decode[signal.Messages](t, bob.must(signal.MessageHistory, "", "", signal.History{With: a.user.ID, Before: before, Limit: 200}))
		if len(m.Messages) == 0 {
			break
		}
		seen, before = seen+len(m.Messages), m.Messages[0].ID
	}
	if seen != acknowledged {
		t.Errorf("%d lines were acknowledged, %d are there after a restart", acknowledged, seen)
	}
}

func TestStartingOnAFullDisk(t *testing.T) {
	dir := smallDisk(t)
	remove := fill(t, dir)
	c := config(dir)
	s := &server.Server{Config: c}
	err := s.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		s.Close()
		t.Fatalf("start on a full disk: %v", err)
	}
	remove()
	openConfig(t, c).guest("alice")
	var st json.RawMessage
	if b, err := os.ReadFile(filepath.Join(dir, "server.json")); err != nil || json.Unmarshal(b, &st) != nil {
		t.Errorf("state file: %v", err)
	}
}
