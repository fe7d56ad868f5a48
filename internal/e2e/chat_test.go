package e2e

import (
	"fmt"
	"testing"

	"visavis.example/internal/signal"
)

// chatter is a person's own connection to the server, for what no program of ours does from the command line.
type chatter struct {
	*signal.Client
	s *scene
}

func (s *scene) chatter(name string) *chatter {
	s.t.Helper()
	api, token := s.api(name)
	trust, err := signal.Trust(s.srv.CA)
	s.must(err)
	c := &chatter{s: s, Client: &signal.Client{
		URL: api.Address.Socket(), Token: token, TLS: trust, Connect: signal.Connect{DeviceID: signal.NewID(), Device: "test", Client: "test"},
	}}
	s.must(c.Start())
	s.t.Cleanup(c.Close)
	c.online()
	return c
}

// online waits until it is.
func (c *chatter) online() signal.Connected {
	c.s.t.Helper()
	for {
		select {
		case e := <-c.Events():
			if e.Connected != nil {
				return *e.Connected
			}
		case <-c.s.ctx.Done():
			c.s.t.Fatal("it is never online")
		}
	}
}

// TestAcknowledgedChatIsOnDisk: the server is killed with the acknowledgement of the last line; all are there after it.
func TestAcknowledgedChatIsOnDisk(t *testing.T) {
	s := newScene(t, []string{"alice", "bob"})
	alice := s.chatter("alice")
	api, token := s.api("bob")
	bob, err := api.Me(s.ctx, token)
	s.must(err)
	const lines = 50
	for n := range lines {
		_, err := alice.Request(s.ctx, signal.Envelope{
			Method: signal.MessageSendTo, ToID: bob.ID, Type: signal.TypeText, Data: signal.Encode(signal.Text{Text: fmt.Sprint("line ", n)}),
		})
		s.must(err)
	}
	s.kill()
	s.again()
	alice.online()
	reply, err := alice.Request(s.ctx, signal.Envelope{Method: signal.MessageHistory, Data: signal.Encode(signal.History{With: bob.ID, Limit: 2 * lines})})
	s.must(err)
	m, err := signal.Decode[signal.Messages](reply)
	s.must(err)
	if len(m.Messages) != lines {
		t.Fatalf("%d of %d lines are there", len(m.Messages), lines)
	}
	for n, line := range m.Messages {
		if line.Text != fmt.Sprint("line ", n) {
			t.Errorf("line %d is %q", n, line.Text)
		}
	}
}
