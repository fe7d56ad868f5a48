package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// document is one file that setup writes.
type document struct {
	path, text string
	mode       os.FileMode
}

// install writes everything. What is there already is only replaced when that was asked for, and before anything is
// written it is known that nothing stands in the way.
func (a *answers) install(out io.Writer) error {
	o := newOptions()
	var settings strings.Builder
	if err := o.writeSample(&settings, a.settings()); err != nil {
		return err
	}
	// 0644: it has no secrets, and the server's user must read it.
	docs := []document{{a.file, settings.String(), 0o644}}
	if a.units != noUnits {
		units, err := a.unitFiles()
		if err != nil {
			return err
		}
		docs = append(docs, units...)
	}
	for _, d := range docs {
		if exists(d.path) && !a.force {
			return fmt.Errorf("%s is there already. --force replaces it, and keeps it as %s.old", d.path, d.path)
		}
	}
	for _, d := range docs {
		if err := a.write(d); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote", d.path)
	}
	if _, err := readOptions(a.file); err != nil {
		return err // never seen: the test writes every answer
	}
	if err := a.makeData(out); err != nil {
		return err
	}
	a.sayNext(out)
	return nil
}

// settings are the lines of the configuration file that are not the default.
func (a *answers) settings() map[string]string {
	set := map[string]string{"data": a.data, "sign-up": a.signUp}
	if a.domain != "" {
		set["domain"], set["listen"] = a.domain, ":443"
	} else {
		set["lan"] = "yes"
	}
	return set
}

func (a *answers) write(d document) error {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o755); err != nil {
		return err
	}
	if exists(d.path) {
		if err := os.Rename(d.path, d.path+".old"); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(d.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, d.mode)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, d.text)
	// The mode whatever the umask: the service runs as another user.
	return errors.Join(err, f.Chmod(d.mode), f.Sync(), f.Close())
}

// makeData makes the data folder, and with units the user who owns it.
func (a *answers) makeData(out io.Writer) error {
	if a.units == noUnits {
		return nil // the server makes it, as whoever runs it
	}
	if err := a.makeUser(out); err != nil {
		return err
	}
	u, err := user.Lookup(a.user)
	if err != nil {
		return fmt.Errorf("user %s: %w", a.user, err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("user %s: %w", a.user, err)
	}
	if err := os.MkdirAll(a.data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	// Everything in it, too: it may be that of a server that another user ran before.
	return filepath.WalkDir(a.data, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
		if err := os.Lchown(path, uid, gid); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
		return nil
	})
}

func (a *answers) makeUser(out io.Writer) error {
	if _, err := user.Lookup(a.user); err == nil {
		return nil
	}
	args := []string{"--system", "--user-group", "--home-dir", a.data, "--no-create-home", "--shell", "/usr/sbin/nologin", a.user}
	if b, err := exec.Command("useradd", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("useradd %s: %w: %s", a.user, err, strings.TrimSpace(string(b)))
	}
	fmt.Fprintln(out, "made the user", a.user)
	return nil
}

// sayNext says what is left to do.
func (a *answers) sayNext(out io.Writer) {
	fmt.Fprintln(out, "\nNow start it:")
	if a.units == noUnits {
		fmt.Fprintf(out, "  %s serve --config %s\n", a.binary, a.file)
	} else {
		fmt.Fprintln(out, "  systemctl daemon-reload && systemctl enable --now "+strings.Join(unitNames, " "))
	}
	fmt.Fprintf(out, "and see whether people can call each other:\n  %s doctor --config %s\n", a.binary, a.file)
	ports := "TCP 8443 and 3478, UDP 3478"
	if a.domain != "" {
		ports = "TCP 443 and 3478, UDP 3478"
	}
	fmt.Fprintf(out, "If there is a firewall, open %s, and the UDP ports of relayed calls: all above 1023, or turn-ports.\n", ports)
	if a.signUp != "open" {
		fmt.Fprintf(out, "The first account: %s user add NAME\n", a.binary)
	}
}
