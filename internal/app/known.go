package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"visavis.example/internal/signal"
)

// KnownServers is the real signal.Pins: a JSON file beside the settings, which the window and the windowless commands share.
type KnownServers struct {
	File string // "": only in memory

	mu   sync.Mutex
	kept map[string]signal.Pin
}

// KnownServersPath is where they are kept, beside the settings.
func KnownServersPath(settingsPath string) string {
	return filepath.Join(filepath.Dir(settingsPath), "known-servers.json")
}

// Pinned implements signal.Pins. The file is read each time: another program of the same person may have changed it, and
// handshakes are rare.
func (k *KnownServers) Pinned(host string) (signal.Pin, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.allLocked()[host]
	return p, ok
}

// Keep implements signal.Pins.
func (k *KnownServers) Keep(host string, p signal.Pin) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := maps.Clone(k.allLocked())
	all[host] = p
	k.kept = all
	if k.File == "" {
		return nil
	}
	b, err := json.MarshalIndent(all, "", "\t")
	if err == nil {
		err = writeFile(k.File, append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("known servers: %w", err)
	}
	return nil
}

// allLocked gives what the file holds, or what it held last when it cannot be read now: a server must not become unknown,
// and so be asked about as if it were new, because a disk fails.
func (k *KnownServers) allLocked() map[string]signal.Pin {
	if k.kept == nil {
		k.kept = map[string]signal.Pin{}
	}
	if k.File == "" {
		return k.kept
	}
	b, err := os.ReadFile(k.File)
	all := map[string]signal.Pin{}
	if err == nil && json.Unmarshal(b, &all) == nil || errors.Is(err, fs.ErrNotExist) {
		k.kept = all
	}
	return k.kept
}
