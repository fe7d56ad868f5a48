package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"visavis.example/internal/server"
)

// answers are what setup has to know.
type answers struct {
	domain string // empty: a local network, under whatever name or address
	lan    bool   // has been said
	signUp string // open, invite, closed
	data   string

	file   string // where the settings go
	units  string // folder of the systemd units; "none": no units
	binary string // the program that the unit starts
	user   string // whom the server runs as
	force  bool   // replace what is there
}

// setup asks the three questions that matter, or takes their answers as flags, and writes the configuration file and, on
// Linux with systemd, the units. It starts nothing: it says how.
func setup(args []string, in io.Reader, out, problems io.Writer) int {
	a, err := setupFlags(args, out)
	if err == nil {
		err = a.ask(bufio.NewReader(io.LimitReader(in, maxAnswers)), out)
	}
	if err != nil {
		return notRun(problems, err)
	}
	if err := a.install(out); err != nil {
		fmt.Fprintln(problems, "visavis-server:", err)
		return exitFailed
	}
	return exitOK
}

func setupFlags(args []string, out io.Writer) (*answers, error) {
	a := &answers{}
	f := flag.NewFlagSet("setup", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&a.domain, "domain", "", "`NAME` under which the server is reached from the internet; gets a certificate for it")
	f.BoolVar(&a.lan, "lan", false, "no domain: a server for a local network, with a certificate of its own")
	f.StringVar(&a.signUp, "sign-up", "", "`WHO` may make an account: open, invite or closed")
	f.StringVar(&a.data, "data", "", "`DIR` for the database and the certificates")
	f.StringVar(&a.file, "config", "", "`FILE` to write the settings to; default: "+defaultFile+", for anybody but root ./visavis.conf")
	f.StringVar(&a.units, "units", "", "`DIR` to write the systemd units to; \"none\": no units; default: /etc/systemd/system, for root on Linux with systemd")
	f.StringVar(&a.binary, "binary", "", "`FILE` that the unit starts; default: this program")
	f.StringVar(&a.user, "user", "visavis", "`NAME` of the system's user as whom the server runs; made when missing")
	f.BoolVar(&a.force, "force", false, "replace files that are there; each is kept with .old behind its name")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, "visavis-server setup [flags]\nAsks what it is not told by a flag, and writes the configuration file and systemd units.\n\n")
			f.SetOutput(out)
			f.PrintDefaults()
		}
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("setup takes flags only, not %q", f.Arg(0))
	case a.lan && a.domain != "":
		return nil, errors.New("--lan says that there is no domain: give one or the other")
	}
	return a, a.defaults()
}

// defaults are where things go on this machine.
func (a *answers) defaults() error {
	root := runtime.GOOS == "linux" && os.Geteuid() == 0
	if a.units == "" {
		a.units = noUnits
		if root && exists("/run/systemd/system") {
			a.units = "/etc/systemd/system"
		}
	}
	if a.file == "" {
		a.file = "visavis.conf"
		if root {
			a.file = defaultFile
		}
	}
	var err error
	if a.file, err = filepath.Abs(a.file); err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	if a.binary == "" {
		if a.binary, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
	}
	return nil
}

const (
	noUnits    = "none"
	maxAnswers = 64 << 10 // bytes of all answers together: what is piped in may have no end
)

// ask asks for what the flags have not said. in is only read when there is something to ask.
func (a *answers) ask(in *bufio.Reader, out io.Writer) error {
	for _, q := range []struct {
		known  bool
		text   string
		answer *string
		usual  string
		check  func(string) (string, error)
	}{
		{
			a.lan || a.domain != "", "Under which domain will people reach this server, such as call.example.org?\n" +
				"Nothing: it is for a local network, without a domain.", &a.domain, "", checkDomain,
		},
		{
			a.signUp != "", "Who may make an account: everybody (open), who has an invitation (invite), or nobody\n" +
				"but whom you add (closed)?", &a.signUp, "invite", checkSignUp,
		},
		{a.data != "", "In which folder should the data live?", &a.data, a.usualData(), checkData},
	} {
		if q.known {
			v, err := q.check(*q.answer)
			if err != nil {
				return err
			}
			*q.answer = v
			continue
		}
		v, err := question(in, out, q.text, q.usual, q.check)
		if err != nil {
			return err
		}
		*q.answer = v
	}
	return nil
}

// question asks until the answer is good, three times at most: who pipes answers in must not wait for ever.
func question(in *bufio.Reader, out io.Writer, text, usual string, check func(string) (string, error)) (string, error) {
	for tries := 0; ; tries++ {
		fmt.Fprintf(out, "%s\n", text)
		if usual != "" {
			fmt.Fprintf(out, "[%s] ", usual)
		}
		fmt.Fprint(out, "> ")
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			fmt.Fprintln(out)
			return "", errors.New("no answer. Without somebody to ask, say --domain NAME or --lan, --sign-up open|invite|closed, --data DIR")
		}
		answer := strings.TrimSpace(line)
		if answer == "" {
			answer = usual
		}
		v, bad := check(answer)
		if bad == nil {
			return v, nil
		}
		if tries == 2 {
			return "", bad
		}
		fmt.Fprintf(out, "%v\n\n", bad)
	}
}

// checkDomain takes a DNS name; nothing is a local network.
func checkDomain(s string) (string, error) {
	s = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "."))
	if s == "" {
		return "", nil
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return "", fmt.Errorf("%s is an address, no domain; without a domain it is a server for a local network", s)
	}
	labels := strings.Split(s, ".")
	ok := len(labels) > 1 && len(s) <= 253
	for _, l := range labels {
		ok = ok && l != "" && len(l) <= 63 && l[0] != '-' && l[len(l)-1] != '-' &&
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	}
	if !ok {
		return "", fmt.Errorf("%q is not a domain such as call.example.org", s)
	}
	return s, nil
}

func checkSignUp(s string) (string, error) {
	switch s = strings.ToLower(s); s {
	case "open", "invite", "closed":
		return s, nil
	}
	return "", fmt.Errorf("%q is not open, invite or closed", s)
}

func (a *answers) usualData() string {
	if filepath.Dir(a.file) == filepath.Dir(defaultFile) || a.units != noUnits {
		return "/var/lib/visavis"
	}
	return server.DefaultDataDir
}

func checkData(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, "\n\r\"%") {
		return "", fmt.Errorf("%q is not a folder", s)
	}
	path, err := filepath.Abs(s)
	if err != nil {
		return "", fmt.Errorf("data folder: %w", err)
	}
	if fi, err := os.Stat(path); err == nil && !fi.IsDir() {
		return "", fmt.Errorf("%s is not a folder", path)
	}
	return path, nil
}

func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
