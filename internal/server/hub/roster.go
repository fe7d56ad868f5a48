package hub

import (
	"slices"

	"visavis.example/internal/signal"
)

// roster is everybody, in the order of joining, and what of them is told to who connects. Of a large server that is far more
// than one message, the same for nearly everybody and kept by each session until its device has it: so what the first
// message has no room for is encoded once and shared, as everybody has been told last. What has happened since goes to
// who connects with the next news, as to all others.
type roster struct {
	people []*person
	size   int // of all, in bytes

	// Of a roster that is larger than a message; nil: to be made anew.
	first []*person  // who is in the reply to User/Connect, as they are by then
	rest  []*Message // the others
}

func (r *roster) add(p *person) {
	r.people = append(r.people, p)
	r.size += sizeOf(p.user)
}

func (r *roster) remove(p *person) {
	i := slices.Index(r.people, p)
	if i < 0 {
		return
	}
	r.people = slices.Delete(r.people, i, i+1)
	r.size -= sizeOf(p.user)
	r.forget()
}

// forget follows all that everybody is told: news, and that somebody is no more.
func (r *roster) forget() { r.first, r.rest = nil, nil }

// large says whether it is more than one message holds.
func (r *roster) large() bool { return r.size > maxRoster }

// share makes what is shared: those online first, as far as others have been told.
func (r *roster) share() (first []*person, rest []*Message) {
	if r.first != nil {
		return r.first, r.rest
	}
	var users []signal.User
	size := 0
	for _, online := range []bool{true, false} {
		for _, p := range r.people {
			if p.told.online != online {
				continue
			}
			u := p.user
			u.Online, u.DND = p.told.online, p.told.dnd
			if size += sizeOf(u); size > maxRoster {
				users = append(users, u)
				continue
			}
			r.first = append(r.first, p)
		}
	}
	r.rest = changes(users)
	return r.first, r.rest
}

// shares says whether a device can be told what others are: it takes several people at once, oneself among them, and
// nobody hides from its person.
func (c *core) shares(d *device) bool {
	return c.roster.large() && d.numbers && !slices.ContainsFunc(c.roster.people, func(o *person) bool { return o.blocks(d.person) })
}

// rosterFor gives the roster without the device's own person: users who fit into one message, those online first, and what
// to tell of the others.
func (c *core) rosterFor(d *device) (users []signal.User, tell func()) {
	for _, p := range c.news.people {
		p.ahead = p.ahead || p != d.person && p.told != p.seen()
	}
	if !c.shares(d) {
		users, more := c.everybodyBut(d.person)
		return users, func() { c.tellMore(d, more) }
	}
	first, rest := c.roster.share()
	users = make([]signal.User, 0, len(first))
	for _, p := range first {
		if p != d.person {
			users = append(users, p.self())
		}
	}
	return users, func() {
		for _, m := range rest {
			d.conn.Send(m)
		}
	}
}

// maxRoster is how many bytes of users one message carries, well under signal.MaxMessage.
const maxRoster = 48 << 10

// sizeOf is about what a user takes in JSON: names hold nothing that would have to be escaped.
func sizeOf(u signal.User) int { return len(u.ID) + len(u.Name) + len(u.Kind) + 64 }

// everybodyBut gives the roster without p: users who fit into one message, those online first, and the others.
func (c *core) everybodyBut(p *person) (users []signal.User, more []*person) {
	users = make([]signal.User, 0, min(len(c.roster.people), maxRoster/sizeOf(signal.User{})))
	size := 0
	for _, online := range []bool{true, false} {
		for _, o := range c.roster.people {
			if o == p || o.onlineFor(p) != online {
				continue
			}
			u := o.viewFor(p)
			if size += sizeOf(u); size > maxRoster {
				more = append(more, o)
				continue
			}
			users = append(users, u)
		}
	}
	return users, more
}

// tellMore tells a device of people for whom there was no room, as of those who come or go.
func (c *core) tellMore(d *device, more []*person) {
	if d.numbers {
		all := make([]signal.User, 0, len(more))
		for _, p := range more {
			all = append(all, p.viewFor(d.person))
		}
		for _, m := range changes(all) {
			d.conn.Send(m)
		}
		return
	}
	for _, p := range more {
		m, code := presence(p.onlineFor(d.person))
		d.conn.Send(push(m, code, "", signal.UserChange{User: p.viewFor(d.person)}))
	}
}
