package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"visavis.example/internal/doctor"
	"visavis.example/internal/server"
	"visavis.example/internal/server/admin"
	protocol "visavis.example/internal/signal"
)

const doctorHelp = `visavis-server doctor [flags]            looks at the server on this machine, and calls through it
visavis-server doctor [flags] ADDRESS    looks at a server from outside: run it on a machine somewhere else

It makes an account of its own for that and removes it again, where it may. Exit code 0 says that a call could be made
and that nothing is wrong.

`

// examine is the command doctor.
func examine(ctx context.Context, args []string, env func(string) (string, bool), out, problems io.Writer) int {
	f := flag.NewFlagSet("doctor", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	file := f.String("config", "", "the server's configuration `FILE`")
	data := f.String("data", "", "`DIR` of the server's data; default: as its configuration says")
	ca := f.String("ca", "", "`FILE` with a certificate to trust besides the system's (PEM), such as the server's own cert.pem")
	user := f.String("user", "", "`NAME` to sign in with; its password is taken from VISAVIS_PASSWORD")
	invite := f.String("invite", "", "invite `LINK` to make an account with, where sign-up needs one")
	patience := f.Duration("patience", 15*time.Second, "how `LONG` the network may take for one step")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, doctorHelp)
		f.SetOutput(out)
		f.PrintDefaults()
		return exitOK
	case err != nil:
		return notRun(problems, err)
	case f.NArg() > 1:
		fmt.Fprintf(problems, "visavis-server: doctor takes one address, not also %q\n", f.Arg(1))
		return exitUsage
	}
	d := &doctor.Doctor{Name: *user, Invite: *invite, Patience: *patience, Found: func(f doctor.Finding) { report(out, f) }}
	d.Password, _ = env("VISAVIS_PASSWORD")
	if *user != "" && d.Password == "" {
		fmt.Fprintln(problems, "visavis-server: --user needs the password in VISAVIS_PASSWORD")
		return exitUsage
	}
	var err error
	if f.NArg() == 1 {
		err = fromOutside(d, f.Arg(0), *ca)
	} else {
		err = fromInside(d, *data, *file, *ca, env)
	}
	if err != nil {
		fmt.Fprintln(problems, "visavis-server:", err)
		return exitUsage
	}
	if !d.Run(ctx) {
		fmt.Fprintln(out, "\nSomething is wrong: people cannot call each other through this server, or not all of them.")
		return exitFailed
	}
	fmt.Fprintln(out, "\nPeople can call each other through this server.")
	if d.Inside != nil {
		where := d.Address.Base()
		if d.Address.Loopback() {
			where = "https://ADDRESS-OF-THIS-SERVER"
		}
		fmt.Fprintf(out, "Whether they also can from elsewhere: run \"visavis-server doctor %s\" on a machine in another network.\n", where)
	}
	return exitOK
}

// report is one finding as people read it.
func report(out io.Writer, f doctor.Finding) {
	fmt.Fprintf(out, "%-8s %-14s %s\n", f.State, f.Check, f.Text)
	if f.Mend != "" {
		for i, l := range wrap(f.Mend, 96) {
			fmt.Fprintf(out, "%-23s %s %s\n", "", []string{"→", " "}[min(i, 1)], l)
		}
	}
}

func fromOutside(d *doctor.Doctor, address, ca string) (err error) {
	if d.Address, err = protocol.ParseAddress(address); err != nil {
		return err
	}
	d.TLS, err = protocol.Trust(ca)
	return err
}

// fromInside finds the server that runs, or should run, on this machine.
func fromInside(d *doctor.Doctor, data, file, ca string, env func(string) (string, bool)) error {
	dir, err := dataDir(data, file, env)
	if err != nil {
		return err
	}
	d.Inside = &doctor.Inside{DataDir: dir}
	st, err := runningState(dir)
	if errors.Is(err, os.ErrNotExist) {
		d.Address = protocol.Address{} // there is nowhere to go
		return nil
	} else if err != nil {
		return err
	}
	d.Inside.PID = st.PID
	d.NewAccount = func(ctx context.Context, name, password string) error {
		k, done, err := openDesk(ctx, dir, io.Discard)
		if err != nil {
			return err
		}
		_, err = k.Do(ctx, admin.Request{Command: admin.UserAdd, Name: name, Password: password})
		return errors.Join(err, done())
	}
	if d.Address, err = protocol.ParseAddress(siteOf(st)); err != nil {
		return err
	}
	d.TLS, err = protocol.Trust(cmp.Or(ca, st.Certificate))
	return err
}

// siteOf is the address at which others reach the server: its domain, where it has one.
func siteOf(st server.State) string {
	if st.Domain == "" {
		return st.URL
	}
	scheme, rest, _ := strings.Cut(st.URL, "://")
	_, port, err := net.SplitHostPort(rest)
	if err != nil {
		return st.URL
	}
	return scheme + "://" + net.JoinHostPort(st.Domain, port)
}
