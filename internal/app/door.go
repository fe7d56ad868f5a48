package app

import (
	"time"

	"visavis.example/internal/signal"
)

// Door is what a server says of new accounts, as far as it was asked.
type Door struct {
	Server  string            // as typed
	Mode    signal.SignUpMode // "": not known
	Invite  string            // the invitation that was asked about
	Good    bool              // it is good; By (may be empty) and Expires say more
	Bad     bool              // it is not good any more
	By      string
	Expires time.Time
	asking  bool
}

// LookUp finds out who may make an account on a server, and what an invitation is worth, if there is one: so that
// nobody thinks of a name and a password in vain. What cannot be found out, signing up will tell.
func (a *App) LookUp(server, invite string) {
	a.post(func() {
		if d := a.snap.Door; a.closing || d.Server == server && d.Invite == invite && (d.asking || d.Mode != "") {
			return
		}
		a.snap.Door = Door{Server: server, Invite: invite, asking: true}
		a.changed()
		a.spawn(func() {
			d := a.lookUp(server, invite)
			a.post(func() {
				if now := a.snap.Door; now.Server == server && now.Invite == invite {
					a.snap.Door = d
					a.changed()
				}
			})
		})
	})
}

func (a *App) lookUp(server, invite string) Door {
	d := Door{Server: server, Invite: invite}
	accounts, err := a.Dialer.Accounts(a.Dialer.Reach(a.ctx, server))
	if err != nil {
		return d
	}
	info, err := accounts.Info(a.ctx)
	if err != nil {
		a.Logger.Debug("server not asked", "err", err)
		return d
	}
	d.Mode = info.SignUpMode
	if d.Mode == "" && !info.SignUp {
		d.Mode = signal.SignUpClosed
	}
	if invite == "" {
		return d
	}
	good, err := accounts.CheckInvite(a.ctx, invite)
	switch {
	case err == nil:
		d.Good, d.By, d.Expires = true, good.By, good.Expires
	case signal.IsCode(err, signal.ErrInviteInvalid):
		d.Bad = true
	}
	return d
}
