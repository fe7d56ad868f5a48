// Package web is the browser client: plain ES modules, style sheets and icons embedded into the server, and the handler
// that serves them with strict headers (no inline code, no foreign origin, camera and microphone for this page only).
// Package server mounts Handler at "/". It serves exactly the embedded files, never a folder of the machine, and knows
// nothing of users, sessions or calls: the pages talk to /api and /ws like any other client.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// policy allows this origin's own files and connections, and nothing else. Browsers take 'self' in connect-src for the
// page's own wss: too (CSP Level 3, 6.7.2.8). Style that depends on data is set through CSSOM, which style-src does not
// concern; there is no HTML from strings at all, hence trusted-types 'none'.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// permissions are the browser features the pages use; all others that could do harm are named and off.
const permissions = "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), fullscreen=(self), " +
	"screen-wake-lock=(self), picture-in-picture=(self), geolocation=(), usb=(), serial=(), hid=(), " +
	"midi=(), payment=(), accelerometer=(), gyroscope=(), magnetometer=()"

// types are fixed here because the system's table differs from machine to machine, and nosniff makes a wrong one fatal.
var types = map[string]string{
	".html":        "text/html; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".svg":         "image/svg+xml",
	".png":         "image/png",
	".webmanifest": "application/manifest+json",
}

// asset is one file, ready to be sent.
type asset struct {
	contentType string
	etag        string // of the plain body; the packed one has its own
	body        []byte
	packed      []byte // gzip; nil when it does not pay
}

// Handler serves the browser client: "/" is its page, every other path one embedded file or 404. It is safe for
// concurrent use and keeps nothing open.
func Handler() http.Handler {
	return handler(load())
}

func handler(assets map[string]asset) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guard(w.Header())
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		a, ok := assets[r.URL.Path]
		if !ok {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		a.serve(w, r)
	})
}

// guard sets what every reply carries, errors too.
func guard(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", permissions)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	body, etag := a.body, a.etag
	h.Set("Vary", "Accept-Encoding")
	if a.packed != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) && r.Header.Get("Range") == "" {
		body, etag = a.packed, strings.TrimSuffix(a.etag, `"`)+`-gz"`
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	h.Set("Content-Type", a.contentType)
	h.Set("ETag", etag)
	// File names carry no version, so a browser asks each time and mostly hears 304: never a mix of old and new modules.
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads the list of Accept-Encoding; "gzip;q=0" is a refusal.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err == nil && name == "gzip" {
			q, bad := strconv.ParseFloat(params["q"], 64)
			return bad != nil || q > 0
		}
	}
	return false
}

// load reads the embedded files. A file that cannot be read or has no known type is a mistake in the build and panics
// at start, not at the first visitor.
func load() map[string]asset {
	assets := make(map[string]asset)
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		contentType, ok := types[path.Ext(name)]
		if !ok {
			panic("web: no content type for " + name)
		}
		url := strings.TrimPrefix(name, "static")
		if url == "/index.html" {
			url = "/"
		}
		sum := sha256.Sum256(body)
		assets[url] = asset{contentType: contentType, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, body: body, packed: pack(body)}
		return nil
	})
	if err != nil {
		panic("web: read embedded files: " + err.Error())
	}
	return assets
}

func pack(body []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic("web: " + err.Error())
	}
	if _, err := z.Write(body); err != nil {
		panic("web: " + err.Error())
	}
	if err := z.Close(); err != nil {
		panic("web: " + err.Error())
	}
	if b.Len() > len(body)*9/10 {
		return nil
	}
	return b.Bytes()
}
