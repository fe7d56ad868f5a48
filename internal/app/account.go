package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"visavis.example/internal/signal"
)

// Own is what a signed-in person does with the own account; *signal.API is the real one.
type Own interface {
	Account(ctx context.Context, token string) (signal.Me, error)
	ChangePassword(ctx context.Context, token string, p signal.NewPassword) error
	SetDND(ctx context.Context, token string, d signal.DND) error
	Sessions(ctx context.Context, token string) (signal.Sessions, error)
	EndSession(ctx context.Context, token, id string) error
	EndSessions(ctx context.Context, token string, hereToo bool) error
	Blocks(ctx context.Context, token string) (signal.Blocked, error)
	Block(ctx context.Context, token, userID string) error
	Unblock(ctx context.Context, token, userID string) error
	CreateInvite(ctx context.Context, token string, n signal.NewInvite) (signal.Invitation, error)
	Invites(ctx context.Context, token string) (signal.Invites, error)
	RevokeInvite(ctx context.Context, token, id string) error
	DeleteAccount(ctx context.Context, token string, l signal.Leave) error
	Exporter
}

// Account is what the page of the own account shows. Self.DND says whether nobody may ring.
type Account struct {
	DNDUntil  time.Time // zero: until it is switched off
	MayInvite bool
	Blocked   []signal.User        // by name
	Sessions  []signal.SessionInfo // this device first, then the last used; nil: not loaded
	Invites   []signal.InviteInfo  // newest first
	NewInvite string               // the link of the invitation just made; the server keeps no copy of it

	Busy Step // which step runs: one at a time
	Said Outcome
}

// Step is what a person does with the account.
type Step string

// Steps.
const (
	StepDND      Step = "dnd"
	StepPassword Step = "password"
	StepSessions Step = "sessions"
	StepBlock    Step = "block"
	StepInvite   Step = "invite"
	StepExport   Step = "export"
	StepDelete   Step = "delete"
)

// Outcome is how the last step went. Text is for people; empty when it can be seen anyway.
type Outcome struct {
	Step   Step
	Text   string
	Failed bool
}

// LoadAccount reads what the account's page shows, and forgets how the last step went.
func (a *App) LoadAccount() {
	a.post(func() {
		a.snap.Account.Said = Outcome{}
		a.changed()
		a.loadAccount()
	})
}

func (a *App) loadAccount() {
	a.loadSelf()
	quietly(a, Own.Sessions, func(l signal.Sessions) { a.snap.Account.Sessions = sortSessions(l.Sessions) })
	quietly(a, Own.Invites, func(l signal.Invites) {
		a.snap.Account.Invites = l.Invites
		unused := func(i signal.InviteInfo) bool { return i.ID == a.newInvite && i.UsesLeft > 0 }
		if !slices.ContainsFunc(l.Invites, unused) {
			a.snap.Account.NewInvite = "" // it has done its work
		}
	})
}

// loadSelf asks for what another device may have changed while this one was away.
func (a *App) loadSelf() {
	quietly(a, Own.Account, func(me signal.Me) {
		a.snap.Self.DND, a.snap.Account.DNDUntil, a.snap.Account.MayInvite = false, time.Time{}, me.MayInvite
		if me.DND != nil && me.DND.On {
			a.snap.Self.DND = true
			if me.DND.Until != nil {
				a.snap.Account.DNDUntil = *me.DND.Until
			}
		}
	})
	quietly(a, Own.Blocks, func(b signal.Blocked) { a.setBlocked(b.Users) })
}

// gotSelf is the server's word on oneself: another device has switched something, or its time is up.
func (a *App) gotSelf(u signal.User) {
	if !u.DND || !a.snap.Self.DND {
		a.snap.Account.DNDUntil = time.Time{}
	}
	a.snap.Self = u
	a.changed()
	a.loadSelf()
	if !u.DND {
		a.loadCalls(false) // nobody told of those that came meanwhile
	}
}

func sortSessions(list []signal.SessionInfo) []signal.SessionInfo {
	out := append(make([]signal.SessionInfo, 0, len(list)), list...)
	slices.SortStableFunc(out, func(x, y signal.SessionInfo) int {
		if x.Current != y.Current {
			if x.Current {
				return -1
			}
			return 1
		}
		return y.Used.Compare(x.Used)
	})
	return out
}

func (a *App) setBlocked(users []signal.User) {
	list := slices.Clone(users)
	slices.SortFunc(list, func(x, y signal.User) int { return strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)) })
	a.snap.Account.Blocked = list
	a.sortPeople()
}

// blocks says whether this person keeps somebody away. The list is short.
func (a *App) blocks(userID string) bool {
	return slices.ContainsFunc(a.snap.Account.Blocked, func(u signal.User) bool { return u.ID == userID })
}

// SetDND has nobody ring this person, on any device; a zero until means: until it is switched off.
func (a *App) SetDND(on bool, until time.Time) {
	d := signal.DND{On: on}
	if on && !until.IsZero() {
		d.Until = &until
	}
	step(a, StepDND, func(ctx context.Context, own Own, token string) (struct{}, error) {
		return struct{}{}, own.SetDND(ctx, token, d)
	}, func(struct{}) string {
		a.snap.Self.DND, a.snap.Account.DNDUntil = on, until
		return ""
	})
}

// ChangePassword signs all other devices out, too.
func (a *App) ChangePassword(old, fresh string) {
	step(a, StepPassword, func(ctx context.Context, own Own, token string) (struct{}, error) {
		return struct{}{}, own.ChangePassword(ctx, token, signal.NewPassword{Old: old, New: fresh})
	}, func(struct{}) string {
		a.loadAccount()
		return "Your password is changed. All other devices are signed out."
	})
}

// EndSession signs another device out.
func (a *App) EndSession(id string) {
	step(a, StepSessions, func(ctx context.Context, own Own, token string) (struct{}, error) {
		return struct{}{}, own.EndSession(ctx, token, id)
	}, func(struct{}) string {
		a.keepSessions(func(s signal.SessionInfo) bool { return s.ID != id })
		return ""
	})
}

// EndOtherSessions signs all other devices out.
func (a *App) EndOtherSessions() {
	step(a, StepSessions, func(ctx context.Context, own Own, token string) (struct{}, error) {
		return struct{}{}, own.EndSessions(ctx, token, false)
	}, func(struct{}) string {
		a.keepSessions(func(s signal.SessionInfo) bool { return s.Current })
		return "All other devices are signed out."
	})
}

func (a *App) keepSessions(which func(signal.SessionInfo) bool) {
	a.snap.Account.Sessions = slices.DeleteFunc(slices.Clone(a.snap.Account.Sessions), func(s signal.SessionInfo) bool { return !which(s) })
}

// Block keeps somebody away: no calls, no lines, and they see this person offline. They are not told.
func (a *App) Block(userID string) {
	step(a, StepBlock, func(ctx context.Context, own Own, token string) (struct{}, error) {
		return struct{}{}, own.Block(ctx, token, userID)
	}, func(struct{}) string {
		if !a.blocks(userID) {
			a.setBlocked(append(slices.Clone(a.snap.Account.Blocked), a.person(userID)))
		}
		return ""
	})
}

// Unblock lets somebody through again.
func (a *App) Unblock(userID string) {
	step(a, StepBlock, func(ctx context.Context, own Own, token string) (struct{}, error) {
		return struct{}{}, own.Unblock(ctx, token, userID)
	}, func(struct{}) string {
		a.setBlocked(slices.DeleteFunc(slices.Clone(a.snap.Account.Blocked), func(u signal.User) bool { return u.ID == userID }))
		return ""
	})
}

// CreateInvite makes a link with which one other person can make an account.
func (a *App) CreateInvite() {
	step(a, StepInvite, func(ctx context.Context, own Own, token string) (signal.Invitation, error) {
		return own.CreateInvite(ctx, token, signal.NewInvite{})
	}, func(i signal.Invitation) string {
		a.snap.Account.NewInvite, a.newInvite = i.URL, i.ID
		a.loadAccount()
		return ""
	})
}

// RevokeInvite ends an invitation.
func (a *App) RevokeInvite(id string) {
	step(a, StepInvite, func(ctx context.Context, own Own, token string) (struct{}, error) {
		return struct{}{}, own.RevokeInvite(ctx, token, id)
	}, func(struct{}) string {
		a.snap.Account.NewInvite = ""
		a.snap.Account.Invites = slices.DeleteFunc(slices.Clone(a.snap.Account.Invites), func(i signal.InviteInfo) bool { return i.ID == id })
		return "The link does not work any more."
	})
}

// step does one thing with the account beside the loop; done runs on the loop when it went well and gives the words for
// that. A second step while one runs is not begun.
func step[T any](a *App, kind Step, do func(context.Context, Own, string) (T, error), done func(T) string) {
	a.post(func() {
		s, acc := a.sess, &a.snap.Account
		if s == nil || acc.Busy != "" || a.closing {
			return
		}
		acc.Busy, acc.Said = kind, Outcome{}
		a.changed()
		a.spawn(func() {
			v, err := do(a.ctx, s.accounts, s.token)
			a.post(func() {
				if a.sess != s {
					return
				}
				a.changed()
				acc.Busy = ""
				if err != nil {
					acc.Said = Outcome{kind, words(err), true}
					return
				}
				acc.Said = Outcome{Step: kind, Text: done(v)}
			})
		})
	})
}

// quietly reads something that the person can do without for now; an older server does not know all questions.
func quietly[T any](a *App, ask func(Own, context.Context, string) (T, error), got func(T)) {
	s := a.sess
	if s == nil || a.closing {
		return
	}
	a.spawn(func() {
		v, err := ask(s.accounts, a.ctx, s.token)
		a.post(func() {
			if a.sess != s {
				return
			}
			if err != nil {
				a.Logger.Debug("account not read", "err", err)
				return
			}
			got(v)
			a.changed()
		})
	})
}
