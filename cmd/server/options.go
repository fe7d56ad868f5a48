package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/certify"
	"visavis.example/internal/server/limit"
)

// options are all settings of serve: from flags, else from the environment, else from the configuration file.
type options struct {
	config server.Config
	level  slog.Level
	file   string // the configuration file; empty: none

	flags  *flag.FlagSet
	groups []group // the settings in the order in which people read them
}

// group is some settings under one heading.
type group struct {
	title string
	names []string
}

// newOptions are the defaults.
func newOptions() *options {
	o := &options{flags: flag.NewFlagSet("serve", flag.ContinueOnError)}
	o.flags.SetOutput(io.Discard) // run says what is wrong
	o.config.Version = version
	o.config.Limits = server.DefaultLimits()
	f, c := o.flags, &o.config
	f.StringVar(&o.file, "config", "", "`FILE` with settings, one \"name = value\" a line; \"visavis-server config\" prints one to begin with")
	o.group("Where it listens", func() {
		f.StringVar(&c.Listen, "listen", server.DefaultListen, "`HOST:PORT` of the site; no host: every interface; port 0: any that is free")
		f.BoolVar(&c.HTTP, "http", false, "plain HTTP instead of HTTPS, on loopback only: for a proxy on the same machine")
		f.Func("trusted-proxies", "`ADDRESSES` and networks of proxies in front of the site, such as \"127.0.0.1, 10.0.0.0/8\": "+
			"only they are believed when they say who asks; default: nobody", func(s string) (err error) {
			c.TrustedProxies, err = server.ParseProxies(s)
			return err
		})
	})
	o.group("Certificate", func() {
		f.StringVar(&c.CertFile, "cert", "", "`FILE` with your certificate chain (PEM); default: a self-signed one, made at the first start")
		f.StringVar(&c.KeyFile, "key", "", "`FILE` with its key (PEM)")
		f.Func("domain", "`NAMES` of the site, such as \"call.example.org\": get a certificate for them by ACME, agreeing to the authority's terms; "+
			"port 443 of each must lead here", func(s string) error {
			c.ACME.Domains = strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ',' || r == ' ' })
			return nil
		})
		f.StringVar(&c.ACME.Email, "acme-email", "", "`ADDRESS` to which the authority may write")
		f.StringVar(&c.ACME.Directory, "acme-directory", certify.LetsEncrypt, "`URL` of the authority's ACME directory")
		f.StringVar(&c.ACME.CAFile, "acme-ca", "", "`FILE` with the certificate that the authority's directory is trusted by (PEM); default: the system's")
	})
	o.group("Relay", func() { o.relay(f, c) })
	o.group("People", func() {
		c.SignUp, c.Inviting = server.SignUpMode("open"), accounts.InvitingPeople
		f.Var(choice{(*string)(&c.SignUp), []string{"open", "invite", "closed"}}, "sign-up",
			"who may make an `ACCOUNT`: open (everybody), invite (who has an invite), closed (only \"visavis-server user add\")")
		f.Var(choice{&c.Inviting, []string{accounts.InvitingPeople, accounts.InvitingAdmin}}, "invites",
			"`WHO` may make invites where one needs one: people, or admin (only \"visavis-server invite create\")")
	})
	o.group("Data and log", func() {
		f.StringVar(&c.DataDir, "data", server.DefaultDataDir, "`DIR` for the database and the certificate; made when missing")
		f.TextVar(&o.level, "log", slog.LevelInfo, "log `LEVEL`: debug, info, warn, error")
		f.StringVar(&c.MetricsListen, "metrics-listen", server.NoMetrics, "loopback `HOST:PORT` of Prometheus metrics and Go's profiles, such as 127.0.0.1:9464; \"none\": neither")
	})
	o.group("Calls", func() {
		f.Var(newPeriod(&c.PingEvery, server.DefaultPingEvery), "ping-every", "how often sockets are `PINGED`; one that says nothing for twice that is dead")
		f.Var(newPeriod(&c.RingTimeout, 45*time.Second), "ring-timeout", "how long a call `RINGS` before it ends unanswered")
		f.Var(newPeriod(&c.PeerGoneAfter, 20*time.Second), "peer-gone-after", "how long a device of a call may be `AWAY` before the call ends")
		f.Var(newPeriod(&c.ReturnWithin, server.DefaultReturnWithin), "return-within",
			"within what `TIME` the devices come back when the server restarts, spread over it: longer for many of them")
	})
	o.group(limitsTitle, func() {
		for _, l := range c.Limits.List() {
			f.Var(l.Value, limitPrefix+l.Name, l.Doc)
		}
	})
	return o
}

const (
	limitsTitle = "Limits"
	limitPrefix = "limit-"
)

func (o *options) relay(f *flag.FlagSet, c *server.Config) {
	f.StringVar(&c.TURNListen, "turn-listen", server.DefaultTURNListen, "`HOST:PORT` of STUN and TURN, UDP and TCP; \"none\": no relay")
	f.Func("public-ip", "`IP` address at which the relay is reached from outside, or one of each family with a comma between; default: found out", func(s string) error {
		return parsePublic(s, &c.PublicIP, &c.PublicIP6)
	})
	f.StringVar(&c.TURNHost, "turn-host", "", "`NAME` by which clients reach the relay; default: as they reached the site")
	f.Func("turn-ports", "`MIN-MAX` of relayed ports, for a firewall; default: any", func(s string) error {
		return parsePorts(s, &c.PortMin, &c.PortMax)
	})
	f.BoolVar(&c.TURNPortable, "turn-portable", false, "relay without the fast path that Linux has, for when that makes trouble")
	f.BoolVar(&c.LAN, "lan", false, "the relay may reach private addresses (10/8, 192.168/16 …)")
}

// group notes which settings define adds.
func (o *options) group(title string, define func()) {
	before := map[string]bool{}
	o.flags.VisitAll(func(g *flag.Flag) { before[g.Name] = true })
	define()
	g := group{title: title}
	o.flags.VisitAll(func(f *flag.Flag) {
		if !before[f.Name] {
			g.names = append(g.names, f.Name)
		}
	})
	o.groups = append(o.groups, g)
}

// parse reads the settings: flags win over the environment (--turn-listen is VISAVIS_TURN_LISTEN there), and that wins
// over the configuration file. What is wrong in any of them is an error, even where another wins.
func parse(args []string, env func(string) (string, bool), problems io.Writer) (*options, error) {
	first := newOptions()
	switch err := first.flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		first.help(problems)
		return first, err
	case err != nil:
		return first, first.hint(err)
	case first.flags.NArg() > 0:
		return first, fmt.Errorf("serve takes flags only, not %q", first.flags.Arg(0))
	}
	o := newOptions()
	if o.file = first.file; o.file == "" {
		o.file = value(env, "config")
	}
	if o.file != "" {
		if err := o.fromFile(); err != nil {
			return o, err
		}
	}
	if err := o.fromEnvironment(env); err != nil {
		return o, err
	}
	return o, o.flags.Parse(args)
}

// readOptions is the settings of a configuration file alone, or the defaults without one.
func readOptions(file string) (*options, error) {
	o := newOptions()
	o.file = file
	if file == "" {
		return o, nil
	}
	return o, o.fromFile()
}

// value is what the environment says of a setting; empty: nothing.
func value(env func(string) (string, bool), name string) string {
	v, ok := env(envName(name))
	if !ok {
		return ""
	}
	return v
}

func envName(flagName string) string {
	return "VISAVIS_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

func (o *options) fromEnvironment(env func(string) (string, bool)) error {
	var err error
	o.flags.VisitAll(func(g *flag.Flag) {
		v := value(env, g.Name)
		if v == "" || err != nil {
			return
		}
		if bad := o.set(g.Name, v); bad != nil {
			err = fmt.Errorf("%s=%q: %w", envName(g.Name), v, bad)
		}
	})
	return err
}

// set gives a setting a value. Package flag says no more than "parse error" where it parses by itself.
func (o *options) set(name, value string) error {
	g := o.flags.Lookup(name)
	if b, ok := g.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		on, known := map[string]string{"yes": "true", "on": "true", "no": "false", "off": "false"}[strings.ToLower(value)]
		if known {
			value = on
		}
		if _, err := strconv.ParseBool(value); err != nil {
			return fmt.Errorf("%q is neither yes nor no", value)
		}
	}
	return o.flags.Set(name, value)
}

// help lists the flags; the limits, which few people change, are in the configuration file with their explanation.
func (o *options) help(out io.Writer) {
	fmt.Fprint(out, "visavis-server serve [flags]\n\n"+
		"Each flag can also be set in the environment (--turn-listen as VISAVIS_TURN_LISTEN) or in the\n"+
		"configuration file (as \"turn-listen = …\"). Flags win over the environment, that wins over the file.\n"+
		"Limits are settings too; \"visavis-server config\" prints all settings with what they mean.\n")
	show := flag.NewFlagSet("serve", flag.ContinueOnError)
	show.SetOutput(out)
	list := func(names ...string) {
		for _, n := range names {
			g := o.flags.Lookup(n)
			show.Var(g.Value, g.Name, g.Usage)
			show.Lookup(n).DefValue = g.DefValue
		}
		show.PrintDefaults()
		show = flag.NewFlagSet("serve", flag.ContinueOnError)
		show.SetOutput(out)
	}
	fmt.Fprintln(out)
	list("config")
	for _, g := range o.groups {
		if g.title != limitsTitle {
			fmt.Fprintf(out, "\n%s:\n", g.title)
			list(g.names...)
		}
	}
}

// period is a setting that is a time, within reason.
type period struct{ to *time.Duration }

const (
	leastPeriod = 100 * time.Millisecond
	mostPeriod  = time.Hour
)

func newPeriod(to *time.Duration, usual time.Duration) period {
	*to = usual
	return period{to}
}

// String implements flag.Value; package flag also asks zero values.
func (p period) String() string {
	if p.to == nil {
		return ""
	}
	return limit.Short(*p.to)
}

// Set implements flag.Value.
func (p period) Set(s string) error {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a time such as 30s, 15m or 24h", s)
	case d < leastPeriod || d > mostPeriod:
		return fmt.Errorf("it is %s to %s", limit.Short(leastPeriod), limit.Short(mostPeriod))
	}
	*p.to = d
	return nil
}

// choice is a setting that is one of some words.
type choice struct {
	to  *string
	all []string
}

// String implements flag.Value; package flag also asks zero values.
func (c choice) String() string {
	if c.to == nil {
		return ""
	}
	return *c.to
}

// Set implements flag.Value.
func (c choice) Set(s string) error {
	if !slices.Contains(c.all, s) {
		return fmt.Errorf("it is one of %s, not %q", strings.Join(c.all, ", "), s)
	}
	*c.to = s
	return nil
}

// parsePublic reads an address, or an IPv4 and an IPv6 one.
func parsePublic(s string, v4, v6 *netip.Addr) error {
	*v4, *v6 = netip.Addr{}, netip.Addr{}
	for part := range strings.SplitSeq(s, ",") {
		a, err := netip.ParseAddr(strings.TrimSpace(part))
		a = a.Unmap()
		switch {
		case err != nil:
			return fmt.Errorf("%q is not an IP address", strings.TrimSpace(part))
		case a.Is4() && v4.IsValid(), a.Is6() && v6.IsValid():
			return fmt.Errorf("%q has two addresses of one family", s)
		case a.Is4():
			*v4 = a
		default:
			*v6 = a
		}
	}
	return nil
}

func parsePorts(s string, low, high *uint16) error {
	a, b, ok := strings.Cut(s, "-")
	from, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
	to, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
	if !ok || err1 != nil || err2 != nil || from == 0 || from > to {
		return fmt.Errorf("%q is not MIN-MAX", s)
	}
	*low, *high = uint16(from), uint16(to)
	return nil
}

// defaultFile is where setup writes the configuration of a machine's server.
const defaultFile = "/etc/visavis/visavis.conf"

// dataDir finds the data folder for commands about a server: what --data says, else VISAVIS_DATA, else the configuration
// file's (--config, VISAVIS_CONFIG), else ./data when it is there, else that of the server that setup has installed.
func dataDir(given, file string, env func(string) (string, bool)) (string, error) {
	if dir := cmp.Or(given, value(env, "data")); dir != "" {
		return dir, nil
	}
	switch file = cmp.Or(file, value(env, "config")); {
	case file != "":
	case exists(server.DefaultDataDir) || !exists(defaultFile):
		return server.DefaultDataDir, nil
	default:
		file = defaultFile
	}
	o, err := readOptions(file)
	if err != nil {
		return "", err
	}
	return o.config.DataDir, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
