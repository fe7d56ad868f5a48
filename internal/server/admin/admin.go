// Package admin is what an operator does to a server: people, invites, exports, backups. A Desk does it, on the store and,
// when a server runs, on what goes on in it, so that effects are at once. A running server lets the operator's commands reach
// its Desk through a Unix socket in the data folder (Serve, Remote); without one, cmd/server makes a Desk of its own. Who may
// use either is who may read the data folder.
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/backup"
	"visavis.example/internal/server/export"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

// Commands of Request.
const (
	UserAdd      = "user add"      // Name, Password
	UserList     = "user list"     //
	UserPasswd   = "user passwd"   // Name, Password
	UserDisable  = "user disable"  // Name
	UserEnable   = "user enable"   // Name
	UserDelete   = "user delete"   // Name, Lines
	InviteCreate = "invite create" // Invite
	InviteList   = "invite list"   //
	InviteRevoke = "invite revoke" // ID
)

// NewInvite is what an invite should be like.
type NewInvite = signal.NewInvite

// What an invite is when nothing is said.
const (
	DefaultInviteUses = signal.DefaultInviteUses
	DefaultInviteDays = signal.DefaultInviteDays
)

// Request is one command.
type Request struct {
	Command  string    `json:"command"`
	Name     string    `json:"name,omitempty"`
	Password string    `json:"password,omitempty"`
	Lines    bool      `json:"lines,omitempty"` // with everything the person has written
	Invite   NewInvite `json:"invite,omitzero"`
	ID       string    `json:"id,omitempty"`
}

// Reply is what came of it.
type Reply struct {
	Users   []User             `json:"users,omitempty"`
	Invites []Invite           `json:"invites,omitempty"`
	Invite  *signal.Invitation `json:"invite,omitempty"` // its URL is empty when the server's address is not known
}

// User is one person as the operator sees them.
type User struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Used     time.Time `json:"used,omitzero"` // the last session, to the hour; zero: none is left
	Sessions int       `json:"sessions"`
	Disabled bool      `json:"disabled"`
	Online   bool      `json:"online"`
}

// Invite is one invite as the operator sees it.
type Invite struct {
	ID      string    `json:"id"`
	By      string    `json:"by,omitempty"` // a name; empty: the operator
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"`
	Used    int       `json:"used"`
	UsedBy  []string  `json:"usedBy,omitempty"` // of those, who is still there
}

// Live is a running server, as far as commands have effects on it beyond the store.
type Live interface {
	// Came puts a person on the roster, with all wishes: new, or enabled again.
	Came(ctx context.Context, id string) error
	// Went takes a disabled person off the roster and closes all of their sockets.
	Went(ctx context.Context, id string) error
	// SignedOut closes a person's sockets.
	SignedOut(id string)
	// Delete removes a person with what goes on around them.
	Delete(ctx context.Context, id string, lines bool) error
	// Online says who of them is there.
	Online(ctx context.Context, ids []string) (map[string]bool, error)
	// Settle waits for what has been said to be on disk.
	Settle(ctx context.Context)
	// Site is the address under which people know the server; empty: not known.
	Site() string
}

// Desk does commands.
type Desk struct {
	Accounts *accounts.Accounts
	Store    *store.Store
	Dir      string // the data folder
	Version  string
	Live     Live // nil: no server runs
}

// Do does one command. Errors that people can do something about are *accounts.Refused.
func (d *Desk) Do(ctx context.Context, r Request) (Reply, error) {
	switch r.Command {
	case UserAdd:
		return d.addUser(ctx, r)
	case UserList:
		return d.listUsers(ctx)
	case UserPasswd, UserDisable, UserEnable, UserDelete:
		u, err := d.Accounts.Named(ctx, r.Name)
		if err != nil {
			return Reply{}, err
		}
		return Reply{}, d.changeUser(ctx, u, r)
	case InviteCreate:
		return d.createInvite(ctx, r)
	case InviteList:
		return d.listInvites(ctx)
	case InviteRevoke:
		err := d.Accounts.RevokeInvite(ctx, "", r.ID)
		if errors.Is(err, store.ErrNotFound) {
			err = notFound("There is no invite with this id.")
		}
		return Reply{}, err
	}
	return Reply{}, &accounts.Refused{Status: http.StatusBadRequest, Failure: signal.Failure{
		Error: signal.ErrBadRequest, Message: fmt.Sprintf("This server does not know the command %q. Is it of another version?", r.Command),
	}}
}

func notFound(text string) error {
	return &accounts.Refused{Status: http.StatusNotFound, Failure: signal.Failure{Error: signal.ErrNotFound, Message: text}}
}

func (d *Desk) addUser(ctx context.Context, r Request) (Reply, error) {
	u, err := d.Accounts.Add(ctx, r.Name, r.Password)
	if err == nil && d.Live != nil {
		err = d.Live.Came(ctx, u.ID)
	}
	return Reply{Users: []User{{ID: u.ID, Name: u.Name}}}, err
}

func (d *Desk) listUsers(ctx context.Context) (Reply, error) {
	rows, err := d.Store.Users(ctx)
	if err != nil {
		return Reply{}, err
	}
	uses, err := d.Store.SessionUses(ctx)
	if err != nil {
		return Reply{}, err
	}
	out := Reply{Users: []User{}}
	var ids []string
	for _, u := range rows {
		if u.Kind != string(signal.KindPerson) {
			continue
		}
		n := uses[u.ID]
		ids = append(ids, u.ID)
		out.Users = append(out.Users, User{ID: u.ID, Name: u.Name, Created: u.Created, Used: n.Used, Sessions: n.Sessions, Disabled: u.Disabled})
	}
	if d.Live == nil {
		return out, nil
	}
	online, err := d.Live.Online(ctx, ids)
	for i := range out.Users {
		out.Users[i].Online = online[out.Users[i].ID]
	}
	return out, err
}

// changeUser does what is done to one person. What the store has said counts even if the running server cannot follow.
func (d *Desk) changeUser(ctx context.Context, u store.User, r Request) error {
	switch r.Command {
	case UserPasswd:
		if err := d.Accounts.Reset(ctx, u, r.Password); err != nil {
			return err
		}
		if d.Live != nil {
			d.Live.SignedOut(u.ID)
		}
	case UserDisable, UserEnable:
		disable := r.Command == UserDisable
		if err := d.Accounts.Disable(ctx, u, disable); err != nil || d.Live == nil {
			return err
		}
		if disable {
			return d.Live.Went(ctx, u.ID)
		}
		return d.Live.Came(ctx, u.ID)
	case UserDelete:
		if d.Live != nil {
			return d.Live.Delete(ctx, u.ID, r.Lines)
		}
		return d.Store.DeleteUser(ctx, u.ID, r.Lines)
	}
	return nil
}

func (d *Desk) createInvite(ctx context.Context, r Request) (Reply, error) {
	v, err := d.Accounts.CreateInvite(ctx, "", r.Invite)
	if err != nil {
		return Reply{}, err
	}
	if d.Live != nil && d.Live.Site() != "" {
		v.URL = URL(d.Live.Site(), v.Invite)
	}
	return Reply{Invite: &v}, nil
}

// URL is the link of an invite. The token is in the fragment, which browsers keep to themselves: no server or proxy on the
// way logs it.
func URL(site, token string) string { return site + "/#invite=" + token }

func (d *Desk) listInvites(ctx context.Context) (Reply, error) {
	rows, err := d.Store.Invites(ctx, "")
	out := Reply{Invites: []Invite{}}
	for _, v := range rows {
		out.Invites = append(out.Invites, Invite{
			ID: v.ID, By: v.OwnerName, Created: v.Created, Expires: v.Expires, Uses: v.Uses, Used: v.Used, UsedBy: v.UsedBy,
		})
	}
	return out, err
}

// Export writes everything that is kept of a person.
func (d *Desk) Export(ctx context.Context, name string, w io.Writer) error {
	u, err := d.Accounts.Named(ctx, name)
	if err != nil {
		return err
	}
	d.settle(ctx)
	return export.Write(ctx, d.Store, u, time.Now(), w, nil)
}

// Backup writes the whole data folder, as it is at one moment.
func (d *Desk) Backup(ctx context.Context, w io.Writer) error {
	d.settle(ctx)
	return backup.Write(ctx, d.Store, d.Dir, d.Version, time.Now(), w)
}

func (d *Desk) settle(ctx context.Context) {
	if d.Live != nil {
		d.Live.Settle(ctx)
	}
}
