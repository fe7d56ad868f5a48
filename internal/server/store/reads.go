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

// maxUnread is how many of the newest lines of a chat are looked at: nobody reads more.
const maxUnread = 1000

// unreadQuery finds the newest line of each chat with one step of the index, and counts only in those that are asked for:
// in the index alone, from the newest line back to what has been read, and no farther than maxUnread lines. The bounds are
// part of the walk itself. Who has written to the person is found with one step of the index for each. A chat with nothing
// new gives NULL for its last line. Of the lobby, what is not to be counted is left out after the walk.
const unreadQuery = `WITH RECURSIVE senders (id) AS (
		SELECT min(from_id) FROM messages WHERE to_id = ?1
		UNION ALL SELECT (SELECT min(from_id) FROM messages WHERE to_id = ?1 AND from_id > senders.id) FROM senders WHERE senders.id IS NOT NULL),
	known (id, upto) AS MATERIALIZED (
		SELECT s.id, coalesce((SELECT upto FROM reads WHERE user_id = ?1 AND other = s.id), 0) FROM senders s
			CROSS JOIN users u ON u.id = s.id AND u.kind != 'deleted'
			WHERE NOT EXISTS (SELECT 1 FROM blocks b WHERE b.owner = ?1 AND b.other = s.id)),
	fresh (id, upto, last, counted) AS MATERIALIZED (
		SELECT k.id, k.upto, (SELECT m.id FROM messages m INDEXED BY messages_to
			WHERE m.to_id = ?1 AND m.from_id = k.id AND m.blocked = 0 AND m.id > k.upto AND m.id <= ?2 ORDER BY m.id DESC LIMIT 1), NULL FROM known k
		UNION ALL SELECT '', 0, max(l.id), count(*) FROM (SELECT m.id, m.from_id, m.sent_ms FROM messages m
				WHERE m.room = '' AND m.id > coalesce((SELECT upto FROM reads WHERE user_id = ?1 AND other = ''), 0) AND m.id <= ?2
				ORDER BY m.id DESC LIMIT ?3) l
			WHERE l.from_id != ?1 AND l.sent_ms >= (SELECT created_ms FROM users WHERE id = ?1)
				AND NOT EXISTS (SELECT 1 FROM blocks b WHERE b.owner = ?1 AND b.other = l.from_id
					OR b.owner = l.from_id AND b.other = ?1 AND b.created_ms <= l.sent_ms)
		ORDER BY 3 DESC LIMIT ?4)
	SELECT f.id, coalesce(f.counted, (SELECT count(*) FROM (SELECT m.id FROM messages m INDEXED BY messages_to
			WHERE m.to_id = ?1 AND m.from_id = f.id AND m.blocked = 0 AND m.id > f.upto AND m.id <= f.last ORDER BY m.id DESC LIMIT ?3))), f.last
		FROM fresh f ORDER BY f.last DESC`

// Unread gives the chats in which there is something that a person has not seen, at most limit of them, those with the
// newest lines first; newest is the last line that was counted. It leaves out what the person is not to see (History), who
// is blocked, and who has left; and of each chat all before its newest maxUnread lines.
func (s *Store) Unread(ctx context.Context, userID string, limit int) (newest int64, all []Unread, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM messages`).Scan(&newest); err != nil {
		return 0, nil, explain("read", err)
	}
	rows, err := s.read.QueryContext(ctx, unreadQuery, userID, newest, maxUnread, limit)
	if err != nil {
		return 0, nil, explain("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		var u Unread
		var last sql.NullInt64
		if err := rows.Scan(&u.With, &u.Count, &last); err != nil {
			return 0, nil, explain("read", err)
		}
		if u.Last = last.Int64; last.Valid {
			all = append(all, u)
		}
	}
	return newest, all, explain("read", rows.Err())
}
