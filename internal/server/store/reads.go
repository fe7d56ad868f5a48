package store

import (
	"context"
	"database/sql"
)

// Read says that a person has seen all lines of a chat up to one.
type Read struct {
	UserID string
	With   string // user id; empty: the lobby
	UpTo   int64  // id of a line
}

// putRead never takes back what was read, and knows nothing of lines that are still to come.
func putRead(ctx context.Context, tx *sql.Tx, r Read) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO reads (user_id, other, upto)
		VALUES (?1, ?2, min(?3, (SELECT coalesce(max(id), 0) FROM messages)))
		ON CONFLICT (user_id, other) DO UPDATE SET upto = max(upto, excluded.upto)`, r.UserID, r.With, r.UpTo)
	return explain("write", err)
}

// Reads gives how far a person has read each chat.
func (s *Store) Reads(ctx context.Context, userID string) ([]Read, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT user_id, other, upto FROM reads WHERE user_id = ? ORDER BY other`, userID)
	if err != nil {
		return nil, explain("read", err)
	}
	defer rows.Close()
	var all []Read
	for rows.Next() {
		var r Read
		if err := rows.Scan(&r.UserID, &r.With, &r.UpTo); err != nil {
			return nil, explain("read", err)
		}
		all = append(all, r)
	}
	return all, explain("read", rows.Err())
}

// Unread is how many lines of a chat a person has not seen.
type Unread struct {
	With  string // user id; empty: the lobby
	Count int
	Last  int64 // id of the newest of them
}

// maxUnread is how many unread lines of the lobby are counted: nobody reads more, and the rest need not be looked at.
const maxUnread = 1000

// Unread gives the chats in which there is something that a person has not seen, at most limit of them, those with the
// newest lines first; newest is the last line that was counted. It leaves out what the person is not to see (History), who
// is blocked, and who has left.
func (s *Store) Unread(ctx context.Context, userID string, limit int) (newest int64, all []Unread, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM messages`).Scan(&newest); err != nil {
		return 0, nil, explain("read", err)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT m.from_id, count(*), max(m.id) FROM messages m
		JOIN users u ON u.id = m.from_id AND u.kind != 'deleted'
		LEFT JOIN reads r ON r.user_id = ?1 AND r.other = m.from_id
		WHERE m.to_id = ?1 AND m.blocked = 0 AND m.id > coalesce(r.upto, 0) AND m.id <= ?2
			AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.owner = ?1 AND b.other = m.from_id)
		GROUP BY m.from_id
		UNION ALL SELECT '', count(*), max(id) FROM (SELECT m.id FROM messages m JOIN users me ON me.id = ?1
			LEFT JOIN reads r ON r.user_id = ?1 AND r.other = ''
			WHERE m.room = '' AND m.from_id != ?1 AND m.id > coalesce(r.upto, 0) AND m.id <= ?2 AND m.sent_ms >= me.created_ms
				AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.owner = ?1 AND b.other = m.from_id
					OR b.owner = m.from_id AND b.other = ?1 AND b.created_ms <= m.sent_ms)
			ORDER BY m.id DESC LIMIT ?3) HAVING count(*) > 0
		ORDER BY 3 DESC LIMIT ?4`, userID, newest, maxUnread, limit)
	if err != nil {
		return 0, nil, explain("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		var u Unread
		if err := rows.Scan(&u.With, &u.Count, &u.Last); err != nil {
			return 0, nil, explain("read", err)
		}
		all = append(all, u)
	}
	return newest, all, explain("read", rows.Err())
}
