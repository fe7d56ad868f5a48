package server_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

var bounds = regexp.MustCompile(`^it is (.+) to (.+)$`)

// extremes are the least and the most that a limit may be, by what it says to what it cannot be; empty for rates.
func extremes(l server.Limit) (least, most string) {
	for _, impossible := range []string{"-1", "0s", "1", "0 bit/s"} {
		if err := l.Value.Set(impossible); err != nil {
			if m := bounds.FindStringSubmatch(err.Error()); m != nil {
				return m[1], m[2]
			}
		}
	}
	return "", ""
}

// Whatever an operator may set all limits to, the server starts with it, and two people can talk.
func TestEveryLimitAtItsLeastAndItsMost(t *testing.T) {
	for name, pick := range map[string]func(least, most string) string{
		"least": func(least, _ string) string { return least },
		"most":  func(_, most string) string { return most },
	} {
		t.Run(name, func(t *testing.T) {
			set := 0
			s := open(t, func(c *server.Config) {
				c.TURNListen = "127.0.0.1:0"
				for _, l := range c.Limits.List() {
					least, most := extremes(l)
					if _, err := time.ParseDuration(least); least == "" || err == nil && name == "least" {
						continue // a second is too short for what a busy machine does here
					}
					if err := l.Value.Set(pick(least, most)); err != nil {
						t.Errorf("%s = %s: %v", l.Name, pick(least, most), err)
					}
					set++
				}
			})
			if set < 15 {
				t.Fatalf("only %d limits have bounds", set)
			}
			a, b := s.guest("alice"), s.guest("bob")
			alice, bob := a.phone("a"), b.phone("b")
			call := talk(alice, bob, b.user)
			offer := "v=0\r\n" + strings.Repeat("a=x\r\n", 1000)
			alice.must(signal.MessageOffer, "", call, signal.SDP{SDP: offer})
			if got := decode[signal.SDP](t, bob.push(signal.CodeOffer, call)); got.SDP != offer {
				t.Errorf("bob has %d bytes of alice's offer of %d", len(got.SDP), len(offer))
			}
			alice.must(signal.MessageSendTo, b.user.ID, "", signal.Text{Text: "hello"})
			bob.push(signal.CodeChat, "")
			alice.must(signal.CallHangup, "", call, signal.Hangup{})
			bob.ended(call, signal.EndHangup)
			if r := a.record(call); r.Reason != signal.EndHangup {
				t.Errorf("the record says %+v", r)
			}
		})
	}
}
