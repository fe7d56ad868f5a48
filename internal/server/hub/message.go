package hub

import (
	"errors"
	"sync"

	"visavis.example/internal/signal"
)

// Message is an envelope on its way to one or many devices; it is encoded once.
type Message struct {
	signal.Envelope

	once sync.Once
	json []byte
}

// envelopeSize is what an envelope takes beside its text and its data, but for strange ids.
const envelopeSize = 224

// JSON gives the message as it goes over a socket. The bytes are shared.
func (m *Message) JSON() []byte {
	m.once.Do(func() {
		m.json = signal.AppendEnvelope(make([]byte, 0, envelopeSize+len(m.Message)+len(m.Data)), &m.Envelope)
	})
	return m.json
}

// Reply answers a request.
func Reply(e signal.Envelope, data any) *Message {
	return &Message{Envelope: signal.Envelope{
		Method: e.Method, Message: "ok", CallID: e.CallID, RequestID: e.RequestID, Code: signal.CodeOK, Data: signal.Encode(data),
	}}
}

// Refuse answers a request with an error: a *signal.Error as it is, a malformed message as bad_request, anything else as
// internal and without its text.
func Refuse(e signal.Envelope, err error) *Message {
	p := &signal.Error{Code: signal.ErrInternal, Message: "The server failed to do this. Please try again."}
	if !errors.As(err, &p) && errors.Is(err, signal.ErrMalformed) {
		p = problem(signal.ErrBadRequest, err.Error())
	}
	return &Message{Envelope: signal.Envelope{
		Method: e.Method, CallID: e.CallID, RequestID: e.RequestID, Code: signal.CodeError, Message: p.Message,
		Data: signal.Encode(signal.Problem{Error: p.Code}),
	}}
}

func problem(code, message string) *signal.Error {
	return &signal.Error{Code: code, Message: message}
}

// Push is what the server says of itself, to one connection.
func Push(m signal.Method, code signal.Code, data any) *Message { return push(m, code, "", data) }

func push(m signal.Method, code signal.Code, callID string, data any) *Message {
	return &Message{Envelope: signal.Envelope{Method: m, Code: code, CallID: callID, Data: signal.Encode(data)}}
}

// answer sends a reply, unless the request did not ask for one.
func answer(conn Conn, m *Message) {
	if m.RequestID != "" {
		conn.Send(m)
	}
}
