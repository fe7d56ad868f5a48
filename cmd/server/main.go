// Command visavis-server is the server of Visavis: accounts, presence, call signaling, chat, the browser client, and a
// STUN/TURN relay, in one process with one data folder. This package reads flags and the environment and runs
// server.Server until it is told to stop; it decides nothing else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"visavis.example/internal/server"
	"visavis.example/internal/server/systemd"
)

// version is set by the Makefile.
var version = "0.1.0-dev"

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const overview = `visavis-server is the server of Visavis.

  visavis-server setup [flags]   ask three questions, write the configuration and systemd units
  visavis-server serve [flags]   run until SIGTERM or Ctrl-C
  visavis-server config [FILE]   print a configuration file with every setting, or check one
  visavis-server doctor [ADDRESS]
                                 make calls through the server here, or there, and say what is wrong
  visavis-server health [--data DIR] [--wait TIME]
                                 ask the server on that folder whether people could sign in
  visavis-server user add NAME | list | passwd NAME | disable NAME | enable NAME | delete NAME
  visavis-server invite create | list | revoke ID
  visavis-server export NAME     all that is kept of a person, as JSON
  visavis-server backup FILE     everything into one file, also while the server runs
  visavis-server restore FILE    and back, when it does not
                                 these find the server by --data DIR; "user add --help" and so on list their flags
  visavis-server version         say which version this is
  visavis-server help            this; "serve --help" lists the flags
`

// run is main with everything it touches as an argument; ctx ends the server.
func run(ctx context.Context, args []string, env func(string) (string, bool), out, problems io.Writer) int {
	if len(args) == 0 {
		args = []string{"help"}
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], env, out, problems)
	case "health":
		return health(ctx, args[1:], env, out, problems)
	case "setup":
		return setup(args[1:], os.Stdin, out, problems)
	case "doctor":
		return examine(ctx, args[1:], env, out, problems)
	case "config":
		return config(args[1:], out, problems)
	case "user", "invite", "export", "backup", "restore":
		return operate(ctx, args, env, out, problems)
	case "version", "--version", "-version":
		fmt.Fprintln(out, "visavis-server", version)
		return exitOK
	case "help", "--help", "-help", "-h":
		fmt.Fprint(out, overview)
		return exitOK
	}
	fmt.Fprintf(problems, "visavis-server: there is no command %q\n\n%s", args[0], overview)
	return exitUsage
}

// notRun is for arguments that could not be read. Who asked for help has it by now.
func notRun(problems io.Writer, err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	fmt.Fprintln(problems, "visavis-server:", err)
	return exitUsage
}

func serve(ctx context.Context, args []string, env func(string) (string, bool), out, problems io.Writer) int {
	o, err := parse(args, env, problems)
	if err != nil {
		return notRun(problems, err)
	}
	o.config.Logger = slog.New(slog.NewTextHandler(problems, &slog.HandlerOptions{Level: o.level}))
	if o.config.Sockets, err = systemd.Inherit(env); err != nil {
		fmt.Fprintln(problems, "visavis-server:", err)
		return exitFailed
	}
	reload := make(chan os.Signal, 1) // from the very beginning: an unexpected SIGHUP ends a process
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	s := &server.Server{Config: o.config}
	if err := s.Start(ctx); err != nil {
		fmt.Fprintln(problems, "visavis-server:", err)
		return exitFailed
	}
	defer s.Close()
	greet(out, s)
	tell := func(state string) {
		if err := systemd.Notify(env, state); err != nil {
			o.config.Logger.Warn("the service manager does not listen", "error", err)
		}
	}
	tell(systemd.Ready)
	debug.FreeOSMemory() // what only starting needed: a third of an idle server
	if err := stay(ctx, s, reload, o.config.Logger); err != nil {
		fmt.Fprintln(problems, "visavis-server:", err)
		return exitFailed
	}
	o.config.Logger.Info("stopping")
	tell(systemd.Stopping)
	return exitOK
}

// stay runs until the server is told to stop, which is no error, or fails. SIGHUP takes over a changed certificate.
func stay(ctx context.Context, s *server.Server, reload <-chan os.Signal, log *slog.Logger) error {
	for {
		select {
		case <-reload:
			if err := s.ReloadCertificate(); err != nil {
				log.Error("the changed certificate cannot be used; the old one stays in use", "error", err)
			}
		case <-ctx.Done():
			return nil
		case err := <-s.Failed():
			return err
		}
	}
}

// greet says where the server is. The first line is for programs: "listening URL", then nothing else on that line.
func greet(out io.Writer, s *server.Server) {
	fmt.Fprintln(out, "listening", s.URL())
	for _, u := range s.OtherURLs() {
		fmt.Fprintln(out, "also at  ", u)
	}
	if f := s.Fingerprint(); f != "" {
		fmt.Fprintln(out, "certificate", s.CertFile())
		fmt.Fprintln(out, "fingerprint", f)
	}
	if a := s.TURNAddr(); a.IsValid() {
		fmt.Fprintln(out, "relay    ", a)
	}
	for _, u := range s.NamedURLs() {
		fmt.Fprintln(out, "for the app", u)
	}
}
