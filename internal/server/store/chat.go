package store

import (
	"context"
	"database/sql"
	"time"
)

// Message is one line of chat.
type Message struct {
	ID       int64
	From     string // user id
	FromName string // filled in by History
	To       string // user id; empty: the lobby
	Text     string
	Sent     time.Time
}

// room names where a message belongs; both people of a chat find it under the same name.
func room(a, b string) string {
	switch {
	case a == "" || b == "":
		return ""
	case a < b:
		return a + " " + b
	}
	return b + " " + a
}

func putMessage(ctx context.Context, tx *sql.Tx, m Message) (int64, error) {
	r, err := tx.ExecContext(ctx, `INSERT INTO messages (room, from_id, to_id, text, sent_ms) VALUES (?, ?, ?, ?, ?)`,
		room(m.From, m.To), m.From, m.To, m.Text, toMs(m.Sent))
	if err != nil {
		return 0, explain("write", err)
	}
	id, err := r.LastInsertId()
	return id, explain("write", err)
}

// History gives the newest limit messages before the one with the id before (0: the newest of all), oldest first: of the
// lobby when other is empty, else between the two.
func (s *Store) History(ctx context.Context, userID, other string, before int64, limit int) ([]Message, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	in := ""
	if other != "" {
		in = room(userID, other)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, from_id, name, to_id, text, sent_ms FROM
		(SELECT m.id, m.from_id, u.name, m.to_id, m.text, m.sent_ms FROM messages m JOIN users u ON u.id = m.from_id
		 WHERE m.room = ? AND m.id < ? ORDER BY m.id DESC LIMIT ?) ORDER BY id`, in, before, limit)
	if err != nil {
		return nil, explain("read", err)
	}
	defer rows.Close()
	var all []Message
	for rows.Next() {
		var m Message
		var sent int64
		if err := rows.Scan(&m.ID, &m.From, &m.FromName, &m.To, &m.Text, &sent); err != nil {
			return nil, explain("read", err)
		}
		m.Sent = fromMs(sent)
		all = append(all, m)
	}
	return all, explain("read", rows.Err())
}
