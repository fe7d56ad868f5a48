package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

// Who may make invites: Accounts.Inviting.
const (
	InvitingPeople = "people" // everybody who has an account, where one needs an invite to get one
	InvitingAdmin  = "admin"  // only the operator
)

// inviteKept is for how long an invite that is over can still be looked up by who made it.
const inviteKept = 30 * 24 * time.Hour

var (
	errInviteInvalid = refuse(http.StatusForbidden, signal.ErrInviteInvalid, "This invite is not good: it has been used, has expired, or was taken back.")
	errMayNotInvite  = refuse(http.StatusForbidden, signal.ErrForbidden, "On this server you cannot invite people. Please ask who runs it.")
)

// MayInvite says whether people can make invites.
func (a *Accounts) MayInvite() bool {
	return a.SignUp == signal.SignUpInvite && a.Inviting == InvitingPeople
}

// mayRegister applies the sign-up mode. It gives the hash of the invite that the new account uses up, if it needs one.
func (a *Accounts) mayRegister(ctx context.Context, invite string, from netip.Addr) (hash string, err error) {
	switch a.SignUp {
	case signal.SignUpOpen:
		return "", nil
	case signal.SignUpInvite:
		if invite == "" {
			return "", refuse(http.StatusForbidden, signal.ErrInviteNeeded, "On this server you need an invite to make an account.")
		}
		_, err := a.findInvite(ctx, invite, from)
		return hashToken(invite), err
	case signal.SignUpClosed:
	}
	return "", refuse(http.StatusForbidden, signal.ErrSignUpClosed, "This server takes no new accounts. Please ask who runs it.")
}

// findInvite gives an invite that is good, or a Refused that does not say what is wrong with it.
func (a *Accounts) findInvite(ctx context.Context, token string, from netip.Addr) (store.Invite, error) {
	if ok, wait := a.inviteCheck.Take(network(from), a.Now()); !ok {
		return store.Invite{}, tooMany(wait)
	}
	if len(token) > 128 {
		return store.Invite{}, errInviteInvalid
	}
	v, err := a.Store.Invite(ctx, hashToken(token), a.Now())
	if errors.Is(err, store.ErrInvite) {
		return v, errInviteInvalid
	}
	return v, err
}

// CheckInvite says whether an invite is good and who made it.
func (a *Accounts) CheckInvite(ctx context.Context, token string, from netip.Addr) (signal.InviteIsGood, error) {
	v, err := a.findInvite(ctx, token, from)
	if errors.Is(err, errInviteInvalid) || err == nil && a.SignUp == signal.SignUpClosed {
		return signal.InviteIsGood{}, refuse(http.StatusNotFound, signal.ErrInviteInvalid, errInviteInvalid.Failure.Message)
	}
	return signal.InviteIsGood{By: v.OwnerName, Expires: v.Expires}, err
}

// CreateInvite makes an invite of that person's, who must be allowed to; of the operator's when owner is empty. The URL is
// the caller's to fill in.
func (a *Accounts) CreateInvite(ctx context.Context, owner string, n signal.NewInvite) (signal.Invitation, error) {
	most := a.Limits.InvitesPerUser
	switch {
	case owner == "":
		most = 1 << 30
	case !a.MayInvite():
		return signal.Invitation{}, errMayNotInvite
	}
	if err := n.Check(); err != nil {
		return signal.Invitation{}, badRequest(err)
	}
	if n.Uses == 0 {
		n.Uses = signal.DefaultInviteUses
	}
	if n.Days == 0 {
		n.Days = signal.DefaultInviteDays
	}
	token, now := signal.NewID(), a.Now()
	v := store.Invite{
		ID: signal.NewID(), Hash: hashToken(token), Owner: owner, Uses: n.Uses,
		Created: now, Expires: now.Add(time.Duration(n.Days) * 24 * time.Hour),
	}
	switch err := a.Store.AddInvite(ctx, v, most); {
	case errors.Is(err, store.ErrLimit):
		return signal.Invitation{}, refuse(http.StatusConflict, signal.ErrTooMany,
			fmt.Sprintf("You have %d invites that nobody has used yet. Please take one of them back first.", most))
	case err != nil:
		return signal.Invitation{}, err
	}
	a.Logger.Info("invite made", "invite", v.ID, "by", owner, "uses", v.Uses)
	return signal.Invitation{ID: v.ID, Invite: token, Expires: v.Expires.UTC().Truncate(time.Millisecond), Uses: v.Uses}, nil
}

// Invites lists a person's own.
func (a *Accounts) Invites(ctx context.Context, owner string) (signal.Invites, error) {
	out := signal.Invites{Invites: []signal.InviteInfo{}}
	all, err := a.Store.Invites(ctx, owner)
	for _, v := range all {
		i := signal.InviteInfo{ID: v.ID, Created: v.Created, Expires: v.Expires, UsesLeft: max(0, v.Uses-v.Used), UsedBy: []string{}}
		out.Invites = append(out.Invites, i)
		if v.UsedBy != nil {
			out.Invites[len(out.Invites)-1].UsedBy = v.UsedBy
		}
	}
	return out, err
}

// RevokeInvite ends one of a person's own, or any when owner is empty.
func (a *Accounts) RevokeInvite(ctx context.Context, owner, id string) error {
	if err := a.Store.DeleteInvite(ctx, owner, id); err != nil {
		return err
	}
	a.Logger.Info("invite revoked", "invite", id, "by", owner)
	return nil
}
