package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// disk is a file in memory; it can fail and stand still.
type disk struct {
	bytes.Buffer
	fail   error
	still  chan struct{}
	closed bool
}

func (d *disk) Write(b []byte) (int, error) {
	if d.still != nil {
		<-d.still
	}
	if d.fail != nil {
		return 0, d.fail
	}
	return d.Buffer.Write(b)
}

func (d *disk) Close() error {
	d.closed = true
	return nil
}

func TestLines(t *testing.T) {
	var d disk
	l := To(&d)
	at := time.Unix(1700000000, 50_001_999)
	l.Frame(Captured, Picture{Number: 0, Width: 640, Height: 360}, at)
	l.Call(`a"b`).Frame(Encoded, Picture{Number: 7, RTP: 4294967295, Width: 640, Height: 360, Key: true, Bytes: 900}, at)
	l.Sound(Mic, 0, at.Add(time.Second))
	l.Decide("estimate", `too "much"`, map[string]float64{"loss": 0.25, "bps": 800000, "odd": math.NaN()}, at)
	l.Decide("ladder", "", nil, at)
	if err := l.Close(); err != nil || !d.closed {
		t.Fatal(err, d.closed)
	}
	l.Sound(Mic, 1, at) // too late: not written, no harm
	want := `{"t":1700000000.050001,"stage":"captured","frame":0,"w":640,"h":360}
{"t":1700000000.050001,"stage":"encoded","call":"a\"b","frame":7,"rtp":4294967295,"w":640,"h":360,"key":true,"bytes":900}
{"t":1700000001.050001,"stage":"mic","sample":0}
{"t":1700000000.050001,"stage":"decision","kind":"estimate","why":"too \"much\"","values":{"bps":800000,"loss":0.25,"odd":null}}
{"t":1700000000.050001,"stage":"decision","kind":"ladder"}
`
	if d.String() != want {
		t.Errorf("%s\nwant\n%s", d.String(), want)
	}
	for line := range strings.Lines(d.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

func TestNilLogIsOff(t *testing.T) {
	var l *Log
	l.Call("x").Frame(Sent, Picture{}, time.Now())
	l.Sound(Mic, 0, time.Now())
	l.Decide("x", "", nil, time.Now())
	if err := l.Close(); err != nil || l.On() {
		t.Error(err, l.On())
	}
}

// A disk that takes nothing costs lines, which are counted, and never time.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{still: make(chan struct{})}
		l := To(d)
		began := time.Now()
		line := Picture{Width: 640, Height: 360, RTP: 1, Bytes: 1000}
		for range 2 {
			for line.Number = range int64(3 * room / 60) {
				l.Frame(Sent, line, began)
			}
			time.Sleep(flushEvery * 2) // the first time the disk takes a buffer, and stands still with it
		}
		if time.Since(began) > flushEvery*4 {
			t.Error("the caller had to wait")
		}
		close(d.still)
		err := l.Close()
		if err == nil || !strings.Contains(err.Error(), "lines were dropped") {
			t.Error(err)
		}
		if n := d.Len(); n < room*3/2 || n > 2*room {
			t.Errorf("%d bytes written", n)
		}
		if again := l.Close(); again == nil || again.Error() != err.Error() {
			t.Error("closed twice:", again)
		}
	})
}

func TestDiskThatNeverTakesAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{still: make(chan struct{})}
		l := To(d)
		l.Sound(Mic, 1, time.Now())
		time.Sleep(time.Second)
		began := time.Now()
		if err := l.Close(); err == nil || time.Since(began) > 2*closeAtMost || !d.closed {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		close(d.still)
	})
}

func TestErrors(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none", "x")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	full := errors.New("disk full")
	l := To(&disk{fail: full})
	l.Sound(Mic, 1, time.Now())
	if err := l.Close(); !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "trace: ") {
		t.Error(err)
	}
}

func TestManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range int64(500) {
				l.Frame(Sent, Picture{Number: n, Width: i}, time.Now())
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if n := bytes.Count(b, []byte("\n")); err != nil || n != 4000 {
		t.Errorf("%d lines, %v", n, err)
	}
}

func BenchmarkFrame(b *testing.B) {
	l := To(&disk{})
	defer func() { _ = l.Close() }()
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		l.Frame(Sent, Picture{Number: 1234, RTP: 4000000000, Width: 1280, Height: 720, Bytes: 4000}, at)
	}
}
