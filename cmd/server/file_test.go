package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/server"
)

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "visavis.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagsWinOverEnvironmentOverFile(t *testing.T) {
	file := write(t, "\ufeff# a comment\r\n\r\n"+
		"listen = :1001\r\n"+
		"turn-listen=:1002   # a comment behind\n"+
		"  data = \"/srv/with # and  spaces\"\n"+
		"lan = yes\n"+
		"ring-timeout = 30s\n"+
		"trusted-proxies = 127.0.0.1, 10.0.0.0/8\n"+
		"limit-call-attempts = 3 then 1 per 1m\n"+
		"limit-body-size = 32 KB") // no line's end
	env := func(name string) (string, bool) {
		v, ok := map[string]string{
			"VISAVIS_TURN_LISTEN": ":2002", "VISAVIS_LOG": "debug", "VISAVIS_CONFIG": file, "VISAVIS_LIMIT_STRIKES": "50",
		}[name]
		return v, ok
	}
	o, err := parse([]string{"--listen", ":3001", "--limit-body-size", "64KB"}, env, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	c := o.config
	if c.Listen != ":3001" || c.TURNListen != ":2002" || c.DataDir != "/srv/with # and  spaces" || !c.LAN || c.RingTimeout != 30*time.Second ||
		len(c.TrustedProxies) != 2 || c.Limits.Invites.Burst != 3 || c.Limits.BodyBytes != 64<<10 || c.Limits.Strikes != 50 || o.level.String() != "DEBUG" {
		t.Errorf("config %+v", c)
	}
	want := server.DefaultLimits()
	want.Invites, want.BodyBytes, want.Strikes = c.Limits.Invites, c.Limits.BodyBytes, c.Limits.Strikes
	if c.Limits != want {
		t.Errorf("limits that nobody has set are %+v", c.Limits)
	}
	// The flag names another file.
	if o, err = parse([]string{"--config", write(t, "listen = :4001\n")}, env, io.Discard); err != nil || o.config.Listen != ":4001" || o.config.LAN {
		t.Errorf("the flag's file: %+v, %v", o.config, err)
	}
}

func TestMistakesInTheFile(t *testing.T) {
	for text, says := range map[string]string{
		"# a\n\nlisen = :1\n":                       `:3: there is no setting "lisen". Did you mean "listen"?`,
		"turn_listen = :1\n":                        `Did you mean "turn-listen"?`,
		"call-attempt = 3 then 1 per 1m\n":          `Did you mean "limit-call-attempts"?`,
		"somethingelse = 1\n":                       `:1: there is no setting "somethingelse"; `,
		"config = other.conf\n":                     `there is no setting "config"`,
		"listen = :1\nlan = yes\nlisten = :2\n":     ":3: listen is set a second time; line 1 has it already",
		"listen :1\n":                               `:1: "listen :1" is not "name = value"`,
		"[site]\n":                                  `is not "name = value"`,
		"listen =\n":                                "listen has no value",
		"listen = \"\"\n":                           "listen has no value",
		"data = \"/srv\n":                           "a value in quotes ends with one",
		"data = \"/srv\" and more\n":                "nothing but a comment follows",
		"lan = maybe\n":                             `lan: "maybe" is neither yes nor no`,
		"ring-timeout = 30\n":                       `ring-timeout: "30" is not a time such as 30s`,
		"ring-timeout = -5s\n":                      "ring-timeout: it is 100ms to 1h",
		"public-ip = here\n":                        `public-ip: "here" is not an IP address`,
		"turn-ports = 9\n":                          "turn-ports:",
		"log = loud\n":                              "log:",
		"trusted-proxies = 0.0.0.0/0\n":             "is everybody",
		"limit-sockets-per-person = 0\n":            "limit-sockets-per-person: it is 1 to 1000",
		"limit-call-attempts = 3\n":                 "limit-call-attempts:",
		"\x00\xff\xfe":                              "is not a text file",
		strings.Repeat("# long enough\n", 100_000):  "is not a text file",
		"listen = :1\nlimit-header-wait = tomorrow": `:2: limit-header-wait: "tomorrow" is not a time`,
	} {
		file := write(t, text)
		_, err := parse([]string{"--config", file}, noEnv, io.Discard)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), file) {
			t.Errorf("%.60q: %v, want %s", text, err, says)
		}
	}
	// Also when a flag wins over it, and through the whole program.
	file := write(t, "listen = :8443\nturn-listen = none\nlan = maybe\n")
	var problems bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--config", file, "--lan"}, noEnv, io.Discard, &problems); code != exitUsage || !strings.Contains(problems.String(), file+":3: lan:") {
		t.Errorf("serve: %d, %s", code, problems.String())
	}
	if _, err := parse([]string{"--config", file + ".not"}, noEnv, io.Discard); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := parse([]string{"--lisen", ":1"}, noEnv, io.Discard); err == nil || !strings.Contains(err.Error(), "Did you mean --listen?") {
		t.Errorf("a mistyped flag: %v", err)
	}
}

var update = flag.Bool("update", false, "write docs/visavis.conf and the tables of docs/operating.md again")

// The two places in the documentation that are made of the settings themselves.
const (
	sample = "../../docs/visavis.conf"
	page   = "../../docs/operating.md"
	begin  = "<!-- settings: written by go test ./cmd/server -run TestDocumentation -update -->\n"
	end    = "<!-- end of settings -->\n"
)

// tables is every setting as docs/operating.md has it.
func tables(o *options) string {
	var b strings.Builder
	for _, g := range o.groups {
		fmt.Fprintf(&b, "\n**%s**\n\n| setting | default | what it is |\n|---|---|---|\n", g.title)
		for _, name := range g.names {
			f := o.flags.Lookup(name)
			kind, usage := flag.UnquoteUsage(f)
			usual := ""
			if f.DefValue != "" {
				usual = "`" + f.DefValue + "`"
			}
			if kind == "" && f.DefValue == "false" {
				usual = "no"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, usual, strings.ReplaceAll(usage, "|", "\\|"))
		}
	}
	return b.String() + "\n"
}

func TestDocumentationHasEverySetting(t *testing.T) {
	var conf strings.Builder
	o := newOptions()
	if err := o.writeSample(&conf, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatal("docs/operating.md has no place for the settings")
	}
	for path, want := range map[string]string{sample: conf.String(), page: head + begin + tables(o) + end + tail} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != want {
			t.Errorf("%s is not what the settings are (%v); write it again with\n"+
				"go test ./cmd/server -run TestDocumentation -update", path, err)
		}
	}
}

func TestSampleFile(t *testing.T) {
	b, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	if code := run(t.Context(), []string{"config"}, noEnv, &out, &problems); code != exitOK || out.String() != string(b) {
		t.Errorf("\"visavis-server config\" prints something else (%d %s)", code, problems.String())
	}
	if code := run(t.Context(), []string{"config", sample}, noEnv, &out, &problems); code != exitOK {
		t.Errorf("it is not read: %s", problems.String())
	}
	// Every setting is in it, and its default is a value that is taken.
	var on strings.Builder
	have := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "#"), " = ")
		if !strings.HasPrefix(line, "#") || strings.HasPrefix(line, "# ") || !ok {
			continue
		}
		have[name] = true
		if f := newOptions().flags.Lookup(name); f != nil && f.DefValue == "" {
			continue // what stands there says what kind of value it is
		}
		fmt.Fprintf(&on, "%s = %s", name, value)
	}
	newOptions().flags.VisitAll(func(f *flag.Flag) {
		if !have[f.Name] && f.Name != "config" {
			t.Errorf("%s is not in docs/visavis.conf", f.Name)
		}
	})
	o, err := readOptions(write(t, on.String()))
	if err != nil {
		t.Fatalf("with every default spelled out: %v", err)
	}
	if d := newOptions(); o.config.Limits != d.config.Limits || o.config.Listen != d.config.Listen || o.config.RingTimeout != d.config.RingTimeout || o.level != d.level {
		t.Errorf("with every default spelled out it is %+v", o.config)
	}
}

func TestDataFolderOfCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	file := write(t, "data = /srv/calls\n")
	env := func(m map[string]string) func(string) (string, bool) {
		return func(n string) (string, bool) { v, ok := m[n]; return v, ok }
	}
	for _, c := range []struct {
		given, file string
		env         map[string]string
		want        string
	}{
		{"/a", file, map[string]string{"VISAVIS_DATA": "/b"}, "/a"},
		{"", file, map[string]string{"VISAVIS_DATA": "/b"}, "/b"},
		{"", file, nil, "/srv/calls"},
		{"", "", map[string]string{"VISAVIS_CONFIG": file}, "/srv/calls"},
	} {
		if got, err := dataDir(c.given, c.file, env(c.env)); err != nil || got != c.want {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
	if _, err := dataDir("", write(t, "dat = x\n"), noEnv); err == nil || !strings.Contains(err.Error(), `Did you mean "data"?`) {
		t.Errorf("a damaged configuration: %v", err)
	}
}
