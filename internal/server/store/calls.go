package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Call is one call as the server saw it.
type Call struct {
	ID           string
	Caller       string // user ids
	Callee       string
	CallerDevice string // device ids
	CalleeDevice string // empty: nobody accepted
	Video        bool
	Started      time.Time
	Accepted     time.Time // zero: never
	Ended        time.Time // zero: it goes on
	Reason       string    // signal.EndReason
	EndedBy      string    // user id; empty: the server
	Path         string    // signal.Path
	SetupMs      int64
	Blocked      bool // the callee had blocked the caller: only the caller ever sees it
}

// PersonCall is a call with the other person's roster row.
type PersonCall struct {
	Call
	Peer User
	Seq  int64 // the order in which calls were dialled; ids are the clients' and may repeat
}

// putCall writes a call or what has changed of it.
func putCall(ctx context.Context, tx *sql.Tx, c Call) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO calls (id, caller, callee, caller_device, callee_device, video, started_ms,
			accepted_ms, ended_ms, reason, ended_by, path, setup_ms, blocked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id, started_ms) DO UPDATE SET callee_device = excluded.callee_device, accepted_ms = excluded.accepted_ms,
			ended_ms = excluded.ended_ms, reason = excluded.reason, ended_by = excluded.ended_by, path = excluded.path,
			setup_ms = excluded.setup_ms, caller_device = excluded.caller_device`,
		c.ID, c.Caller, c.Callee, c.CallerDevice, c.CalleeDevice, c.Video, toMs(c.Started),
		toMs(c.Accepted), toMs(c.Ended), c.Reason, c.EndedBy, c.Path, c.SetupMs, c.Blocked)
	return explain("write", err)
}

const callColumns = `c.id, c.caller, c.callee, c.caller_device, c.callee_device, c.video, c.started_ms, c.accepted_ms,
	c.ended_ms, c.reason, c.ended_by, c.path, c.setup_ms, c.blocked`

func (c *Call) scan(r row, more ...any) error {
	var started, accepted, ended int64
	err := r.Scan(append([]any{
		&c.ID, &c.Caller, &c.Callee, &c.CallerDevice, &c.CalleeDevice, &c.Video,
		&started, &accepted, &ended, &c.Reason, &c.EndedBy, &c.Path, &c.SetupMs, &c.Blocked,
	}, more...)...)
	c.Started, c.Accepted, c.Ended = fromMs(started), fromMs(accepted), fromMs(ended)
	return explain("read", err)
}

const personCalls = `SELECT ` + callColumns + `, u.id, u.name, u.kind, c.seq FROM calls c
	JOIN users u ON u.id = CASE WHEN c.caller = ?1 THEN c.callee ELSE c.caller END
	WHERE (c.caller = ?1 OR c.callee = ?1 AND c.blocked = 0) `

func scanPersonCall(r row) (PersonCall, error) {
	var p PersonCall
	err := p.scan(r, &p.Peer.ID, &p.Peer.Name, &p.Peer.Kind, &p.Seq)
	return p, err
}

// Call finds a call of a person's by its id.
func (s *Store) Call(ctx context.Context, userID, id string) (PersonCall, error) {
	return scanPersonCall(s.read.QueryRowContext(ctx, personCalls+`AND c.id = ?2 ORDER BY c.seq DESC LIMIT 1`, userID, id))
}

// Calls gives a person's newest calls, newest first; before is the id of one of them (empty: from the newest), and the
// answer begins with the next older one. An unknown before is ErrNotFound.
func (s *Store) Calls(ctx context.Context, userID, before string, limit int) ([]PersonCall, error) {
	older := int64(1<<63 - 1)
	if before != "" {
		err := s.read.QueryRowContext(ctx, `SELECT max(seq) FROM calls WHERE id = ?2 AND (caller = ?1 OR callee = ?1) HAVING count(*) > 0`,
			userID, before).Scan(&older)
		if err != nil {
			return nil, explain("read", err)
		}
	}
	return s.CallsBefore(ctx, userID, older, limit)
}

// CallsBefore gives a person's newest limit calls with a Seq below older, newest first.
func (s *Store) CallsBefore(ctx context.Context, userID string, older int64, limit int) ([]PersonCall, error) {
	rows, err := s.read.QueryContext(ctx, personCalls+`AND c.seq < ?2 ORDER BY c.seq DESC LIMIT ?3`, userID, older, limit)
	if err != nil {
		return nil, explain("read", err)
	}
	defer rows.Close()
	var all []PersonCall
	for rows.Next() {
		p, err := scanPersonCall(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, explain("read", rows.Err())
}

// Running gives the calls that a server which has stopped left without an end, and when that server was last alive.
func (s *Store) Running(ctx context.Context) (calls []Call, alive time.Time, err error) {
	var ms int64
	if err := s.read.QueryRowContext(ctx, `SELECT alive_ms FROM server`).Scan(&ms); err != nil {
		return nil, alive, explain("read", err)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+callColumns+` FROM calls c WHERE c.ended_ms = 0 ORDER BY c.seq`)
	if err != nil {
		return nil, alive, explain("read", err)
	}
	defer rows.Close()
	for rows.Next() {
		var c Call
		if err := c.scan(rows); err != nil {
			return nil, alive, err
		}
		calls = append(calls, c)
	}
	return calls, fromMs(ms), explain("read", rows.Err())
}

func putAlive(ctx context.Context, tx *sql.Tx, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE server SET alive_ms = ?`, toMs(now)); err != nil {
		return fmt.Errorf("note that the server runs: %w", explain("write", err))
	}
	return nil
}
