package signal

import (
	"errors"
	"fmt"
	"time"
)

// SignUpMode says who may make an account: Info.SignUpMode.
type SignUpMode string

// Modes.
const (
	SignUpOpen   SignUpMode = "open"   // everybody
	SignUpInvite SignUpMode = "invite" // who has an invite
	SignUpClosed SignUpMode = "closed" // only the operator makes accounts
)

// Me is the reply of GET /api/me: oneself, and what only oneself may know.
type Me struct {
	User      User `json:"user"`
	DND       *DND `json:"dnd,omitempty"`       // nil: one may be disturbed
	MayInvite bool `json:"mayInvite,omitempty"` // POST /api/invites is for this person
}

// DND is the body of PUT /api/me/dnd: whether calls are kept away, and until when.
type DND struct {
	On    bool       `json:"on"`
	Until *time.Time `json:"until,omitempty"` // nil: until it is switched off
}

// Check looks at the request; now is the server's clock.
func (d DND) Check(now time.Time) error {
	if d.On && d.Until != nil && (!d.Until.After(now) || d.Until.Sub(now) > MaxDND) {
		return errors.New("until is in the past, or more than 400 days from now")
	}
	return nil
}

// NewPassword is the body of POST /api/password.
type NewPassword struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// Leave is the body of DELETE /api/me.
type Leave struct {
	Password string `json:"password"`
	// Lines takes everything that the person has written away from those who received it, too.
	Lines bool `json:"lines,omitempty"`
}

// SessionInfo is one signed-in device: an entry of GET /api/sessions.
type SessionInfo struct {
	ID      string    `json:"id"`     // for DELETE /api/sessions/{id}; nothing can be signed in with it
	Device  string    `json:"device"` // as it called itself
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"` // to the hour
	Current bool      `json:"current"`
}

// Sessions is GET /api/sessions, the last used first.
type Sessions struct {
	Sessions []SessionInfo `json:"sessions"`
}

// Blocked is GET /api/blocks: whom one has blocked, by name.
type Blocked struct {
	Users []User `json:"users"`
}

// NewInvite is the body of POST /api/invites; zeros mean the defaults.
type NewInvite struct {
	Uses int `json:"uses,omitempty"` // how many accounts it makes
	Days int `json:"days,omitempty"` // for how long it is good
}

// Check implements the rules of the body.
func (n NewInvite) Check() error {
	if n.Uses < 0 || n.Uses > MaxInviteUses || n.Days < 0 || n.Days > MaxInviteDays {
		return fmt.Errorf("uses is 1 to %d, days 1 to %d", MaxInviteUses, MaxInviteDays)
	}
	return nil
}

// Invitation is the reply of POST /api/invites. The server keeps only a hash of Invite, so it is shown this once.
type Invitation struct {
	ID      string    `json:"id"`     // for DELETE /api/invites/{id}
	Invite  string    `json:"invite"` // Register.Invite
	URL     string    `json:"url"`    // https://HOST/#invite=…
	Expires time.Time `json:"expires"`
	Uses    int       `json:"uses"`
}

// InviteInfo is one of one's own invites.
type InviteInfo struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	UsesLeft int       `json:"usesLeft"`
	UsedBy   []string  `json:"usedBy"` // names of who came with it
}

// Invites is GET /api/invites, the newest first.
type Invites struct {
	Invites []InviteInfo `json:"invites"`
}

// CheckInvite is the body of POST /api/invite/check.
type CheckInvite struct {
	Invite string `json:"invite"`
}

// InviteIsGood is its reply.
type InviteIsGood struct {
	By      string    `json:"by,omitempty"` // the name of who made it; empty: the operator
	Expires time.Time `json:"expires"`
}
