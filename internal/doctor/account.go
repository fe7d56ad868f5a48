package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"visavis.example/internal/signal"
)

// guest is who the doctor is signed in as.
type guest struct {
	api      *signal.API
	token    string
	password string // of an account of our own, to remove it; empty: somebody else's
}

// signIn signs in, with an account of somebody's or one of our own.
func (d *Doctor) signIn(ctx context.Context) (*guest, error) {
	g := &guest{api: signal.NewAPI(d.Address, d.tls())}
	r := signal.Register{Name: d.Name, Password: d.Password, Device: "visavis-server doctor"}
	var in signal.SignedIn
	var err error
	if d.Name != "" {
		in, err = g.api.Login(ctx, r)
	} else {
		// No one can guess it, and no one has to: it lives for a minute.
		r.Name, r.Password = "doctor-"+strings.ToLower(rand.Text()[:8]), rand.Text()
		g.password = r.Password
		if d.NewAccount != nil && d.Invite == "" {
			if err = d.NewAccount(ctx, r.Name, r.Password); err == nil {
				in, err = g.api.Login(ctx, r)
			}
		} else {
			r.Invite = inviteIn(d.Invite)
			in, err = g.api.Register(ctx, r)
		}
	}
	if err != nil {
		g.api.Close()
		return nil, err
	}
	g.token = in.Token
	return g, nil
}

// inviteIn takes the token out of an invite link.
func inviteIn(s string) string {
	_, token, ok := strings.Cut(s, "#invite=")
	if !ok {
		return s
	}
	return token
}

// leave ends the session, and removes an account of our own.
func (g *guest) leave(d *Doctor) {
	defer g.api.Close()
	// Also when the doctor was told to stop: what it made must not stay.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if g.password == "" {
		_ = g.api.Logout(ctx, g.token) // it ends by itself
		return
	}
	if err := g.api.DeleteAccount(ctx, g.token, signal.Leave{Password: g.password}); err != nil {
		d.warning("account", fmt.Sprintf("the account that was made for this could not be removed: %v", err), "visavis-server user list shows it as doctor-…, user delete removes it")
	}
}

// cannotSignIn says why nobody could be called.
func (d *Doctor) cannotSignIn(err error) {
	const check = "account"
	var e *signal.Error
	mend := "on the server make an invite (visavis-server invite create) and give it with --invite, or give an account: --user NAME, its password in VISAVIS_PASSWORD"
	if errors.As(err, &e) {
		switch e.Code {
		case signal.ErrInviteNeeded, signal.ErrSignUpClosed:
			d.bad(check, "no call can be tried: not everybody may make an account here", mend)
			return
		case signal.ErrInviteInvalid, signal.ErrWrongPassword:
			d.bad(check, e.Message, mend)
			return
		case signal.ErrTooMany:
			d.bad(check, e.Message, "wait a minute and try again")
			return
		}
	}
	d.bad(check, fmt.Sprintf("nobody can sign in: %v", err), "what the server logs says why; most often the disk is full")
}
