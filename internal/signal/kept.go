package signal

import (
	"cmp"
	"fmt"
	"strconv"
)

const (
	maxNumber  = 1<<53 - 1 // the largest that JavaScript can count to
	numberRoom = 64        // bytes that AppendNumbered may add
)

// MaxUnnumbered is the largest encoded message that still fits into MaxMessage with its numbers.
const MaxUnnumbered = MaxMessage - numberRoom

// AppendNumbered appends an encoded envelope with its number and an acknowledgement; 0 leaves either out.
func AppendNumbered(to, message []byte, seq, ack uint64) []byte {
	to = append(to, '{')
	if seq > 0 {
		to = append(to, `"seq":`...)
		to = append(strconv.AppendUint(to, seq, 10), ',')
	}
	if ack > 0 {
		to = append(to, `"ack":`...)
		to = append(strconv.AppendUint(to, ack, 10), ',')
	}
	return append(to, message[1:]...)
}

// KeptLimits bound what one end keeps.
type KeptLimits struct{ Messages, Bytes int }

var usualKept = KeptLimits{MaxKept, MaxKeptBytes}

// Kept numbers the messages of one direction of a session and keeps those that the other end has not acknowledged. The
// zero value is a session's beginning. It takes no lock: its owner has one.
type Kept struct {
	Limits *KeptLimits // nil: MaxKept and MaxKeptBytes

	last     uint64   // number of the newest message
	messages [][]byte // the newest ones, oldest first
	size     int      // bytes in messages
}

// Fits says whether a message of n bytes can be kept beside those that are.
func (k *Kept) Fits(n int) bool {
	l := cmp.Or(k.Limits, &usualKept)
	return len(k.messages) < l.Messages && k.size+n <= l.Bytes
}

// Add numbers a message and keeps it. When there is no room, the oldest are forgotten: who is as far behind as that has
// to begin anew.
func (k *Kept) Add(m []byte) (seq uint64) {
	for len(k.messages) > 0 && !k.Fits(len(m)) {
		k.drop(1)
	}
	k.messages = append(k.messages, m)
	k.size += len(m)
	k.last++
	return k.last
}

// Ack forgets what the other end says that it has. An error means that it cannot have it: it was never sent.
func (k *Kept) Ack(seq uint64) error {
	if seq > k.last {
		return fmt.Errorf("%w: acknowledges %d of %d", ErrMalformed, seq, k.last)
	}
	if first := k.last - uint64(len(k.messages)); seq > first {
		k.drop(int(seq - first)) //nolint:gosec // at most len(messages)
	}
	return nil
}

// Since gives the messages after the one with that number, oldest first; ok is false when some of them are not here any
// more, or when there never was one with that number.
func (k *Kept) Since(seq uint64) (messages [][]byte, ok bool) {
	first := k.last - uint64(len(k.messages))
	if seq < first || seq > k.last {
		return nil, false
	}
	return k.messages[seq-first:], true
}

func (k *Kept) drop(n int) {
	for i := range n {
		k.size -= len(k.messages[i])
		k.messages[i] = nil // the rest of the array holds on to it else
	}
	if k.messages = k.messages[n:]; len(k.messages) == 0 {
		k.messages = nil // an idle session holds nothing
	}
}
