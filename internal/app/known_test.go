package app

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"visavis.example/internal/signal"
)

func TestKnownServersAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "known-servers.json")
	k := &KnownServers{File: file}
	if _, ok := k.Pinned("h:1"); ok {
		t.Error("known before it was met")
	}
	p := signal.Pin{Fingerprint: "AA:BB", Key: "cc", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if err := k.Keep("h:1", p); err != nil {
		t.Fatal(err)
	}
	other := &KnownServers{File: file} // another program of the same person
	if got, ok := other.Pinned("h:1"); !ok || got != p {
		t.Errorf("read back as %+v", got)
	}
	if err := other.Keep("h:2", p); err != nil {
		t.Fatal(err)
	}
	if _, ok := k.Pinned("h:2"); !ok {
		t.Error("what another program kept is not seen")
	}
	if i, err := os.Stat(file); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i, err)
	}
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, ok := k.Pinned("h:1"); !ok || got != p {
		t.Error("a damaged file makes a known server unknown")
	}
	if err := (&KnownServers{File: filepath.Join(file, "below")}).Keep("h:1", p); err == nil {
		t.Error("kept where there is no folder")
	}
}

func stranger(known string) *signal.Error {
	e := &signal.Error{Code: signal.ErrUnknownServer, Message: "who is this?", Untrusted: &signal.Untrusted{Host: "h:1", Shown: "BB", Known: known}}
	if known != "" {
		e.Code = signal.ErrServerChanged
	}
	return e
}

func TestSigningInToAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.Close()
		r.server.loginErr = stranger("")
		r.SignIn("h:1", "anna", "password")
		if s := r.now(); s.Untrusted == nil || s.Untrusted.Shown != "BB" || s.Link != SignedOut {
			t.Fatalf("%+v", s)
		}
		r.Trust(false)
		if s := r.now(); s.Untrusted != nil || len(r.server.trusted) != 0 || len(r.server.logins) != 1 {
			t.Fatalf("after no: %+v, trusted %v, %d logins", s.Untrusted, r.server.trusted, len(r.server.logins))
		}
		r.SignIn("h:1", "anna", "password")
		if s := r.now(); s.Untrusted == nil {
			t.Fatal("who tries again is not asked again")
		}
		r.server.loginErr = nil
		r.Trust(true)
		r.now()
		if len(r.server.trusted) != 1 || r.server.trusted[0] != "h:1 BB" || len(r.server.logins) != 3 || r.server.logins[2].Password != "password" {
			t.Fatalf("trusted %v, logins %v", r.server.trusted, r.server.logins)
		}
		r.server.online("")
		if s := r.now(); s.Link != Online || s.Untrusted != nil {
			t.Fatalf("%+v", s)
		}
		r.Trust(true) // nothing is asked any more
		if r.now(); len(r.server.trusted) != 1 {
			t.Error("trusted twice")
		}
	})
}

func TestTheServerChangesUnderASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := signedIn(t)
		defer r.Close()
		lose := func(known string) {
			r.server.events <- signal.Event{State: signal.StateConnecting, Err: stranger(known)}
			synctest.Wait()
		}
		lose("AA")
		s := r.now()
		if s.Untrusted == nil || !s.Untrusted.Changed() || s.Link != Connecting || s.LinkNote == "" {
			t.Fatalf("%+v", s)
		}
		r.Trust(false)
		lose("AA")
		if r.now().Untrusted != nil {
			t.Error("asked again about what was refused")
		}
		lose("CC")
		if r.now().Untrusted == nil {
			t.Error("another one is not asked about")
		}
		r.server.online("") // the right one is back
		if r.now().Untrusted != nil {
			t.Error("the question stays although the right server is there")
		}
		lose("CC")
		checks := r.server.checks
		r.Trust(true)
		if r.now(); len(r.server.trusted) != 1 || r.server.checks != checks+1 {
			t.Errorf("trusted %v, %d times asked to reconnect", r.server.trusted, r.server.checks-checks)
		}
		n := 0
		for _, e := range r.names() {
			if e == "untrusted" {
				n++
			}
		}
		if n != 3 {
			t.Errorf("%d events", n)
		}
	})
}

// An address that names a certificate is not overruled by a click.
func TestAnAddressIsNotOverruled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.Close()
		e := stranger("AA")
		e.Untrusted.Named = true
		r.server.loginErr = e
		r.SignIn("h:1#fp=AA", "anna", "password")
		r.now()
		r.Trust(true)
		if s := r.now(); s.Untrusted != nil || len(r.server.trusted) != 0 || len(r.server.logins) != 1 {
			t.Errorf("%+v, trusted %v", s.Untrusted, r.server.trusted)
		}
	})
}
