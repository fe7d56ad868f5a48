package relay

import (
	"github.com/pion/stun/v4"
)

// guard stands between pion and its clients, whatever they come over: it keeps out what pion would be fooled by, limits
// the errors that pion sends and mends those that are not what the RFC wants.
type guard struct {
	book     *book
	refusals refusals
}

var (
	allocateRequest  = stun.NewType(stun.MethodAllocate, stun.ClassRequest)
	allocateSuccess  = stun.NewType(stun.MethodAllocate, stun.ClassSuccessResponse)
	channelBindError = stun.NewType(stun.MethodChannelBind, stun.ClassErrorResponse)
)

// admits says whether pion may see a packet.
func (g *guard) admits(b []byte, from client) bool {
	m, ok := messageOf(b, allocateRequest)
	if !ok || !g.book.replayed(m, from) {
		return true
	}
	g.book.count.dropped.Add(1)
	return false
}

// answers gives what is sent for what pion wants to send; false: nothing.
func (g *guard) answers(b []byte, to client) ([]byte, bool) {
	if !isResponse(b) {
		return b, true // data, which other goroutines of pion's send too
	}
	g.book.births.past(to)
	if m, ok := messageOf(b, allocateSuccess); ok {
		g.book.granted(m.TransactionID, to)
	}
	if !isSTUNError(b) {
		return b, true
	}
	b = mended(b, g.book.verdictOn(to))
	if !g.refusals.pass(to.at.Addr(), now()) {
		g.book.count.limited.Add(1)
		return nil, false
	}
	return b, true
}

// messageOf reads a message of that type; false when it is not one. It looks at two bytes of what is not.
func messageOf(b []byte, t stun.MessageType) (*stun.Message, bool) {
	v := t.Value()
	if len(b) < stunHeader || b[0] != byte(v>>8) || b[1] != byte(v) {
		return nil, false
	}
	m := &stun.Message{Raw: append([]byte(nil), b...)}
	return m, m.Decode() == nil
}

// isResponse and isSTUNError read the class in the message type: 0b10 is a success and 0b11 an error, RFC 8489, section 5.
func isResponse(b []byte) bool { return stun.IsMessage(b) && b[0]&0x01 != 0 }

func isSTUNError(b []byte) bool {
	return isResponse(b) && b[1]&0x10 != 0
}

// mended gives an error the code it should have; 0: the one it has, except that the answer to a ChannelBind to a peer
// that is not permitted is to be a 403 (RFC 8656, section 12.2), and pion makes it a 401.
func mended(b []byte, code stun.ErrorCode) []byte {
	m := stun.Message{Raw: append([]byte(nil), b...)}
	var was stun.ErrorCodeAttribute
	if m.Decode() != nil || was.GetFrom(&m) != nil {
		return b
	}
	if code == 0 && m.Type == channelBindError && was.Code == stun.CodeUnauthorized && !m.Contains(stun.AttrNonce) {
		code = stun.CodeForbidden
	}
	if code == 0 {
		return b
	}
	out, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), m.Type, code)
	if err != nil {
		return b
	}
	return out.Raw
}
