// Package store keeps users, sessions, calls and chat in an embedded SQLite file: migrations, every SQL statement of the
// server, and a journal that writes calls and chat in order without making the hub wait for the disk. Packages accounts
// and server call it. It decides nothing: who may read or write what is their business. Times are kept to the
// millisecond; a zero time is stored as 0.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Errors that callers tell apart; everything else is a broken disk or a mistake of ours.
var (
	ErrNotFound  = errors.New("not found")
	ErrNameTaken = errors.New("name is taken")
	ErrFull      = errors.New("no room left to write (the disk is full)")
	ErrNewer     = errors.New("the data was written by a newer version of this program")
	ErrBusy      = errors.New("too much waits to be written, or the server is stopping")
)

// readers is how many statements may read at a time; the one writer is apart from them.
const readers = 4

// Store is the database of one server.
type Store struct {
	Path string // the SQLite file; its folder exists

	write *sql.DB // one connection: SQLite has one writer, and waiting in Go is fairer than SQLITE_BUSY
	read  *sql.DB
}

// Start opens the file, makes it when it is missing, and brings its tables up to date.
func (s *Store) Start(ctx context.Context) error {
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return fmt.Errorf("database path: %w", err)
	}
	// SQLite would make the file readable for everybody; its -wal and -shm take over the file's mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	// FULL: what has been acknowledged survives a power cut (WAL with NORMAL may lose the last commits).
	// What is deleted is overwritten, not just forgotten.
	if s.write, err = open(path, "journal_mode(wal)", "synchronous(full)", "secure_delete(1)"); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.migrate(ctx); err != nil {
		return errors.Join(err, s.write.Close())
	}
	if s.read, err = open(path, "query_only(1)"); err != nil {
		return errors.Join(err, s.write.Close())
	}
	s.read.SetMaxOpenConns(readers)
	return nil
}

// Close ends both sides; the file is complete without its -wal afterwards.
func (s *Store) Close() error {
	return errors.Join(s.read.Close(), s.write.Close())
}

// Ping says whether the file can still be read.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return explain("read", s.read.QueryRowContext(ctx, `SELECT one FROM server`).Scan(&one))
}

func open(path string, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_pragma": append([]string{"busy_timeout(5000)"}, pragmas...)}
	q.Add("_pragma", "foreign_keys(1)")
	q.Add("_pragma", "cache_size(-1000)") // KiB each connection; the rest is the system's page cache
	q.Set("_txlock", "immediate")
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // file:///C:/…
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetConnMaxIdleTime(0)
	return db, nil
}

func (s *Store) migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, dir, goose.WithDisableGlobalRegistry(true),
		goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("migrations: %w", explain("open", err))
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read version of database: %w", explain("open", err))
	}
	if have > want {
		return fmt.Errorf("%w: its tables have version %d, this program knows %d", ErrNewer, have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring database up to date: %w", explain("write", err))
	}
	return nil
}

// explain turns what SQLite says into this package's errors and words.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch code := e.Code(); {
		case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE && strings.Contains(e.Error(), "users.name_key"):
			return ErrNameTaken
		case code&0xff == sqlite3.SQLITE_FULL, code == sqlite3.SQLITE_IOERR_WRITE:
			return fmt.Errorf("%s database: %w: %w", doing, ErrFull, err)
		}
	}
	return fmt.Errorf("%s database: %w", doing, err)
}

// isConstraint says that a row breaks a rule of its table, so that writing it again cannot work.
func isConstraint(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

func toMs(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMs(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
