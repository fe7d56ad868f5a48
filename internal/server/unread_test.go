package server_test

import (
	"slices"
	"testing"

	"visavis.example/internal/signal"
)

// unread gives the chats with something new for a person.
func (p *phone) unread() signal.Unread {
	p.t.Helper()
	return decode[signal.Unread](p.t, p.must(signal.MessageUnread, "", "", nil))
}

// Who was signed out finds what was said meanwhile marked, on every device, until one of them has read it.
func TestUnreadWhileSignedOut(t *testing.T) {
	dir := t.TempDir()
	s := openConfig(t, config(dir))
	anna, bob := s.guest("anna"), s.guest("bob")
	a := anna.phone("a")
	say := func(to string) int64 {
		t.Helper()
		m := signal.MessageSendTo
		if to == "" {
			m = signal.MessageSendToAll
		}
		return decode[signal.ChatMessage](t, a.must(m, to, "", signal.Text{Text: "are you there?"})).ID
	}
	say(bob.user.ID)
	last, lobby := say(bob.user.ID), say("")

	laptop, tablet := bob.phone("laptop"), bob.phone("tablet")
	want := []signal.UnreadChat{{Count: 1, Last: lobby}, {With: anna.user.ID, Count: 2, Last: last}}
	for _, p := range []*phone{laptop, tablet} {
		if u := p.unread(); u.Newest != lobby || !slices.Equal(u.Chats, want) {
			t.Fatalf("bob has not seen %+v, want %+v", u, want)
		}
	}
	laptop.must(signal.MessageRead, "", "", signal.Read{With: anna.user.ID, ID: last})
	if r := decode[signal.Read](t, tablet.push(signal.CodeRead, "")); r.With != anna.user.ID || r.ID != last {
		t.Errorf("the other device hears %+v", r)
	}
	if u := tablet.unread(); !slices.Equal(u.Chats, want[:1]) {
		t.Errorf("after reading there is %+v", u)
	}
	if u := a.unread(); len(u.Chats) != 0 {
		t.Errorf("one's own lines are news: %+v", u)
	}

	// And it is still so after a restart.
	s.close()
	s = openConfig(t, config(dir))
	bob.site = s
	if u := bob.phone("laptop").unread(); !slices.Equal(u.Chats, want[:1]) {
		t.Errorf("after a restart there is %+v", u)
	}
}
