package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	vsignal "visavis.example/internal/signal"
)

// onlineLimit is how long a windowless command waits for the server at its start.
const onlineLimit = 20 * time.Second

// client is the app with all its parts, ready to be started.
type client struct {
	app     *app.App
	calls   *calls
	nets    *networks
	servers *app.Servers
	events  *eventLog
	robot   *robot
	log     *slog.Logger
}

// newClient wires everything that window and commands have in common.
func newClient(o *options, stdout, stderr io.Writer, window bool) (*client, error) {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	path, err := app.SettingsPath(o.configDir)
	if err != nil {
		return nil, err
	}
	conf, err := vsignal.Trust(o.ca)
	if err != nil {
		return nil, usageError{fmt.Errorf("--ca: %w", err)}
	}
	events, err := openEvents(o.events, stdout)
	if err != nil {
		return nil, err
	}
	media, err := newCalls(o.media, log, window)
	if err != nil {
		return nil, errors.Join(err, events.end())
	}
	host, _ := os.Hostname()
	servers := &app.Servers{TLS: conf, Known: &app.KnownServers{File: app.KnownServersPath(path)}, Logger: log}
	media.relayTLS = servers.TLSFor
	c := &client{calls: media, events: events, log: log, servers: servers}
	c.app = &app.App{
		Dialer: c.servers, Media: media, Override: o.override, Device: host, Client: "visavis/" + version,
		RelayOnly: o.media.relayOnly, Logger: log,
	}
	if window {
		c.app.SettingsFile = path
	}
	if window || !o.hasPassword {
		c.app.Secrets = o.tokens(path)
	}
	c.nets = &networks{changed: c.app.NetworkChanged}
	c.robot = &robot{o: o, app: c.app, say: stderr, done: make(chan int, 1)}
	c.app.Events(events.write)
	c.app.Events(c.robot.event)
	c.app.Subscribe(c.robot.snapshot)
	return c, nil
}

// close ends the app and everything around it.
func (c *client) close() error {
	c.nets.close()
	c.app.Close()
	c.robot.stop() // its timers are the app's loop's until that has ended
	c.servers.Close()
	return errors.Join(c.calls.gaps, c.events.end())
}

// whoAndWhere checks that a windowless command can sign in at all.
func (o *options) whoAndWhere(s app.Settings) error {
	switch {
	case s.Server == "":
		return usageError{errors.New("which server? --server ADDRESS")}
	case s.Name == "":
		return usageError{errors.New("who are you? --user NAME")}
	}
	return nil
}

// windowless runs `call` and `answer`.
func windowless(o *options, stdout, stderr io.Writer) (int, error) {
	c, err := newClient(o, stdout, stderr, false)
	if err != nil {
		return exitFailed, err
	}
	s, err := o.settings()
	if err != nil {
		c.robot.tell("Settings: %v", err)
	}
	c.app.Initial = s
	if err := o.whoAndWhere(s); err != nil {
		return exitUsage, errors.Join(err, c.abandon())
	}
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	if err := c.app.Start(); err != nil {
		return exitFailed, errors.Join(err, c.abandon())
	}
	c.nets.start()
	if o.hasPassword {
		c.app.SignIn(s.Server, s.Name, o.password)
	}
	late := time.AfterFunc(onlineLimit, c.checkOnline)
	defer late.Stop()

	var code int
	select {
	case code = <-c.robot.done:
	case <-interrupts:
		go func() {
			<-interrupts
			os.Exit(exitForced)
		}()
		code = c.interrupted()
	}
	if o.hasPassword {
		c.app.SignOut() // a session for every run would pile up
	}
	if err := c.close(); err != nil {
		return max(code, exitFailed), err
	}
	return code, nil
}

// interrupted hangs up as a person would, and gives the exit code of the call that this ended. What only rings is not
// refused: the person's other devices ring on.
func (c *client) interrupted() int {
	hungUp := make(chan struct{})
	c.app.View(func(s app.Snapshot) {
		if s.Call.Phase != call.Incoming {
			c.app.Hangup()
		}
		c.app.View(func(app.Snapshot) { close(hungUp) })
	})
	<-hungUp
	select {
	case code := <-c.robot.done:
		return code
	default:
	}
	if c.robot.o.peer != "" {
		return exitNotAnswered // not even dialled
	}
	return exitOK
}

// checkOnline ends a command that has not reached the server in time.
func (c *client) checkOnline() {
	c.app.View(func(s app.Snapshot) {
		if !c.robot.online {
			c.robot.tell("The server could not be reached. %s", s.LinkNote)
			c.robot.finish(exitSignIn)
		}
	})
}

// abandon closes what was made for an app that never started.
func (c *client) abandon() error {
	c.calls.Close()
	c.servers.Close()
	return errors.Join(c.calls.gaps, c.events.end())
}

// register makes an account.
func register(o *options, stdout, stderr io.Writer) (int, error) {
	s, err := o.settings()
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "Settings:", err)
	}
	if err := o.whoAndWhere(s); err != nil {
		return exitUsage, err
	}
	if !o.hasPassword {
		return exitUsage, usageError{errors.New("which password? Set VISAVIS_PASSWORD or use --password-file")}
	}
	conf, err := vsignal.Trust(o.ca)
	if err != nil {
		return exitUsage, usageError{fmt.Errorf("--ca: %w", err)}
	}
	events, err := openEvents(o.events, stdout)
	if err != nil {
		return exitFailed, err
	}
	path, err := app.SettingsPath(o.configDir)
	if err != nil {
		return exitFailed, errors.Join(err, events.end())
	}
	servers := &app.Servers{TLS: conf, Known: &app.KnownServers{File: app.KnownServersPath(path)}}
	defer servers.Close()
	name, err := makeAccount(context.Background(), servers, s.Server, vsignal.Register{Name: s.Name, Password: o.password, Invite: o.invite})
	if err != nil {
		events.write(app.Event{Time: time.Now(), Event: "sign-in-failed", Text: err.Error()})
		if u := vsignal.UntrustedIn(err); u != nil {
			_, _ = fmt.Fprintln(stderr, howToTrust(u.Host, u.Shown, u.Changed()))
		}
		return exitSignIn, errors.Join(err, events.end())
	}
	events.write(app.Event{Time: time.Now(), Event: "registered", User: name})
	_, _ = fmt.Fprintf(stderr, "%s now has an account at %s.\n", name, s.Server)
	return exitOK, events.end()
}

// makeAccount registers and leaves no session behind.
func makeAccount(ctx context.Context, servers *app.Servers, server string, r vsignal.Register) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, onlineLimit)
	defer cancel()
	accounts, err := servers.Accounts(servers.Reach(ctx, server))
	if err != nil {
		return "", err
	}
	in, err := accounts.Register(ctx, r)
	if err != nil {
		return "", err
	}
	return in.User.Name, accounts.Logout(ctx, in.Token)
}
