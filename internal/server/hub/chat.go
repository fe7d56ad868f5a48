package hub

import (
	"time"

	"visavis.example/internal/signal"
)

// chat writes a line of chat down and, once it is on disk, answers its sender and tells everybody whom it is for.
func (c *core) chat(d *device, e signal.Envelope) error {
	t, err := signal.Decode[signal.Text](e)
	if err != nil {
		return err
	}
	to, blocked := "", false
	if e.Method == signal.MessageSendTo {
		switch to = e.ToID; {
		case to == d.person.user.ID:
			return problem(signal.ErrBadRequest, "You cannot write to yourself.")
		case c.people[to] == nil:
			return problem(signal.ErrNotFound, "There is nobody with this id.")
		case d.person.blocks(c.people[to]):
			return errBlocked
		}
		blocked = c.people[to].blocks(d.person)
	}
	if ok, _ := d.person.chat.Take(c.Chat, c.now); !ok {
		return problem(signal.ErrTooMany, "You write faster than this server allows. Please wait a little.")
	}
	conn, from := d.conn, d.person
	line := signal.ChatMessage{FromID: from.user.ID, FromName: from.user.Name, ToID: to, Text: t.Text, Sent: c.now.UTC().Truncate(time.Millisecond)}
	c.journal.SaveMessage(line, blocked, func(m signal.ChatMessage, err error) {
		c.post(func(c *core) { c.chatSaved(conn, from, e, m, blocked, err) })
	})
	return nil
}

// chatSaved is the journal's answer. A line to somebody who has blocked its writer stays among the writer's devices.
func (c *core) chatSaved(conn Conn, from *person, e signal.Envelope, m signal.ChatMessage, blocked bool, err error) {
	if err != nil {
		answer(conn, Refuse(e, problem(signal.ErrInternal, "The server could not store your message, so it was not sent. Please try again later.")))
		return
	}
	answer(conn, Reply(e, m))
	note := push(e.Method, signal.CodeChat, "", m)
	note.Type, note.FromID, note.ToID = signal.TypeText, m.FromID, m.ToID
	if m.ToID == "" {
		for to, d := range c.devices {
			if to != conn && !d.person.blocks(from) && !from.blocks(d.person) {
				to.Send(note)
			}
		}
		return
	}
	sendTo := func(p *person) {
		for _, d := range p.devices {
			if d.conn != nil && d.conn != conn {
				d.conn.Send(note)
			}
		}
	}
	sendTo(from)
	to := c.people[m.ToID]
	if to == nil || blocked { // who has left meanwhile hears nothing either
		return
	}
	sendTo(to)
	if to.user.Kind == signal.KindEcho && from.user.Kind != signal.KindEcho {
		c.echo(to, from, m)
	}
}

// read keeps how far a person has read a chat, and tells their other devices. Whose lines they are is told nothing.
func (c *core) read(d *device, e signal.Envelope) error {
	r, err := signal.Decode[signal.Read](e)
	if err != nil {
		return err
	}
	if r.With != "" && c.people[r.With] == nil {
		return problem(signal.ErrNotFound, "There is nobody with this id.")
	}
	p := d.person
	c.journal.SaveRead(p.user.ID, r)
	answer(d.conn, Reply(e, nil))
	note := push(signal.MessageRead, signal.CodeRead, "", r)
	note.FromID = p.user.ID
	for _, o := range p.devices {
		if o.conn != nil && o != d {
			o.conn.Send(note)
		}
	}
	return nil
}

// echo answers a line to the Echo contact with the same line.
func (c *core) echo(echo, to *person, m signal.ChatMessage) {
	back := signal.ChatMessage{FromID: echo.user.ID, FromName: echo.user.Name, ToID: to.user.ID, Text: m.Text, Sent: c.now.UTC().Truncate(time.Millisecond)}
	e := signal.Envelope{Method: signal.MessageSendTo}
	c.journal.SaveMessage(back, false, func(m signal.ChatMessage, err error) {
		c.post(func(c *core) {
			if err == nil {
				c.chatSaved(nobody{}, echo, e, m, false, nil)
			}
		})
	})
}

// nobody is a connection that hears nothing.
type nobody struct{}

func (nobody) Send(*Message)     {}
func (nobody) Close(int, string) {}
