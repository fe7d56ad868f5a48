package signal

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Account says whose token it is, with what only that person may know.
func (a *API) Account(ctx context.Context, token string) (Me, error) {
	var out Me
	err := a.do(ctx, http.MethodGet, "/api/me", token, nil, &out)
	return out, err
}

// ChangePassword ends all of the person's other sessions; this one stays.
func (a *API) ChangePassword(ctx context.Context, token string, p NewPassword) error {
	return a.do(ctx, http.MethodPost, "/api/password", token, p, nil)
}

// SetDND switches "do not disturb", for all of the person's devices.
func (a *API) SetDND(ctx context.Context, token string, d DND) error {
	return a.do(ctx, http.MethodPut, "/api/me/dnd", token, d, nil)
}

// Sessions lists where the person is signed in.
func (a *API) Sessions(ctx context.Context, token string) (Sessions, error) {
	var out Sessions
	err := a.do(ctx, http.MethodGet, "/api/sessions", token, nil, &out)
	return out, err
}

// EndSession signs one device out.
func (a *API) EndSession(ctx context.Context, token, id string) error {
	return a.do(ctx, http.MethodDelete, "/api/sessions/"+url.PathEscape(id), token, nil, nil)
}

// EndSessions signs out everywhere else, or everywhere.
func (a *API) EndSessions(ctx context.Context, token string, hereToo bool) error {
	path := "/api/sessions"
	if hereToo {
		path += "?all=1"
	}
	return a.do(ctx, http.MethodDelete, path, token, nil, nil)
}

// Blocks lists whom the person has blocked.
func (a *API) Blocks(ctx context.Context, token string) (Blocked, error) {
	var out Blocked
	err := a.do(ctx, http.MethodGet, "/api/blocks", token, nil, &out)
	return out, err
}

// Block keeps somebody away; Unblock ends that.
func (a *API) Block(ctx context.Context, token, userID string) error {
	return a.do(ctx, http.MethodPut, "/api/blocks/"+url.PathEscape(userID), token, nil, nil)
}

// Unblock lets somebody through again.
func (a *API) Unblock(ctx context.Context, token, userID string) error {
	return a.do(ctx, http.MethodDelete, "/api/blocks/"+url.PathEscape(userID), token, nil, nil)
}

// CreateInvite makes a link with which others can make accounts.
func (a *API) CreateInvite(ctx context.Context, token string, n NewInvite) (Invitation, error) {
	var out Invitation
	err := a.do(ctx, http.MethodPost, "/api/invites", token, n, &out)
	return out, err
}

// Invites lists the person's own invites.
func (a *API) Invites(ctx context.Context, token string) (Invites, error) {
	var out Invites
	err := a.do(ctx, http.MethodGet, "/api/invites", token, nil, &out)
	return out, err
}

// RevokeInvite ends an invite; accounts made with it stay.
func (a *API) RevokeInvite(ctx context.Context, token, id string) error {
	return a.do(ctx, http.MethodDelete, "/api/invites/"+url.PathEscape(id), token, nil, nil)
}

// CheckInvite asks whether an invite is good, before somebody fills in a form; ErrInviteInvalid when it is not.
func (a *API) CheckInvite(ctx context.Context, invite string) (InviteIsGood, error) {
	var out InviteIsGood
	err := a.do(ctx, http.MethodPost, "/api/invite/check", "", CheckInvite{Invite: invite}, &out)
	return out, err
}

// DeleteAccount removes the person and all data of theirs.
func (a *API) DeleteAccount(ctx context.Context, token string, l Leave) error {
	return a.do(ctx, http.MethodDelete, "/api/me", token, l, nil)
}

// Export writes all of the person's data to w, as JSON. It may be long, so it has ten minutes and no other limit.
func (a *API) Export(ctx context.Context, token string, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Address.Base()+"/api/export", nil)
	if err != nil {
		return badAddress(a.Address.Host + " is not a server address.")
	}
	req.Header.Set("Authorization", "Bearer "+token)
	patient := *a.client
	patient.Timeout = 0
	res, err := patient.Do(req)
	if err != nil {
		return explain(a.Address.Base(), err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return a.reply(res, nil)
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return explain(a.Address.Base(), err)
	}
	return nil
}
