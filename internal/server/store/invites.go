package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Errors of invites.
var (
	ErrInvite = errors.New("the invite is unknown, used up or expired")
	ErrLimit  = errors.New("there are as many as there may be")
)

// Invite lets strangers make accounts.
type Invite struct {
	ID        string
	Hash      string // SHA-256 of the token, hex
	Owner     string // user id; empty: the operator
	OwnerName string // filled in when read
	Uses      int    // how many accounts it makes
	Used      int
	Created   time.Time
	Expires   time.Time
	UsedBy    []string // names, in the order of joining; filled in by Invites
}

// AddInvite writes a new invite; ErrLimit when its owner has most that are still good.
func (s *Store) AddInvite(ctx context.Context, v Invite, most int) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var live int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM invites WHERE owner IS ? AND used < uses AND expires_ms > ?`,
			nullable(v.Owner), toMs(v.Created)).Scan(&live)
		if err != nil {
			return explain("read", err)
		}
		if live >= most {
			return ErrLimit
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO invites (id, hash, owner, uses, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)`,
			v.ID, v.Hash, nullable(v.Owner), v.Uses, toMs(v.Created), toMs(v.Expires))
		return explain("write", err)
	})
}

// Invite finds one that is still good at now, by its token's hash; else ErrInvite.
func (s *Store) Invite(ctx context.Context, hash string, now time.Time) (Invite, error) {
	var v Invite
	var created, expires int64
	err := s.read.QueryRowContext(ctx, `SELECT i.id, i.hash, coalesce(i.owner, ''), coalesce(u.name, ''), i.uses, i.used, i.created_ms, i.expires_ms
		FROM invites i LEFT JOIN users u ON u.id = i.owner
		WHERE i.hash = ? AND i.used < i.uses AND i.expires_ms > ? AND coalesce(u.disabled, 0) = 0`, hash, toMs(now)).
		Scan(&v.ID, &v.Hash, &v.Owner, &v.OwnerName, &v.Uses, &v.Used, &created, &expires)
	v.Created, v.Expires = fromMs(created), fromMs(expires)
	if err = explain("read", err); errors.Is(err, ErrNotFound) {
		err = ErrInvite
	}
	return v, err
}

// Invites gives a person's invites, the newest first; owner "": everybody's and the operator's.
func (s *Store) Invites(ctx context.Context, owner string) ([]Invite, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT i.id, coalesce(i.owner, ''), coalesce(o.name, ''), i.uses, i.used, i.created_ms, i.expires_ms, coalesce(u.name, '')
		FROM invites i LEFT JOIN users o ON o.id = i.owner
			LEFT JOIN invited v ON v.invite = i.id LEFT JOIN users u ON u.id = v.user_id
		WHERE ?1 = '' OR i.owner = ?1 ORDER BY i.created_ms DESC, i.id, u.created_ms, u.id`, owner)
	if err != nil {
		return nil, explain("read", err)
	}
	defer rows.Close()
	var all []Invite
	for rows.Next() {
		var v Invite
		var created, expires int64
		var by string
		if err := rows.Scan(&v.ID, &v.Owner, &v.OwnerName, &v.Uses, &v.Used, &created, &expires, &by); err != nil {
			return nil, explain("read", err)
		}
		if n := len(all); n == 0 || all[n-1].ID != v.ID {
			v.Created, v.Expires = fromMs(created), fromMs(expires)
			all = append(all, v)
		}
		if last := &all[len(all)-1]; by != "" {
			last.UsedBy = append(last.UsedBy, by)
		}
	}
	return all, explain("read", rows.Err())
}

// DeleteInvite ends an invite of that owner's ("": anybody's); ErrNotFound when there is none.
func (s *Store) DeleteInvite(ctx context.Context, owner, id string) error {
	r, err := s.write.ExecContext(ctx, `DELETE FROM invites WHERE id = ?2 AND (?1 = '' OR owner = ?1)`, owner, id)
	return mustTouch(r, err)
}

// PurgeInvites forgets invites that have been over since before.
func (s *Store) PurgeInvites(ctx context.Context, before time.Time) error {
	_, err := s.write.ExecContext(ctx, `DELETE FROM invites WHERE expires_ms < ?`, toMs(before))
	return explain("write", err)
}

// useInvite counts a new account on an invite.
func useInvite(ctx context.Context, tx *sql.Tx, hash, userID string, now time.Time) error {
	var id string
	err := tx.QueryRowContext(ctx, `UPDATE invites SET used = used + 1 WHERE hash = ? AND used < uses AND expires_ms > ?
		AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = owner AND u.disabled != 0) RETURNING id`, hash, toMs(now)).Scan(&id)
	if err = explain("write", err); errors.Is(err, ErrNotFound) {
		return ErrInvite
	} else if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO invited (user_id, invite) VALUES (?, ?)`, userID, id)
	return explain("write", err)
}

func nullable(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// inTx runs do in one transaction, which is undone when it fails.
func (s *Store) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return explain("write", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := do(tx); err != nil {
		return err
	}
	return explain("write", tx.Commit())
}

// mustTouch makes ErrNotFound of a statement that changed nothing.
func mustTouch(r sql.Result, err error) error {
	if err != nil {
		return explain("write", err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return fmt.Errorf("count rows: %w", err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}
