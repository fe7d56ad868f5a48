package main

import (
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/testkit"
	"visavis.example/internal/testkit/lossylink"
)

//go:embed page.js
var pageJS string

// browser is the system's Chromium with our browser client, watched by page.js.
type browser struct {
	who
	link    *lossylink.Link
	srv     *testkit.Server
	clip    *source
	dir     string
	b       *testkit.Chromium
	page    *testkit.Page
	profile string
}

func (b *browser) Ready(ctx context.Context) (err error) {
	// Outside of the run's folder: Chromium may still write while it ends.
	if b.profile, err = os.MkdirTemp("", "visavis-chromium-"); err != nil {
		return err
	}
	b.b, err = testkit.StartChromium(context.WithoutCancel(ctx), testkit.ChromiumConfig{ // it lives for the call, ctx for the start
		Dir: b.profile, CertFile: b.srv.CA, Camera: b.Camera, Sound: b.Sound,
		Script: strings.Replace(pageJS, "VISAVIS_QUIET", strconv.FormatBool(b.Quiet), 1),
		Before: b.link.Before(b.Host),
		Dial:   func(network, address string) (net.Conn, error) { return b.link.Dial(b.Host, network, address) },
	})
	if err != nil {
		return err
	}
	if b.page, err = b.b.Open(b.srv.URL, 1100, 700); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return b.page.Click(ctx, "register") },
		func() error { return b.page.Type(ctx, "username", b.Name) },
		func() error { return b.page.Type(ctx, "password", testkit.Password) },
		func() error { return b.page.Click(ctx, "submit") },
		func() error { return b.page.Visible(ctx, "user-Echo") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if b.Record {
		return b.page.Eval(ctx, "visavisBench.planesEvery = 1000", nil)
	}
	return nil
}

func (b *browser) Call(ctx context.Context, whom string) error {
	return b.page.Click(ctx, "call-"+whom)
}

func (b *browser) Accept(ctx context.Context) error {
	if err := b.page.Visible(ctx, "accept"); err != nil {
		return err
	}
	if err := testkit.Wait(ctx, ringing); err != nil {
		return err
	}
	return b.page.Click(ctx, "accept")
}

// ringing is how long it rings before the callee accepts: as long as somebody needs to see who it is.
const ringing = 3 * time.Second

func (b *browser) Connected(ctx context.Context) error {
	return b.page.Attribute(ctx, "call-state", "data-state", "active")
}

func (b *browser) PID() int { return b.b.PID() }

func (b *browser) Close() {
	if b.b != nil {
		b.b.Close()
	}
	_ = os.RemoveAll(b.profile)
}

// pageLog is what page.js wrote down.
type pageLog struct {
	Captured  [][2]float64 // time, marker
	Presented [][4]float64 // time, marker, RTP time, count of presented pictures
	Accepted  float64
	Sounds    struct{ Local, Remote []soundBlock }
	Stats     []struct {
		T                                     float64
		Concealed, Samples, Estimate, Freezes *float64
		Frozen                                *float64
	}
	Planes []struct {
		N, W, H int
		T       float64
		Luma    string
	}
	Errors []string
}

// soundBlock is [audio clock's seconds, wall clock's seconds, loudness of each 5 ms].
type soundBlock struct {
	Clock, Wall float64
	Values      []float64
}

func (s *soundBlock) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&s.Clock, &s.Wall, &s.Values})
}

func (b *browser) Finish(ctx context.Context, hangUp bool) (*witness, error) {
	var text string
	if err := b.page.Eval(ctx, fmt.Sprintf("visavisBench.stop(%t)", hangUp), &text); err != nil {
		return nil, err
	}
	if b.dir != "" {
		if err := os.WriteFile(filepath.Join(b.dir, b.Name+".page.json"), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	var l pageLog
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return nil, fmt.Errorf("page of %s: %w", b.Name, err)
	}
	if len(l.Errors) > 0 {
		fmt.Fprintf(os.Stderr, "  %s's page: %s\n", b.Name, strings.Join(l.Errors, "; "))
	}
	if b.Quiet {
		return &witness{Accepted: l.Accepted}, nil
	}
	if len(l.Captured) == 0 || len(l.Presented) == 0 {
		return nil, fmt.Errorf("page of %s: %d pictures captured, %d presented", b.Name, len(l.Captured), len(l.Presented))
	}
	return b.witness(&l)
}

func (b *browser) witness(l *pageLog) (*witness, error) {
	w := &witness{Accepted: l.Accepted, Said: blocks(l.Sounds.Local), Heard: blocks(l.Sounds.Remote), Counted: map[string]float64{}}
	for _, c := range l.Captured {
		w.Captured = append(w.Captured, sight{T: c[0], Marker: int(c[1])})
	}
	for _, p := range l.Presented {
		w.Presented = append(w.Presented, sight{T: p[0], Marker: int(p[1]), RTP: uint32(p[2])})
	}
	for _, s := range l.Stats {
		for _, x := range []struct {
			from *float64
			to   *[]point
		}{{s.Concealed, &w.Concealed}, {s.Samples, &w.Samples}, {s.Estimate, &w.Estimate}} {
			if x.from != nil {
				*x.to = append(*x.to, point{s.T, *x.from})
			}
		}
		if s.Freezes != nil && s.Frozen != nil {
			w.Counted["freezeCount"], w.Counted["totalFreezesDuration"] = *s.Freezes, *s.Frozen
		}
	}
	for _, p := range l.Planes {
		luma, err := base64.StdEncoding.DecodeString(p.Luma)
		if err != nil || len(luma) != p.W*p.H || p.W&1+p.H&1 != 0 {
			return nil, fmt.Errorf("page of %s: a picture of %dx%d in %d bytes: %w", b.Name, p.W, p.H, len(luma), err)
		}
		if p.N < 0 {
			continue
		}
		f := media.NewFrame(p.W, p.H)
		for y := range p.H {
			copy(f.Y[y*f.StrideY:][:p.W], luma[y*p.W:])
		}
		db, err := b.clip.psnr(f, p.N)
		if err != nil {
			return nil, err
		}
		w.Quality = append(w.Quality, point{p.T, db})
	}
	return w, nil
}

// blocks puts the audio clock's times on the wall clock: messages are late, never early, so the least difference of some
// seconds around counts.
func blocks(all []soundBlock) loudness {
	var v loudness
	for i, b := range all {
		offset := b.Wall - b.Clock
		for _, near := range all[max(i-5, 0):min(i+6, len(all))] {
			offset = min(offset, near.Wall-near.Clock)
		}
		for k, x := range b.Values {
			v = append(v, point{b.Clock + offset + float64(k)*step, x})
		}
	}
	return v
}
