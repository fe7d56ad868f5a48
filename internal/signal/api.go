package signal

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Error codes that only a client says to itself.
const (
	ErrUnreachable = "unreachable"
	ErrCertificate = "certificate" // not trusted, for another name, or expired; the message has the fingerprint
	ErrNotVisavis  = "not_visavis" // something answers, but not a Visavis server
	ErrBadAddress  = "bad_address"
)

// maxReply is the largest reply of the API that is read: 200 records are some 100 KB.
const maxReply = 4 << 20

// API is the HTTPS side of a server: accounts and records. Every error is an *Error whose message is for people. Safe for
// concurrent use; Close lets go of idle connections.
type API struct {
	Address Address
	client  *http.Client
}

// NewAPI makes one; conf nil means the system's roots.
func NewAPI(a Address, conf *tls.Config) *API {
	return &API{Address: a, client: &http.Client{
		Timeout: 20 * time.Second,
		// A redirect is not followed: the API has none, and a password must not be sent to where one points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     conf,
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: dialTimeout,
			IdleConnTimeout:     30 * time.Second,
			MaxIdleConns:        2,
		},
	}}
}

// Close lets go of idle connections.
func (a *API) Close() { a.client.CloseIdleConnections() }

// Info asks who is there; it also says whether it is a Visavis server at all.
func (a *API) Info(ctx context.Context) (Info, error) {
	var out Info
	if err := a.do(ctx, http.MethodGet, "/api/info", "", nil, &out); err != nil {
		return out, err
	}
	if out.Protocol != Subprotocol {
		return out, a.notVisavis("another protocol")
	}
	return out, nil
}

// Register makes an account and signs in.
func (a *API) Register(ctx context.Context, r Register) (SignedIn, error) {
	var out SignedIn
	err := a.signedIn(a.do(ctx, http.MethodPost, "/api/register", "", r, &out), &out)
	return out, err
}

// Login signs in.
func (a *API) Login(ctx context.Context, r Register) (SignedIn, error) {
	var out SignedIn
	err := a.signedIn(a.do(ctx, http.MethodPost, "/api/login", "", r, &out), &out)
	return out, err
}

func (a *API) signedIn(err error, out *SignedIn) error {
	if err == nil && (out.Token == "" || out.User.ID == "") {
		return a.notVisavis("no session in the reply")
	}
	return err
}

// Logout ends the session of that token and its sockets.
func (a *API) Logout(ctx context.Context, token string) error {
	return a.do(ctx, http.MethodPost, "/api/logout", token, nil, nil)
}

// Me says whose token it is.
func (a *API) Me(ctx context.Context, token string) (User, error) {
	var out struct {
		User User `json:"user"`
	}
	err := a.do(ctx, http.MethodGet, "/api/me", token, nil, &out)
	return out.User, err
}

// Calls gives the newest calls before the call with the id before ("": of all), newest first; limit 0 leaves it to the server.
func (a *API) Calls(ctx context.Context, token, before string, limit int) (Calls, error) {
	q := url.Values{}
	if before != "" {
		q.Set("before", before)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	path := "/api/calls"
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	var out Calls
	err := a.do(ctx, http.MethodGet, path, token, nil, &out)
	return out, err
}

// Call gives one call as the token's owner saw it.
func (a *API) Call(ctx context.Context, token, id string) (CallRecord, error) {
	var out CallRecord
	err := a.do(ctx, http.MethodGet, "/api/calls/"+url.PathEscape(id), token, nil, &out)
	return out, err
}

func (a *API) do(ctx context.Context, method, path, token string, in, out any) error {
	var body io.Reader
	if in != nil {
		body = bytes.NewReader(Encode(in))
	}
	req, err := http.NewRequestWithContext(ctx, method, a.Address.Base()+path, body)
	if err != nil {
		return badAddress(a.Address.Host + " is not a server address.")
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return explain(a.Address.Base(), err)
	}
	defer func() { _ = res.Body.Close() }()
	return a.reply(res, out)
}

func (a *API) reply(res *http.Response, out any) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxReply+1))
	switch {
	case err != nil:
		return explain(a.Address.Base(), err)
	case len(b) > maxReply:
		return a.notVisavis("an oversized reply")
	case res.StatusCode == http.StatusNoContent && out == nil:
		return nil
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind != "application/json" {
		return a.notVisavis(fmt.Sprintf("HTTP %d without JSON", res.StatusCode))
	}
	if res.StatusCode >= 400 {
		var f Failure
		if json.Unmarshal(b, &f) != nil || f.Error == "" {
			return a.notVisavis(fmt.Sprintf("HTTP %d", res.StatusCode))
		}
		if f.Message == "" {
			f.Message = "The server refused: " + f.Error + "."
		}
		return &Error{Code: f.Error, Message: f.Message, Status: res.StatusCode}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return a.notVisavis("a reply that is not understood")
	}
	return nil
}

func (a *API) notVisavis(what string) *Error {
	return &Error{Code: ErrNotVisavis, Message: fmt.Sprintf("%s is not a Visavis server: it answers with %s.", a.Address.Host, what)}
}

// IsCode says whether err is an *Error with that code.
func IsCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
