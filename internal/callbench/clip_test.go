package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/media"
	"visavis.example/internal/media/y4m"
	"visavis.example/internal/testkit/lossylink"
)

func TestClip(t *testing.T) {
	s := newScene(2)
	a, b := media.NewFrame(clipWidth, clipHeight), media.NewFrame(clipWidth, clipHeight)
	s.draw(a, 77)
	s.draw(b, 78)
	if id, n, ok := media.ReadMarker(a); id != 2 || n != 77 || !ok {
		t.Errorf("the marker says %d %d %v", id, n, ok)
	}
	if bytes.Equal(a.Y[:a.StrideY*300], b.Y[:b.StrideY*300]) {
		t.Error("nothing moves")
	}
	src := &source{frames: []*media.Frame{a, b}}
	if db, err := src.psnr(a, 0); err != nil || db < 70 {
		t.Errorf("a picture is %v dB like itself: %v", db, err)
	}
	moved, err := src.psnr(b, 0)
	if err != nil || moved < 15 || moved > 40 {
		t.Errorf("the next picture is %v dB like it: %v", moved, err)
	}
	for i := range b.Y {
		b.Y[i] = a.Y[i] ^ 4 // off by four everywhere
	}
	db, err := src.psnr(b, 0)
	near(t, "a picture off by four", db, 10*math.Log10(255*255/16.0), 1e-6)
	if err != nil {
		t.Error(err)
	}
	if _, err := src.psnr(a, 2); err == nil {
		t.Error("a picture that the clip does not have was compared")
	}
}

func TestReadRecording(t *testing.T) {
	s := newScene(1)
	path := filepath.Join(t.TempDir(), "small.y4m")
	out, err := y4m.Create(path, 160, 90, 30)
	if err != nil {
		t.Fatal(err)
	}
	f, small := media.NewFrame(clipWidth, clipHeight), media.NewFrame(160, 90)
	for n := range 5 {
		s.draw(f, 100*n)
		media.Scale(small, f)
		if err := out.Write(small); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	markers, _, err := readRecording(path, nil, 0)
	if err != nil || len(markers) != 5 {
		t.Fatalf("%d markers: %v", len(markers), err)
	}
	for n, m := range markers {
		if m != 100*n {
			t.Errorf("picture %d has marker %d", n, m)
		}
	}
}

func TestReadTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	text := `{"t":10.5,"stage":"captured","call":"x","frame":0,"w":640,"h":360}
{"t":10.52,"stage":"encoded","call":"x","frame":0,"rtp":4294967295,"w":640,"h":360,"key":true,"bytes":900}
{"t":10.6,"stage":"presented","call":"x","frame":3,"rtp":77,"w":640,"h":360}
{"t":10.7,"stage":"mic","sample":480}
{"t":10.8,"stage":"speaker","sample":960}
{"t":10.9,"stage":"decision","kind":"estimate","values":{"target":500000}}
{"t":11,"stage":"decision","kind":"ladder","values":{"bps":1}}
`
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var w witness
	c, err := readTrace(path, &w)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Captured) != 1 || len(w.Encoded) != 1 || w.Encoded[0].RTP != math.MaxUint32 || w.Presented[0].RTP != 77 {
		t.Errorf("pictures: %+v", w)
	}
	if len(c.mic) != 1 || len(c.speaker) != 1 || c.speaker[0] != (anchor{10.8, 960}) || len(w.Estimate) != 1 || w.Estimate[0].V != 500000 {
		t.Errorf("clocks %+v, estimate %+v", c, w.Estimate)
	}
	if err := os.WriteFile(path, []byte(strings.Split(text, "\n")[0]+"\n{broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readTrace(path, &w); err == nil {
		t.Error("a broken trace was taken")
	}
}

func TestLinesHold(t *testing.T) {
	for _, l := range badLines {
		if _, err := lossylink.Parse(l.Spec); err != nil {
			t.Errorf("%s: %v", l.Name, err)
		}
		for _, c := range l.Changes {
			if _, err := lossylink.ParseChange(c.At.String() + " " + c.Lines + " " + c.Spec); err != nil {
				t.Errorf("%s: %v", l.Name, err)
			}
		}
		if n := len(l.Changes); n > 0 && (l.Changes[0].At != l.Drop || l.Changes[n-1].At != l.Restore || l.Least < l.Restore+10*time.Second) {
			t.Errorf("%s: its times do not agree", l.Name)
		}
	}
	if _, err := choose(pairings, func(p pairing) string { return p.Name }, "ours-ours,nobody"); err == nil {
		t.Error("a pair that is not there was chosen")
	}
}

// TestTable holds that a failed call is told as one, and that a figure that nobody has makes no column.
func TestTable(t *testing.T) {
	nan := number(math.NaN())
	good := figures{
		Line: "clean", Pair: "ours-ours", From: visavis, To: visavis, Series: 1, P50: 40, P95: 60, FPS: 30, Concealed: 0, SoundDelay: nan,
		FirstPicture: 90, Kbps: 900, PSNR: nan, LongestFreeze: nan, LatencyPeak: nan, BackAfter: nan, NewPicture: nan,
	}
	other := good
	other.P50 = 44
	failed := figures{Line: "clean", Pair: "ours-chromium", Series: 1, Failed: "it broke"}
	var out strings.Builder
	writeTable(&out, badLines[:1], []figures{good, other, failed}, []quietFigures{{Pair: "ours-ours", Who: "visavis calls", CPU: 12.34, PSS: 80}})
	for _, want := range []string{"visavis → visavis | 40–44 | 60 |", "FAILED: it broke", "12.3 | 80"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, never := range []string{"sound delay", "PSNR", "NaN"} {
		if strings.Contains(out.String(), never) {
			t.Errorf("%q in\n%s", never, out.String())
		}
	}
	if err := writePlot(t.TempDir(), badLines[0], []figures{good}); err != nil {
		t.Error(err)
	}
}

func TestProcessTree(t *testing.T) {
	if pid, parent := parents("123 (a (b) c) S 45 6 7"); pid != 123 || parent != 45 {
		t.Errorf("%d of %d", pid, parent)
	}
	if v := pss("Rss: 100 kB\nPss:  2048 kB\nPss_Dirty: 5 kB\n"); v != 2 {
		t.Errorf("%v MiB", v)
	}
	u, err := treeUse(os.Getpid())
	if err != nil || u.PSS <= 0 {
		t.Errorf("this test takes %+v: %v", u, err)
	}
}
