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
	FromName string // filled in when read
	To       string // user id; empty: the lobby
	Text     string
	Sent     time.Time
	Blocked  bool // To had blocked From: only From ever sees it
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
	r, err := tx.ExecContext(ctx, `INSERT INTO messages (room, from_id, to_id, text, sent_ms, blocked) VALUES (?, ?, ?, ?, ?, ?)`,
		room(m.From, m.To), m.From, m.To, m.Text, toMs(m.Sent), m.Blocked)
	if err != nil {
		return 0, explain("write", err)
	}
	id, err := r.LastInsertId()
	return id, explain("write", err)
}

// History gives the newest limit messages before the one with the id before (0: the newest of all), oldest first: of the
// lobby when other is empty, else between the two. It leaves out what the person is not to see: lines to them that they
// had blocked, lobby lines of people whom they block, and those of who blocks them, from then on (older ones they have seen).
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
		 WHERE m.room = ?2 AND m.id < ?3 AND (m.blocked = 0 OR m.from_id = ?1) AND (m.room != '' OR NOT EXISTS (SELECT 1 FROM blocks b
			WHERE b.owner = ?1 AND b.other = m.from_id OR b.owner = m.from_id AND b.other = ?1 AND b.created_ms <= m.sent_ms))
		 ORDER BY m.id DESC LIMIT ?4) ORDER BY id`, userID, in, before, limit)
	return scanMessages(rows, err)
}

// MessagesOf gives the first limit lines after the one with the id after that a person wrote or got, in the lobby those
// written.
func (s *Store) MessagesOf(ctx context.Context, userID string, after int64, limit int) ([]Message, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT m.id, m.from_id, u.name, m.to_id, m.text, m.sent_ms FROM messages m JOIN users u ON u.id = m.from_id
		WHERE (m.from_id = ?1 OR m.to_id = ?1 AND m.blocked = 0) AND m.id > ?2 ORDER BY m.id LIMIT ?3`, userID, after, limit)
	return scanMessages(rows, err)
}

func scanMessages(rows *sql.Rows, err error) ([]Message, error) {
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
