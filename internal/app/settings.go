package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// SettingsPath is where settings are kept in dir; an empty dir means the user's configuration folder.
func SettingsPath(dir string) (string, error) {
	if dir == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return "", fmt.Errorf("no configuration folder: %w", err)
		}
		dir = filepath.Join(base, "visavis")
	}
	return filepath.Join(dir, "settings.json"), nil
}

// SetSettings changes what the person chose and keeps it; in a call, changed devices are changed at once.
func (a *App) SetSettings(s Settings) {
	a.post(func() {
		a.keepSettings(s)
		if a.snap.Call.HasPeer() {
			a.toPeer(func(p Peer) { p.SetDevices(s) })
		}
	})
}

// RefreshDevices looks which devices there are now.
func (a *App) RefreshDevices() {
	a.post(func() {
		if a.closing {
			return
		}
		a.spawn(func() {
			d := a.Media.Devices()
			a.post(func() {
				a.snap.Devices = d
				a.changed()
			})
		})
	})
}

// DismissNotice takes a notice away, by its place in Snapshot.Notices.
func (a *App) DismissNotice(i int) {
	a.post(func() {
		if i >= 0 && i < len(a.snap.Notices) {
			a.snap.Notices = slices.Delete(slices.Clone(a.snap.Notices), i, i+1)
			a.changed()
		}
	})
}

func (a *App) keepSettings(s Settings) {
	if s != a.snap.Settings {
		a.snap.Settings = s
		a.changed()
	}
	if a.SettingsFile == "" || s == a.kept {
		return
	}
	a.kept = s
	a.shelf.put(func() {
		if err := saveSettings(a.SettingsFile, s); err != nil {
			a.Logger.Error("settings not kept", "err", err)
			a.post(func() { a.notice("Your settings could not be kept: " + err.Error()) })
		}
	})
}

func (a *App) keepToken(server, name, token string) {
	if a.Secrets == nil {
		return
	}
	a.shelf.put(func() {
		if err := a.Secrets.Set(server, name, token); err != nil {
			a.Logger.Error("session not kept", "err", err)
			a.post(func() { a.notice("You will have to sign in again next time: " + err.Error()) })
		}
	})
}

func (a *App) forgetToken(server, name string) {
	if a.Secrets == nil {
		return
	}
	a.shelf.put(func() {
		if err := a.Secrets.Delete(server, name); err != nil {
			a.Logger.Error("session not forgotten", "err", err)
		}
	})
}

// LoadSettings gives initial where there is no file yet, and with the error when it cannot be read: a broken file is
// kept aside as it is, so that nothing in it is lost.
func LoadSettings(path string, initial Settings) (Settings, error) {
	if path == "" {
		return initial, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return initial, nil
	}
	if err != nil {
		return initial, err
	}
	s := initial
	if err := json.Unmarshal(b, &s); err != nil {
		aside := path + ".broken"
		if err := os.Rename(path, aside); err != nil {
			return initial, err
		}
		return initial, fmt.Errorf("they are not JSON; the file is now %s", aside)
	}
	return s, nil
}

func saveSettings(path string, s Settings) error {
	b, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	return writeFile(path, append(b, '\n'))
}

// writeFile replaces a file as a whole: after a crash it is the old one or the new one. Mode 0600, its folder 0700.
func writeFile(path string, b []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // made with 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
