package store

import (
	"context"
	"database/sql"
	"time"
)

// Block is one person's wish not to hear of another.
type Block struct{ Owner, Other string }

// Block writes it down; one that stands already stays. ErrNotFound when there is no such person, ErrLimit when the owner
// has blocked most.
func (s *Store) Block(ctx context.Context, b Block, now time.Time, most int) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var n, known int
		err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM blocks WHERE owner = ? AND other != ?),
			(SELECT count(*) FROM users WHERE id = ? AND kind = 'person')`, b.Owner, b.Other, b.Other).Scan(&n, &known)
		switch {
		case err != nil:
			return explain("read", err)
		case known == 0:
			return ErrNotFound
		case n >= most:
			return ErrLimit
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO blocks (owner, other, created_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			b.Owner, b.Other, toMs(now))
		return explain("write", err)
	})
}

// Unblock takes it back; none is no error.
func (s *Store) Unblock(ctx context.Context, b Block) error {
	_, err := s.write.ExecContext(ctx, `DELETE FROM blocks WHERE owner = ? AND other = ?`, b.Owner, b.Other)
	return explain("write", err)
}

// Blocks gives all blocks.
func (s *Store) Blocks(ctx context.Context) ([]Block, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT owner, other FROM blocks`)
	if err != nil {
		return nil, explain("read", err)
	}
	defer rows.Close()
	var all []Block
	for rows.Next() {
		var b Block
		if err := rows.Scan(&b.Owner, &b.Other); err != nil {
			return nil, explain("read", err)
		}
		all = append(all, b)
	}
	return all, explain("read", rows.Err())
}

// BlockedBy gives whom a person has blocked, by name.
func (s *Store) BlockedBy(ctx context.Context, owner string) ([]User, error) {
	return s.users(ctx, `JOIN blocks b ON b.other = u.id WHERE b.owner = ? ORDER BY u.name_key`, owner)
}
