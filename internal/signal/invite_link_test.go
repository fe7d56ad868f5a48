package signal

import "testing"

func TestInviteLink(t *testing.T) {
	for typed, want := range map[string][2]string{
		"https://call.example.org/#invite=AbC-_9":                 {"https://call.example.org", "AbC-_9"},
		" https://192.0.2.7:8443/#invite=AbC\n":                   {"https://192.0.2.7:8443", "AbC"},
		"call.example.org:8443/#invite=AbC":                       {"call.example.org:8443", "AbC"},
		"https://call.example.org/#fp=AB:CD&invite=x%2By":         {"https://call.example.org#fp=AB:CD", "x+y"},
		"https://call.example.org/":                               {},
		"https://call.example.org/#/people":                       {},
		"https://call.example.org/#invite=":                       {},
		"#invite=AbC":                                             {},
		"":                                                        {},
		"https://call.example.org/?invite=AbC":                    {},
		"https://call.example.org/#fp=AB:CD&fingerprint=invite=x": {},
	} {
		server, invite, ok := InviteLink(typed)
		if server != want[0] || invite != want[1] || ok != (want[1] != "") {
			t.Errorf("%q: %q, %q, %v", typed, server, invite, ok)
		}
	}
}
