// Package trace writes what happens to each picture and to the sound clocks as JSON lines, for measurements that need
// the same picture's times at both ends of a call. Whoever has a *Log says what happened; a nil *Log takes everything
// and does nothing, so nobody asks whether tracing is on. It never changes what is traced, and never makes it wait.
package trace

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"sync/atomic"
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

// Log writes one JSON line an entry from a goroutine of its own. What does not fit its queue is dropped and counted.
// The nil Log is off. All methods but Close are safe for concurrent use.
type Log struct {
	queue   chan line
	done    chan struct{}
	dropped atomic.Int64
	once    sync.Once
	file    io.WriteCloser
	err     error // of the writer; known when done is closed
}

const queued = 4096 // lines; a call writes some 400 a second

type line struct {
	T      float64            `json:"t"` // Unix seconds
	Stage  Stage              `json:"stage"`
	Frame  *int64             `json:"frame,omitempty"`
	RTP    *uint32            `json:"rtp,omitempty"`
	W      int                `json:"w,omitempty"`
	H      int                `json:"h,omitempty"`
	Key    bool               `json:"key,omitempty"`
	Bytes  int                `json:"bytes,omitempty"`
	Sample *int64             `json:"sample,omitempty"`
	Kind   string             `json:"kind,omitempty"` // of a decision
	Values map[string]float64 `json:"values,omitempty"`
	Why    string             `json:"why,omitempty"`
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

// Open begins a log in a new file.
func Open(path string) (*Log, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return To(f), nil
}

// To begins a log into w, which Close closes.
func To(w io.WriteCloser) *Log {
	l := &Log{queue: make(chan line, queued), done: make(chan struct{}), file: w}
	go l.write()
	return l
}

func (l *Log) write() {
	defer close(l.done)
	b := bufio.NewWriterSize(l.file, 64<<10)
	e := json.NewEncoder(b)
	for {
		var x line
		var ok bool
		select {
		case x, ok = <-l.queue:
		default:
			if err := b.Flush(); err != nil && l.err == nil {
				l.err = err
			}
			x, ok = <-l.queue
		}
		if !ok {
			break
		}
		if err := e.Encode(x); err != nil && l.err == nil {
			l.err = err
		}
	}
	if err := b.Flush(); err != nil && l.err == nil {
		l.err = err
	}
}

// Close writes what is queued and gives the first error. Nothing may be said during or after it.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.once.Do(func() {
		close(l.queue)
		<-l.done
		if n := l.dropped.Load(); n > 0 && l.err == nil {
			l.err = fmt.Errorf("%d lines did not fit", n)
		}
		if err := l.file.Close(); err != nil && l.err == nil {
			l.err = err
		}
	})
	if l.err != nil {
		return fmt.Errorf("trace: %w", l.err)
	}
	return nil
}

func (l *Log) put(x line, at time.Time) {
	x.T = math.Round(float64(at.UnixMicro())) / 1e6
	select {
	case l.queue <- x:
	default:
		l.dropped.Add(1)
	}
}

// On says whether anything is written, for callers whose words cost something to find.
func (l *Log) On() bool { return l != nil }

// Frame says that a picture passed a stage.
func (l *Log) Frame(s Stage, p Picture, at time.Time) {
	if l == nil {
		return
	}
	x := line{Stage: s, Frame: &p.Number, W: p.Width, H: p.Height, Key: p.Key, Bytes: p.Bytes}
	if s != Captured {
		x.RTP = &p.RTP
	}
	l.put(x, at)
}

// Sound says where an audio clock stands: sample counts from the beginning of the stream.
func (l *Log) Sound(s Stage, sample int64, at time.Time) {
	if l == nil {
		return
	}
	l.put(line{Stage: s, Sample: &sample}, at)
}

// Decide says what a part of the engine decided: kind is its name ("estimate", "ladder", "playout"), values the figures
// behind it.
func (l *Log) Decide(kind, why string, values map[string]float64, at time.Time) {
	if l == nil {
		return
	}
	l.put(line{Stage: Decision, Kind: kind, Why: why, Values: values}, at)
}
