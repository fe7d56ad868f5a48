package doctor_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/doctor"
	"visavis.example/internal/server"
	"visavis.example/internal/signal"
)

func TestAHealthyServer(t *testing.T) {
	s := open(t)
	d := visit(t, s)
	d.Inside = healthy(s)
	good, found := run(t, d)
	if !good {
		t.Errorf("something is wrong: %+v", found)
	}
	for check, state := range map[string]doctor.State{
		"server": doctor.Good, "disk": doctor.Good, "descriptors": doctor.Good, "clock": doctor.Good, "certificate": doctor.Good,
		"site": doctor.Good, "sign-in": doctor.Good, "relay by UDP": doctor.Good, "relay by TCP": doctor.Good,
	} {
		if f, ok := found[check]; !ok || f.State != state {
			t.Errorf("%s: %+v", check, f)
		}
	}
	if n := people(t, s); n != 0 {
		t.Errorf("%d accounts are left", n)
	}
}

// healthy is a machine with which nothing is wrong.
func healthy(s *server.Server) *doctor.Inside {
	return &doctor.Inside{
		DataDir: s.DataDir, PID: os.Getpid(),
		Disk: func(string) (doctor.Space, error) {
			return doctor.Space{Bytes: 100 << 30, Files: 1 << 20, AllFiles: 1 << 20}, nil
		},
		Clock: func() (bool, error) { return true, nil },
		Files: func(int) (doctor.Descriptors, error) { return doctor.Descriptors{Open: 20, Most: 65536}, nil },
	}
}

// people counts who has an account, Echo aside, by what a new one sees.
func people(t *testing.T, s *server.Server) int {
	t.Helper()
	api := signal.NewAPI(address(t, s.URL()), trust(t, s))
	defer api.Close()
	in, err := api.Register(t.Context(), signal.Register{Name: "counter", Password: "counts people here"})
	if err != nil {
		t.Fatal(err)
	}
	c := &signal.Client{
		URL: address(t, s.URL()).Socket(), Token: in.Token, TLS: trust(t, s),
		Connect: signal.Connect{DeviceID: signal.NewID(), Device: "test", Client: "test"},
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for e := range c.Events() {
		if e.Connected == nil {
			continue
		}
		n := 0
		for _, u := range e.Connected.Users {
			if u.Kind == signal.KindPerson {
				n++
			}
		}
		return n
	}
	return -1
}

func TestTheCertificateHasEnded(t *testing.T) {
	d := visit(t, open(t))
	d.Now = func() time.Time { return time.Now().AddDate(5, 0, 0) }
	wrong(t, d, "certificate", doctor.Bad, "it has ended on", "renew")
}

func TestTheCertificateIsForAnotherName(t *testing.T) {
	s := open(t, func(c *server.Config) { c.Listen = "0.0.0.0:0" })
	d := visit(t, s)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL(), "https://"), ":")
	d.Address = address(t, "https://127.0.0.77:"+port)
	wrong(t, d, "certificate", doctor.Bad, "not for 127.0.0.77", "by a name that is in it")
}

func TestTheCertificateIsNotTrusted(t *testing.T) {
	s := open(t)
	d := visit(t, s)
	d.TLS = nil
	good, found := run(t, d)
	if f := found["certificate"]; f.State != doctor.Warning || !strings.Contains(f.Text, s.Fingerprint()) || !good {
		t.Errorf("a self-signed one: %v, %+v", good, found)
	}
	d = visit(t, s)
	d.TLS, d.Name, d.Password = nil, "somebody", "a password that must not be sent"
	wrong(t, d, "certificate", doctor.Bad, "no password is sent", "--ca")
}

func TestClocksDiffer(t *testing.T) {
	s := open(t)
	d := visit(t, s)
	d.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	wrong(t, d, "clock", doctor.Bad, "behind", "set-ntp")
	d = visit(t, s)
	d.Now = func() time.Time { return time.Now().Add(-5 * time.Minute) }
	wrong(t, d, "clock", doctor.Warning, "ahead of", "set-ntp")
}

func TestNothingListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	d := &doctor.Doctor{Address: address(t, "https://"+l.Addr().String())}
	wrong(t, d, "site", doctor.Bad, "nothing listens on TCP "+l.Addr().String(), "firewall")
}

func TestTheNameIsUnknown(t *testing.T) {
	d := &doctor.Doctor{Address: address(t, "https://no-such-host.invalid"), Patience: 5 * time.Second}
	good, found := run(t, d)
	if f := found["name"]; good || f.State != doctor.Bad || !strings.Contains(f.Text, "no-such-host.invalid") {
		t.Errorf("%v, %+v", good, found)
	}
}

func TestItIsNoVisavisServer(t *testing.T) {
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	roots := &tls.Config{RootCAs: other.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	wrong(t, &doctor.Doctor{Address: address(t, other.URL), TLS: roots}, "site", doctor.Bad, "not a Visavis server", "proxy")
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	wrong(t, &doctor.Doctor{Address: address(t, strings.Replace(plain.URL, "http", "https", 1))}, "certificate", doctor.Bad, "no TLS", "")
}

func TestAProxyKeepsWebSocketsBack(t *testing.T) {
	s := open(t, func(c *server.Config) { c.HTTP = true })
	to, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	wrong(t, &doctor.Doctor{Address: address(t, proxy.URL), Patience: 2 * time.Second}, "socket", doctor.Bad, "cannot be signalled", "WebSockets")
}

func TestThereIsNoRelay(t *testing.T) {
	s := open(t, func(c *server.Config) { c.TURNListen = server.NoTURN })
	wrong(t, visit(t, s), "relay by UDP", doctor.Bad, "offers no relay by UDP", "turn-listen")
}

func TestTheRelayIsNotReached(t *testing.T) {
	s := open(t, func(c *server.Config) { c.TURNHost = "127.0.0.88" }) // where nothing listens
	d := visit(t, s)
	d.Patience = 3 * time.Second
	good, found := run(t, d)
	for _, check := range []string{"relay by UDP", "relay by TCP"} {
		if f := found[check]; good || f.State != doctor.Bad || !strings.Contains(f.Text, "gives no address") || !strings.Contains(f.Mend, "firewall") {
			t.Errorf("%s: %+v", check, f)
		}
	}
}

func TestOneOfTheAddressesIsDead(t *testing.T) {
	s := open(t)
	d := visit(t, s)
	doctor.SetAddresses(d, "127.0.0.1", "127.0.0.99")
	wrong(t, d, "IPv4", doctor.Bad, "127.0.0.99", "remove it from the DNS")
}

func TestWhoMayNotSignIn(t *testing.T) {
	s := open(t, func(c *server.Config) { c.SignUp = signal.SignUpClosed })
	wrong(t, visit(t, s), "account", doctor.Bad, "not everybody may make an account", "invite create")
	d := visit(t, s)
	d.Name, d.Password = "nobody", "a password of nobody"
	wrong(t, d, "account", doctor.Bad, "Wrong name or password", "VISAVIS_PASSWORD")
	d = visit(t, open(t, func(c *server.Config) { c.SignUp = signal.SignUpInvite }))
	d.Invite = "https://127.0.0.1/#invite=guessed"
	wrong(t, d, "account", doctor.Bad, "", "invite create")
}

func TestTheMachineIsUnwell(t *testing.T) {
	s := open(t)
	for name, c := range map[string]struct {
		change            func(*doctor.Inside)
		check, text, mend string
		state             doctor.State
	}{
		"no server": {func(i *doctor.Inside) { i.PID = 0 }, "server", "no server runs", "systemctl start", doctor.Bad},
		"disk full": {func(i *doctor.Inside) {
			i.Disk = func(string) (doctor.Space, error) { return doctor.Space{Bytes: 5 << 20}, nil }
		}, "disk", "5 MB left", "make room", doctor.Bad},
		"disk nearly full": {func(i *doctor.Inside) {
			i.Disk = func(string) (doctor.Space, error) { return doctor.Space{Bytes: 500 << 20}, nil }
		}, "disk", "500 MB left", "make room", doctor.Warning},
		"no inodes": {func(i *doctor.Inside) {
			i.Disk = func(string) (doctor.Space, error) { return doctor.Space{Bytes: 5 << 30, Files: 3, AllFiles: 1000}, nil }
		}, "disk", "3 more files", "remove files", doctor.Bad},
		"no folder": {func(i *doctor.Inside) { i.DataDir += "/not/there" }, "disk", "nothing can be written", "disk", doctor.Bad},
		"few descriptors": {func(i *doctor.Inside) {
			i.Files = func(int) (doctor.Descriptors, error) { return doctor.Descriptors{Open: -1, Most: 256}, nil }
		}, "descriptors", "256", "LimitNOFILE", doctor.Bad},
		"descriptors used up": {func(i *doctor.Inside) {
			i.Files = func(int) (doctor.Descriptors, error) { return doctor.Descriptors{Open: 65000, Most: 65536}, nil }
		}, "descriptors", "65000 of 65536", "LimitNOFILE", doctor.Bad},
		"some descriptors": {func(i *doctor.Inside) {
			i.Files = func(int) (doctor.Descriptors, error) { return doctor.Descriptors{Open: 20, Most: 4096}, nil }
		}, "descriptors", "4096", "LimitNOFILE", doctor.Warning},
		"free clock": {func(i *doctor.Inside) {
			i.Clock = func() (bool, error) { return false, nil }
		}, "clock", "nothing keeps", "set-ntp", doctor.Warning},
	} {
		t.Run(name, func(t *testing.T) {
			in := healthy(s)
			c.change(in)
			// Without an address nobody is visited: the machine alone is looked at.
			wrong(t, &doctor.Doctor{Inside: in}, c.check, c.state, c.text, c.mend)
		})
	}
	t.Run("clock went back", func(t *testing.T) {
		in := healthy(s)
		in.DataDir = t.TempDir()
		file := filepath.Join(in.DataDir, "visavis.db")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		soon := time.Now().Add(time.Hour)
		if err := os.Chtimes(file, soon, soon); err != nil {
			t.Fatal(err)
		}
		wrong(t, &doctor.Doctor{Inside: in}, "clock", doctor.Bad, "the clock went back", "set-ntp")
	})
}
