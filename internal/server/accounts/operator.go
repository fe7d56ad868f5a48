package accounts

import (
	"context"
	"errors"
	"net/http"

	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

// What the operator does to accounts, without passwords and limits.

// Named finds a person by name, as at sign-in.
func (a *Accounts) Named(ctx context.Context, name string) (store.User, error) {
	u, err := a.Store.UserByKey(ctx, nameKey(name))
	if err == nil && u.Kind != string(signal.KindPerson) {
		err = store.ErrNotFound
	}
	if errors.Is(err, store.ErrNotFound) {
		return u, refuse(http.StatusNotFound, signal.ErrNotFound, "There is nobody called "+name+".")
	}
	return u, err
}

// Add makes an account whatever the sign-up mode.
func (a *Accounts) Add(ctx context.Context, name, password string) (signal.User, error) {
	u, err := a.newUser(ctx, name, password, a.Store.AddUser)
	if err != nil {
		return signal.User{}, err
	}
	a.Logger.Info("added by the operator", "user", u.ID)
	return person(u), nil
}

// Reset gives a person another password and ends all of their sessions.
func (a *Accounts) Reset(ctx context.Context, u store.User, password string) error {
	if err := a.setPassword(ctx, u, password, ""); err != nil {
		return err
	}
	a.Logger.Info("password set by the operator", "user", u.ID)
	return nil
}

// Disable keeps a person out, or lets them in again. Their sessions end.
func (a *Accounts) Disable(ctx context.Context, u store.User, disabled bool) error {
	if err := a.Store.SetDisabled(ctx, u.ID, disabled); err != nil {
		return err
	}
	a.Logger.Info("disabled or enabled by the operator", "user", u.ID, "disabled", disabled)
	return nil
}
