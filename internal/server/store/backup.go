package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// Snapshot writes a copy of the database as it is at one moment to a new file, while others go on reading and writing.
// Nothing that was deleted is in the copy.
func (s *Store) Snapshot(ctx context.Context, path string) error {
	db, err := open(s.Path) // query_only, which the readers have, would refuse
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it has written nothing to its own file
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, path)
	return explain("copy", err)
}

// Damaged is why a file is not a whole database.
type Damaged struct{ What string }

// Error implements error.
func (d *Damaged) Error() string { return "the database is damaged: " + d.What }

// Check says whether a file is a whole database that this program can use: *Damaged, ErrNewer, or that it cannot be read.
func Check(ctx context.Context, path string) (err error) {
	db, err := open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var what string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&what); err != nil {
		return &Damaged{explain("read", err).Error()}
	}
	if what != "ok" {
		return &Damaged{what}
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("migrations: %w", explain("open", err))
	}
	have, want, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read version of database: %w", explain("open", err))
	case have > want:
		return fmt.Errorf("%w: its tables have version %d, this program knows %d", ErrNewer, have, want)
	case have == 0:
		return &Damaged{"it has no tables of this program"}
	}
	return nil
}
