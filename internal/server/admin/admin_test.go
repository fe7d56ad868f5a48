package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/backup"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newDesk(t *testing.T) *Desk {
	t.Helper()
	dir := t.TempDir()
	s := &store.Store{Path: filepath.Join(dir, backup.Database)}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	a := &accounts.Accounts{Store: s, Work: accounts.Work{MemoryKiB: 64, Passes: 1}, Logger: slog.New(slog.DiscardHandler)}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &Desk{Accounts: a, Store: s, Dir: dir, Version: "1"}
}

// asker is a Desk or a Remote.
type asker interface {
	Do(ctx context.Context, r Request) (Reply, error)
	Export(ctx context.Context, name string, w io.Writer) error
	Backup(ctx context.Context, w io.Writer) error
}

// remote is a desk behind a real socket.
func remote(t *testing.T, d *Desk) *Remote {
	t.Helper()
	l, err := Listen(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: Handler(d, slog.New(slog.DiscardHandler)), ReadHeaderTimeout: time.Second}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close(); <-ended })
	r, err := Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The same commands, here and through the socket.
func TestCommands(t *testing.T) {
	for name, open := range map[string]func(*testing.T) asker{
		"here":   func(t *testing.T) asker { return newDesk(t) },
		"socket": func(t *testing.T) asker { return remote(t, newDesk(t)) },
	} {
		t.Run(name, func(t *testing.T) { commandsOf(t, open(t)) })
	}
}

func commandsOf(t *testing.T, a asker) {
	ctx := t.Context()
	do := func(want string, r Request) Reply {
		t.Helper()
		out, err := a.Do(ctx, r)
		got := ""
		var refused *accounts.Refused
		if errors.As(err, &refused) {
			got = refused.Failure.Error
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%+v: %v, want %q", r, err, want)
		}
		return out
	}
	do("", Request{Command: UserAdd, Name: "Anna", Password: "long enough"})
	do(signal.ErrNameTaken, Request{Command: UserAdd, Name: "anna", Password: "long enough"})
	do(signal.ErrBadPassword, Request{Command: UserAdd, Name: "bob", Password: "short"})
	do("", Request{Command: UserPasswd, Name: "anna", Password: "another one"})
	do(signal.ErrBadPassword, Request{Command: UserPasswd, Name: "anna", Password: "anna"})
	do("", Request{Command: UserDisable, Name: "ANNA"})
	if l := do("", Request{Command: UserList}); len(l.Users) != 1 || l.Users[0].Name != "Anna" || !l.Users[0].Disabled || l.Users[0].Online {
		t.Errorf("users %+v", l.Users)
	}
	do("", Request{Command: UserEnable, Name: "anna"})
	v := do("", Request{Command: InviteCreate, Invite: signal.NewInvite{Uses: 3, Days: 2}})
	if v.Invite == nil || v.Invite.Uses != 3 || v.Invite.URL != "" {
		t.Fatalf("invite %+v", v.Invite)
	}
	if l := do("", Request{Command: InviteList}); len(l.Invites) != 1 || l.Invites[0].ID != v.Invite.ID || l.Invites[0].Uses != 3 || l.Invites[0].By != "" {
		t.Errorf("invites %+v", l.Invites)
	}
	do("", Request{Command: InviteRevoke, ID: v.Invite.ID})
	do(signal.ErrNotFound, Request{Command: InviteRevoke, ID: v.Invite.ID})
	do(signal.ErrBadRequest, Request{Command: "user fly"})
	for _, c := range []string{UserPasswd, UserDisable, UserEnable, UserDelete} {
		do(signal.ErrNotFound, Request{Command: c, Name: "nobody", Password: "long enough"})
		do(signal.ErrNotFound, Request{Command: c, Name: "echo", Password: "long enough"})
	}
	var b bytes.Buffer
	if err := a.Export(ctx, "anna", &b); err != nil || !strings.Contains(b.String(), `"name": "Anna"`) || !strings.HasSuffix(b.String(), "}\n") {
		t.Errorf("export %s, %v", b.String(), err)
	}
	var refused *accounts.Refused
	if err := a.Export(ctx, "nobody", &b); !errors.As(err, &refused) || refused.Failure.Error != signal.ErrNotFound {
		t.Errorf("export of nobody: %v", err)
	}
	b.Reset()
	if err := a.Backup(ctx, &b); err != nil {
		t.Error(err)
	}
	if _, err := backup.Verify(&b); err != nil {
		t.Error(err)
	}
	do("", Request{Command: UserDelete, Name: "anna"})
	if l := do("", Request{Command: UserList}); len(l.Users) != 0 {
		t.Errorf("users %+v", l.Users)
	}
}

func TestSocketIsForItsOwnerOnly(t *testing.T) {
	d := newDesk(t)
	remote(t, d)
	if fi, err := os.Stat(filepath.Join(d.Dir, SocketName)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
}

// A folder whose path is longer than a socket's may be.
func TestSocketOfADeepFolder(t *testing.T) {
	d := newDesk(t)
	d.Dir = filepath.Join(d.Dir, strings.Repeat("deep/", 40))
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	if _, err := Dial(t.Context(), at); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(at)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder stays: %v", err)
	}
}

// A socket that a killed server has left is replaced; what breaks off is an error, not half a file.
func TestSocketOfAKilledServer(t *testing.T) {
	d := newDesk(t)
	if err := os.WriteFile(filepath.Join(d.Dir, SocketName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(t.Context(), filepath.Join(d.Dir, SocketName)); err == nil {
		t.Error("a file is a server")
	}
	remote(t, d)
	h := &handler{log: slog.New(slog.DiscardHandler)}
	l, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.stream(w, func(w io.Writer) error {
			_, _ = w.Write(bytes.Repeat([]byte("half"), 10_000))
			return errors.New("the disk is gone")
		})
	})}
	srv.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = srv.Serve(l) }()
	defer func() { _ = srv.Close(); <-ended }()
	r, err := Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Backup(t.Context(), &b); err == nil {
		t.Errorf("half of it passes for all: %d bytes", b.Len())
	}
}

// A server that hangs does not make the operator's command hang, nor does one that is told to stop waiting.
func TestAServerThatDoesNotAnswer(t *testing.T) {
	l, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nobody ever accepts
	r, err := Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r.replyIn = 50 * time.Millisecond
	if _, err := r.Do(t.Context(), Request{Command: UserList}); !errors.Is(err, errNoReply) {
		t.Errorf("it says %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Do(ctx, Request{Command: UserList}); !errors.Is(err, context.Canceled) {
		t.Errorf("told to stop, it says %v", err)
	}
}
