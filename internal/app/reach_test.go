package app

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"visavis.example/internal/signal"
)

// house is an HTTPS server with a certificate of its own that answers as told, and counts who asks.
func house(t *testing.T, reply string) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != http.MethodGet || r.URL.Path != "/api/info" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if strings.HasPrefix(reply, "{") {
			w.Header().Set("Content-Type", "application/json")
		}
		_, _ = io.WriteString(w, reply)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestWhichPlaceANameMeans(t *testing.T) {
	visavis, _ := house(t, `{"name":"Visavis","protocol":"visavis.1"}`)
	shop, asked := house(t, "<html>our shop")
	known := &KnownServers{}
	for _, url := range []string{visavis, shop} { // httptest's servers share a certificate
		_ = known.Keep(strings.TrimPrefix(url, "https://"), signal.Pin{Fingerprint: fingerprintAt(t, url)})
	}
	const gone = "https://127.0.0.1:1"
	for name, c := range map[string]struct {
		places []string
		known  signal.Pins
		want   string
	}{
		"the first":              {[]string{visavis, gone}, known, visavis},
		"the second":             {[]string{gone, visavis}, known, visavis},
		"not the shop":           {[]string{shop, visavis}, known, visavis},
		"nobody":                 {[]string{gone, gone}, known, "typed"},
		"only a shop":            {[]string{shop, gone}, known, "typed"},
		"a stranger":             {[]string{gone, visavis}, nil, visavis},
		"two strangers":          {[]string{shop, visavis}, nil, visavis},
		"a stranger, then":       {[]string{visavis, gone}, nil, visavis},
		"one with another face":  {[]string{visavis, shop}, changedPin(t, visavis), visavis},
		"one place: not a doubt": {[]string{"typed"}, nil, "typed"},
	} {
		d := &Servers{Known: c.known, places: func(string) []string { return c.places }}
		if got := d.Reach(t.Context(), "typed"); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		d.Close()
	}
	if asked.Load() == 0 {
		t.Error("the shop was never asked")
	}
}

func changedPin(t *testing.T, url string) signal.Pins {
	t.Helper()
	k := &KnownServers{}
	_ = k.Keep(strings.TrimPrefix(url, "https://"), signal.Pin{Fingerprint: strings.Repeat("AA:", 31) + "AA"})
	return k
}

func fingerprintAt(t *testing.T, url string) string {
	t.Helper()
	addr, err := signal.ParseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	api := signal.NewAPI(addr, (&signal.Guard{Address: addr}).TLS())
	defer api.Close()
	_, err = api.Info(t.Context())
	u := signal.UntrustedIn(err)
	if u == nil {
		t.Fatal(err)
	}
	return u.Shown
}

// What a name turned out to mean is what is kept, so that the next start asks nobody.
func TestThePlaceThatWasReachedIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		defer r.Close()
		r.server.reached = "https://call.example.org"
		r.SignIn("call.example.org", "anna", "password")
		r.now()
		r.server.online("")
		if s := r.now(); s.Settings.Server != "https://call.example.org" || s.Server != s.Settings.Server {
			t.Errorf("kept %q, shown %q", s.Settings.Server, s.Server)
		}
	})
}
