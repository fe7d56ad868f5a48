package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"visavis.example/internal/server/hub"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

const (
	lookUpWait = 5 * time.Second
	maxHistory = 56 << 10 // bytes of one reply to Message/History
	maxUnread  = 500      // chats in one reply to Message/Unread
)

// looksUp says whether a request is answered from the disk alone, which may take long, and without the hub.
func looksUp(e signal.Envelope) bool {
	return e.Method == signal.MessageHistory || e.Method == signal.MessageUnread
}

// lookUp answers such a request from the socket's own goroutine: reading the disk holds up nobody else.
func (k *socket) lookUp(e signal.Envelope) {
	ctx, cancel := context.WithTimeout(context.Background(), lookUpWait)
	defer cancel()
	var found any
	var err error
	if e.Method == signal.MessageUnread {
		found, err = k.server.unread(ctx, k.session.User.ID)
	} else {
		found, err = k.server.history(ctx, k.session.User.ID, e)
	}
	switch {
	case err != nil && !errors.Is(err, signal.ErrMalformed):
		k.server.Logger.Error("chat not read", "method", e.Method, "error", err)
		fallthrough
	case err != nil:
		k.say(hub.Refuse(e, err))
	case e.RequestID != "":
		k.say(hub.Reply(e, found))
	}
}

// unread gives the chats with lines that a person has not seen.
func (s *Server) unread(ctx context.Context, userID string) (signal.Unread, error) {
	out := signal.Unread{Chats: []signal.UnreadChat{}}
	if err := s.journal.Sync(ctx); err != nil { // what another device has just read
		return out, err
	}
	newest, chats, err := s.store.Unread(ctx, userID, maxUnread)
	if err != nil {
		return out, err
	}
	out.Newest = newest
	for _, c := range chats {
		out.Chats = append(out.Chats, signal.UnreadChat(c))
	}
	return out, nil
}

// history gives as many of the lines asked for as fit into a message, the newest of them. No lines: there are no more.
func (s *Server) history(ctx context.Context, userID string, e signal.Envelope) (signal.Messages, error) {
	out := signal.Messages{Messages: []signal.ChatMessage{}}
	h, err := signal.Decode[signal.History](e)
	if err != nil {
		return out, err
	}
	if h.Limit == 0 {
		h.Limit = 50
	}
	lines, err := s.store.History(ctx, userID, h.With, h.Before, h.Limit)
	if err != nil {
		return out, err
	}
	size := 0
	for _, l := range slices.Backward(lines) {
		m := chatMessage(l)
		b, err := json.Marshal(m)
		if err != nil {
			return out, fmt.Errorf("chat line %d: %w", l.ID, err)
		}
		if size += len(b) + 1; size > maxHistory {
			break
		}
		out.Messages = append(out.Messages, m)
	}
	slices.Reverse(out.Messages)
	return out, nil
}

func chatMessage(l store.Message) signal.ChatMessage {
	return signal.ChatMessage{ID: l.ID, FromID: l.From, FromName: l.FromName, ToID: l.To, Text: l.Text, Sent: l.Sent}
}
