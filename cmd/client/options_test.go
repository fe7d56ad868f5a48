package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/media/process"

	"visavis.example/internal/app"
)

func TestParse(t *testing.T) {
	t.Setenv("VISAVIS_PASSWORD", "from the environment")
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("from a file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parse("call", strings.Fields("bob --camera pattern:7 --microphone tone:440 --speaker none --size 640x360 --fps 15 --duration 3s "+
		"--relay-only --record-video - --record-size 320x180 --codecs vp8,vp9 --password-file "+file+" --server x --user anna"))
	if err != nil {
		t.Fatal(err)
	}
	m := o.media
	if o.peer != "bob" || m.camera != (spec{"pattern", "7"}) || m.microphone != (spec{"tone", "440"}) || m.speaker != none ||
		m.width != 640 || m.height != 360 || m.fps != 15 || o.duration != 3*time.Second || !m.relayOnly || m.record != "-" ||
		m.recordWidth != 320 || len(m.codecs) != 2 || o.password != "from a file" || o.autoAnswer {
		t.Errorf("%+v", o)
	}
	if o, err = parse("answer", []string{"--from", "anna", "--once"}); err != nil || !o.autoAnswer || o.from != "anna" || !o.once ||
		o.password != "from the environment" || o.media.recordWidth != 1280 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestParseRefuses(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte("neither y4m nor wav, but long enough to look like something"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"call", "call a b", "answer a", "answer --nonsense", "call a --from b", "call a --size 640", "call a --size 641x360", "call a --size 0x0",
		"call a --fps 0", "call a --fps 1000", "call a --duration -1s", "answer --after -1s", "call a --camera tone", "call a --camera pattern:256", "call a --fps NaN",
		"call a --camera pattern:3.7", "call a --camera pattern --size 32x32", "call a --microphone tone:NaN",
		"call a --camera file:", "call a --camera file:" + junk, "call a --camera file:" + dir + "/none", "call a --microphone file:" + junk,
		"call a --microphone tone:5", "call a --speaker pattern", "call a --codecs h265", "call a --events - --record-video -",
		"call a --processing loud", "call a --processing echo,", "call a --password-file " + dir + "/none",
	} {
		args := strings.Fields(line)
		_, err := parse(args[0], args[1:])
		var wrong usageError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestSettingsAndFlags(t *testing.T) {
	dir := t.TempDir()
	o, err := parse("", []string{"--config-dir", dir, "--user", "bert"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "settings.json"), []byte(`{"server":"kept.example","name":"anna"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := o.settings(); err != nil || s.Server != "kept.example" || s.Name != "bert" {
		t.Errorf("%+v, %v", s, err)
	}
	for flag, c := range map[spec]map[string]spec{
		{}:            {"": theDefault, "none": none, "Cam": {"chosen", "Cam"}},
		none:          {"": none, "Cam": none},
		{"file", "x"}: {"none": {"file", "x"}},
	} {
		for setting, want := range c {
			if got := flag.orSetting(setting); got != want {
				t.Errorf("flag %v, setting %q: %v, want %v", flag, setting, got, want)
			}
		}
	}
}

func TestRun(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("VISAVIS_PASSWORD", "secret")
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	for line, want := range map[string]int{
		"help":                      exitOK,
		"--help":                    exitOK,
		"version":                   exitOK,
		"dance":                     exitUsage,
		"call --nonsense":           exitUsage,
		"register":                  exitUsage,
		"register --server x":       exitUsage,
		"answer --user anna":        exitUsage,
		"answer --user a --ca no":   exitUsage,
		"call b --events /no/such":  exitFailed,
		"call b --trace /no/such/x": exitFailed,
		"call b --user a --server ftp://x --events -":          exitSignIn,
		"register --user a --server 127.0.0.1:1 --events -":    exitSignIn,
		"call b --user a --server http://example.org --once=x": exitUsage,
	} {
		var out, errs bytes.Buffer
		if got := run(strings.Fields(line), &out, &errs); got != want {
			t.Errorf("visavis %s: exit %d, want %d\n%s", line, got, want, errs.String())
		}
		if strings.Contains(line, "--events -") && !strings.Contains(out.String(), `"event":"sign-in-failed"`) {
			t.Errorf("visavis %s: events %q", line, out.String())
		}
		if strings.Contains(out.String()+errs.String(), "secret") {
			t.Errorf("visavis %s says the password", line)
		}
	}
}

func TestNoSessionIsSaidAtOnce(t *testing.T) {
	var out, errs bytes.Buffer
	_ = os.Unsetenv("VISAVIS_PASSWORD")
	began := time.Now()
	if code := run([]string{"answer", "--user", "a", "--server", "127.0.0.1:1", "--config-dir", t.TempDir()}, &out, &errs); code != exitSignIn {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if took := time.Since(began); took > onlineLimit/2 {
		t.Errorf("took %v", took)
	}
}

func TestEventsToAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	l, err := openEvents("/dev/full", nil)
	if err != nil {
		t.Fatal(err)
	}
	l.write(app.Event{Event: "signed-in"})
	l.write(app.Event{Event: "ended"})
	if err := l.end(); err == nil {
		t.Error("a full disk went unnoticed")
	}
}

func TestProcessing(t *testing.T) {
	dir := t.TempDir()
	everything := process.Options{Echo: true, Noise: true, Gain: true}
	for _, c := range []struct {
		flags, file string
		want        process.Options
	}{
		{"", "", everything},
		{"", `{"server":"kept by an older program"}`, everything},
		{"", `{"echoCancellation":false}`, process.Options{Noise: true, Gain: true}},
		{"--microphone speech", "", process.Options{}},
		{"--microphone tone", "", process.Options{}},
		{"--microphone device:USB", "", everything},
		{"--microphone speech --processing echo,gain", "", process.Options{Echo: true, Gain: true}},
		{"--processing none", "", process.Options{}},
	} {
		if err := os.WriteFile(filepath.Join(dir, "settings.json"), []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		if c.file == "" {
			_ = os.Remove(filepath.Join(dir, "settings.json"))
		}
		o, err := parse("", append(strings.Fields(c.flags), "--config-dir", dir))
		if err != nil {
			t.Fatal(err)
		}
		s, err := o.settings()
		if err != nil {
			t.Fatal(err)
		}
		if got := o.media.processingOf(o.media.microphone.orSetting(s.Microphone), s); got != c.want {
			t.Errorf("%q with %q: %+v, want %+v", c.flags, c.file, got, c.want)
		}
	}
}
