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

// publicID is how much of a session's id is shown: enough to tell a person's sessions apart.
const publicID = 26

var errWrongPassword = refuse(http.StatusForbidden, signal.ErrWrongPassword, "The password is wrong.")

func badRequest(err error) *Refused {
	return refuse(http.StatusBadRequest, signal.ErrBadRequest, fmt.Sprintf("This is not right: %v.", err))
}

// verify asks a signed-in person for the password, within the limits of guessing it at the door.
func (a *Accounts) verify(ctx context.Context, userID, password string, from netip.Addr) (store.User, error) {
	u, err := a.Store.User(ctx, userID)
	if err != nil {
		return u, err
	}
	refund, err := a.mayLogin(u.NameKey, network(from))
	if err != nil {
		return u, err
	}
	right, _, err := a.hash.check(ctx, prepare(password), u.Password)
	if err != nil {
		return u, err
	}
	if !right {
		return u, errWrongPassword
	}
	refund()
	return u, nil
}

// ChangePassword ends all of the person's sessions but s.
func (a *Accounts) ChangePassword(ctx context.Context, s Session, p signal.NewPassword, from netip.Addr) error {
	u, err := a.verify(ctx, s.User.ID, p.Old, from)
	if err != nil {
		return err
	}
	if err := a.setPassword(ctx, u, p.New, s.ID); err != nil {
		return err
	}
	a.Logger.Info("password changed", "user", u.ID)
	return nil
}

func (a *Accounts) setPassword(ctx context.Context, u store.User, typed, keep string) error {
	password, err := checkPassword(typed, u.NameKey)
	if err != nil {
		return err
	}
	phc, err := a.hash.make(ctx, password)
	if err != nil {
		return err
	}
	return a.Store.ChangePassword(ctx, u.ID, phc, keep)
}

// CheckLeaving asks for the password before everything of a person's is deleted.
func (a *Accounts) CheckLeaving(ctx context.Context, s Session, l signal.Leave, from netip.Addr) error {
	_, err := a.verify(ctx, s.User.ID, l.Password, from)
	return err
}

// Sessions lists where a person is signed in.
func (a *Accounts) Sessions(ctx context.Context, s Session) (signal.Sessions, error) {
	out := signal.Sessions{Sessions: []signal.SessionInfo{}}
	all, err := a.Store.Sessions(ctx, s.User.ID)
	now := a.Now()
	for _, n := range all {
		if !ended(n, now) {
			out.Sessions = append(out.Sessions, signal.SessionInfo{
				ID: n.ID[:publicID], Device: n.Device, Created: n.Created, Used: n.Used, Current: n.ID == s.ID,
			})
		}
	}
	return out, err
}

// EndSession signs out one of the person's devices; id is as Sessions gives it. It returns the session's real id.
func (a *Accounts) EndSession(ctx context.Context, s Session, id string) (string, error) {
	all, err := a.Store.Sessions(ctx, s.User.ID)
	if err != nil {
		return "", err
	}
	for _, n := range all {
		if n.ID[:publicID] == id {
			a.Logger.Info("session ended", "user", s.User.ID)
			return n.ID, a.Store.DeleteSession(ctx, n.ID)
		}
	}
	return "", store.ErrNotFound
}

// EndSessions signs out all of the person's devices, this one too or not.
func (a *Accounts) EndSessions(ctx context.Context, s Session, hereToo bool) error {
	keep := s.ID
	if hereToo {
		keep = ""
	}
	if err := a.Store.DeleteSessions(ctx, s.User.ID, keep); err != nil {
		return err
	}
	a.Logger.Info("sessions ended", "user", s.User.ID, "all", hereToo)
	return nil
}

// MayAsk limits how often one session asks for anything: each time the disk is read, and often the hub is asked. It is each
// session's own, so that whoever has stolen one cannot keep the person from ending it.
func (a *Accounts) MayAsk(s Session) error {
	if ok, wait := a.requests.Take(s.ID, a.Now()); !ok {
		return tooMany(wait)
	}
	return nil
}

// MayChange limits how often one person changes what others see or the disk keeps.
func (a *Accounts) MayChange(userID string) error {
	if ok, wait := a.changes.Take(userID, a.Now()); !ok {
		return tooMany(wait)
	}
	return nil
}

// MayExport limits how often one person asks for all data.
func (a *Accounts) MayExport(userID string) error {
	if ok, wait := a.exports.Take(userID, a.Now()); !ok {
		return tooMany(wait)
	}
	return nil
}

// Block keeps other away from owner, within the limit of how many.
func (a *Accounts) Block(ctx context.Context, owner, other string) error {
	if owner == other {
		return refuse(http.StatusBadRequest, signal.ErrBadRequest, "You cannot block yourself.")
	}
	err := a.Store.Block(ctx, store.Block{Owner: owner, Other: other}, a.Now(), a.Limits.BlocksPerUser)
	if errors.Is(err, store.ErrLimit) {
		return refuse(http.StatusConflict, signal.ErrTooMany, fmt.Sprintf("You have blocked %d people, and more cannot be.", a.Limits.BlocksPerUser))
	}
	return err
}

// SetDND keeps the wish not to be disturbed. It returns when that ends by itself; zero: not at all.
func (a *Accounts) SetDND(ctx context.Context, userID string, d signal.DND) (until time.Time, err error) {
	if err := d.Check(a.Now()); err != nil {
		return until, badRequest(err)
	}
	if d.On && d.Until != nil {
		until = *d.Until
	}
	return until, a.Store.SetDND(ctx, userID, d.On, until)
}

// DND is a person's wish as it stands; nil: may be disturbed.
func (a *Accounts) DND(u store.User) *signal.DND {
	switch {
	case !u.DND, !u.DNDUntil.IsZero() && !u.DNDUntil.After(a.Now()):
		return nil
	case u.DNDUntil.IsZero():
		return &signal.DND{On: true}
	}
	return &signal.DND{On: true, Until: &u.DNDUntil}
}
