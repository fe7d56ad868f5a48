package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"visavis.example/internal/server/accounts"
	"visavis.example/internal/signal"
)

// SocketName is the socket in the data folder.
const SocketName = "admin.sock"

const maxRequest = 64 << 10

// Listen makes the socket, for the server's own user only. Its path is in the data folder, or elsewhere when that path is
// too long for a socket (104 bytes on macOS, 108 on Linux). Nobody else may use the folder meanwhile.
func Listen(dir string) (net.Listener, error) {
	path, err := filepath.Abs(filepath.Join(dir, SocketName))
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // of a server that was killed
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		short, tempErr := os.MkdirTemp("", "visavis-")
		if tempErr != nil {
			return nil, fmt.Errorf("admin socket: %w", errors.Join(err, tempErr))
		}
		path = filepath.Join(short, SocketName)
		if l, err = net.Listen("unix", path); err != nil {
			_ = os.Remove(short)
			return nil, fmt.Errorf("admin socket: %w", err)
		}
		l = inTemp{l, short}
	}
	if runtime.GOOS == "windows" {
		return l, nil // who may use it is who may use the folder
	}
	if err := os.Chmod(path, 0o600); err != nil { // the folder is 0700 already
		_ = l.Close()
		return nil, fmt.Errorf("admin socket: %w", err)
	}
	return l, nil
}

// inTemp is a socket in a folder of its own.
type inTemp struct {
	net.Listener
	dir string
}

func (l inTemp) Close() error {
	return errors.Join(l.Listener.Close(), os.RemoveAll(l.dir))
}

// Handler lets commands through to a desk.
func Handler(d *Desk, log *slog.Logger) http.Handler {
	h := &handler{desk: d, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /do", h.do)
	mux.HandleFunc("GET /export", func(w http.ResponseWriter, r *http.Request) {
		h.stream(w, func(w io.Writer) error { return d.Export(r.Context(), r.URL.Query().Get("name"), w) })
	})
	mux.HandleFunc("GET /backup", func(w http.ResponseWriter, r *http.Request) {
		h.stream(w, func(w io.Writer) error { return d.Backup(r.Context(), w) })
	})
	return mux
}

type handler struct {
	desk *Desk
	log  *slog.Logger
}

func (h *handler) do(w http.ResponseWriter, r *http.Request) {
	var in Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&in); err != nil {
		h.fail(w, &accounts.Refused{Status: http.StatusBadRequest, Failure: signal.Failure{Error: signal.ErrBadRequest, Message: err.Error()}})
		return
	}
	out, err := h.desk.Do(r.Context(), in)
	if err != nil {
		h.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // it can only fail when nobody reads it
}

// fail says what is wrong in full: who asks runs the server.
func (h *handler) fail(w http.ResponseWriter, err error) {
	var r *accounts.Refused
	if !errors.As(err, &r) {
		h.log.Error("command failed", "error", err)
		r = &accounts.Refused{Status: http.StatusInternalServerError, Failure: signal.Failure{Error: signal.ErrInternal, Message: err.Error()}}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.Status)
	_ = json.NewEncoder(w).Encode(r.Failure)
}

// stream passes on what do writes. Before the first byte an error is an answer; after it the connection breaks off, so that
// half of something does not pass for all of it.
func (h *handler) stream(w http.ResponseWriter, do func(io.Writer) error) {
	c := &counting{w: w}
	err := do(c)
	switch {
	case err == nil:
	case c.n == 0:
		h.fail(w, err)
	default:
		h.log.Error("command broken off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Remote is the desk of a server that runs, by its socket.
type Remote struct {
	client  *http.Client
	replyIn time.Duration // for one command; exports and backups take as long as they take
}

// replyIn: a hash of a password may wait for others, and a disk for its turn; who has not answered by then does not.
const replyIn = time.Minute

var errNoReply = errors.New("the running server does not answer; \"systemctl status visavis\" or its log may say why")

// Dial finds the server behind a socket. The error is a net error when nobody is there.
func Dial(ctx context.Context, path string) (*Remote, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("reach the running server: %w", err)
	}
	_ = conn.Close()
	return &Remote{replyIn: replyIn, client: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}}}, nil
}

// Do is Desk.Do.
func (r *Remote) Do(ctx context.Context, q Request) (Reply, error) {
	var out Reply
	ctx, cancel := context.WithTimeoutCause(ctx, r.replyIn, errNoReply)
	defer cancel()
	err := r.ask(ctx, http.MethodPost, "/do", bytes.NewReader(signal.Encode(q)), func(body io.Reader) error {
		return json.NewDecoder(body).Decode(&out)
	})
	if err != nil && errors.Is(context.Cause(ctx), errNoReply) {
		err = errNoReply
	}
	return out, err
}

// Export is Desk.Export.
func (r *Remote) Export(ctx context.Context, name string, w io.Writer) error {
	return r.ask(ctx, http.MethodGet, "/export?"+url.Values{"name": {name}}.Encode(), nil, copyTo(w))
}

// Backup is Desk.Backup.
func (r *Remote) Backup(ctx context.Context, w io.Writer) error {
	return r.ask(ctx, http.MethodGet, "/backup", nil, copyTo(w))
}

func copyTo(w io.Writer) func(io.Reader) error {
	return func(body io.Reader) error {
		_, err := io.Copy(w, body)
		return err
	}
}

func (r *Remote) ask(ctx context.Context, method, path string, body io.Reader, take func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://visavis-server"+path, body)
	if err != nil {
		return err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running server: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		var f signal.Failure
		if json.NewDecoder(io.LimitReader(res.Body, maxRequest)).Decode(&f) != nil || f.Message == "" {
			return fmt.Errorf("the running server says %s", res.Status)
		}
		return &accounts.Refused{Failure: f, Status: res.StatusCode}
	}
	if err := take(res.Body); err != nil {
		return fmt.Errorf("answer of the running server: %w", err)
	}
	return nil
}
