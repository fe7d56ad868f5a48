package web

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, h http.Handler, method, url string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, url, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryFileIsServed(t *testing.T) {
	h := Handler()
	seen := 0
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		seen++
		want, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		url := strings.TrimPrefix(name, "static")
		if url == "/index.html" {
			url = "/"
		}
		resp := get(t, h, http.MethodGet, url)
		if resp.StatusCode != http.StatusOK || body(t, resp) != string(want) {
			t.Errorf("%s: status %d, or another body than the file's", url, resp.StatusCode)
		}
		if got := resp.Header.Get("Content-Type"); got != types[path.Ext(name)] {
			t.Errorf("%s: Content-Type %q", url, got)
		}
		return nil
	})
	if err != nil || seen < 10 {
		t.Fatalf("%d files, %v", seen, err)
	}
}

func TestOnlyTheFiles(t *testing.T) {
	h := Handler()
	for _, url := range []string{
		"/index.html", "/js", "/js/", "/static/index.html", "/js/../index.html", "/js/%2e%2e/index.html", "/web.go", "/package.json",
		"/tsconfig.json", "/node_modules/typescript/package.json", "/..%2fweb.go", "/js/main.js/", "//js/main.js", "/test/link.test.js", "/favicon.ico",
	} {
		resp := get(t, h, http.MethodGet, url)
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, not 404", url, resp.StatusCode)
		}
		if resp.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: a 404 without the policy", url)
		}
	}
}

func TestOtherMethods(t *testing.T) {
	h := Handler()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		resp := get(t, h, method, "/")
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: status %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
	resp := get(t, h, http.MethodHead, "/")
	if resp.StatusCode != http.StatusOK || body(t, resp) != "" || resp.Header.Get("Content-Length") == "" {
		t.Errorf("HEAD: status %d, or a body, or no length", resp.StatusCode)
	}
}

func TestHeaders(t *testing.T) {
	resp := get(t, Handler(), http.MethodGet, "/")
	want := map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-cache",
		"Vary":                         "Accept-Encoding",
	}
	for name, value := range want {
		if got := resp.Header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	csp := resp.Header.Get("Content-Security-Policy")
	for _, part := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
		"frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	} {
		if !strings.Contains(csp+";", part+";") {
			t.Errorf("policy lacks %q: %s", part, csp)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || strings.Contains(csp, "data:") {
		t.Errorf("policy is weak: %s", csp)
	}
	pp := resp.Header.Get("Permissions-Policy")
	for _, part := range []string{"camera=(self)", "microphone=(self)", "display-capture=(self)", "geolocation=()"} {
		if !strings.Contains(pp, part) {
			t.Errorf("Permissions-Policy lacks %s: %s", part, pp)
		}
	}
}

func TestCaching(t *testing.T) {
	h := Handler()
	plain := get(t, h, http.MethodGet, "/js/main.js")
	etag := plain.Header.Get("ETag")
	if !regexp.MustCompile(`^"[0-9a-f]{24}"$`).MatchString(etag) {
		t.Fatalf("ETag %q", etag)
	}
	again := get(t, h, http.MethodGet, "/js/main.js", "If-None-Match", etag)
	if again.StatusCode != http.StatusNotModified || body(t, again) != "" || again.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("status %d, not an empty 304 with the policy", again.StatusCode)
	}
	if other := get(t, h, http.MethodGet, "/js/main.js", "If-None-Match", `"0"`); other.StatusCode != http.StatusOK {
		t.Errorf("another ETag: status %d", other.StatusCode)
	}
}

func TestGzip(t *testing.T) {
	h := Handler()
	plain := get(t, h, http.MethodGet, "/js/protocol.js")
	packed := get(t, h, http.MethodGet, "/js/protocol.js", "Accept-Encoding", "br, gzip;q=0.8")
	if packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Fatalf("encoding %q, ETag %s and %s", packed.Header.Get("Content-Encoding"), packed.Header.Get("ETag"), plain.Header.Get("ETag"))
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil || string(unpacked) != body(t, plain) {
		t.Errorf("unpacked is not the file: %v", err)
	}
	again := get(t, h, http.MethodGet, "/js/protocol.js", "Accept-Encoding", "gzip", "If-None-Match", packed.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("packed with its ETag: status %d", again.StatusCode)
	}
	for _, refused := range []string{"", "gzip;q=0", "br", "gzipped"} {
		if got := get(t, h, http.MethodGet, "/js/protocol.js", "Accept-Encoding", refused).Header.Get("Content-Encoding"); got != "" {
			t.Errorf("Accept-Encoding %q: %q", refused, got)
		}
	}
}

// TestNothingInline reads what the policy would forbid anyway, so that it fails here and not in a visitor's console, and
// holds the promise that people's words never become markup.
func TestNothingInline(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|https?://[a-z]+\.[a-z]`)
	inline := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|<script>|javascript:`)
	namespace := "http://www.w3.org/2000/svg"
	for url, a := range load() {
		src := strings.ReplaceAll(string(a.body), namespace, "")
		if found := forbidden.FindString(src); found != "" && !strings.HasSuffix(url, ".png") {
			t.Errorf("%s has %q", url, found)
		}
		if url == "/" || strings.HasSuffix(url, ".svg") {
			if found := inline.FindString(src); found != "" {
				t.Errorf("%s has %q inline", url, found)
			}
		}
	}
}

// TestReferences follows every path that pages, styles and modules name: none may lead nowhere.
func TestReferences(t *testing.T) {
	assets := load()
	named := regexp.MustCompile(`(?:href|src)="(/[^"]*)"|(?:from|import) '(\.[^']*)'|url\("?(/[^")]*)"?\)|"src": "(/[^"]*)"`)
	for url, a := range assets {
		for _, m := range named.FindAllStringSubmatch(string(a.body), -1) {
			target := strings.Join(m[1:], "")
			if strings.HasPrefix(target, ".") {
				target = path.Join(path.Dir(url), target)
			}
			if _, ok := assets[target]; !ok {
				t.Errorf("%s names %s, which is not there", url, target)
			}
		}
	}
}
