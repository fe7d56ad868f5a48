package doctor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"visavis.example/internal/signal"
)

// line is the signed-in socket. One goroutine reads it and hands the pushes of the present call on.
type line struct {
	client *signal.Client
	online chan struct{} // closed when the server has answered User/Connect
	failed chan error    // one element: it will not come online
	done   chan struct{}

	mu     sync.Mutex
	call   string
	pushes chan signal.Envelope
}

// maxPushes is more than one call to Echo says; what is over is a flood, and dropped.
const maxPushes = 256

func (d *Doctor) openLine(ctx context.Context, token string) (*line, error) {
	l := &line{
		client: &signal.Client{
			URL: d.Address.Socket(), Token: token, TLS: d.tls(),
			Connect: signal.Connect{DeviceID: signal.NewID(), Device: "visavis-server doctor", Client: "doctor"},
		},
		online: make(chan struct{}), failed: make(chan error, 1), done: make(chan struct{}),
	}
	if err := l.client.Start(); err != nil {
		return nil, err
	}
	go l.read()
	ctx, cancel := context.WithTimeout(ctx, d.Patience)
	defer cancel()
	var err error
	select {
	case <-l.online:
		return l, nil
	case err = <-l.failed:
	case <-ctx.Done():
		err = errors.New("the WebSocket does not open")
	}
	l.close()
	return nil, err
}

func (l *line) close() {
	l.client.Close()
	<-l.done
}

func (l *line) read() {
	defer close(l.done)
	var once sync.Once
	for e := range l.client.Events() {
		switch {
		case e.Connected != nil:
			once.Do(func() { close(l.online) })
		case e.State == signal.StateRefused:
			l.failed <- e.Err
		case e.Push != nil:
			l.deliver(*e.Push)
		}
	}
}

func (l *line) deliver(e signal.Envelope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.CallID == "" || e.CallID != l.call {
		return
	}
	select {
	case l.pushes <- e:
	default:
	}
}

// begin makes pushes of that call come, and of no other.
func (l *line) begin(call string) <-chan signal.Envelope {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.call, l.pushes = call, make(chan signal.Envelope, maxPushes)
	return l.pushes
}

func (l *line) request(ctx context.Context, m signal.Method, call string, data any) (signal.Envelope, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := l.client.Request(ctx, signal.Envelope{Method: m, ToID: echoID, CallID: call, Data: signal.Encode(data)})
	if err != nil {
		return r, fmt.Errorf("%s: %w", m, err)
	}
	return r, nil
}

// echoID is the user id of the Echo contact, on every server.
const echoID = "echo"
