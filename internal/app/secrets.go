package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/zalando/go-keyring"
)

const (
	keyringService = "visavis"
	// keyringLimit is how long the keyring may take. It may ask the person to unlock it; a bus without a keyring may never
	// answer at all.
	keyringLimit = 10 * time.Second
)

// Tokens is the real Secrets: the system's keyring, or where there is none or it does not answer, a file with mode 0600.
type Tokens struct {
	File      string // the file; its folder is made when needed
	NoKeyring bool   // only the file: for tests and kiosks

	slow atomic.Bool // the keyring did not answer once: not asked again
}

// Get implements Secrets; no token is no error.
func (t *Tokens) Get(server, name string) (string, error) {
	if t.keyring() {
		var token string
		err := t.inTime(func() (err error) {
			token, err = keyring.Get(keyringService, account(server, name))
			return err
		})
		if err == nil {
			return token, nil
		}
	}
	all, err := t.read()
	return all[account(server, name)], err
}

// Set implements Secrets.
func (t *Tokens) Set(server, name, token string) error {
	if t.keyring() && t.inTime(func() error { return keyring.Set(keyringService, account(server, name), token) }) == nil {
		return t.change(func(all map[string]string) { delete(all, account(server, name)) }) // not in two places
	}
	return t.change(func(all map[string]string) { all[account(server, name)] = token })
}

// Delete implements Secrets, in both places.
func (t *Tokens) Delete(server, name string) error {
	if t.keyring() {
		_ = t.inTime(func() error { return keyring.Delete(keyringService, account(server, name)) }) // most often: not there
	}
	return t.change(func(all map[string]string) { delete(all, account(server, name)) })
}

func account(server, name string) string { return name + "@" + server }

// keyring says whether it is worth asking. Without a session bus, the bus library would start one with dbus-launch, which
// needs a display and may hang.
func (t *Tokens) keyring() bool {
	if t.NoKeyring || t.slow.Load() {
		return false
	}
	switch runtime.GOOS {
	case "windows", "darwin":
		return true
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	_, err := os.Stat(filepath.Join(dir, "bus"))
	return dir != "" && err == nil
}

var errSlowKeyring = errors.New("the keyring does not answer")

// inTime gives up on a keyring that does not answer. The goroutine stays behind until the bus does; there is no way to
// take a call on it back.
func (t *Tokens) inTime(f func() error) error {
	ch := make(chan error, 1)
	go func() { ch <- f() }()
	select {
	case err := <-ch:
		return err
	case <-time.After(keyringLimit):
		t.slow.Store(true)
		return errSlowKeyring
	}
}

func (t *Tokens) read() (map[string]string, error) {
	all := map[string]string{}
	b, err := os.ReadFile(t.File)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, err
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return map[string]string{}, fmt.Errorf("%s is not JSON", t.File)
	}
	return all, nil
}

// change rewrites the file if that changes it; one that cannot be understood is replaced: it held only sessions.
func (t *Tokens) change(f func(map[string]string)) error {
	all, err := t.read()
	before, _ := json.Marshal(all)
	f(all)
	b, _ := json.Marshal(all)
	if err == nil && string(before) == string(b) {
		return nil
	}
	return writeFile(t.File, b)
}
