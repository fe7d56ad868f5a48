package echo

import (
	"strings"
)

// Echo has no data channels. pion would take any offer of them and run SCTP for whoever asks, so their sections are taken
// out of the offer before pion sees it, and stand refused in the answer (RFC 3264 section 6: port zero).

// refusal is one section that pion does not see.
type refusal struct {
	at   int // its place among the sections of the offer
	text string
}

const dataSection = "m=application "

// withoutData gives an offer without sections for data, and what the answer must say of them.
func withoutData(offer string) (string, []refusal) {
	session, sections := split(offer)
	var left []string
	var refused []refusal
	for i, s := range sections {
		if !strings.HasPrefix(s, dataSection) {
			left = append(left, s)
			continue
		}
		mid := attribute(s, "a=mid:")
		session = unbundle(session, mid)
		text := rejected(s)
		if mid != "" {
			text += "a=mid:" + mid + "\r\n"
		}
		refused = append(refused, refusal{i, text})
	}
	if len(refused) == 0 {
		return offer, nil
	}
	return session + strings.Join(left, ""), refused
}

// refuse puts the refused sections back where they were in the offer.
func refuse(answer string, refused []refusal) string {
	if len(refused) == 0 {
		return answer
	}
	session, sections := split(answer)
	for _, r := range refused {
		at := min(r.at, len(sections))
		sections = append(sections[:at:at], append([]string{r.text}, sections[at:]...)...)
	}
	return session + strings.Join(sections, "")
}

// split cuts a description before each m-line.
func split(sdp string) (session string, sections []string) {
	begin := 0
	for {
		i := strings.Index(sdp[begin:], "\nm=")
		if i < 0 {
			break
		}
		if end := begin + i + 1; len(sections) == 0 && session == "" {
			session = sdp[:end]
		} else {
			sections = append(sections, sdp[begin:end])
		}
		begin += i + 1
	}
	if session == "" {
		return sdp, nil
	}
	return session, append(sections, sdp[begin:])
}

func attribute(section, key string) string {
	for line := range strings.Lines(section) {
		if v, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// rejected is the section with port zero: its m-line says protocol and format as offered.
func rejected(section string) string {
	line, _, _ := strings.Cut(section, "\n")
	f := strings.Fields(line)
	if len(f) > 1 {
		f[1] = "0"
	}
	return strings.Join(f, " ") + "\r\nc=IN IP4 0.0.0.0\r\n"
}

// unbundle takes a mid out of the groups: a refused section may be in none (RFC 9143 section 7.3.3).
func unbundle(session, mid string) string {
	var b strings.Builder
	for line := range strings.Lines(session) {
		if group, ok := strings.CutPrefix(line, "a=group:"); ok && mid != "" {
			f := strings.Fields(group)
			kept := f[:0]
			for i, m := range f {
				if i == 0 || m != mid {
					kept = append(kept, m)
				}
			}
			line = "a=group:" + strings.Join(kept, " ") + "\r\n"
		}
		b.WriteString(line)
	}
	return b.String()
}
