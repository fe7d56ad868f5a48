package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/admin"
	"visavis.example/internal/server/backup"
	"visavis.example/internal/server/store"
)

// openAdmin lets the operator's commands in.
func (s *Server) openAdmin(context.Context) error {
	l, err := admin.Listen(s.DataDir)
	if err != nil {
		return err
	}
	s.adminAt = l.Addr().String()
	desk := &admin.Desk{Accounts: s.accounts, Store: s.store, Dir: s.DataDir, Version: s.Version, Live: live{s}}
	log := s.Logger.With("part", "admin")
	h := &http.Server{
		Handler: admin.Handler(desk, log), ReadHeaderTimeout: s.Limits.HeaderWait, IdleTimeout: s.Limits.IdleWait,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the operator's commands are not heard any more", "error", err)
		}
	}()
	s.atClose(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if h.Shutdown(ctx) != nil {
			_ = h.Close() // a backup that runs is broken off, and its file is never whole
		}
		<-ended
	})
	return nil
}

// live is a running server as the operator's commands need it.
type live struct{ s *Server }

// Came implements admin.Live.
func (l live) Came(ctx context.Context, id string) error {
	l.s.turn.Lock()
	defer l.s.turn.Unlock()
	return l.s.rejoin(ctx, id)
}

// Went implements admin.Live.
func (l live) Went(ctx context.Context, id string) error {
	l.s.turn.Lock()
	defer l.s.turn.Unlock()
	l.s.sockets.signOutUser(id, "")
	return l.s.hub.RemoveUser(ctx, id)
}

// SignedOut implements admin.Live.
func (l live) SignedOut(id string) { l.s.sockets.signOutUser(id, "") }

// Delete implements admin.Live.
func (l live) Delete(ctx context.Context, id string, lines bool) error {
	return l.s.deleteUser(ctx, id, lines)
}

// Online implements admin.Live.
func (l live) Online(ctx context.Context, ids []string) (map[string]bool, error) {
	return l.s.hub.Online(ctx, ids)
}

// Settle implements admin.Live.
func (l live) Settle(ctx context.Context) { l.s.sync(ctx) }

// Site implements admin.Live: by a domain or an address that others can reach, as far as this server knows any. Behind a
// proxy it does not.
func (l live) Site() string {
	switch others := l.s.OtherURLs(); {
	case l.s.HTTP:
		return ""
	case len(others) > 0:
		return others[0]
	}
	return l.s.URL()
}

var _ admin.Live = live{}

// Offline is the operator's desk on a data folder that no server uses.
type Offline struct {
	admin.Desk
	lock *os.File
}

// OpenOffline takes a data folder for the operator's commands; ErrInUse when a server has it. version is written into
// backups.
func OpenOffline(ctx context.Context, dir, version string, work accounts.Work, log *slog.Logger) (*Offline, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := mayWrite(dir); err != nil {
		return nil, err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	o := &Offline{lock: lock}
	o.Dir, o.Version = dir, version
	if err := o.open(ctx, work, log); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return o, nil
}

func (o *Offline) open(ctx context.Context, work accounts.Work, log *slog.Logger) error {
	if err := backup.Whole(o.Dir); err != nil {
		return err
	}
	o.Store = &store.Store{Path: filepath.Join(o.Dir, backup.Database)}
	if err := o.Store.Start(ctx); err != nil {
		return fmt.Errorf("data folder %s: %w", o.Dir, err)
	}
	o.Accounts = &accounts.Accounts{Store: o.Store, Work: work, Logger: log}
	if err := o.Accounts.Start(ctx); err != nil {
		return errors.Join(err, o.Store.Close())
	}
	return nil
}

// Close gives the folder back.
func (o *Offline) Close() error {
	return errors.Join(o.Store.Close(), o.lock.Close())
}

// Restore puts a backup into a data folder that no server uses, and makes the folder when it is missing. It returns where
// the data before is now; empty when there was none.
func Restore(ctx context.Context, dir string, r io.Reader, now time.Time) (backup.Manifest, string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return backup.Manifest{}, "", fmt.Errorf("data folder: %w", err)
	}
	if err := mayWrite(dir); err != nil {
		return backup.Manifest{}, "", err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return backup.Manifest{}, "", err
	}
	m, before, err := backup.Restore(ctx, r, dir, now)
	return m, before, errors.Join(err, lock.Close())
}
