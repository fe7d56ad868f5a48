package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/admin"
	"visavis.example/internal/server/backup"
	"visavis.example/internal/signal"
)

// operator reaches a running server as the commands do.
func (s *site) operator() *admin.Remote {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.srv.DataDir, server.StateFile))
	var st server.State
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := admin.Dial(s.t.Context(), st.Admin)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *site) operate(r admin.Request) admin.Reply {
	s.t.Helper()
	out, err := s.operator().Do(s.t.Context(), r)
	if err != nil {
		s.t.Fatalf("%+v: %v", r, err)
	}
	return out
}

// What the operator does to somebody is felt at once (attack row 14: disabled).
func TestOperatorOnARunningServer(t *testing.T) {
	s := open(t)
	anna, bob := s.guest("anna"), s.guest("bob")
	a, b := anna.phone("a"), bob.phone("b")
	bob.do(204, "PUT", "/api/blocks/"+anna.user.ID, nil)
	bob.do(204, "DELETE", "/api/blocks/"+anna.user.ID, nil)
	anna.do(204, "PUT", "/api/me/dnd", signal.DND{On: true})

	s.operate(admin.Request{Command: admin.UserAdd, Name: "carol", Password: password})
	if u := decode[signal.UserChange](t, b.push(signal.CodeUserOffline, "")); u.User.Name != "carol" {
		t.Errorf("bob hears of %+v", u)
	}
	for _, u := range s.operate(admin.Request{Command: admin.UserList}).Users {
		if u.Online != (u.Name != "carol") || u.Disabled || (u.Sessions == 1) != (u.Name != "carol") {
			t.Errorf("listed %+v", u)
		}
	}

	anna.do(204, "PUT", "/api/me/dnd", signal.DND{})
	call := talk(b, a, anna.user)
	anna.do(204, "PUT", "/api/me/dnd", signal.DND{On: true})
	silent := anna.raw() // has not said yet which device it is
	start := time.Now()
	s.operate(admin.Request{Command: admin.UserDisable, Name: "anna"})
	if code := silent.closed(); code != 1008 || time.Since(start) > time.Second {
		t.Errorf("her other socket closed with %d after %v", code, time.Since(start))
	}
	if code := a.closed(); code != 1008 || time.Since(start) > time.Second {
		t.Errorf("her socket closed with %d after %v", code, time.Since(start))
	}
	b.ended(call, signal.EndHangup)
	b.push(signal.CodeUserRemoved, "")
	anna.do(401, "GET", "/api/me", nil)
	if _, status, err := s.dial(http.Header{"Authorization": {"Bearer " + anna.token}}, signal.Subprotocol); err == nil || status != 401 {
		t.Errorf("a new socket: %d, %v", status, err)
	}
	login := `{"name":"anna","password":"` + password + `"}`
	if a := s.send("POST", "/api/login", login); a.status != http.StatusForbidden || a.failure().Error != signal.ErrDisabled {
		t.Errorf("she signs in: %d %s", a.status, a.body)
	}

	s.operate(admin.Request{Command: admin.UserEnable, Name: "anna"})
	if u := decode[signal.UserChange](t, b.push(signal.CodeUserOffline, "")); u.User.ID != anna.user.ID {
		t.Errorf("bob hears of %+v", u)
	}
	anna = anna.again("test")
	if a = anna.phone("a"); !a.hello.Self.DND {
		t.Error("her wish not to be disturbed is forgotten")
	}
	s.operate(admin.Request{Command: admin.UserPasswd, Name: "anna", Password: "quite another one"})
	if code := a.closed(); code != 1008 {
		t.Errorf("her socket closed with %d after another password", code)
	}
	if a := s.send("POST", "/api/login", login); a.status != http.StatusUnauthorized {
		t.Errorf("the old password: %d", a.status)
	}
	s.operate(admin.Request{Command: admin.UserDelete, Name: "bob"})
	if code := b.closed(); code != 1008 {
		t.Errorf("his socket closed with %d", code)
	}
	v := s.operate(admin.Request{Command: admin.InviteCreate}).Invite
	if v == nil || v.URL != s.srv.URL()+"/#invite="+v.Invite {
		t.Errorf("the invite is %+v", v)
	}
}

// One folder, one user of it: commands go to the running server, and what would pull the folder from under it is refused.
func TestOfflineOnlyWithoutAServer(t *testing.T) {
	dir := t.TempDir()
	s := openConfig(t, config(dir))
	s.guest("anna")
	log := slog.New(slog.DiscardHandler)
	cheap := accounts.Work{MemoryKiB: 64, Passes: 1}
	if _, err := server.OpenOffline(t.Context(), dir, "1", cheap, log); !errors.Is(err, server.ErrInUse) {
		t.Errorf("beside the server: %v", err)
	}
	var b bytes.Buffer
	if err := s.operator().Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	m, err := backup.Verify(bytes.NewReader(b.Bytes()))
	if err != nil || len(m.Files) < 3 { // the database, the certificate, its key
		t.Errorf("the backup has %+v, %v", m, err)
	}
	if _, _, err := server.Restore(t.Context(), dir, bytes.NewReader(b.Bytes()), time.Now()); !errors.Is(err, server.ErrInUse) {
		t.Errorf("restore beside the server: %v", err)
	}
	print := s.srv.Fingerprint()
	s.guest("bob")
	s.close()

	o, err := server.OpenOffline(t.Context(), dir, "1", cheap, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&server.Server{Config: config(dir)}).Start(t.Context()); !errors.Is(err, server.ErrInUse) {
		t.Errorf("a server beside the command: %v", err)
	}
	if l, err := o.Do(t.Context(), admin.Request{Command: admin.UserList}); err != nil || len(l.Users) != 2 {
		t.Errorf("users %+v, %v", l, err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	// To another machine, with the certificate that clients have pinned.
	other := t.TempDir()
	if _, before, err := server.Restore(t.Context(), other, bytes.NewReader(b.Bytes()), time.Now()); err != nil || before != "" {
		t.Fatalf("restore: %q, %v", before, err)
	}
	s = openConfig(t, config(other))
	if s.srv.Fingerprint() != print {
		t.Error("the certificate is another")
	}
	if a := s.send("POST", "/api/login", `{"name":"anna","password":"`+password+`"}`); a.status != http.StatusOK {
		t.Errorf("anna signs in: %d %s", a.status, a.body)
	}
	if a := s.send("POST", "/api/login", `{"name":"bob","password":"`+password+`"}`); a.status != http.StatusUnauthorized {
		t.Errorf("bob, who came after the backup: %d", a.status)
	}
}

// A folder in which a restore broke off is no folder to serve from.
func TestNoServerOnAHalfRestoredFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".restoring"), []byte("before-restore-x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&server.Server{Config: config(dir)}).Start(t.Context()); !errors.Is(err, backup.ErrUnfinished) {
		t.Errorf("it starts: %v", err)
	}
	if _, err := server.OpenOffline(t.Context(), dir, "1", accounts.Work{}, slog.New(slog.DiscardHandler)); !errors.Is(err, backup.ErrUnfinished) {
		t.Errorf("commands are done on it: %v", err)
	}
}
