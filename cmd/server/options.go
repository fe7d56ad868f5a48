package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/server/certify"
)

// options are the flags of serve, as they were given or from the environment.
type options struct {
	config server.Config
	level  slog.Level
}

// parse reads the flags. What a flag does not say is taken from the environment: --turn-listen from VISAVIS_TURN_LISTEN.
func parse(args []string, env func(string) (string, bool), problems io.Writer) (options, error) {
	var o options
	c := &o.config
	c.Version = version
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	f.SetOutput(io.Discard) // run says what is wrong
	f.StringVar(&c.Listen, "listen", server.DefaultListen, "`HOST:PORT` of the site; no host: every interface; port 0: any that is free")
	f.StringVar(&c.TURNListen, "turn-listen", server.DefaultTURNListen, "`HOST:PORT` of STUN and TURN, UDP and TCP; \"none\": no relay")
	f.StringVar(&c.DataDir, "data", server.DefaultDataDir, "`DIR` for the database and the certificate; made when missing")
	f.StringVar(&c.CertFile, "cert", "", "`FILE` with your certificate chain (PEM); default: a self-signed one, made at the first start")
	f.StringVar(&c.KeyFile, "key", "", "`FILE` with its key (PEM)")
	f.Func("domain", "`NAME[,NAME]` of the site: get a certificate for it by ACME, agreeing to the authority's terms; port 443 of it must lead here", func(s string) error {
		c.ACME.Domains = strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ',' || r == ' ' })
		return nil
	})
	f.StringVar(&c.ACME.Email, "acme-email", "", "`ADDRESS` to which the authority may write")
	f.StringVar(&c.ACME.Directory, "acme-directory", certify.LetsEncrypt, "`URL` of the authority's ACME directory")
	f.StringVar(&c.ACME.CAFile, "acme-ca", "", "`FILE` with the certificate that the authority's directory is trusted by (PEM); default: the system's")
	f.BoolVar(&c.HTTP, "http", false, "plain HTTP instead of HTTPS; on loopback only")
	f.Func("public-ip", "`IP` address at which the relay is reached from outside; default: found out", func(s string) (err error) {
		if c.PublicIP, err = netip.ParseAddr(s); err != nil {
			return fmt.Errorf("%q is not an IP address", s)
		}
		return nil
	})
	f.StringVar(&c.TURNHost, "turn-host", "", "`NAME` by which clients reach the relay; default: as they reached the site")
	f.Func("turn-ports", "`MIN-MAX` of relayed ports, for a firewall; default: any", func(s string) error {
		return parsePorts(s, &c.PortMin, &c.PortMax)
	})
	f.BoolVar(&c.LAN, "lan", false, "the relay may reach private addresses (10/8, 192.168/16 …)")
	f.Func("sign-up", "who may make an `ACCOUNT`: open (everybody), invite (who has an invite), closed (only \"visavis-server user add\"); default open", func(s string) error {
		c.SignUp = server.SignUpMode(s)
		return oneOf(s, "open", "invite", "closed")
	})
	f.Func("invites", "`WHO` may make invites where one needs one: people, or admin (only \"visavis-server invite create\"); default people", func(s string) error {
		c.Inviting = s
		return oneOf(s, accounts.InvitingPeople, accounts.InvitingAdmin)
	})
	f.DurationVar(&c.RingTimeout, "ring-timeout", 45*time.Second, "how long a call `RINGS` before it ends unanswered")
	f.DurationVar(&c.PeerGoneAfter, "peer-gone-after", 20*time.Second, "how long a device of a call may be `AWAY` before the call ends")
	f.TextVar(&o.level, "log", slog.LevelInfo, "log `LEVEL`: debug, info, warn, error")
	if err := f.Parse(args); err != nil {
		if err == flag.ErrHelp { //nolint:errorlint // the package returns it as it is
			fmt.Fprint(problems, "visavis-server serve [flags]\nEach flag can also be set in the environment: --turn-listen as VISAVIS_TURN_LISTEN.\n\n")
			f.SetOutput(problems)
			f.PrintDefaults()
		}
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("serve takes flags only, not %q", f.Arg(0))
	}
	return o, fromEnvironment(f, env)
}

func fromEnvironment(f *flag.FlagSet, env func(string) (string, bool)) error {
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	var err error
	f.VisitAll(func(g *flag.Flag) {
		name := "VISAVIS_" + strings.ToUpper(strings.ReplaceAll(g.Name, "-", "_"))
		value, ok := env(name)
		if !ok || value == "" || given[g.Name] || err != nil {
			return
		}
		if bad := f.Set(g.Name, value); bad != nil {
			err = fmt.Errorf("%s=%q: %w", name, value, bad)
		}
	})
	return err
}

func oneOf(s string, all ...string) error {
	if slices.Contains(all, s) {
		return nil
	}
	return fmt.Errorf("it is one of %s, not %q", strings.Join(all, ", "), s)
}

func parsePorts(s string, low, high *uint16) error {
	a, b, ok := strings.Cut(s, "-")
	from, err1 := strconv.ParseUint(a, 10, 16)
	to, err2 := strconv.ParseUint(b, 10, 16)
	if !ok || err1 != nil || err2 != nil || from == 0 || from > to {
		return fmt.Errorf("%q is not MIN-MAX", s)
	}
	*low, *high = uint16(from), uint16(to)
	return nil
}
