package app

import (
	"visavis.example/internal/signal"
)

// askTrust shows the person a certificate that has to be judged, if that is why something failed. again is tried when
// they trust it.
func (a *App) askTrust(server string, err error, again func()) {
	u := signal.UntrustedIn(err)
	if u == nil || a.distrusted[judged(u)] {
		return
	}
	a.trustAgain = func() { a.trust(server, u.Shown, again) }
	if old := a.snap.Untrusted; old != nil && judged(old) == judged(u) {
		return // it is being asked
	}
	a.snap.Untrusted = u
	a.tell(Event{Event: "untrusted", Text: words(err), Server: u.Host, Fingerprint: u.Shown, Changed: u.Changed()})
	a.changed()
}

// judged is what a judgement is about.
func judged(u *signal.Untrusted) [3]string { return [3]string{u.Host, u.Known, u.Shown} }

// Trust answers the question in Snapshot.Untrusted: yes keeps the certificate that was shown as that server's and tries
// again; no asks no more about it in this session. An address that names another certificate cannot be overruled.
func (a *App) Trust(yes bool) {
	a.post(func() {
		u, again := a.snap.Untrusted, a.trustAgain
		if u == nil {
			return
		}
		a.endTrust()
		if yes && !u.Named {
			again()
			return
		}
		if a.distrusted == nil {
			a.distrusted = map[[3]string]bool{}
		}
		a.distrusted[judged(u)] = true
	})
}

// trust keeps a certificate and then tries again.
func (a *App) trust(server, fingerprint string, again func()) {
	a.spawn(func() {
		err := a.Dialer.Trust(server, fingerprint)
		a.post(func() {
			if err != nil {
				a.notice("The server's certificate could not be kept: " + err.Error())
			}
			again()
		})
	})
}

// reconnect tries at once what is tried again and again.
func (a *App) reconnect() {
	if a.sess != nil && a.sess.signaler != nil {
		a.spawn(a.sess.signaler.NetworkChanged)
	}
}

// endTrust takes the question away: it is answered, or the right server is there again.
func (a *App) endTrust() {
	if a.snap.Untrusted != nil {
		a.snap.Untrusted, a.trustAgain = nil, nil
		a.changed()
	}
}
