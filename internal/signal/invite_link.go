package signal

import (
	"net/url"
	"strings"
)

// InviteLink takes an invitation link, https://HOST/#invite=…, apart: the server's address, with what else stands after the
// # (a fingerprint), and the invitation for Register.Invite. ok is false for anything else that people paste.
func InviteLink(typed string) (server, invite string, ok bool) {
	base, fragment, found := strings.Cut(strings.TrimSpace(typed), "#")
	if !found {
		return "", "", false
	}
	var rest []string
	for part := range strings.SplitSeq(fragment, "&") {
		if value, is := strings.CutPrefix(part, "invite="); is {
			invite = value
		} else if part != "" {
			rest = append(rest, part)
		}
	}
	if unescaped, err := url.QueryUnescape(invite); err == nil {
		invite = unescaped
	}
	server = strings.TrimRight(base, "/")
	if invite = strings.TrimSpace(invite); invite == "" || server == "" {
		return "", "", false
	}
	if len(rest) > 0 {
		server += "#" + strings.Join(rest, "&")
	}
	return server, invite, true
}
