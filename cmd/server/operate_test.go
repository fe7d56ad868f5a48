package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"visavis.example/internal/server/admin"
)

// cli runs commands on one data folder.
type cli struct {
	t    *testing.T
	data string
}

func (c cli) run(want int, args ...string) string {
	c.t.Helper()
	var out, problems bytes.Buffer
	env := func(name string) (string, bool) { return c.data, name == "VISAVIS_DATA" }
	if code := run(c.t.Context(), args, env, &out, &problems); code != want {
		c.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, out.String(), problems.String())
	}
	return out.String() + problems.String()
}

func (c cli) says(want int, what string, args ...string) string {
	c.t.Helper()
	got := c.run(want, args...)
	if !strings.Contains(got, what) {
		c.t.Errorf("%v says\n%swithout %q", args, got, what)
	}
	return got
}

func (c cli) users() (all []admin.User) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(c.run(exitOK, "user", "list", "--json")), &all); err != nil {
		c.t.Fatal(err)
	}
	return all
}

// serving starts a server on the folder; the function stops it.
func (c cli) serving() func() {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	ended := make(chan int)
	var problems buffer
	go func() {
		ended <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--turn-listen", "none", "--data", c.data, "--sign-up", "invite"}, noEnv, io.Discard, &problems)
	}()
	c.says(exitOK, "healthy", "health", "--wait", "20s", "--data", c.data)
	return func() {
		c.t.Helper()
		stop()
		if code := <-ended; code != exitOK {
			c.t.Errorf("the server ended with %d: %s", code, problems.String())
		}
	}
}

// The same commands with a server and without one.
func TestOperatorsCommands(t *testing.T) {
	for name, running := range map[string]bool{"running": true, "stopped": false} {
		t.Run(name, func(t *testing.T) {
			c := cli{t, t.TempDir()}
			if running {
				defer c.serving()()
			}
			c.says(exitOK, "Nobody has", "user", "list")
			if got := c.says(exitOK, "password: ", "user", "add", "anna"); len(got) < 40 {
				t.Errorf("it says %q", got)
			}
			file := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(file, []byte("a fine password\nmore\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := c.run(exitOK, "user", "add", "--password-file", file, "bob"); strings.Contains(got, "password") {
				t.Errorf("it says %q", got)
			}
			c.says(exitFailed, "taken", "user", "add", "ANNA")
			c.says(exitFailed, "nobody called", "user", "passwd", "nobody")
			c.says(exitOK, "signed out everywhere", "user", "passwd", "anna", "--password-file", file)
			c.says(exitOK, "cannot sign in", "user", "disable", "bob")
			c.says(exitOK, "disabled", "user", "list")
			c.says(exitOK, "can sign in again", "user", "enable", "bob")

			link := c.says(exitOK, "/#invite=", "invite", "create", "--uses", "2", "--days", "3", "--site", "https://call.example.org/")
			if !strings.HasPrefix(link, "https://call.example.org/#invite=") {
				t.Errorf("the link is %q", link)
			}
			var invites []admin.Invite
			if err := json.Unmarshal([]byte(c.run(exitOK, "invite", "list", "--json")), &invites); err != nil || len(invites) != 1 || invites[0].Uses != 2 {
				t.Fatalf("invites %+v, %v", invites, err)
			}
			c.says(exitOK, "0 of 2", "invite", "list")
			c.says(exitOK, "nobody any more", "invite", "revoke", invites[0].ID)
			c.says(exitFailed, "no invite", "invite", "revoke", invites[0].ID)

			c.says(exitOK, `"name": "anna"`, "export", "Anna")
			out := filepath.Join(t.TempDir(), "anna.json")
			c.says(exitOK, "written", "export", "anna", "--out", out)
			if fi, err := os.Stat(out); err != nil || fi.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v", fi, err)
			}
			saved := filepath.Join(t.TempDir(), "all.visavis")
			c.says(exitOK, "is whole", "backup", saved)
			c.says(exitFailed, "is there already", "backup", saved)
			c.says(exitOK, "is whole", "backup", "--force", saved)

			c.says(exitFailed, "--yes", "user", "delete", "bob")
			c.says(exitOK, "deleted", "user", "delete", "bob", "--lines", "--yes")
			if all := c.users(); len(all) != 1 || all[0].Name != "anna" {
				t.Errorf("users %+v", all)
			}
			if running {
				c.says(exitFailed, "another server uses", "restore", saved)
				return
			}
			c.says(exitOK, "before-restore-", "restore", saved)
			if all := c.users(); len(all) != 2 {
				t.Errorf("users %+v", all)
			}
		})
	}
}

func TestOperatorsMistakes(t *testing.T) {
	c := cli{t, t.TempDir()}
	notText := filepath.Join(t.TempDir(), "photo")
	if err := os.WriteFile(notText, []byte("\xff\xd8\xff\xe0 of somebody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		code int
		says string
		args []string
	}{
		{exitUsage, "user what", []string{"user"}},
		{exitUsage, "no command", []string{"user", "fly"}},
		{exitUsage, "no command", []string{"invite", "fly"}},
		{exitUsage, "takes NAME", []string{"user", "add"}},
		{exitUsage, "takes NAME", []string{"user", "add", "two", "names"}},
		{exitUsage, "takes nothing", []string{"user", "list", "anna"}},
		{exitUsage, "takes FILE", []string{"backup"}},
		{exitUsage, "takes FILE", []string{"restore"}},
		{exitUsage, "not defined", []string{"user", "add", "anna", "--fly"}},
		{exitOK, "--password-file", []string{"user", "add", "--help"}},
		{exitFailed, "1 or more", []string{"invite", "create", "--uses", "0"}},
		{exitFailed, "days 1 to 365", []string{"invite", "create", "--days", "1000"}},
		{exitFailed, "no such file", []string{"restore", "/nowhere/at/all"}},
		{exitFailed, "no such file", []string{"user", "list", "--data", "/nowhere/at/all"}},
		{exitFailed, "not a whole backup", []string{"restore", "operate_test.go"}},
		{exitFailed, "empty line", []string{"user", "add", "anna", "--password-file", "/dev/null"}},
		{exitFailed, "longer than any password", []string{"user", "add", "anna", "--password-file", "/dev/zero"}},
		{exitFailed, "not a text file", []string{"user", "passwd", "anna", "--password-file", notText}},
		{exitFailed, "password", []string{"user", "add", "anna", "--password-file", t.TempDir()}},
		{exitUsage, "takes NAME", []string{"user", "add", "--", "--data", "x"}},
		{exitUsage, "out of range", []string{"invite", "create", "--uses", "99999999999999999999"}},
		{exitFailed, "1 or more", []string{"invite", "create", "--days", "-9223372036854775808"}},
		{exitFailed, "visavis-server:", []string{"invite", "create", "--uses", "9223372036854775807"}},
		{exitFailed, "visavis-server:", []string{"user", "add", strings.Repeat("x", 100_000)}},
		{exitFailed, "visavis-server:", []string{"user", "add", "a\x00\xff\nb"}},
		{exitFailed, "visavis-server:", []string{"user", "passwd", ""}},
		{exitFailed, "visavis-server:", []string{"invite", "revoke", "' OR 1=1--"}},
		{exitFailed, "visavis-server:", []string{"export", "../../etc/passwd"}},
		{exitFailed, "is a directory", []string{"restore", t.TempDir()}},
		{exitFailed, "not a whole backup", []string{"restore", "/dev/null"}},
		{exitFailed, "not a whole backup", []string{"restore", "/dev/zero"}},
	} {
		got := c.run(x.code, x.args...)
		if !strings.Contains(strings.ReplaceAll(got, "-password-file", "--password-file"), x.says) {
			t.Errorf("%.200q says %q", x.args, got)
		}
		if strings.Contains(got, "goroutine ") || len(got) > 4000 {
			t.Errorf("%.200q says %.4000q", x.args, got)
		}
	}
	if _, err := os.Stat("/nowhere"); err == nil {
		t.Error("a mistyped folder was made")
	}
}
