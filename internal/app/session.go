package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"visavis.example/internal/signal"
)

const logoutLimit = 3 * time.Second

// session is one signed-in stay at a server.
type session struct {
	server, name, token string
	accounts            Accounts
	signaler            Signaler
	greeted             bool // has been online once
	leaving             bool // it ends by the person's own wish
}

// SignIn signs in with a password, which is not kept.
func (a *App) SignIn(server, name, password string) {
	a.enterWith(server, signal.Register{Name: name, Password: password}, Accounts.Login)
}

// SignUp makes an account and signs in; invite is empty, or an invitation for servers that want one.
func (a *App) SignUp(server, name, password, invite string) {
	a.enterWith(server, signal.Register{Name: name, Password: password, Invite: invite}, Accounts.Register)
}

// SignOut hangs up, ends the session at the server and forgets its token. A call that only rings here rings on elsewhere.
func (a *App) SignOut() {
	a.post(func() {
		if a.sess == nil {
			return
		}
		a.hangUp()
		a.whenQuiet(a.leave)
	})
}

// logIn is Accounts.Login or Accounts.Register.
type logIn func(Accounts, context.Context, signal.Register) (signal.SignedIn, error)

func (a *App) enterWith(server string, r signal.Register, how logIn) {
	a.post(func() {
		if a.snap.SigningIn && a.sess == nil && a.signIn > 0 {
			return // one at a time
		}
		if a.sess != nil {
			a.hangUp()
			a.dropSession()
		}
		a.signIn++
		n := a.signIn
		a.endTrust()
		clear(a.distrusted) // who tries again may be asked again
		a.snap.SigningIn, a.snap.SignInError, a.snap.Server = true, "", server
		a.changed()
		r.Name, r.Device = strings.TrimSpace(r.Name), a.Device
		a.spawn(func() {
			place := a.Dialer.Reach(a.ctx, server)
			accounts, err := a.Dialer.Accounts(place)
			var in signal.SignedIn
			if err == nil {
				in, err = how(accounts, a.ctx, r)
			}
			a.post(func() {
				a.entered(n, accounts, place, in, err)
				if n == a.signIn && !a.closing {
					a.askTrust(place, err, func() { a.enterWith(server, r, how) })
				}
			})
		})
	})
}

func (a *App) entered(n int, accounts Accounts, server string, in signal.SignedIn, err error) {
	if n != a.signIn || a.closing {
		return
	}
	a.snap.SigningIn = false
	a.changed()
	if err != nil {
		a.signInFailed(err)
		return
	}
	s := a.snap.Settings
	s.Server, s.Name = server, in.User.Name
	a.keepSettings(s)
	a.keepToken(server, in.User.Name, in.Token)
	a.snap.Self = in.User
	a.connect(&session{server: server, name: in.User.Name, token: in.Token, accounts: accounts})
}

func (a *App) signInFailed(err error) {
	a.snap.SigningIn, a.snap.SignInError = false, words(err)
	a.tell(Event{Event: "sign-in-failed", Text: a.snap.SignInError})
	a.changed()
}

// resume signs in with the kept token, if there is one.
func (a *App) resume() {
	server, name := a.snap.Settings.Server, a.snap.Settings.Name
	if a.Secrets == nil || server == "" || name == "" {
		return
	}
	a.snap.SigningIn = true
	a.shelf.put(func() {
		token, err := a.Secrets.Get(server, name)
		a.post(func() {
			if a.signIn > 0 || a.closing {
				return // somebody was faster with a password
			}
			a.snap.SigningIn = false
			a.changed()
			if err != nil || token == "" {
				return
			}
			accounts, err := a.Dialer.Accounts(server)
			if err != nil {
				a.signInFailed(err)
				return
			}
			a.snap.Self = signal.User{Name: name}
			a.connect(&session{server: server, name: name, token: token, accounts: accounts})
		})
	})
}

func (a *App) connect(s *session) {
	hello := signal.Connect{DeviceID: a.deviceID, Device: clip(a.Device), Client: clip(a.Client), Renews: true}
	signaler, err := a.Dialer.Connect(s.server, s.token, hello)
	if err != nil {
		a.signInFailed(err)
		return
	}
	s.signaler = signaler
	a.sess = s
	a.snap.Link, a.snap.LinkNote, a.snap.Server = Connecting, "", s.server
	a.changed()
}

func clip(s string) string {
	if len(s) <= signal.MaxDevice {
		return s
	}
	return strings.ToValidUTF8(s[:signal.MaxDevice], "")
}

// leave ends the session at the server and here.
func (a *App) leave() {
	if a.sess == nil {
		return
	}
	s := a.sess
	a.hangUp() // a call that came in meanwhile
	a.forgetToken(s.server, s.name)
	a.spawn(func() {
		ctx, cancel := context.WithTimeout(context.Background(), logoutLimit) // Close lets it finish
		defer cancel()
		if err := s.accounts.Logout(ctx, s.token); err != nil {
			a.Logger.Info("signed out here only", "err", err)
		}
	})
	a.dropSession()
}

// dropSession forgets the session and all that belongs to its person.
func (a *App) dropSession() {
	if a.sess == nil {
		return
	}
	if s := a.sess.signaler; s != nil {
		a.spawn(s.Close)
	}
	a.sess, a.serverRun = nil, ""
	a.fail(func(*request) bool { return true }, signal.ErrClosed)
	clear(a.people)
	a.unread.clear()
	clear(a.loaded)
	a.snap = Snapshot{
		Server: a.snap.Server, Notices: a.snap.Notices, Settings: a.snap.Settings, Devices: a.snap.Devices, Call: a.snap.Call,
		Door: a.snap.Door,
	}
	a.changed()
}

// gotEvent is everything the server and the socket say.
func (a *App) gotEvent(e signal.Event) {
	switch {
	case e.Push != nil:
		a.gotPush(*e.Push)
	case e.Reply != nil:
		a.finish(e.Reply.RequestID, *e.Reply, e.Reply.Fail())
	case e.State == signal.StateOnline && e.Connected != nil:
		a.gotOnline(*e.Connected)
	case e.State == signal.StateConnecting:
		a.gotOffline(e.Err, e.Lost)
	case e.State == signal.StateRefused:
		a.gotRefused(e.Err)
	}
}

func (a *App) gotOnline(c signal.Connected) {
	a.snap.Link, a.snap.LinkNote, a.snap.Self, a.snap.SignInError = Online, "", c.Self, ""
	a.changed()
	a.endTrust()
	if c.Resumed {
		a.gotResumed(c)
		return
	}
	a.fail(func(r *request) bool { return !r.again }, signal.ErrLost) // what the session before was asked
	a.setPeople(c.Users)
	name := "online"
	if !a.sess.greeted {
		a.sess.greeted, name = true, "signed-in"
	}
	a.tell(Event{Event: name, User: c.Self.Name})
	a.checkCall(c.CallID)
	a.sayAgain(c.CallID)
	a.serverBack(c)
	if a.snap.Call.HasPeer() {
		a.sendMedia()
	}
	a.loadSelf()
	a.refreshUnread()
	a.refreshChats()
	a.loadCalls(false)
}

// gotResumed goes on where it was: what was missed meanwhile comes next.
func (a *App) gotResumed(c signal.Connected) {
	a.tell(Event{Event: "online", User: c.Self.Name})
	a.sayRest()
	if a.snap.Call.HasPeer() {
		a.sendMedia() // the switches may have been used meanwhile
	}
}

// gotOffline tells that the server is away; lost: and that nothing said to it before gets a reply.
func (a *App) gotOffline(err error, lost bool) {
	note := words(err)
	if a.snap.Link == Online {
		a.tell(Event{Event: "offline", Text: note})
	}
	a.snap.Link, a.snap.LinkNote = Connecting, note
	a.changed()
	a.askTrust(a.sess.server, err, a.reconnect)
	if lost {
		a.fail(func(r *request) bool { return !r.again }, signal.ErrLost)
	}
	a.checkQuiet()
}

// gotRefused means that the token is worth nothing any more.
func (a *App) gotRefused(err error) {
	s := a.sess
	a.hangUp()
	a.dropSession()
	if s.leaving {
		return // whoever asked for it says the rest
	}
	if signal.IsCode(err, signal.ErrUnauthorized) {
		a.forgetToken(s.server, s.name)
	}
	a.signInFailed(err)
}

// words is what a person is told of an error.
func words(err error) string {
	var e *signal.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Message
	}
	return "The connection to the server was lost."
}

// gotPush dispatches what the server says unasked.
func (a *App) gotPush(e signal.Envelope) {
	switch e.Code {
	case signal.CodeUserList:
		decoded(a, e, func(u signal.Users) { a.setPeople(u.Users) })
	case signal.CodeUserChanges:
		decoded(a, e, func(u signal.Users) { a.changePeople(u.Users) })
	case signal.CodeUserOnline, signal.CodeUserOffline:
		decoded(a, e, func(c signal.UserChange) { a.setPerson(c.User) })
	case signal.CodeUserRemoved:
		decoded(a, e, func(c signal.UserChange) { a.removePerson(c.User.ID) })
	case signal.CodeUserSelf:
		decoded(a, e, func(c signal.UserChange) { a.gotSelf(c.User) })
	case signal.CodeChat:
		decoded(a, e, a.gotChat)
	case signal.CodeRead:
		decoded(a, e, a.gotRead)
	default:
		a.gotCallPush(e)
	}
}

// decoded hands on a push's data, or logs that it is not what it should be.
func decoded[T any](a *App, e signal.Envelope, then func(T)) {
	v, err := signal.Decode[T](e)
	if err != nil {
		a.Logger.Warn("push not understood", "method", e.Method, "err", err)
		return
	}
	then(v)
}

func (a *App) setPeople(users []signal.User) {
	clear(a.people)
	a.changePeople(users)
}

// changePeople follows people who came, went or are new; sorting them is done once.
func (a *App) changePeople(users []signal.User) {
	for _, u := range users {
		a.people[u.ID] = u
	}
	a.sortPeople()
}

func (a *App) setPerson(u signal.User) {
	a.changePeople([]signal.User{u})
}

func (a *App) removePerson(id string) {
	delete(a.people, id)
	a.sortPeople()
}

func (a *App) sortPeople() {
	list := make([]Person, 0, len(a.people))
	for id, u := range a.people {
		if id != a.snap.Self.ID {
			list = append(list, Person{User: u, Unread: a.unread.count[id], Blocked: a.blocks(id)})
		}
	}
	slices.SortFunc(list, func(x, y Person) int {
		if x.Blocked != y.Blocked {
			if y.Blocked {
				return -1
			}
			return 1
		}
		if x.Online != y.Online {
			if x.Online {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)), cmp.Compare(x.ID, y.ID))
	})
	a.snap.People, a.snap.LobbyUnread = list, a.unread.count[""]
	a.changed()
}
