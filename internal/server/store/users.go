package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// User is a row of the roster.
type User struct {
	ID       string
	Name     string // as typed
	NameKey  string // as compared
	Kind     string // signal.Kind
	Look     string // as it is drawn: two that look alike have the same
	Password string // PHC string; empty: nobody can sign in
	Created  time.Time
	Disabled bool      // by the operator: nobody can sign in
	DND      bool      // does not want to be disturbed
	DNDUntil time.Time // zero: until it is switched off
}

// Kinds that this package itself has rules for; the others are signal's.
const (
	kindPerson  = "person"
	kindDeleted = "deleted"
)

// AddUser writes a new user; ErrNameTaken when somebody has that NameKey, or a name that looks the same.
func (s *Store) AddUser(ctx context.Context, u User) error {
	return s.inTx(ctx, func(tx *sql.Tx) error { return putUser(ctx, tx, u) })
}

// AddInvitedUser is AddUser for who comes with an invite, by its token's hash, which is used up by that in the same
// step; ErrInvite when it is not good any more.
func (s *Store) AddInvitedUser(ctx context.Context, u User, invite string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if err := putUser(ctx, tx, u); err != nil {
			return err
		}
		return useInvite(ctx, tx, invite, u.ID, u.Created)
	})
}

func putUser(ctx context.Context, tx *sql.Tx, u User) error {
	r, err := tx.ExecContext(ctx, `INSERT INTO users (id, name, name_key, look, kind, password, created_ms)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE NOT EXISTS (SELECT 1 FROM users WHERE look = ?4 AND look != '')`,
		u.ID, u.Name, u.NameKey, u.Look, u.Kind, u.Password, toMs(u.Created))
	if err = mustTouch(r, err); errors.Is(err, ErrNotFound) {
		return ErrNameTaken
	}
	return err
}

// PutContact makes sure that one of the server's own contacts has its row.
func (s *Store) PutContact(ctx context.Context, u User) error {
	_, err := s.write.ExecContext(ctx,
		`INSERT INTO users (id, name, name_key, kind, password, created_ms) VALUES (?, ?, ?, ?, '', ?)
		 ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_key = excluded.name_key, kind = excluded.kind`,
		u.ID, u.Name, u.NameKey, u.Kind, toMs(u.Created))
	return explain("write", err)
}

const userColumns = `u.id, u.name, u.name_key, u.look, u.kind, u.password, u.created_ms, u.disabled, u.dnd, u.dnd_until_ms`

// UserByKey finds a user by the name as compared.
func (s *Store) UserByKey(ctx context.Context, key string) (User, error) {
	return scanUser(s.read.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.name_key = ?`, key))
}

// User finds a user by id.
func (s *Store) User(ctx context.Context, id string) (User, error) {
	return scanUser(s.read.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.id = ?`, id))
}

// Users gives everybody, in the order of joining, the disabled too, but not who has left.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	return s.users(ctx, `WHERE u.kind != 'deleted' ORDER BY u.created_ms, u.id`)
}

func (s *Store) users(ctx context.Context, which string, args ...any) ([]User, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+userColumns+` FROM users u `+which, args...)
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

// SetLook notes what a name looks like.
func (s *Store) SetLook(ctx context.Context, userID, look string) error {
	_, err := s.write.ExecContext(ctx, `UPDATE users SET look = ? WHERE id = ?`, look, userID)
	return explain("write", err)
}

// SetDND keeps whether a person wants to be disturbed, and until when not (zero: until it is switched off).
func (s *Store) SetDND(ctx context.Context, userID string, on bool, until time.Time) error {
	_, err := s.write.ExecContext(ctx, `UPDATE users SET dnd = ?, dnd_until_ms = ? WHERE id = ?`, on, toMs(until), userID)
	return explain("write", err)
}

// SetDisabled keeps a person out, or lets them in again; their sessions end either way.
func (s *Store) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE users SET disabled = ? WHERE id = ?`, disabled, userID); err != nil {
			return explain("write", err)
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ?`, userID)
		return explain("write", err)
	})
}

// ChangePassword replaces a password's hash and ends the sessions made with the old one, but for keep ("": none is kept).
func (s *Store) ChangePassword(ctx context.Context, userID, phc, keep string) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE users SET password = ? WHERE id = ?`, phc, userID); err != nil {
			return explain("write", err)
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ? AND id != ?`, userID, keep)
		return explain("write", err)
	})
}

// SetPassword replaces a password's hash with another one of the same password, unless it has been changed meanwhile.
func (s *Store) SetPassword(ctx context.Context, userID, old, phc string) error {
	_, err := s.write.ExecContext(ctx, `UPDATE users SET password = ? WHERE id = ? AND password = ?`, phc, userID, old)
	return explain("write", err)
}

type row interface{ Scan(into ...any) error }

func scanUser(r row) (User, error) {
	var u User
	var created, until int64
	err := r.Scan(u.into(&created, &until)...)
	u.Created, u.DNDUntil = fromMs(created), fromMs(until)
	return u, explain("read", err)
}

// into is where userColumns go.
func (u *User) into(created, until *int64) []any {
	return []any{&u.ID, &u.Name, &u.NameKey, &u.Look, &u.Kind, &u.Password, created, &u.Disabled, &u.DND, until}
}

// Session is one device's sign-in.
type Session struct {
	ID      string // SHA-256 of the token, hex
	User    User
	Device  string
	Created time.Time
	Used    time.Time
}

// AddSession writes a new session and forgets the user's longest unused ones beyond keep, whose ids it gives. ErrNotFound when the user's password is
// not User.Password any more, or the user may not sign in any more.
func (s *Store) AddSession(ctx context.Context, n Session, keep int) (forgotten []string, err error) {
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		// The password is compared again: one that was changed, or an account that was disabled, while this device was
		// checked must not leave it signed in.
		r, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, user_id, device, created_ms, used_ms)
			SELECT ?, u.id, ?, ?, ? FROM users u WHERE u.id = ? AND u.password = ? AND u.disabled = 0 AND u.kind = 'person'`,
			n.ID, n.Device, toMs(n.Created), toMs(n.Used), n.User.ID, n.User.Password)
		if err := mustTouch(r, err); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `DELETE FROM sessions WHERE user_id = ?1 AND id NOT IN
			(SELECT id FROM sessions WHERE user_id = ?1 ORDER BY used_ms DESC, created_ms DESC, rowid DESC LIMIT ?2) RETURNING id`, n.User.ID, keep)
		if err != nil {
			return explain("write", err)
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return explain("write", err)
			}
			forgotten = append(forgotten, id)
		}
		return explain("write", rows.Err())
	})
	return forgotten, err
}

// Session finds a session and its user.
func (s *Store) Session(ctx context.Context, id string) (Session, error) {
	var n Session
	var created, used, joined, until int64
	err := s.read.QueryRowContext(ctx, `SELECT s.id, s.device, s.created_ms, s.used_ms, `+userColumns+`
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?`, id).
		Scan(append([]any{&n.ID, &n.Device, &created, &used}, n.User.into(&joined, &until)...)...)
	n.Created, n.Used, n.User.Created, n.User.DNDUntil = fromMs(created), fromMs(used), fromMs(joined), fromMs(until)
	return n, explain("read", err)
}

// Sessions gives a person's sessions, the last used first, without User.
func (s *Store) Sessions(ctx context.Context, userID string) ([]Session, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, device, created_ms, used_ms FROM sessions WHERE user_id = ?
		ORDER BY used_ms DESC, created_ms DESC, id`, userID)
	if err != nil {
		return nil, explain("read", err)
	}
	defer rows.Close()
	var all []Session
	for rows.Next() {
		var n Session
		var created, used int64
		if err := rows.Scan(&n.ID, &n.Device, &created, &used); err != nil {
			return nil, explain("read", err)
		}
		n.Created, n.Used = fromMs(created), fromMs(used)
		all = append(all, n)
	}
	return all, explain("read", rows.Err())
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

// DeleteSessions forgets all of a person's sessions but keep ("": none is kept).
func (s *Store) DeleteSessions(ctx context.Context, userID, keep string) error {
	_, err := s.write.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ? AND id != ?`, userID, keep)
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

// Uses is how much a person is signed in.
type Uses struct {
	Sessions int
	Used     time.Time // the last of them, to the hour
}

// SessionUses gives everybody's, by user id.
func (s *Store) SessionUses(ctx context.Context) (map[string]Uses, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT user_id, count(*), max(used_ms) FROM sessions GROUP BY user_id`)
	if err != nil {
		return nil, explain("read", err)
	}
	defer rows.Close()
	all := make(map[string]Uses)
	for rows.Next() {
		var id string
		var n Uses
		var used int64
		if err := rows.Scan(&id, &n.Sessions, &used); err != nil {
			return nil, explain("read", err)
		}
		n.Used = fromMs(used)
		all[id] = n
	}
	return all, explain("read", rows.Err())
}
