package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/admin"
)

// desk is where the operator's commands are done: in the running server, or here when none runs.
type desk interface {
	Do(ctx context.Context, r admin.Request) (admin.Reply, error)
	Export(ctx context.Context, name string, w io.Writer) error
	Backup(ctx context.Context, w io.Writer) error
}

// busyWait is for how long a server may be on its way up or down: it has the folder, but does not hear commands.
const busyWait = 10 * time.Second

// openDesk finds the server that runs on a data folder, or takes the folder.
func openDesk(ctx context.Context, data string, problems io.Writer) (d desk, done func() error, err error) {
	log := slog.New(slog.NewTextHandler(problems, &slog.HandlerOptions{Level: slog.LevelWarn}))
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for start := time.Now(); ; {
		if at := adminSocket(data); at != "" {
			r, err := admin.Dial(ctx, at)
			if err == nil {
				return r, func() error { return nil }, nil
			}
		}
		o, err := server.OpenOffline(ctx, data, version, accounts.Work{}, log)
		if err == nil {
			return o, o.Close, nil
		}
		if !errors.Is(err, server.ErrInUse) || time.Since(start) > busyWait {
			return nil, nil, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// adminSocket is where the server says that it hears commands; empty: no server runs, or it was killed.
func adminSocket(data string) string {
	b, err := os.ReadFile(filepath.Join(data, server.StateFile))
	var st server.State
	if err != nil || json.Unmarshal(b, &st) != nil {
		return ""
	}
	return st.Admin
}

// command is one of the operator's commands, read from the command line.
type command struct {
	env           func(string) (string, bool)
	out, problems io.Writer

	flags  *flag.FlagSet
	data   string
	asJSON bool
	words  []string // what is no flag
}

// errUsage is said when the command line itself is wrong; why has been said.
var errUsage = errors.New("usage")

// operate runs "user add NAME" and its like.
func operate(ctx context.Context, args []string, env func(string) (string, bool), out, problems io.Writer) int {
	name, rest := args[0], args[1:]
	if _, single := singles[name]; !single {
		if len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
			fmt.Fprintf(problems, "visavis-server: %s what? See \"visavis-server help\".\n", name)
			return exitUsage
		}
		name, rest = name+" "+rest[0], rest[1:]
	}
	do := commands[name]
	if do == nil {
		do = singles[name]
	}
	if do == nil {
		fmt.Fprintf(problems, "visavis-server: there is no command %q. See \"visavis-server help\".\n", name)
		return exitUsage
	}
	c := &command{env: env, out: out, problems: problems, flags: flag.NewFlagSet(name, flag.ContinueOnError)}
	c.flags.SetOutput(problems)
	c.flags.StringVar(&c.data, "data", c.defaultData(), "`DIR` of the server's data; also VISAVIS_DATA")
	switch err := do(ctx, c, rest); {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	default:
		fmt.Fprintln(problems, "visavis-server:", err)
		return exitFailed
	}
}

// defaultData is where the server's data is as far as the environment and the installed configuration say.
func (c *command) defaultData() string {
	if dir, err := dataDir("", "", c.env); err == nil {
		return dir
	}
	return server.DefaultDataDir // and opening that says what is wrong
}

// parse reads flags, which may stand before and after the words, and exactly the words that are named.
func (c *command) parse(args []string, names ...string) error {
	c.flags.Usage = func() {
		fmt.Fprintf(c.problems, "visavis-server %s [flags]\n", strings.Join(append([]string{c.flags.Name()}, names...), " "))
		c.flags.PrintDefaults()
	}
	for {
		if err := c.flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return errUsage // the package has said why
		}
		if c.flags.NArg() == 0 {
			break
		}
		c.words = append(c.words, c.flags.Arg(0))
		args = c.flags.Args()[1:]
	}
	if len(c.words) != len(names) {
		what := "nothing"
		if len(names) > 0 {
			what = strings.Join(names, " and ")
		}
		fmt.Fprintf(c.problems, "visavis-server: %s takes %s.\n", c.flags.Name(), what)
		return errUsage
	}
	return nil
}

// with finds the desk and has something done there.
func (c *command) with(ctx context.Context, do func(d desk) error) error {
	d, done, err := openDesk(ctx, c.data, c.problems)
	if err != nil {
		return err
	}
	return errors.Join(do(d), done())
}

// ask does one request.
func (c *command) ask(ctx context.Context, r admin.Request) (admin.Reply, error) {
	var out admin.Reply
	err := c.with(ctx, func(d desk) (err error) {
		out, err = d.Do(ctx, r)
		return err
	})
	return out, err
}

func (c *command) writeJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

type action func(ctx context.Context, c *command, args []string) error

// commands of two words, and of one.
var (
	commands = map[string]action{
		"user add": userAdd, "user list": userList, "user passwd": userPasswd, "user disable": userDisable, "user enable": userEnable,
		"user delete": userDelete, "invite create": inviteCreate, "invite list": inviteList, "invite revoke": inviteRevoke,
	}
	singles = map[string]action{"export": exportUser, "backup": backupAll, "restore": restoreAll}
)
