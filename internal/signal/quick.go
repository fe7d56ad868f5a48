package signal

import (
	"encoding/json"
	"strconv"
)

// Nearly all envelopes are as our own clients write them: no white space, no escapes, no field that is unknown. Those are read and
// written here for a fraction of what encoding/json takes. Everything else is left to it, and the outcome is the same.

const (
	maxDigits = 15 // of a number, so that it fits
	maxDepth  = 64 // of data; deeper is right or wrong as encoding/json says
)

// parseQuick reads b, which is UTF-8; ok is false for all that is not as said above, right or wrong. Data is a part of b.
func parseQuick(b []byte) (e Envelope, ok bool) {
	if len(b) == 0 || b[0] != '{' {
		return e, false
	}
	for b = b[1:]; ; b = b[1:] { // past the bracket, past a comma
		key, rest, ok := quickText(b)
		if !ok || len(rest) == 0 || rest[0] != ':' {
			return e, false
		}
		if b, ok = e.quickField(key, rest[1:]); !ok || len(b) == 0 {
			return e, false
		}
		switch {
		case b[0] == '}':
			return e, len(b) == 1 || len(b) == 2 && b[1] == '\n' // as Go's own encoder ends it
		case b[0] != ',':
			return e, false
		}
	}
}

// quickField reads one field's value and gives what follows it.
func (e *Envelope) quickField(key, b []byte) (rest []byte, ok bool) {
	text := func(to *string) ([]byte, bool) {
		s, rest, ok := quickText(b)
		*to = string(s)
		return rest, ok
	}
	number := func(set func(uint64)) ([]byte, bool) {
		n, rest, ok := quickNumber(b)
		set(n)
		return rest, ok
	}
	switch string(key) {
	case "method":
		return text((*string)(&e.Method))
	case "type":
		return number(func(n uint64) { e.Type = Type(n) }) //nolint:gosec // it has few digits
	case "message":
		return text(&e.Message)
	case "fromId":
		return text(&e.FromID)
	case "toId":
		return text(&e.ToID)
	case "callId":
		return text(&e.CallID)
	case "code":
		return number(func(n uint64) { e.Code = Code(n) }) //nolint:gosec // it has few digits
	case "requestId":
		return text(&e.RequestID)
	case "data":
		e.Data, rest, ok = quickObject(b)
		return rest, ok
	case "seq":
		return number(func(n uint64) { e.Seq = n })
	case "ack":
		return number(func(n uint64) { e.Ack = n })
	}
	return nil, false
}

// quickText reads a string without escapes.
func quickText(b []byte) (text, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, nil, false
	}
	for i, c := range b[1:] {
		switch {
		case c == '"':
			return b[1 : i+1], b[i+2:], true
		case c < ' ' || c == '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

// quickNumber reads a whole number; whether it goes on as another kind of number is seen from what follows.
func quickNumber(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && i <= maxDigits && b[i] >= '0' && b[i] <= '9'; i++ {
		n = n*10 + uint64(b[i]-'0')
	}
	if i == 0 || i > maxDigits || b[0] == '0' && i > 1 {
		return 0, nil, false
	}
	return n, b[i:], true
}

// quickObject finds the end of an object and sees that it is one.
func quickObject(b []byte) (object json.RawMessage, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '{' {
		return nil, nil, false
	}
	depth, within := 0, false // a string
	for i := 0; i < len(b) && depth <= maxDepth; i++ {
		switch c := b[i]; {
		case within && c == '\\':
			i++
		case c == '"':
			within = !within
		case within:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return b[:i+1], b[i+1:], json.Valid(b[:i+1])
			}
		}
	}
	return nil, nil, false
}

// AppendEnvelope appends e as json.Marshal writes it. Data must be as Encode makes it: it is not looked at.
func AppendEnvelope(to []byte, e *Envelope) []byte {
	to = appendText(append(to, `{"method":`...), string(e.Method))
	to = strconv.AppendInt(append(to, `,"type":`...), int64(e.Type), 10)
	for _, f := range [...]struct{ key, value string }{
		{`,"message":`, e.Message}, {`,"fromId":`, e.FromID}, {`,"toId":`, e.ToID}, {`,"callId":`, e.CallID},
	} {
		if f.value != "" {
			to = appendText(append(to, f.key...), f.value)
		}
	}
	to = strconv.AppendInt(append(to, `,"code":`...), int64(e.Code), 10)
	if e.RequestID != "" {
		to = appendText(append(to, `,"requestId":`...), e.RequestID)
	}
	if len(e.Data) > 0 {
		to = append(append(to, `,"data":`...), e.Data...)
	}
	if e.Seq > 0 {
		to = strconv.AppendUint(append(to, `,"seq":`...), e.Seq, 10)
	}
	if e.Ack > 0 {
		to = strconv.AppendUint(append(to, `,"ack":`...), e.Ack, 10)
	}
	return append(to, '}')
}

// appendText appends a string with its quotes.
func appendText(to []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return append(to, Encode(s)...)
		}
	}
	return append(append(append(to, '"'), s...), '"')
}
