package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"visavis.example/internal/call"
	"visavis.example/internal/signal"
)

// Exporter gives all of a person's data.
type Exporter interface {
	Export(ctx context.Context, token string, w io.Writer) error
}

// leaveRinging lets go of a call that only rings here, without a word to the hub: whoever closes a window or signs out has
// not declined it, and the person's other devices ring on. It says whether there was one.
func (a *App) leaveRinging() bool {
	if a.snap.Call.Phase != call.Incoming {
		return false
	}
	a.giveUpEarly(nil)
	a.timer.Stop()
	a.Media.Quiet()
	a.snap.Call = Call{}
	a.changed()
	return true
}

// hangUp ends the call here because this device is about to go.
func (a *App) hangUp() {
	if !a.leaveRinging() {
		a.apply(call.Hangup{})
	}
}

// Silence stops the ringtone here; the call can still be answered, and rings on elsewhere.
func (a *App) Silence() {
	a.post(func() {
		if a.snap.Call.Phase == call.Incoming {
			a.Media.Quiet()
		}
	})
}

// SignOutEverywhere hangs up and ends all sessions of this person, this one too.
func (a *App) SignOutEverywhere() {
	a.goAway(StepSessions, "You are signed out on all your devices.", func(ctx context.Context, own Own, token string) error {
		return own.EndSessions(ctx, token, true)
	})
}

// DeleteAccount deletes the account and its data on the server for good; lines takes what this person wrote away from
// others, too.
func (a *App) DeleteAccount(password string, lines bool) {
	a.goAway(StepDelete, "Your account and everything in it are deleted.", func(ctx context.Context, own Own, token string) error {
		return own.DeleteAccount(ctx, token, signal.Leave{Password: password, Lines: lines})
	})
}

// goAway does something that ends this session by the person's own wish. The server may close the socket before it
// answers: that is no news then. When it does not want, everything stays as it was.
func (a *App) goAway(kind Step, farewell string, do func(context.Context, Own, string) error) {
	a.post(func() {
		s := a.sess
		if s == nil || a.snap.Account.Busy != "" || a.closing {
			return
		}
		a.snap.Account.Busy, a.snap.Account.Said = kind, Outcome{}
		s.leaving = true
		n := a.signIn
		a.changed()
		a.spawn(func() {
			err := do(a.ctx, s.accounts, s.token)
			a.post(func() { a.gone(s, n, kind, farewell, err) })
		})
	})
}

func (a *App) gone(s *session, n int, kind Step, farewell string, err error) {
	switch {
	case err == nil && n == a.signIn:
		if a.sess == s {
			a.hangUp()
			a.dropSession()
		}
		a.forgetToken(s.server, s.name)
		a.notice(farewell)
	case err != nil && a.sess == s:
		s.leaving = false
		a.snap.Account.Busy, a.snap.Account.Said = "", Outcome{kind, words(err), true}
		a.changed()
	}
}

// Export saves all that the server has of this person as a file.
func (a *App) Export() {
	step(a, StepExport, func(ctx context.Context, own Own, token string) (string, error) {
		return a.export(ctx, own, token)
	}, func(file string) string { return "Saved as " + file })
}

func (a *App) export(ctx context.Context, own Own, token string) (string, error) {
	var me signal.Me
	me, err := own.Account(ctx, token)
	if err != nil {
		return "", err
	}
	out, err := a.exportFile(me.User.Name, time.Now())
	if err != nil {
		return "", &signal.Error{Code: signal.ErrInternal, Message: "The file could not be made: " + err.Error() + "."}
	}
	err = own.Export(ctx, token, out)
	if closed := out.Close(); err == nil && closed != nil {
		err = &signal.Error{Code: signal.ErrInternal, Message: "The file could not be written: " + closed.Error() + "."}
	}
	if err != nil {
		_ = os.Remove(out.Name())
		return "", err
	}
	return out.Name(), nil
}

// exportFile makes a new file for a person's data, readable by nobody else, in ExportDir or where downloads go.
func (a *App) exportFile(name string, now time.Time) (*os.File, error) {
	dir := a.ExportDir
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("no home folder: %w", err)
		}
		dir = filepath.Join(home, "Downloads")
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			dir = home
		}
	}
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '-'
	}, name)
	base := filepath.Join(dir, "visavis-"+plain+"-"+now.Format("2006-01-02"))
	for n := 1; ; n++ {
		file := base + ".json"
		if n > 1 {
			file = fmt.Sprintf("%s-%d.json", base, n)
		}
		out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil || !errors.Is(err, os.ErrExist) || n >= 100 {
			return out, err
		}
	}
}
