package store

import (
	"context"
	"database/sql"
	"fmt"
)

// deletedName stands for everybody who has left, in the calls and chats that others keep.
const deletedName = "Deleted account"

// DeleteUser removes a person: password, name, sessions, blocks, invites, settings. Calls and lines of chat that somebody
// else keeps stay for them, under a row that only says that it has been deleted; with lines, all that the person wrote goes
// as well. What nobody keeps any more goes too. The bytes are overwritten (secure_delete), in the write-ahead log as soon as
// nobody reads. Afterwards the name is free.
func (s *Store) DeleteUser(ctx context.Context, id string, lines bool) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error { return deleteUser(ctx, tx, id, lines) })
	if err != nil {
		return err
	}
	var busy, log, moved int
	if err := s.write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &moved); err != nil {
		return fmt.Errorf("empty the write-ahead log: %w", explain("write", err))
	}
	return nil
}

// stranger is a user id that is not a person's who could still look: it has left, or is one of the server's contacts.
const stranger = `NOT EXISTS (SELECT 1 FROM users p WHERE p.kind = 'person' AND p.id = `

func deleteUser(ctx context.Context, tx *sql.Tx, id string, lines bool) error {
	steps := []string{
		`DELETE FROM sessions WHERE user_id = ?1`,
		`DELETE FROM blocks WHERE owner = ?1 OR other = ?1`,
		`DELETE FROM invites WHERE owner = ?1`,
		`DELETE FROM invited WHERE user_id = ?1`,
		`DELETE FROM reads WHERE user_id = ?1 OR other = ?1`,
		// From here on the person counts as one who has left.
		`UPDATE users SET name = '` + deletedName + `', name_key = 'deleted ' || id, look = '', kind = 'deleted', password = '',
			created_ms = 0, disabled = 0, dnd = 0, dnd_until_ms = 0 WHERE id = ?1`,
		`DELETE FROM messages WHERE from_id = ?1 AND (blocked = 1 OR to_id != '' AND ` + stranger + `to_id))`,
		`DELETE FROM messages WHERE to_id = ?1 AND ` + stranger + `from_id)`,
		`DELETE FROM calls WHERE caller = ?1 AND (blocked = 1 OR ` + stranger + `callee))`,
		`DELETE FROM calls WHERE callee = ?1 AND ` + stranger + `caller)`,
		`UPDATE calls SET caller_device = '' WHERE caller = ?1`,
		`UPDATE calls SET callee_device = '' WHERE callee = ?1`,
	}
	if lines {
		steps = append(steps, `DELETE FROM messages WHERE from_id = ?1`)
	}
	for _, step := range steps {
		if _, err := tx.ExecContext(ctx, step, id); err != nil {
			return explain("write", err)
		}
	}
	// Who has left and is in nobody's records any more: this one, or the other of what just went.
	_, err := tx.ExecContext(ctx, `DELETE FROM users AS u WHERE kind = 'deleted'
		AND NOT EXISTS (SELECT 1 FROM messages WHERE from_id = u.id) AND NOT EXISTS (SELECT 1 FROM messages WHERE to_id = u.id)
		AND NOT EXISTS (SELECT 1 FROM calls WHERE caller = u.id) AND NOT EXISTS (SELECT 1 FROM calls WHERE callee = u.id)`)
	return explain("write", err)
}
