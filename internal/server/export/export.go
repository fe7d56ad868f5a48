// Package export writes all that the server keeps of one person as one JSON object, a page of rows at a time, so that the
// export of somebody who has written for years neither fills memory nor holds the database up. Package server gives it to
// the person, package admin to the operator. Secrets are left out (the hashes of password, sessions and invites), and so is
// what others have said about the person (who blocks them).
package export

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"visavis.example/internal/server/store"
)

// Format names the shape; it changes when a field's meaning does.
const Format = "visavis-export/1"

const page = 500 // rows read at a time

// Head is the beginning of an export; calls and messages follow it in the same object.
type Head struct {
	Format   string    `json:"format"`
	Exported time.Time `json:"exported"`
	Account  Account   `json:"account"`
	Sessions []Session `json:"sessions"`
	Blocks   []Person  `json:"blocks"`
	Invites  []Invite  `json:"invites"`
	Read     []Read    `json:"read"`
}

// Account is the person's own row.
type Account struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Created  time.Time  `json:"created"`
	Disabled bool       `json:"disabled"`
	DND      bool       `json:"dnd"`
	DNDUntil *time.Time `json:"dndUntil,omitempty"`
}

// Session is a signed-in device.
type Session struct {
	Device  string    `json:"device"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"`
}

// Person is somebody else.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Invite is one that the person has made.
type Invite struct {
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"`
	UsedBy  []string  `json:"usedBy"`
}

// Read is how far a chat has been read.
type Read struct {
	With string `json:"with,omitempty"` // user id; empty: the lobby
	UpTo int64  `json:"upTo"`           // id of a message
}

// Call is one call, newest first.
type Call struct {
	ID        string     `json:"id"`
	Direction string     `json:"direction"` // outgoing, incoming
	With      Person     `json:"with"`
	Device    string     `json:"device,omitempty"` // the person's, as it named itself to the server: a random id
	Video     bool       `json:"video"`
	Started   time.Time  `json:"started"`
	Accepted  *time.Time `json:"accepted,omitempty"`
	Ended     *time.Time `json:"ended,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	EndedBy   string     `json:"endedBy,omitempty"`
	Path      string     `json:"path,omitempty"`
	SetupMs   int64      `json:"setupMs,omitempty"`
}

// Message is one line that the person wrote or got, oldest first; of the lobby those written.
type Message struct {
	ID   int64     `json:"id"`
	From Person    `json:"from"`
	To   string    `json:"to,omitempty"` // user id; empty: the lobby
	Text string    `json:"text"`
	Sent time.Time `json:"sent"`
}

// Write writes everything of u. between, if not nil, is called before each page: a reader who takes long may be given more
// time there. What was written before an error is no whole JSON object.
func Write(ctx context.Context, st *store.Store, u store.User, now time.Time, w io.Writer, between func()) error {
	x := &writer{ctx: ctx, store: st, user: u, w: w, between: between}
	head, err := x.head(now)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	x.put(b[:len(b)-2]) // without "\n}": the object goes on
	if err := x.list("calls", x.calls()); err != nil {
		return err
	}
	if err := x.list("messages", x.messages()); err != nil {
		return err
	}
	x.put([]byte("\n}\n"))
	return x.err
}

type writer struct {
	ctx     context.Context //nolint:containedctx // lives as long as one Write
	store   *store.Store
	user    store.User
	w       io.Writer
	between func()
	err     error // of w; nothing is written after it
}

func (x *writer) put(b []byte) {
	if x.err == nil {
		_, x.err = x.w.Write(b)
	}
}

// list writes the rows of next, until it gives none, as the next field.
func (x *writer) list(name string, next func() ([]any, error)) error {
	x.put([]byte(",\n  \"" + name + "\": ["))
	first := true
	for x.err == nil {
		if x.between != nil {
			x.between()
		}
		rows, err := next()
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		for _, r := range rows {
			b, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("export: %w", err)
			}
			if !first {
				x.put([]byte(","))
			}
			first = false
			x.put([]byte("\n    "))
			x.put(b)
		}
	}
	x.put([]byte("\n  ]"))
	return x.err
}

func (x *writer) head(now time.Time) (Head, error) {
	u := x.user
	h := Head{
		Format: Format, Exported: now.UTC().Truncate(time.Second), Sessions: []Session{}, Blocks: []Person{}, Invites: []Invite{}, Read: []Read{},
		Account: Account{ID: u.ID, Name: u.Name, Created: u.Created, Disabled: u.Disabled, DND: u.DND, DNDUntil: when(u.DNDUntil)},
	}
	sessions, err := x.store.Sessions(x.ctx, u.ID)
	if err != nil {
		return h, err
	}
	for _, n := range sessions {
		h.Sessions = append(h.Sessions, Session{n.Device, n.Created, n.Used})
	}
	blocks, err := x.store.BlockedBy(x.ctx, u.ID)
	if err != nil {
		return h, err
	}
	for _, b := range blocks {
		h.Blocks = append(h.Blocks, Person{b.ID, b.Name})
	}
	reads, err := x.store.Reads(x.ctx, u.ID)
	if err != nil {
		return h, err
	}
	for _, r := range reads {
		h.Read = append(h.Read, Read{r.With, r.UpTo})
	}
	invites, err := x.store.Invites(x.ctx, u.ID)
	for _, v := range invites {
		by := v.UsedBy
		if by == nil {
			by = []string{}
		}
		h.Invites = append(h.Invites, Invite{v.Created, v.Expires, v.Uses, by})
	}
	return h, err
}

func (x *writer) calls() func() ([]any, error) {
	before := int64(math.MaxInt64)
	return func() ([]any, error) {
		rows, err := x.store.CallsBefore(x.ctx, x.user.ID, before, page)
		if err != nil {
			return nil, err
		}
		out := make([]any, 0, len(rows))
		for _, r := range rows {
			c := Call{
				ID: r.ID, Direction: "outgoing", With: Person{r.Peer.ID, r.Peer.Name}, Device: r.CallerDevice, Video: r.Video, Started: r.Started,
				Accepted: when(r.Accepted), Ended: when(r.Ended), Reason: r.Reason, EndedBy: r.EndedBy, Path: r.Path, SetupMs: r.SetupMs,
			}
			if r.Callee == x.user.ID {
				c.Direction, c.Device = "incoming", r.CalleeDevice
			}
			before = r.Seq
			out = append(out, c)
		}
		return out, nil
	}
}

func (x *writer) messages() func() ([]any, error) {
	after := int64(0)
	return func() ([]any, error) {
		rows, err := x.store.MessagesOf(x.ctx, x.user.ID, after, page)
		if err != nil {
			return nil, err
		}
		out := make([]any, 0, len(rows))
		for _, m := range rows {
			after = m.ID
			out = append(out, Message{ID: m.ID, From: Person{m.From, m.FromName}, To: m.To, Text: m.Text, Sent: m.Sent})
		}
		return out, nil
	}
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
