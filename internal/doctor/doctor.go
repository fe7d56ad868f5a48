// Package doctor finds out whether people could call each other through a server, and says in plain words what is wrong
// and how to mend it. From outside it is a client without a window: it looks at the name, the certificate and the clock,
// signs in, makes real calls to Echo through the relay by UDP, TCP and TLS, and sends packets to a relayed address as a
// stranger would. On the server's own machine it also looks at its clock, descriptors, disk and addresses. It changes
// nothing but one account of its own, which it removes again. cmd/server runs it; the server itself never does.
package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"visavis.example/internal/signal"
)

// State is how one thing is.
type State uint8

// States.
const (
	Good    State = iota
	Skipped       // could not be looked at here; the text says why
	Warning       // calls work, but not for everybody or not for long
	Bad           // people cannot call each other, or not from everywhere
)

// String is the word at the beginning of a line.
func (s State) String() string {
	return [...]string{"ok", "skipped", "warning", "WRONG"}[s]
}

// Finding is one thing that was looked at.
type Finding struct {
	Check string // what: "certificate", "relay by TCP", …
	State State
	Text  string // what was found
	Mend  string // what to do about it; empty when there is nothing to do
}

// Doctor looks at one server. Set the fields, then Run once.
type Doctor struct {
	Address signal.Address // zero: no server runs, and only its machine can be looked at
	TLS     *tls.Config    // whom to trust; nil: the system's roots
	Inside  *Inside        // nil: this is another machine

	// Who signs in: Name and Password, or with Invite a new account; with neither, a new one where sign-up is open.
	Name, Password string
	Invite         string
	// NewAccount makes an account by other means, on the server's machine; nil: none.
	NewAccount func(ctx context.Context, name, password string) error

	Found func(Finding) // is told each finding as it comes; nil: nobody

	Patience time.Duration    // for one step of a call. 0: 15 s
	Now      func() time.Time // nil: time.Now

	resolve  func() []net.IP // instead of the DNS; tests
	findings []Finding
	ips      []net.IP // of the server's name
	servers  []signal.ICEServer
}

// patience is how long a network that works may take for one step.
const patience = 15 * time.Second

// Run looks at everything and says whether a call could be made and nothing is wrong.
func (d *Doctor) Run(ctx context.Context) bool {
	if d.Patience == 0 {
		d.Patience = patience
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Inside != nil {
		d.inside()
	}
	called := false
	if d.Address.Host != "" && d.lookUp(ctx) && d.site(ctx) {
		d.otherFamily(ctx)
		called = d.calls(ctx)
	}
	for _, f := range d.findings {
		if f.State == Bad {
			return false
		}
	}
	return called
}

// Findings is everything that was found.
func (d *Doctor) Findings() []Finding { return d.findings }

func (d *Doctor) found(f Finding) State {
	d.findings = append(d.findings, f)
	if d.Found != nil {
		d.Found(f)
	}
	return f.State
}

func (d *Doctor) good(check, format string, args ...any) {
	d.found(Finding{Check: check, Text: fmt.Sprintf(format, args...)})
}

func (d *Doctor) skipped(check, format string, args ...any) {
	d.found(Finding{Check: check, State: Skipped, Text: fmt.Sprintf(format, args...)})
}

func (d *Doctor) warning(check, text, mend string) {
	d.found(Finding{Check: check, State: Warning, Text: text, Mend: mend})
}

func (d *Doctor) bad(check, text, mend string) {
	d.found(Finding{Check: check, State: Bad, Text: text, Mend: mend})
}
