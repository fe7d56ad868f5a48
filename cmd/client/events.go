package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"visavis.example/internal/app"
)

// eventLog writes events as JSON lines. It is written from the app's loop only.
type eventLog struct {
	out   io.Writer
	close func() error
	err   error
}

func openEvents(path string, stdout io.Writer) (*eventLog, error) {
	switch path {
	case "":
		return &eventLog{out: io.Discard, close: func() error { return nil }}, nil
	case "-":
		return &eventLog{out: stdout, close: func() error { return nil }}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return &eventLog{out: f, close: f.Close}, nil
}

// write gives one line at once, so that who reads along sees it. After an error nothing more is written.
func (l *eventLog) write(e app.Event) {
	if l.err != nil {
		return
	}
	b, err := json.Marshal(e)
	if err == nil {
		_, err = l.out.Write(append(b, '\n'))
	}
	l.err = err
}

// end closes the file and gives the first error of all.
func (l *eventLog) end() error {
	if err := l.close(); l.err == nil {
		l.err = err
	}
	if l.err != nil {
		return fmt.Errorf("events: %w", l.err)
	}
	return nil
}
