package relay

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the algorithm of TURN REST credentials
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"visavis.example/internal/signal"
)

// Credentials makes a user name and password for one device in one call, in the form of TURN REST
// (draft-uberti-behave-turn-rest-00): the name is "EXPIRES:DEVICE.CALL". New allocations are refused after ttl and all
// requests once EndCall was called; an allocation made in time is kept for as long as the call lasts. The ids are those
// of signal.CheckID.
func (s *Server) Credentials(userID, deviceID, callID string, ttl time.Duration) (username, password string) {
	expires := time.Now().Add(ttl)
	s.book.join(callID, deviceID, userID, expires)
	username = strconv.FormatInt(expires.Unix(), 10) + ":" + deviceID + "." + callID
	return username, s.password(username)
}

func (s *Server) password(username string) string {
	h := hmac.New(sha1.New, s.Secret)
	h.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// party is a device in a call: pion's "user id", written DEVICE.CALL.
type party struct{ device, call string }

func (p party) String() string { return p.device + "." + p.call }

func parseParty(s string) (party, bool) {
	device, call, ok := strings.Cut(s, ".")
	ok = ok && signal.CheckID("device", device) == nil && signal.CheckID("call", call) == nil
	return party{device, call}, ok
}

// parseUsername reads EXPIRES:DEVICE.CALL; expires are seconds of Unix time.
func parseUsername(name string) (expires int64, p party, ok bool) {
	at, who, found := strings.Cut(name, ":")
	expires, err := strconv.ParseInt(at, 10, 64)
	p, ok = parseParty(who)
	return expires, p, ok && found && err == nil
}

// authenticate is asked for every request that carries a user name; pion compares the key.
func (s *Server) authenticate(r *turn.RequestAttributes) (userID string, key []byte, ok bool) {
	expires, p, ok := parseUsername(r.Username)
	allocates := r.Method == stun.MethodAllocate
	switch {
	case !ok || r.Realm != realm || !s.book.live(p):
		return "", nil, false
	case allocates && expires <= time.Now().Unix():
		return "", nil, false
	case !allocates && s.book.misdirected(p, clientOf(r.SrcAddr)):
		return "", nil, false
	}
	return p.String(), turn.GenerateAuthKey(r.Username, r.Realm, s.password(r.Username)), true
}
