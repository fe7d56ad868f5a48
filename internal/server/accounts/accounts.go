// Package accounts decides who somebody is: registration, login, sessions, and the limits that keep strangers from
// guessing passwords or using up the server with them. Package server calls it for every HTTP request and every socket;
// it keeps users and sessions in package store. It never sees a call and never logs a password or a token.
package accounts

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"visavis.example/internal/server/limit"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

// Session lifetimes: one ends IdleLife after its last use and AbsoluteLife after sign-in, whichever comes first.
const (
	IdleLife     = 30 * 24 * time.Hour
	AbsoluteLife = 180 * 24 * time.Hour
)

const (
	touchEvery  = time.Hour
	tokenPrefix = "vc1_"
)

// Limits are how often strangers may try. Zero fields take the default's.
type Limits struct {
	LoginPerAccountAndNet limit.Rate // guesses at one account from one network (/24, /64)
	LoginPerAccount       limit.Rate // and from everywhere together: never a hard lock
	LoginPerNet           limit.Rate // logins at any account from one network
	RegisterPerNet        limit.Rate // new accounts from one network
	InvitesPerNet         limit.Rate // looks at invites from one network, registering with one included
	RequestsPerSession    limit.Rate // of whatever kind with one session
	ChangesPerUser        limit.Rate // of invites, blocks, do-not-disturb and the password by one person
	ExportsPerUser        limit.Rate // of all data of one person
	InvitesPerUser        int        // that are still good
	BlocksPerUser         int
	Sessions              int           // of one user; the longest unused go
	HashWait              time.Duration // for a core to check a password with; then "try later"
}

// DefaultLimits are five guesses and then one each 30 s; twenty logins a minute from one network. A guesser cannot lock the
// owner out, because what it uses up from its own network is not taken from the owner's.
var DefaultLimits = Limits{
	LoginPerAccountAndNet: limit.Rate{Burst: 5, Every: 30 * time.Second},
	LoginPerAccount:       limit.Rate{Burst: 50, Every: 10 * time.Second},
	LoginPerNet:           limit.Rate{Burst: 20, Every: 3 * time.Second},
	RegisterPerNet:        limit.Rate{Burst: 30, Every: 10 * time.Second},
	InvitesPerNet:         limit.Rate{Burst: 30, Every: 10 * time.Second},
	RequestsPerSession:    limit.Rate{Burst: 200, Every: 20 * time.Millisecond},
	ChangesPerUser:        limit.Rate{Burst: 60, Every: 2 * time.Second},
	ExportsPerUser:        limit.Rate{Burst: 3, Every: 10 * time.Minute},
	InvitesPerUser:        50,
	BlocksPerUser:         1000,
	Sessions:              50,
	HashWait:              2 * time.Second,
}

// Refused is why an account request fails, in words and codes that may cross the wire.
type Refused struct {
	Failure    signal.Failure
	Status     int           // of HTTP
	RetryAfter time.Duration // 0: trying again later would not help
}

// Error implements error.
func (r *Refused) Error() string { return r.Failure.Message }

func refuse(status int, code, message string) *Refused {
	return &Refused{Failure: signal.Failure{Error: code, Message: message}, Status: status}
}

var errWrongLogin = refuse(http.StatusUnauthorized, signal.ErrWrongPassword, "Wrong name or password.")

// ErrUnauthorized is the answer to a missing, unknown or ended session.
var ErrUnauthorized error = refuse(http.StatusUnauthorized, signal.ErrUnauthorized, "Please sign in.")

// Accounts answers who somebody is. Its zero limits and work are the defaults.
type Accounts struct {
	Store  *store.Store
	Limits Limits
	Work   Work // what one password costs
	Logger *slog.Logger
	Now    func() time.Time // nil: time.Now

	Forgot func(sessionID string) // called when a person has more sessions than may be; nil: nobody wants to know

	SignUp   signal.SignUpMode // who may make an account; empty: open
	Inviting string            // who may make invites; empty: InvitingPeople

	byAccountNet, byAccount, byNet, register limit.Table
	inviteCheck, requests, changes, exports  limit.Table
	hash                                     hasher
}

// Session is a signed-in device.
type Session struct {
	ID      string // not the token: what the store knows it by
	User    signal.User
	Device  string
	Expires time.Time // at the latest
}

// Start fills in defaults and forgets what has ended.
func (a *Accounts) Start(ctx context.Context) error {
	if a.Now == nil {
		a.Now = time.Now
	}
	a.SignUp, a.Inviting = cmp.Or(a.SignUp, signal.SignUpOpen), cmp.Or(a.Inviting, InvitingPeople)
	d, l := DefaultLimits, a.Limits
	a.Limits.InvitesPerUser = cmp.Or(l.InvitesPerUser, d.InvitesPerUser)
	a.Limits.BlocksPerUser = cmp.Or(l.BlocksPerUser, d.BlocksPerUser)
	for _, t := range []struct {
		table     *limit.Table
		want, def limit.Rate
	}{
		{&a.byAccountNet, l.LoginPerAccountAndNet, d.LoginPerAccountAndNet},
		{&a.byAccount, l.LoginPerAccount, d.LoginPerAccount},
		{&a.byNet, l.LoginPerNet, d.LoginPerNet},
		{&a.register, l.RegisterPerNet, d.RegisterPerNet},
		{&a.inviteCheck, l.InvitesPerNet, d.InvitesPerNet},
		{&a.requests, l.RequestsPerSession, d.RequestsPerSession},
		{&a.changes, l.ChangesPerUser, d.ChangesPerUser},
		{&a.exports, l.ExportsPerUser, d.ExportsPerUser},
	} {
		if t.table.Rate = t.want; t.want == (limit.Rate{}) {
			t.table.Rate = t.def
		}
	}
	a.Limits.Sessions = cmp.Or(a.Limits.Sessions, d.Sessions)
	a.hash.wait = cmp.Or(a.Limits.HashWait, d.HashWait)
	a.hash.start(a.Work)
	if err := a.lookAtNames(ctx); err != nil {
		return err
	}
	return a.Purge(ctx)
}

// lookAtNames notes what names look like that were taken before anybody noted it.
func (a *Accounts) lookAtNames(ctx context.Context) error {
	all, err := a.Store.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range all {
		if u.Look == "" {
			if err := a.Store.SetLook(ctx, u.ID, look(u.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Purge forgets sessions and invites that have ended; call it now and then.
func (a *Accounts) Purge(ctx context.Context) error {
	now := a.Now()
	if _, err := a.Store.PurgeSessions(ctx, now.Add(-AbsoluteLife), now.Add(-IdleLife)); err != nil {
		return err
	}
	return a.Store.PurgeInvites(ctx, now.Add(-inviteKept))
}

// Register makes an account and signs its device in. from is who asks, for the limits.
func (a *Accounts) Register(ctx context.Context, r signal.Register, from netip.Addr) (signal.User, string, error) {
	// First of all, so that a stranger without an invite learns nothing about names.
	invite, err := a.mayRegister(ctx, r.Invite, from)
	if err != nil {
		return signal.User{}, "", err
	}
	device, err := checkDevice(r.Device)
	if err != nil {
		return signal.User{}, "", err
	}
	u, err := a.newUser(ctx, r.Name, r.Password, func(ctx context.Context, u store.User) error {
		if invite != "" {
			return a.Store.AddInvitedUser(ctx, u, invite)
		}
		return a.Store.AddUser(ctx, u)
	}, network(from))
	if err != nil {
		return signal.User{}, "", err
	}
	a.Logger.Info("registered", "user", u.ID, "invited", invite != "")
	token, err := a.newSession(ctx, u, device)
	return person(u), token, err
}

// newUser checks name and password and has the account written. The networks are who asks, for the limit.
func (a *Accounts) newUser(ctx context.Context, name, password string, write func(context.Context, store.User) error, from ...string) (store.User, error) {
	name, key, err := checkName(name)
	if err != nil {
		return store.User{}, err
	}
	password, err = checkPassword(password, key)
	if err != nil {
		return store.User{}, err
	}
	for _, net := range from {
		if ok, wait := a.register.Take(net, a.Now()); !ok {
			return store.User{}, tooMany(wait)
		}
	}
	phc, err := a.hash.make(ctx, password)
	if err != nil {
		return store.User{}, err
	}
	u := store.User{
		ID: signal.NewID(), Name: name, NameKey: key, Look: look(name), Kind: string(signal.KindPerson), Password: phc, Created: a.Now(),
	}
	switch err := write(ctx, u); {
	case errors.Is(err, store.ErrNameTaken):
		return store.User{}, refuse(http.StatusConflict, signal.ErrNameTaken, "This name is taken. Please choose another.")
	case errors.Is(err, store.ErrInvite):
		return store.User{}, errInviteInvalid
	case err != nil:
		return store.User{}, err
	}
	return u, nil
}

// Login signs a device in. A wrong name and a wrong password give the same answer after the same work.
func (a *Accounts) Login(ctx context.Context, r signal.Register, from netip.Addr) (signal.User, string, error) {
	device, err := checkDevice(r.Device)
	if err != nil {
		return signal.User{}, "", err
	}
	key := nameKey(r.Name)
	refund, err := a.mayLogin(key, network(from))
	if err != nil {
		return signal.User{}, "", err
	}
	u, err := a.Store.UserByKey(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return signal.User{}, "", err
	}
	right, old, err := a.hash.check(ctx, prepare(r.Password), u.Password) // an unknown user's hash is empty: equal work
	if err != nil {
		return signal.User{}, "", err
	}
	if !right {
		return signal.User{}, "", errWrongLogin
	}
	refund()
	if u.Disabled {
		return signal.User{}, "", refuse(http.StatusForbidden, signal.ErrDisabled, "This account has been disabled. Please ask who runs the server.")
	}
	token, err := a.newSession(ctx, u, device)
	if errors.Is(err, store.ErrNotFound) { // changed or disabled since it was checked
		return signal.User{}, "", errWrongLogin
	} else if err != nil {
		return signal.User{}, "", err
	}
	if old {
		a.rehash(ctx, u, r.Password)
	}
	a.Logger.Info("signed in", "user", u.ID)
	return person(u), token, nil
}

// mayLogin takes from every bucket of a guess; refund gives back those that a right password does not use up.
func (a *Accounts) mayLogin(key, net string) (refund func(), err error) {
	now, both := a.Now(), key+"\x00"+net
	if ok, wait := a.byNet.Take(net, now); !ok {
		return nil, tooMany(wait)
	}
	if ok, wait := a.byAccountNet.Take(both, now); !ok {
		return nil, tooMany(wait)
	}
	if ok, wait := a.byAccount.Take(key, now); !ok {
		return nil, tooMany(wait)
	}
	return func() { a.byAccountNet.Refund(both); a.byAccount.Refund(key) }, nil
}

// rehash brings an old hash to today's cost; failing is no reason to keep the person out.
func (a *Accounts) rehash(ctx context.Context, u store.User, password string) {
	phc, err := a.hash.make(ctx, prepare(password))
	if err == nil {
		err = a.Store.SetPassword(ctx, u.ID, u.Password, phc)
	}
	if err != nil {
		a.Logger.Warn("password hash not renewed", "user", u.ID, "error", err)
	}
}

func (a *Accounts) newSession(ctx context.Context, u store.User, device string) (string, error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails since Go 1.24
	token, now := tokenPrefix+base64.RawURLEncoding.EncodeToString(secret), a.Now()
	n := store.Session{ID: hashToken(token), User: u, Device: device, Created: now, Used: now}
	forgotten, err := a.Store.AddSession(ctx, n, a.Limits.Sessions)
	for _, id := range forgotten {
		if a.Forgot != nil {
			a.Forgot(id)
		}
	}
	return token, err
}

// Authenticate finds the session of a token, or ErrUnauthorized.
func (a *Accounts) Authenticate(ctx context.Context, token string) (Session, error) {
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 128 {
		return Session{}, ErrUnauthorized
	}
	n, err := a.Store.Session(ctx, hashToken(token))
	if errors.Is(err, store.ErrNotFound) {
		return Session{}, ErrUnauthorized
	} else if err != nil {
		return Session{}, err
	}
	now := a.Now()
	if ended(n, now) || n.User.Disabled {
		return Session{}, ErrUnauthorized
	}
	a.touch(ctx, n, now)
	return Session{ID: n.ID, User: person(n.User), Device: n.Device, Expires: n.Created.Add(AbsoluteLife)}, nil
}

func ended(n store.Session, now time.Time) bool {
	return now.After(n.Created.Add(AbsoluteLife)) || now.After(n.Used.Add(IdleLife))
}

// touch notes the use, at most once an hour: a write for every request would wear the disk for nothing.
func (a *Accounts) touch(ctx context.Context, n store.Session, now time.Time) {
	if now.Sub(n.Used) < touchEvery {
		return
	}
	if err := a.Store.TouchSession(ctx, n.ID, now); err != nil {
		a.Logger.Warn("use of a session not noted", "user", n.User.ID, "error", err)
	}
}

// Logout ends a session.
func (a *Accounts) Logout(ctx context.Context, s Session) error {
	if err := a.Store.DeleteSession(ctx, s.ID); err != nil {
		return err
	}
	a.Logger.Info("signed out", "user", s.User.ID)
	return nil
}

// hashToken is what is kept of a session's or an invite's token. Both are random enough that nothing slower is needed.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func person(u store.User) signal.User {
	return signal.User{ID: u.ID, Name: u.Name, Kind: signal.Kind(u.Kind)}
}

func tooMany(wait time.Duration) *Refused {
	r := refuse(http.StatusTooManyRequests, signal.ErrTooMany, "Too many attempts. Please wait a little and try again.")
	r.RetryAfter = wait
	return r
}

// network is what limits count an address by: an IPv4 /24, an IPv6 /64, because one line has that many for itself.
func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}
