package doctor_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/doctor"
	"visavis.example/internal/server"
	"visavis.example/internal/server/accounts"
	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open runs a real server on loopback whose relay's address is loopback too.
func open(t *testing.T, change ...func(*server.Config)) *server.Server {
	t.Helper()
	c := server.Config{
		Listen: "127.0.0.1:0", TURNListen: "127.0.0.1:0", PublicIP: netip.MustParseAddr("127.0.0.1"), DataDir: t.TempDir(),
		Passwords: accounts.Work{MemoryKiB: 64, Passes: 1}, EchoRingFor: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&c)
	}
	s := &server.Server{Config: c}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// visit is a doctor for that server.
func visit(t *testing.T, s *server.Server) *doctor.Doctor {
	t.Helper()
	return &doctor.Doctor{Address: address(t, s.URL()), TLS: trust(t, s), Patience: 10 * time.Second}
}

func address(t *testing.T, url string) signal.Address {
	t.Helper()
	a, err := signal.ParseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func trust(t *testing.T, s *server.Server) *tls.Config {
	t.Helper()
	conf, err := signal.Trust(s.CertFile())
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

// run runs it and gives the findings by check; of several of one check the worst.
func run(t *testing.T, d *doctor.Doctor) (good bool, byCheck map[string]doctor.Finding) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	good = d.Run(ctx)
	byCheck = map[string]doctor.Finding{}
	for _, f := range d.Findings() {
		if old, ok := byCheck[f.Check]; !ok || f.State > old.State {
			byCheck[f.Check] = f
		}
		if f.State == doctor.Bad && f.Mend == "" {
			t.Errorf("%s is wrong, and it is not said how to mend it: %s", f.Check, f.Text)
		}
	}
	return good, byCheck
}

// wrong runs it and wants that check to be of a state, with words in its text and in how to mend it.
func wrong(t *testing.T, d *doctor.Doctor, check string, state doctor.State, text, mend string) {
	t.Helper()
	good, found := run(t, d)
	f, ok := found[check]
	if !ok || f.State != state || !strings.Contains(f.Text, text) || !strings.Contains(f.Mend, mend) {
		t.Errorf("%s: %+v; all of it: %+v", check, f, found)
	}
	if good && state == doctor.Bad {
		t.Error("and yet it says that all is well")
	}
}
