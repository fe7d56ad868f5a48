package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// setUp runs setup with units into a folder of the test's own.
func setUp(t *testing.T, dir, typed string, more ...string) (code int, says string) {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"--config", filepath.Join(dir, "etc", "visavis.conf"), "--units", filepath.Join(dir, "units"),
		"--binary", "/bin/true", "--user", me.Username,
	}, more...)
	var out, problems bytes.Buffer
	code = setup(args, strings.NewReader(typed), &out, &problems)
	return code, out.String() + problems.String()
}

func TestSetupAsksThreeQuestions(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	code, says := setUp(t, dir, "Call.Example.ORG\nperhaps\n\n"+data+"\n")
	if code != exitOK {
		t.Fatalf("%d: %s", code, says)
	}
	if n := strings.Count(says, "\n> ") + strings.Count(says, "] > "); n != 4 || !strings.Contains(says, `"perhaps" is not open, invite or closed`) {
		t.Errorf("it asks %d times: %s", n, says)
	}
	o, err := readOptions(filepath.Join(dir, "etc", "visavis.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if c := o.config; !slices.Equal(c.ACME.Domains, []string{"call.example.org"}) || c.SignUp != "invite" || c.DataDir != data || c.Listen != ":443" || c.LAN {
		t.Errorf("settings %+v", c)
	}
	if fi, err := os.Stat(data); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the data folder: %v, %v", fi, err)
	}
	if !strings.Contains(says, "systemctl daemon-reload && systemctl enable --now visavis.socket visavis-relay.socket visavis.service") {
		t.Errorf("it does not say how to start: %s", says)
	}

	// A second time it replaces nothing, unless it is told to.
	if code, says = setUp(t, dir, "", "--lan", "--sign-up", "open", "--data", data); code != exitFailed || !strings.Contains(says, "is there already") {
		t.Errorf("a second time: %d, %s", code, says)
	}
	if code, says = setUp(t, dir, "", "--lan", "--sign-up", "open", "--data", data, "--force"); code != exitOK {
		t.Fatalf("with --force: %d, %s", code, says)
	}
	old, err := os.ReadFile(filepath.Join(dir, "etc", "visavis.conf.old"))
	if err != nil || !strings.Contains(string(old), "call.example.org") {
		t.Errorf("the old settings: %v", err)
	}
	if o, err = readOptions(filepath.Join(dir, "etc", "visavis.conf")); err != nil || !o.config.LAN || o.config.Listen != ":8443" {
		t.Errorf("settings of a local network: %+v, %v", o, err)
	}
}

func TestSetupRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		typed string
		args  []string
	}{
		"no answer. Without somebody to ask": {"", nil},
		"no answer":                          {"call.example.org\n", nil},
		"is an address, no domain":           {"", []string{"--domain", "192.0.2.1"}},
		"is not a domain":                    {"", []string{"--domain", "https://call.example.org/"}},
		`"localhost" is not a domain`:        {"localhost\nlocalhost\nlocalhost\n", nil},
		"one or the other":                   {"", []string{"--lan", "--domain", "call.example.org"}},
		"is not open, invite or closed":      {"", []string{"--lan", "--sign-up", "anybody"}},
		"is not a folder":                    {"", []string{"--lan", "--sign-up", "open", "--data", "/dev/null"}},
		"in a home folder":                   {"", []string{"--lan", "--sign-up", "open", "--data", "data", "--binary", "/root/visavis-server"}},
		"without spaces":                     {"", []string{"--lan", "--sign-up", "open", "--data", "/srv/my calls"}},
		"flags only":                         {"", []string{"call.example.org"}},
	} {
		dir := t.TempDir()
		if code, says := setUp(t, dir, c.typed, c.args...); code == exitOK || !strings.Contains(says, want) {
			t.Errorf("%q %v: %d, %s; want %s", c.typed, c.args, code, says, want)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); left != nil {
			t.Errorf("%v has left %v", c.args, left)
		}
	}
}

func TestSetupWithoutUnits(t *testing.T) {
	dir := t.TempDir()
	var out, problems bytes.Buffer
	args := []string{"--lan", "--sign-up", "open", "--data", filepath.Join(dir, "my calls"), "--config", filepath.Join(dir, "visavis.conf"), "--units", "none"}
	if code := setup(args, strings.NewReader(""), &out, &problems); code != exitOK || !strings.Contains(out.String(), "serve --config "+filepath.Join(dir, "visavis.conf")) {
		t.Fatalf("%d: %s%s", code, out.String(), problems.String())
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("it has written %v", files)
	}
}

// The real systemd reads the units and says how much the service could do if it were taken over: 0 is nothing, 10 all.
func TestUnitsAreGoodAndHardened(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("no systemd-analyze here")
	}
	for _, data := range []string{"/var/lib/visavis-of-a-test-that-is-not-there", "/home/somebody/calls"} {
		dir := t.TempDir()
		a := &answers{domain: "call.example.org", signUp: "invite", data: data, file: "/etc/visavis/visavis.conf", units: dir, binary: "/bin/true", user: "daemon"}
		docs, err := a.unitFiles()
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"verify", "--man=no", "--recursive-errors=no"}
		for _, d := range docs {
			if err := a.write(d); err != nil {
				t.Fatal(err)
			}
			args = append(args, d.path)
		}
		if out, err := exec.Command(analyze, args...).CombinedOutput(); err != nil || strings.Contains(string(out), dir) {
			t.Errorf("systemd does not like them: %v\n%s", err, out)
		}
		service := filepath.Join(dir, "visavis.service")
		if out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold=20", service).CombinedOutput(); err != nil {
			t.Errorf("exposure above 2.0: %v\n%s", err, out)
		}
		b, err := os.ReadFile(filepath.Join(dir, "visavis.socket"))
		if err != nil || !strings.Contains(string(b), "ListenStream=443\nListenStream=3478\n") {
			t.Errorf("the sockets: %v\n%s", err, b)
		}
	}
}
