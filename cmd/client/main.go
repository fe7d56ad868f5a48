// Command visavis is the desktop client: without a subcommand it opens the window, and `visavis register|call|answer`
// are the same client without one, for automation, kiosks and tests. This package reads flags and wires packages app,
// media, peer and ui into one program; it decides nothing about calls and draws nothing itself.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
)

// version is set by the Makefile.
var version = "0.1.0-dev"

// Exit codes, part of the interface to scripts.
const (
	exitOK           = 0
	exitFailed       = 1 // something else: a disk, a display
	exitUsage        = 2
	exitSignIn       = 3
	exitNotAnswered  = 4 // declined, busy, offline, nobody of that name, cancelled, not answered
	exitNoConnection = 5
	exitForced       = 130 // a second signal
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // the heap is small beside the codecs' memory, and hardly collected in a call
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func run(args []string, stdout, stderr io.Writer) int {
	name, rest := "", args
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, rest = args[0], args[1:]
	}
	code, err := dispatch(name, rest, stdout, stderr)
	var wrong usageError
	switch {
	case errors.As(err, &wrong):
		_, _ = fmt.Fprintf(stderr, "visavis: %v\n`visavis help` lists commands and flags.\n", err)
		return exitUsage
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "visavis: %v\n", err)
	}
	return code
}

func dispatch(name string, args []string, stdout, stderr io.Writer) (int, error) {
	switch name {
	case "help":
		_, _ = io.WriteString(stdout, help())
		return exitOK, nil
	case "version":
		_, _ = fmt.Fprintf(stdout, "visavis %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return exitOK, nil
	case "", "register", "call", "answer", "devices":
	default:
		return exitUsage, usageError{fmt.Errorf("there is no command %q", name)}
	}
	o, err := parse(name, args)
	if errors.Is(err, errHelp) {
		_, _ = io.WriteString(stdout, help())
		return exitOK, nil
	}
	if err != nil {
		return exitUsage, err
	}
	switch name {
	case "register":
		return register(o, stdout, stderr)
	case "devices":
		return exitOK, printDevices(stdout)
	case "call", "answer":
		return windowless(o, stdout, stderr)
	}
	return windowed(o, stdout, stderr)
}
