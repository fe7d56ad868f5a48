package testkit

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/gobwas/ws"
)

//go:embed probe.js
var probeJS string

// Chromium is a headless browser of its own profile with a camera and a microphone that play files.
type Chromium struct {
	alloc  context.Context
	cancel context.CancelFunc
	first  context.Context
	script string
}

// ChromiumConfig says what the browser's devices play and whom it trusts.
type ChromiumConfig struct {
	Dir      string // an empty folder for the profile
	CertFile string // PEM of the self-signed server; its key is trusted and no other
	Camera   string // y4m; empty: no camera and no microphone at all
	Sound    string // wav
	Script   string // JavaScript that runs in each page before its own

	// Before and Dial are for a browser in another network namespace: words to put before its command, such as nsenter and
	// its flags, and how to reach an address there. Both or none.
	Before []string
	Dial   func(network, address string) (net.Conn, error)
}

type dialKey struct{}

// The library's only door for another way to the browser is the default dialer of its websocket library.
func init() {
	ws.DefaultDialer.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dial, ok := ctx.Value(dialKey{}).(func(network, address string) (net.Conn, error)); ok && dial != nil {
			return dial(network, address)
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
}

// FindChromium gives the browser's path.
func FindChromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", errors.New("no Chromium found: make test installs it")
}

// StartChromium starts the browser; ctx bounds its life.
func StartChromium(ctx context.Context, c ChromiumConfig) (*Chromium, error) {
	path, err := FindChromium()
	if err != nil {
		return nil, err
	}
	pin, err := publicKeyPin(c.CertFile)
	if err != nil {
		return nil, err
	}
	opts := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	opts = append(opts,
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(c.Dir),
		chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("ignore-certificate-errors-spki-list", pin),
		chromedp.Flag("disable-features", "WebRtcHideLocalIpsWithMdns,Translate"),
		chromedp.Flag("allow-loopback-in-peer-connection", true),
		chromedp.WSURLReadTimeout(60*time.Second))
	if c.Camera != "" {
		opts = append(opts, chromedp.Flag("use-fake-device-for-media-stream", true),
			chromedp.Flag("use-file-for-fake-video-capture", c.Camera),
			chromedp.Flag("use-file-for-fake-audio-capture", c.Sound))
	}
	if len(c.Before) > 0 {
		opts = append(opts, chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			cmd.Args = append(append([]string{}, c.Before...), append([]string{path}, cmd.Args[1:]...)...)
			cmd.Path, cmd.Err = exec.LookPath(cmd.Args[0])
		}))
		ctx = context.WithValue(ctx, dialKey{}, c.Dial)
	}
	b := &Chromium{script: c.Script}
	b.alloc, b.cancel = chromedp.NewExecAllocator(ctx, opts...)
	b.first, _ = chromedp.NewContext(b.alloc, chromedp.WithErrorf(func(string, ...any) {}))
	if err := chromedp.Run(b.first); err != nil {
		b.cancel()
		return nil, fmt.Errorf("start Chromium: %w", err)
	}
	return b, nil
}

// Close ends the browser and waits for it.
func (b *Chromium) Close() {
	stop, cancel := context.WithTimeout(b.first, 10*time.Second)
	_ = chromedp.Cancel(stop)
	cancel()
	b.cancel()
	if c := chromedp.FromContext(b.first); c != nil && c.Allocator != nil {
		c.Allocator.Wait()
	}
}

// publicKeyPin is the SHA-256 of the certificate's public key, as Chromium's flag wants it.
func publicKeyPin(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read certificate: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return "", fmt.Errorf("%s holds no PEM certificate", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("read certificate: %w", err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

// PID is the browser's first process.
func (b *Chromium) PID() int { return chromedp.FromContext(b.first).Browser.Process().Pid }

// Page is one tab.
type Page struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu  sync.Mutex
	log []string // console messages and script errors
}

// Open opens url in a tab of its own.
func (b *Chromium) Open(url string, width, height int64) (*Page, error) {
	p := &Page{}
	p.ctx, p.cancel = chromedp.NewContext(b.first)
	chromedp.ListenTarget(p.ctx, p.listen)
	err := chromedp.Run(p.ctx,
		emulation.SetDeviceMetricsOverride(width, height, 1, false),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(probeJS).Do(ctx)
			if err == nil && b.script != "" {
				if err = page.SetBypassCSP(true).Do(ctx); err == nil { // it may need worklets of its own
					_, err = page.AddScriptToEvaluateOnNewDocument(b.script).Do(ctx)
				}
			}
			return err
		}),
		chromedp.Navigate(url))
	if err != nil {
		p.cancel()
		return nil, fmt.Errorf("open %s: %w", url, err)
	}
	return p, nil
}

func (p *Page) listen(ev any) {
	var line string
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		parts := []string{string(ev.Type)}
		for _, a := range ev.Args {
			parts = append(parts, string(a.Value)+a.Description)
		}
		line = strings.Join(parts, " ")
	case *runtime.EventExceptionThrown:
		line = "exception " + ev.ExceptionDetails.Error()
	default:
		return
	}
	p.mu.Lock()
	p.log = append(p.log, line)
	p.mu.Unlock()
}

// Log is what the page wrote to its console, and its uncaught errors.
func (p *Page) Log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.log...)
}

// Close closes the tab.
func (p *Page) Close() { p.cancel() }

func testid(id string) string { return `[data-testid="` + id + `"]` }

// Click waits for the element with that data-testid to be visible, and clicks it.
func (p *Page) Click(ctx context.Context, id string) error {
	return p.run(ctx, "click "+id, chromedp.Click(testid(id), chromedp.ByQuery, chromedp.NodeVisible))
}

// Type replaces the content of the element. Not by chromedp's SendKeys: that reads a node's attributes while chromedp
// itself may be writing them, which the race detector reports.
func (p *Page) Type(ctx context.Context, id, text string) error {
	mark := fmt.Sprintf("(e => { e.focus(); e.select(); })(document.querySelector(%s))", js(testid(id)))
	return p.run(ctx, "type into "+id,
		chromedp.WaitVisible(testid(id), chromedp.ByQuery), chromedp.Evaluate(mark, nil), input.InsertText(text))
}

// Visible waits until the element is visible.
func (p *Page) Visible(ctx context.Context, id string) error {
	return p.run(ctx, "wait for "+id, chromedp.WaitVisible(testid(id), chromedp.ByQuery))
}

// Text waits for the element and gives its text.
func (p *Page) Text(ctx context.Context, id string) (string, error) {
	var s string
	err := p.run(ctx, "read "+id, chromedp.Text(testid(id), &s, chromedp.ByQuery))
	return s, err
}

// Until waits until the JavaScript expression is true, looking again at each animation frame.
func (p *Page) Until(ctx context.Context, what, expression string) error {
	return p.run(ctx, "wait until "+what, chromedp.Poll(expression, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(0)))
}

// Attribute waits until the element has that attribute value.
func (p *Page) Attribute(ctx context.Context, id, name, value string) error {
	return p.Until(ctx, fmt.Sprintf("%s has %s=%s", id, name, value),
		fmt.Sprintf("document.querySelector(%s)?.getAttribute(%s) === %s", js(testid(id)), js(name), js(value)))
}

// Eval runs an expression (which may be a promise) and decodes its value.
func (p *Page) Eval(ctx context.Context, expression string, into any) error {
	return p.run(ctx, "evaluate", chromedp.Evaluate(expression, into, func(e *runtime.EvaluateParams) *runtime.EvaluateParams {
		return e.WithAwaitPromise(true)
	}))
}

// Screenshot gives a PNG of the tab.
func (p *Page) Screenshot(ctx context.Context) ([]byte, error) {
	var b []byte
	err := p.run(ctx, "screenshot", chromedp.CaptureScreenshot(&b))
	return b, err
}

// Look changes the page's size in pixels, and whether its person likes it dark.
func (p *Page) Look(ctx context.Context, width, height int64, dark bool) error {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return p.run(ctx, "change the looks", emulation.SetDeviceMetricsOverride(width, height, 1, false),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

// Mark waits until the marker in the remote picture has been read with id twice, with different counters: a picture that
// is the other's, decoded and moving.
func (p *Page) Mark(ctx context.Context, id uint8) error {
	return p.Until(ctx, fmt.Sprintf("marker %d moves in the remote picture", id), fmt.Sprintf("window.visavisProbe.moves(%d)", id))
}

// Tone waits until hz is by far the strongest tone in the remote sound.
func (p *Page) Tone(ctx context.Context, hz float64) error {
	return p.Until(ctx, fmt.Sprintf("%.0f Hz in the remote sound", hz), fmt.Sprintf("window.visavisProbe.hears(%g)", hz))
}

func (p *Page) run(ctx context.Context, what string, actions ...chromedp.Action) error {
	tab, cancel := context.WithCancel(p.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	if err := chromedp.Run(tab, actions...); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		var state string
		look, stop := context.WithTimeout(p.ctx, 2*time.Second)
		defer stop()
		_ = chromedp.Run(look, chromedp.Evaluate("window.visavisProbe?.state() ?? 'no page'", &state))
		return fmt.Errorf("%s: %w\npage: %s\nconsole: %s", what, err, state, strings.Join(p.Log(), "\n  "))
	}
	return nil
}

func js(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
