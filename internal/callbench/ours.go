package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"visavis.example/internal/testkit"
)

// ours is our windowless client.
type ours struct {
	who
	stage   *testkit.Stage
	srv     *testkit.Server
	clip    *source // what the other's camera plays; for quality
	process *testkit.Process
}

func (o *ours) args() []string {
	a := []string{"--camera", "file:" + o.Camera, "--microphone", "file:" + o.Sound, "--size", "640x360", "--fps", "30"}
	if o.Quiet {
		return append(a, "--speaker", "none")
	}
	a = append(a, "--speaker", "file:"+o.path("heard.wav"), "--trace", o.path("trace"))
	switch {
	case o.Record:
		a = append(a, "--record-video", o.path("y4m"))
	case o.Sees == chromium: // a page cannot tell RTP times of what it sends: the marker must do
		a = append(a, "--record-video", o.path("y4m"), "--record-size", "160x90")
	}
	return a
}

func (o *ours) path(kind string) string { return o.stage.Path(o.Name + "." + kind) }

func (o *ours) Ready(ctx context.Context) (err error) {
	if err := o.stage.Register(ctx, o.srv, o.Name); err != nil {
		return err
	}
	if o.Name == caller {
		return nil // started to call
	}
	if o.process, err = o.stage.Client(o.srv, o.Name, append([]string{"answer", "--once", "--after", ringing.String()}, o.args()...)...); err != nil {
		return err
	}
	_, err = o.process.Wait(ctx, "signed-in")
	return err
}

func (o *ours) Call(ctx context.Context, whom string) (err error) {
	if o.process, err = o.stage.Client(o.srv, o.Name, append([]string{"call", whom}, o.args()...)...); err != nil {
		return err
	}
	_, err = o.process.Wait(ctx, "ringing")
	return err
}

func (o *ours) Accept(ctx context.Context) error { return nil }

func (o *ours) Connected(ctx context.Context) error {
	_, err := o.process.Wait(ctx, "connected")
	return err
}

func (o *ours) PID() int { return o.process.PID() }

func (o *ours) Close() {
	if o.process != nil {
		o.process.Close()
	}
}

func (o *ours) Finish(ctx context.Context, hangUp bool) (*witness, error) {
	if hangUp {
		o.process.Signal(syscall.SIGINT)
	}
	code, err := o.process.Exit(ctx)
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("%s ended with %d: %s", o.Name, code, o.process.Errors())
	}
	w := &witness{Counted: map[string]float64{}}
	o.readEvents(w)
	if o.Quiet {
		return w, nil
	}
	sounds, err := readTrace(o.path("trace"), w)
	if err != nil {
		return nil, err
	}
	if err := o.listen(w, sounds); err != nil {
		return nil, err
	}
	return w, o.look(w)
}

// readEvents takes the answer's time and each second's statistics.
func (o *ours) readEvents(w *witness) {
	for _, e := range o.process.Events() {
		t := float64(e.Time.UnixMicro()) / 1e6
		number := func(field string) (float64, bool) { v, ok := e.Fields[field].(float64); return v, ok }
		switch e.Event {
		case "accepted":
			w.Accepted = t
		case "stats":
			if v, ok := number("concealedSamples"); ok {
				w.Concealed = append(w.Concealed, point{t, v})
			}
			if v, ok := number("totalSamplesReceived"); ok {
				w.Samples = append(w.Samples, point{t, v})
			}
			for _, field := range []string{"freezeCount", "totalFreezesDuration", "jitterBufferDelay", "jitterBufferEmittedCount"} {
				if v, ok := number(field); ok {
					w.Counted[field] = v
				}
			}
		}
	}
}

// listen joins the recorded and the spoken sound with the trace's clocks.
func (o *ours) listen(w *witness, s clocks) error {
	if len(s.mic) > 1 {
		pcm, err := testkit.Samples(o.Sound)
		if err != nil {
			return err
		}
		w.Said = loudnessOf(pcm, s.mic, true)
	}
	if len(s.speaker) > 1 {
		pcm, err := testkit.Samples(o.path("heard.wav"))
		if err != nil {
			return err
		}
		w.Heard = loudnessOf(pcm, s.speaker, false)
	}
	return nil
}

// look reads the markers and the quality of what was recorded: one picture for each that was presented.
func (o *ours) look(w *witness) error {
	if !o.Record && o.Sees != chromium {
		return nil
	}
	every := 0
	if o.Record {
		every = 5
	}
	markers, quality, err := readRecording(o.path("y4m"), o.clip, every)
	if err != nil {
		return err
	}
	defer os.Remove(o.path("y4m")) // half a gigabyte
	if n := len(w.Presented); len(markers) != n {
		return fmt.Errorf("%s recorded %d pictures and presented %d", o.Name, len(markers), n)
	}
	for i, m := range markers {
		w.Presented[i].Marker = m
		if db, ok := quality[i]; ok {
			w.Quality = append(w.Quality, point{w.Presented[i].T, db})
		}
	}
	return nil
}

// clocks are a trace's words on where the sound stood.
type clocks struct{ mic, speaker []anchor }

// readTrace reads a client's --trace.
func readTrace(path string, w *witness) (clocks, error) {
	var s clocks
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for in.Scan() {
		var l struct {
			T      float64
			Stage  string
			Frame  int64
			RTP    uint32
			Sample int64
			Kind   string
			Values map[string]float64
		}
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			return s, fmt.Errorf("trace %s: %w", path, err)
		}
		seen := sight{T: l.T, Marker: -1, RTP: l.RTP, Frame: l.Frame}
		switch l.Stage {
		case "captured":
			w.Captured = append(w.Captured, seen)
		case "encoded":
			w.Encoded = append(w.Encoded, seen)
		case "sent":
			w.Sent = append(w.Sent, seen)
		case "received":
			w.Received = append(w.Received, seen)
		case "decoded":
			w.Decoded = append(w.Decoded, seen)
		case "presented":
			w.Presented = append(w.Presented, seen)
		case "mic":
			s.mic = append(s.mic, anchor{l.T, l.Sample})
		case "speaker":
			s.speaker = append(s.speaker, anchor{l.T, l.Sample})
		case "decision":
			if l.Kind == "estimate" {
				for _, name := range []string{"target", "targetBps", "bps", "estimate"} {
					if v, ok := l.Values[name]; ok {
						w.Estimate = append(w.Estimate, point{l.T, v})
						break
					}
				}
			}
		}
	}
	if len(w.Captured) == 0 || len(w.Presented) == 0 {
		return s, errors.Join(in.Err(), fmt.Errorf("trace %s: %d pictures captured, %d presented", path, len(w.Captured), len(w.Presented)))
	}
	return s, in.Err()
}
