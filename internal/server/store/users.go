package store

import (
	"context"
	"fmt"
	"time"
)

// User is a row of the roster.
type User struct {
	ID       string
	Name     string // as typed
	NameKey  string // as compared
	Kind     string // signal.Kind
	Password string // PHC string; empty: nobody can sign in
	Created  time.Time
}

// AddUser writes a new user; ErrNameTaken when somebody has that NameKey.
func (s *Store) AddUser(ctx context.Context, u User) error {
	_, err := s.write.ExecContext(ctx,
		`INSERT INTO users (id, name, name_key, kind, password, created_ms) VALUES (?, ?, ?, ?, ?, ?)`,
		u.ID, u.Name, u.NameKey, u.Kind, u.Password, toMs(u.Created))
	return explain("write", err)
}

// PutContact makes sure that one of the server's own contacts has its row.
func (s *Store) PutContact(ctx context.Context, u User) error {
	_, err := s.write.ExecContext(ctx,
		`INSERT INTO users (id, name, name_key, kind, password, created_ms) VALUES (?, ?, ?, ?, '', ?)
		 ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key, kind = excluded.kind`,
		u.ID, u.Name, u.NameKey, u.Kind, toMs(u.Created))
	return explain("write", err)
}

const userColumns = `id, name, name_key, kind, password, created_ms`

// UserByKey finds a user by the name as compared.
func (s *Store) UserByKey(ctx context.Context, key string) (User, error) {
	return scanUser(s.read.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE name_key = ?`, key))
}

// Users gives everybody, in the order of joining.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+userColumns+` FROM users ORDER BY created_ms, id`)
	if err != nil {
		return nil, explain("read", err)
	}
	defer rows.Close()
	var all []User
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, explain("read", rows.Err())
}

// SetPassword replaces a password's hash.
func (s *Store) SetPassword(ctx context.Context, userID, phc string) error {
	_, err := s.write.ExecContext(ctx, `UPDATE users SET password = ? WHERE id = ?`, phc, userID)
	return explain("write", err)
}

type row interface{ Scan(into ...any) error }

func scanUser(r row) (User, error) {
	var u User
	var created int64
	err := r.Scan(&u.ID, &u.Name, &u.NameKey, &u.Kind, &u.Password, &created)
	u.Created = fromMs(created)
	return u, explain("read", err)
}

// Session is one device's sign-in.
type Session struct {
	ID      string // SHA-256 of the token, hex
	User    User
	Device  string
	Created time.Time
	Used    time.Time
}

// AddSession writes a new session and forgets the user's oldest ones beyond keep.
func (s *Store) AddSession(ctx context.Context, n Session, keep int) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return explain("write", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if _, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, user_id, device, created_ms, used_ms) VALUES (?, ?, ?, ?, ?)`,
		n.ID, n.User.ID, n.Device, toMs(n.Created), toMs(n.Used)); err != nil {
		return explain("write", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ?1 AND id NOT IN
		(SELECT id FROM sessions WHERE user_id = ?1 ORDER BY created_ms DESC, rowid DESC LIMIT ?2)`, n.User.ID, keep); err != nil {
		return explain("write", err)
	}
	return explain("write", tx.Commit())
}

// Session finds a session and its user.
func (s *Store) Session(ctx context.Context, id string) (Session, error) {
	var n Session
	var created, used, joined int64
	err := s.read.QueryRowContext(ctx, `SELECT s.id, s.device, s.created_ms, s.used_ms,
			u.id, u.name, u.name_key, u.kind, u.password, u.created_ms
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?`, id).
		Scan(&n.ID, &n.Device, &created, &used, &n.User.ID, &n.User.Name, &n.User.NameKey, &n.User.Kind, &n.User.Password, &joined)
	n.Created, n.Used, n.User.Created = fromMs(created), fromMs(used), fromMs(joined)
	return n, explain("read", err)
}

// TouchSession notes that a session was used.
func (s *Store) TouchSession(ctx context.Context, id string, now time.Time) error {
	_, err := s.write.ExecContext(ctx, `UPDATE sessions SET used_ms = ? WHERE id = ?`, toMs(now), id)
	return explain("write", err)
}

// DeleteSession forgets a session; an unknown one is no error.
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	_, err := s.write.ExecContext(ctx, `DELETE FROM sessions WHERE id = ?`, id)
	return explain("write", err)
}

// PurgeSessions forgets sessions made before created or last used before used.
func (s *Store) PurgeSessions(ctx context.Context, created, used time.Time) (int64, error) {
	r, err := s.write.ExecContext(ctx, `DELETE FROM sessions WHERE created_ms < ? OR used_ms < ?`, toMs(created), toMs(used))
	if err != nil {
		return 0, explain("write", err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("count sessions: %w", err)
	}
	return n, nil
}
