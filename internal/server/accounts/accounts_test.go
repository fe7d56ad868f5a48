package accounts

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"visavis.example/internal/server/limit"
	"visavis.example/internal/server/store"
	"visavis.example/internal/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	home  = netip.MustParseAddr("198.51.100.7")
	away  = netip.MustParseAddr("203.0.113.9")
	cheap = Work{MemoryKiB: 64, Passes: 1}
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func start(t *testing.T, work Work) (*Accounts, *clock) {
	t.Helper()
	s := &store.Store{Path: filepath.Join(t.TempDir(), "visavis.db")}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c := &clock{now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)}
	a := &Accounts{Store: s, Work: work, Logger: slog.New(slog.DiscardHandler), Now: c.Now}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a, c
}

func code(err error) string {
	var r *Refused
	if errors.As(err, &r) {
		return r.Failure.Error
	}
	return ""
}

func TestRegisterLoginLogout(t *testing.T) {
	ctx := t.Context()
	a, _ := start(t, cheap)
	u, first, err := a.Register(ctx, signal.Register{Name: "  Anna  ", Password: "long enough", Device: "lap\x00top"}, home)
	if err != nil || u.Name != "Anna" || u.Kind != signal.KindPerson || len(u.ID) != 26 {
		t.Fatalf("registered %+v, %v", u, err)
	}
	s, err := a.Authenticate(ctx, first)
	if err != nil || s.User != u || s.Device != "laptop" {
		t.Fatalf("session %+v, %v", s, err)
	}
	again, second, err := a.Login(ctx, signal.Register{Name: "aNNA", Password: "long enough"}, home)
	if err != nil || again != u || second == first {
		t.Fatalf("signed in as %+v, %v", again, err)
	}
	if err := a.Logout(ctx, s); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Authenticate(ctx, first); !errors.Is(err, ErrUnauthorized) {
		t.Fatalf("after signing out: %v, want ErrUnauthorized", err)
	}
	if _, err := a.Authenticate(ctx, second); err != nil {
		t.Fatalf("the other device: %v", err)
	}
	for _, token := range []string{"", "vc1_", second + "x", strings.ToUpper(second), strings.Repeat("vc1_", 100), s.ID, "vc1_" + s.ID} {
		if _, err := a.Authenticate(ctx, token); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("token %q: %v, want ErrUnauthorized", token, err)
		}
	}
}

func TestSecretsAreNotStored(t *testing.T) {
	ctx := t.Context()
	a, _ := start(t, cheap)
	_, token, err := a.Register(ctx, signal.Register{Name: "anna", Password: "correct horse"}, home)
	if err != nil {
		t.Fatal(err)
	}
	n, err := a.Store.Session(ctx, hashToken(token))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(n.ID)
	if err != nil || len(raw) != 32 || strings.Contains(token, n.ID) {
		t.Fatalf("session is kept as %q", n.ID)
	}
	if strings.Contains(n.User.Password, "horse") || !strings.HasPrefix(n.User.Password, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("password is kept as %q", n.User.Password)
	}
}

func TestSessionsEnd(t *testing.T) {
	ctx := t.Context()
	a, c := start(t, cheap)
	_, idle, _ := a.Register(ctx, signal.Register{Name: "anna", Password: "correct horse"}, home)
	_, busy, err := a.Login(ctx, signal.Register{Name: "anna", Password: "correct horse"}, home)
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		c.pass(20 * 24 * time.Hour)
		if _, err := a.Authenticate(ctx, busy); err != nil {
			t.Fatalf("used every 20 days: %v", err)
		}
	}
	if _, err := a.Authenticate(ctx, idle); !errors.Is(err, ErrUnauthorized) {
		t.Fatalf("not used for 160 days: %v, want ErrUnauthorized", err)
	}
	c.pass(20*24*time.Hour + time.Second)
	if _, err := a.Authenticate(ctx, busy); !errors.Is(err, ErrUnauthorized) {
		t.Fatalf("180 days old: %v, want ErrUnauthorized", err)
	}
}

func TestNames(t *testing.T) {
	ctx := t.Context()
	a, c := start(t, cheap)
	register := func(name string) error {
		c.pass(time.Minute)
		_, _, err := a.Register(ctx, signal.Register{Name: name, Password: "correct horse"}, home)
		return err
	}
	for _, good := range []string{"admin2", "Ян", "O'Brien", "anna@example.org", "李小龙", "محمد", "ñandú", "a-b_c.d+e", "DROP", "1234"} {
		if err := register(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, twin := range []string{"ADMIN2", "ａｄｍｉｎ２", "ян", "Ñandu\u0301", "drop"} {
		if err := register(twin); code(err) != signal.ErrNameTaken {
			t.Errorf("%q: %v, want name_taken", twin, err)
		}
	}
	for _, bad := range []string{
		"", "a", strings.Repeat("a", 33), "two words", "tab\tname", "nul\x00name", "line\nfeed", "\u202eevil", "zero\u200bwidth", "a\u200db",
		"' OR 1=1--", `"; DROP TABLE users; --`, "<img src=x onerror=alert(1)>", "../../etc", "...", "\xff\xfe",
		"echo", "Admin", "EVERYONE", "ＲＯＯＴ", "аdmin", "pаypal", "Αnna", "ﬁnn", "😀😀", strings.Repeat("x", 1<<20),
	} {
		if err := register(bad); code(err) != signal.ErrBadName {
			t.Errorf("%.40q: %v, want bad_name", bad, err)
		}
	}
}

func TestPasswords(t *testing.T) {
	ctx := t.Context()
	a, c := start(t, cheap)
	names := "abcdefghijklmnopqrstuvwxyz"
	register := func(password string) (string, error) {
		c.pass(time.Minute)
		name := "person" + names[:1]
		names = names[1:]
		_, _, err := a.Register(ctx, signal.Register{Name: name, Password: password}, home)
		return name, err
	}
	for _, bad := range []string{
		"", "1234567", "short é", strings.Repeat("x", 129), "Password1", "12345678", "87654321", "aaaaaaaaaaaa", "abcdefgh",
		"QWERTYUIOP", "persond", "bell\x07bell", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8",
	} {
		if _, err := register(bad); code(err) != signal.ErrBadPassword {
			t.Errorf("%.40q: %v, want bad_password", bad, err)
		}
	}
	if _, _, err := a.Register(ctx, signal.Register{Name: "Wilhelmina", Password: "wilhelmina"}, home); code(err) != signal.ErrBadPassword {
		t.Errorf("password equal to the name: %v", err)
	}
	for _, good := range []string{"åäö åäö å", strings.Repeat("xy", 64), strings.Repeat("日本", 32), "it's; --a pw", "        pad        "} {
		name, err := register(good)
		if err != nil {
			t.Errorf("%.40q: %v", good, err)
			continue
		}
		if _, _, err := a.Login(ctx, signal.Register{Name: name, Password: good}, home); err != nil {
			t.Errorf("%.40q: signing in: %v", good, err)
		}
	}
	// The same word typed on a keyboard that composes its letters otherwise.
	name, err := register("cafe\u0301 cafe\u0301")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Login(ctx, signal.Register{Name: name, Password: "caf\u00e9 caf\u00e9"}, home); err != nil {
		t.Errorf("composed password: %v", err)
	}
}

func TestGuessingIsSlowAndLocksNobodyOut(t *testing.T) {
	ctx := t.Context()
	a, c := start(t, cheap)
	if _, _, err := a.Register(ctx, signal.Register{Name: "anna", Password: "correct horse"}, home); err != nil {
		t.Fatal(err)
	}
	wrong, limited := 0, 0
	for range 100 {
		_, _, err := a.Login(ctx, signal.Register{Name: "anna", Password: "wrong horse"}, away)
		var r *Refused
		switch {
		case code(err) == signal.ErrWrongPassword:
			wrong++
		case errors.As(err, &r) && r.Status == http.StatusTooManyRequests && r.RetryAfter > 0:
			limited++
		default:
			t.Fatal(err)
		}
	}
	if wrong > 8 || wrong+limited != 100 {
		t.Fatalf("%d guesses reached the hash and %d were refused; at most 8 may", wrong, limited)
	}
	if _, _, err := a.Login(ctx, signal.Register{Name: "anna", Password: "correct horse"}, home); err != nil {
		t.Fatalf("the owner from elsewhere: %v", err)
	}
	c.pass(30 * time.Second)
	if _, _, err := a.Login(ctx, signal.Register{Name: "anna", Password: "correct horse"}, away); err != nil {
		t.Fatalf("the right password after 30 s: %v", err)
	}
}

func TestSprayingIsLimited(t *testing.T) {
	a, _ := start(t, cheap)
	reached := 0
	for i := range 500 {
		_, _, err := a.Login(t.Context(), signal.Register{Name: "user" + string(rune('a'+i%26)) + string(rune('a'+i/26)), Password: "Summer 2026"}, away)
		if code(err) == signal.ErrWrongPassword {
			reached++
		}
	}
	if reached > 20 {
		t.Fatalf("%d of 500 names were tried, at most 20 a minute", reached)
	}
}

func TestUnknownUsersLookLikeWrongPasswords(t *testing.T) {
	ctx := t.Context()
	a, _ := start(t, Work{MemoryKiB: 4096, Passes: 2})
	if _, _, err := a.Register(ctx, signal.Register{Name: "anna", Password: "correct horse"}, home); err != nil {
		t.Fatal(err)
	}
	unlimit(a)
	login := func(name string) (time.Duration, Refused) {
		var r *Refused
		begin := time.Now()
		_, _, err := a.Login(ctx, signal.Register{Name: name, Password: "wrong horse"}, away)
		took := time.Since(begin)
		if !errors.As(err, &r) {
			t.Fatal(err)
		}
		return took, *r
	}
	known, k := login("anna")
	unknown, u := login("nobody-has-this")
	for range 11 { // in turn, so that what else the machine does hits both
		took, _ := login("anna")
		known = min(known, took)
		took, _ = login("nobody-has-this")
		unknown = min(unknown, took)
	}
	if k != u {
		t.Fatalf("known: %+v, unknown: %+v; want the same", k, u)
	}
	// Without equal work the unknown user takes a small part of the time; a busy machine does not get the best of twelve wrong by that much.
	if unknown < known/3 {
		t.Fatalf("an unknown user is answered in %v, a known one in %v", unknown, known)
	}
}

func unlimit(a *Accounts) {
	free := limit.Rate{Burst: 1 << 20, Every: time.Microsecond}
	for _, t := range []*limit.Table{&a.byAccountNet, &a.byAccount, &a.byNet, &a.register} {
		t.Rate = free
	}
}

func TestHashesAreRenewed(t *testing.T) {
	ctx := t.Context()
	a, _ := start(t, cheap)
	if _, _, err := a.Register(ctx, signal.Register{Name: "anna", Password: "correct horse"}, home); err != nil {
		t.Fatal(err)
	}
	a.hash.work = Work{MemoryKiB: 128, Passes: 1}
	for range 2 {
		if _, _, err := a.Login(ctx, signal.Register{Name: "anna", Password: "correct horse"}, home); err != nil {
			t.Fatal(err)
		}
	}
	u, err := a.Store.UserByKey(ctx, "anna")
	if err != nil || !strings.Contains(u.Password, "m=128") {
		t.Fatalf("hash is %q, %v", u.Password, err)
	}
}

func TestHashesWaitForACore(t *testing.T) {
	var h hasher
	h.start(cheap)
	for range cap(h.slot) {
		h.slot <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.make(ctx, "correct horse"); !errors.Is(err, context.Canceled) {
		t.Fatalf("with every core busy and the asker gone: %v", err)
	}
	_, err := h.make(t.Context(), "correct horse")
	var r *Refused
	if !errors.As(err, &r) || r.Status != http.StatusServiceUnavailable || r.RetryAfter == 0 {
		t.Fatalf("with every core busy: %v, want 503", err)
	}
}

func TestNetworks(t *testing.T) {
	for in, want := range map[string]string{
		"198.51.100.7": "198.51.100.0/24", "::ffff:198.51.100.7": "198.51.100.0/24",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := network(netip.MustParseAddr(in)); got != want {
			t.Errorf("network of %s is %s, want %s", in, got, want)
		}
	}
}

// TestAttackCommonPasswords tries to register with each of the passwords that guessers try first (OWASP ASVS 5.0, 6.2.4).
func TestAttackCommonPasswords(t *testing.T) {
	tried := 0
	for p := range common {
		for _, typed := range []string{p, strings.ToUpper(p), strings.ToUpper(p[:1]) + p[1:]} {
			if _, err := checkPassword(typed, "anna"); code(err) != signal.ErrBadPassword {
				t.Fatalf("%q: %v, want bad_password", typed, err)
			}
		}
		tried++
	}
	if tried < 3000 {
		t.Fatalf("only %d passwords are known as common", tried)
	}
}
