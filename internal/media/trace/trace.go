// Package trace writes what happens to each picture and to the sound clocks as JSON lines, for measurements that need
// the same picture's times at both ends of a call. Whoever has a *Log says what happened; a nil *Log takes everything
// and does nothing, so nobody asks whether tracing is on. It never changes what is traced, and never makes it wait.
package trace

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Stage is a place that a picture or the sound passes.
type Stage string

// Stages. Those of pictures are said once a picture; Mic and Speaker at least once a second.
const (
	Captured  Stage = "captured"  // read from the camera; at the time of capture
	Encoded   Stage = "encoded"   // the encoder gave it out
	Sent      Stage = "sent"      // its last packet went to the network
	Received  Stage = "received"  // its last packet came
	Decoded   Stage = "decoded"   // the decoder gave it out
	Presented Stage = "presented" // handed to the screen or recorder
	Mic       Stage = "mic"       // this sample was captured then
	Speaker   Stage = "speaker"   // this sample of the speaker's stream is played then
	Decision  Stage = "decision"  // of estimator, ladder or playout
)

// Log writes one JSON line an entry. A line is made at once, in well under a microsecond, and waits in memory for the
// file; what does not fit is dropped and counted. The nil Log is off. All methods are safe for concurrent use.
type Log struct {
	file *file
	call []byte // `,"call":"…"`, or nothing
}

// Picture is what a line says about a picture.
type Picture struct {
	Number int64  // the sender's count of captured pictures; the same at both ends when both are Visavis
	RTP    uint32 // the same at both ends always; 0 while not known (captured)
	Width  int
	Height int
	Key    bool
	Bytes  int // encoded; 0: not known at this stage
}

// On says whether anything is written, for callers whose words cost something to find.
func (l *Log) On() bool { return l != nil }

// Call gives a log into the same file whose lines say which call they are of. Close belongs to the first one.
func (l *Log) Call(id string) *Log {
	if l == nil {
		return nil
	}
	return &Log{file: l.file, call: append([]byte(`,"call":`), quote(id)...)}
}

// Frame says that a picture passed a stage.
func (l *Log) Frame(s Stage, p Picture, at time.Time) {
	if l == nil {
		return
	}
	var room [256]byte
	b := l.begin(room[:0], s, at)
	b = strconv.AppendInt(append(b, `,"frame":`...), p.Number, 10)
	if s != Captured {
		b = strconv.AppendUint(append(b, `,"rtp":`...), uint64(p.RTP), 10)
	}
	b = strconv.AppendInt(append(b, `,"w":`...), int64(p.Width), 10)
	b = strconv.AppendInt(append(b, `,"h":`...), int64(p.Height), 10)
	if p.Key {
		b = append(b, `,"key":true`...)
	}
	if p.Bytes > 0 {
		b = strconv.AppendInt(append(b, `,"bytes":`...), int64(p.Bytes), 10)
	}
	l.file.put(append(b, '}', '\n'))
}

// Sound says where an audio clock stands: sample counts from the beginning of the stream, which is the recorded file's
// when there is one.
func (l *Log) Sound(s Stage, sample int64, at time.Time) {
	if l == nil {
		return
	}
	var room [128]byte
	b := l.begin(room[:0], s, at)
	b = strconv.AppendInt(append(b, `,"sample":`...), sample, 10)
	l.file.put(append(b, '}', '\n'))
}

// Decide says what a part of the engine decided: kind is its name ("estimate", "ladder", "playout"), values the figures
// behind it.
func (l *Log) Decide(kind, why string, values map[string]float64, at time.Time) {
	if l == nil {
		return
	}
	b := l.begin(make([]byte, 0, 256), Decision, at)
	b = append(append(b, `,"kind":`...), quote(kind)...)
	if why != "" {
		b = append(append(b, `,"why":`...), quote(why)...)
	}
	if len(values) > 0 {
		b = appendValues(append(b, `,"values":{`...), values)
	}
	l.file.put(append(b, '}', '\n'))
}

// begin opens a line: Unix seconds to the microsecond, as digits, so that no reader's rounding enters.
func (l *Log) begin(b []byte, s Stage, at time.Time) []byte {
	us := at.UnixMicro()
	b = strconv.AppendInt(append(b, `{"t":`...), us/1e6, 10)
	b = append(b, '.')
	for rest, digit := us%1e6, int64(1e5); digit > 0; digit /= 10 {
		b = append(b, byte('0'+rest/digit%10))
	}
	b = append(append(append(b, `,"stage":"`...), s...), '"')
	return append(b, l.call...)
}

func appendValues(b []byte, values map[string]float64) []byte {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quote(name)...), ':')
		if v := values[name]; math.IsNaN(v) || math.IsInf(v, 0) {
			b = append(b, "null"...) // JSON has no word for them
		} else {
			b = strconv.AppendFloat(b, v, 'g', 6, 64)
		}
	}
	return append(b, '}')
}

func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil { // strings have none
		return []byte(fmt.Sprintf("%q", s))
	}
	return b
}
