package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
)

func TestDoctorOnTheServersMachine(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	var log buffer
	code := make(chan int)
	go func() {
		code <- run(ctx, []string{
			"serve", "--listen", "127.0.0.1:0", "--turn-listen", "127.0.0.1:0", "--public-ip", "127.0.0.1", "--sign-up", "closed", "--data", dir,
		}, noEnv, in, &log)
		_ = in.Close()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("it does not start: %s", log.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	url := ""
	if st, err := runningState(dir); err == nil {
		url = st.URL
	}
	var says, problems buffer
	if got := run(t.Context(), []string{"doctor", "--data", dir}, noEnv, &says, &problems); got != exitOK {
		t.Errorf("exit code %d: %s%s%s", got, says.String(), problems.String(), log.String())
	}
	for _, want := range []string{
		"ok       relay by UDP", "ok       relay by TCP", "ok       relay by TLS", "ok       certificate", "People can call each other through this server.", "doctor https://ADDRESS",
	} {
		if !strings.Contains(says.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, says.String())
		}
	}
	var list buffer
	if got := run(t.Context(), []string{"user", "list", "--data", dir}, noEnv, &list, &problems); got != exitOK || strings.Contains(list.String(), "doctor-") {
		t.Errorf("afterwards: %d, %s%s", got, list.String(), problems.String())
	}

	// From outside there is no account to be had: that is said, and how to come by one.
	var outside buffer
	if got := run(t.Context(), []string{"doctor", "--ca", dir + "/tls/cert.pem", url}, noEnv, &outside, &problems); got != exitFailed || !strings.Contains(outside.String(), "WRONG    account") || !strings.Contains(outside.String(), "--invite") {
		t.Errorf("from outside: %d, %s%s", got, outside.String(), problems.String())
	}
	stop()
	if got := <-code; got != exitOK {
		t.Errorf("the server ended with %d: %s", got, log.String())
	}
	var dead buffer
	if got := run(t.Context(), []string{"doctor", "--data", dir}, noEnv, &dead, &problems); got != exitFailed || !strings.Contains(dead.String(), "WRONG    server         no server runs on "+dir) {
		t.Errorf("when none runs: %d, %s%s", got, dead.String(), problems.String())
	}
}

func TestDoctorsUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"needs the password in VISAVIS_PASSWORD": {"--user", "anna", "call.example.org"},
		"one address":                            {"a.example", "b.example"},
		"is not a server address":                {"call example org"},
		"no such file":                           {"--ca", "not-there.pem", "call.example.org"},
		"not-there.conf":                         {"--config", "not-there.conf"},
		"not defined":                            {"--fly"},
	} {
		var problems buffer
		if code := run(t.Context(), append([]string{"doctor"}, args...), noEnv, io.Discard, &problems); code != exitUsage || !strings.Contains(problems.String(), want) {
			t.Errorf("%v: %d, %s", args, code, problems.String())
		}
	}
	var help buffer
	if code := run(t.Context(), []string{"doctor", "--help"}, noEnv, &help, io.Discard); code != exitOK || !strings.Contains(help.String(), "Exit code 0") {
		t.Errorf("help: %d, %s", code, help.String())
	}
}
