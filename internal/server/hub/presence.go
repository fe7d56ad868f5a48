package hub

import (
	"slices"
	"time"

	"visavis.example/internal/signal"
)

// leaving is a device that was cut off at a time.
type leaving struct {
	d    *device
	away time.Time
}

// cutOff follows the loss of a socket whose connection may be resumed: what is sent goes on being kept for it, a call
// gives it the time that it gives everybody who is away, and for others it stays online a little.
func (c *core) cutOff(conn Conn) {
	d := c.devices[conn]
	if d == nil || !d.here() {
		return
	}
	d.away, d.lost = c.now, true
	c.leaving = append(c.leaving, leaving{d, c.now})
	if k := d.person.call; k != nil && k.involves(d) {
		c.schedule(k)
	}
}

// resumed follows the return of such a device.
func (c *core) resumed(conn Conn, host string) {
	d := c.devices[conn]
	if d == nil {
		return // its device has connected as a new one meanwhile
	}
	d.host, d.away = host, time.Time{}
	c.count(d)
	if k := d.person.call; k != nil && k.involves(d) {
		c.schedule(k)
	}
}

func (c *core) nextLeaving() time.Time {
	if len(c.leaving) == 0 {
		return time.Time{}
	}
	return c.leaving[0].away.Add(c.Linger)
}

// expireLeaving shows those as offline who have been cut off for long.
func (c *core) expireLeaving() {
	for at := c.nextLeaving(); !at.IsZero() && !at.After(c.now); at = c.nextLeaving() {
		l := c.leaving[0]
		if c.leaving = c.leaving[1:]; len(c.leaving) == 0 {
			c.leaving = nil
		}
		if !l.d.here() && l.d.away.Equal(l.away) {
			c.discount(l.d)
			if k := l.d.person.call; k != nil {
				c.schedule(k) // a call that rings for somebody who is gone
			}
		}
	}
}

// count makes a device one of those of its person that are here.
func (c *core) count(d *device) {
	if d.counts {
		return
	}
	d.counts = true
	if d.person.here++; d.person.here == 1 {
		c.mention(d.person)
	}
}

// discount is the opposite.
func (c *core) discount(d *device) {
	if !d.counts {
		return
	}
	d.counts = false
	if d.person.here--; !d.person.online() {
		d.person.left = c.now
		c.mention(d.person)
	}
}

// news is the people who came, went or joined since everybody was last told.
type news struct {
	people []*person
	until  time.Time // what comes before this waits until then
}

// next is when it is to be told; zero: there is none.
func (n *news) next() time.Time {
	if len(n.people) == 0 {
		return time.Time{}
	}
	return n.until
}

// seen is what others may know of a person beside the name.
type seen struct{ online, dnd bool }

func (p *person) seen() seen { return seen{p.online(), p.user.DND} }

// mention tells everybody else about a person who has come, gone, joined or changed, but for whom they block (for those the
// person stays offline): at once when nothing was told lately, else
// together with what else happens until NewsEvery is over. So a server to which thousands come back tells each of them
// some tens of times, not thousands, and nobody makes noise by coming and going.
func (c *core) mention(p *person) {
	if !p.mentioned {
		p.mentioned = true
		c.news.people = append(c.news.people, p)
	}
	if !c.now.Before(c.news.until) {
		c.tellNews()
	}
}

// tellNews tells what has changed since it was last told, and is still so.
func (c *core) tellNews() {
	var changed []*person
	for _, p := range c.news.people {
		p.mentioned = false
		if c.people[p.user.ID] != p {
			continue // is no more, and everybody knows
		}
		if !p.known || p.ahead || p.told != p.seen() {
			changed = append(changed, p)
		}
		p.known, p.ahead, p.told = true, false, p.seen()
	}
	c.news = news{until: c.now.Add(c.NewsEvery)}
	c.roster.forget()
	c.tellPeople(changed)
}

// tellPeople tells every device of people: all at once if it knows how, else one by one and never of its own person. Whom
// one of them blocks gets what would be told if that one had not changed.
func (c *core) tellPeople(changed []*person) {
	several := together(changed, nil)
	single := make([]*Message, len(changed)) // made for the first who needs them
	var blocking []*person
	for _, p := range changed {
		if len(p.blocked) > 0 {
			blocking = append(blocking, p)
		}
	}
	for _, d := range c.devices {
		mine := several
		if d.numbers && slices.ContainsFunc(blocking, func(p *person) bool { return p.blocks(d.person) }) {
			mine = together(changed, d.person)
		}
		if d.numbers && mine != nil {
			for _, m := range mine {
				d.conn.Send(m)
			}
			continue
		}
		for i, p := range changed {
			if p == d.person || p.blocks(d.person) {
				continue
			}
			if single[i] == nil {
				m, code := presence(p.online())
				single[i] = push(m, code, "", signal.UserChange{User: p.self()})
			}
			d.conn.Send(single[i])
		}
	}
}

// together is what several people's coming and going is said with to who can take it at once; nil when it is only one's. It
// leaves out those who block viewer (nil: nobody does).
func together(changed []*person, viewer *person) []*Message {
	all := make([]signal.User, 0, len(changed))
	for _, p := range changed {
		if !p.blocks(viewer) {
			all = append(all, p.self())
		}
	}
	if len(all) < 2 {
		return nil
	}
	return changes(all)
}

// changes is many people's coming and going, in as few messages as they fit into.
func changes(people []signal.User) (messages []*Message) {
	var users []signal.User
	size := 0
	flush := func() {
		if len(users) > 0 {
			messages = append(messages, push(signal.UserChanges, signal.CodeUserChanges, "", signal.Users{Users: users}))
			users, size = nil, 0
		}
	}
	for _, u := range people {
		if size += sizeOf(u); size > maxRoster {
			flush()
			size = sizeOf(u)
		}
		users = append(users, u)
	}
	flush()
	return messages
}
