package widget

import (
	"image"
	"image/color"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
)

func grey(p interface{ Buffer(w, h int) *image.RGBA }, w, h int, shade byte) *image.RGBA {
	b := p.Buffer(w, h)
	for i := range b.Pix {
		if i%4 != 3 {
			b.Pix[i] = shade
		}
	}
	return b
}

func at(m image.Image, x, y int) color.NRGBA {
	return color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
}

func TestNewestPictureWinsWithOneOnItsWay(t *testing.T) {
	var posted []func()
	shown := 0
	f := newFrames(func(bool) { shown++ })
	f.post = func(do func()) { posted = append(posted, do) }
	var last *image.RGBA
	for shade := range byte(5) {
		last = grey(f, 32, 16, shade)
		f.Push(last)
	}
	if len(posted) != 1 {
		t.Fatalf("%d calls are on their way to Fyne's thread", len(posted))
	}
	posted[0]()
	if shown != 1 || f.shown != last {
		t.Fatalf("shown %d times, the newest: %v", shown, f.shown == last)
	}
	f.Push(grey(f, 32, 16, 9))
	if len(posted) != 2 {
		t.Error("the next picture was not announced")
	}
	posted[1]()
	posted[0]() // late and with nothing to take
	if shown != 2 {
		t.Errorf("shown %d times", shown)
	}
}

func TestThreeBuffersTurn(t *testing.T) {
	f := newFrames(func(bool) {})
	f.post = func(do func()) { do() }
	seen := map[*image.RGBA]bool{}
	for range 100 {
		b := f.Buffer(64, 36)
		if b == f.shown {
			t.Fatal("a shown buffer was handed out for writing")
		}
		seen[b] = true
		f.Push(b)
	}
	if len(seen) > 3 {
		t.Errorf("%d buffers for 100 pictures", len(seen))
	}
	if b := f.Buffer(10, 10); b.Rect.Dx() != 10 || b.Pix[3] != 255 {
		t.Errorf("%v, alpha %d", b.Rect, b.Pix[3])
	}
}

func TestStoppedTakesNothing(t *testing.T) {
	f := newFrames(func(bool) { t.Error("shown") })
	f.post = func(do func()) { t.Error("posted") }
	f.SetSeen(true)
	f.Stop()
	f.Push(f.Buffer(8, 8))
	if w, _ := f.Wanted(); w >= 0 {
		t.Error("still wanted")
	}
}

func TestVideoFit(t *testing.T) {
	for _, c := range []struct {
		box          fyne.Size
		aspect, crop float32
		want         fyne.Size
	}{
		{fyne.NewSize(400, 400), 16. / 9, 0, fyne.NewSize(400, 225)},
		{fyne.NewSize(400, 400), 16. / 9, 0.45, fyne.NewSize(400*16./9, 400)},
		{fyne.NewSize(300, 600), 16. / 9, 0.45, fyne.NewSize(300, 300*9./16)},
		{fyne.NewSize(1600, 900), 9. / 16, 0.45, fyne.NewSize(900*9./16, 900)},
		{fyne.NewSize(1920, 1000), 16. / 9, 0.45, fyne.NewSize(1920, 1080)},
	} {
		got := fit(c.box, c.aspect, c.crop)
		if d := got.Subtract(c.want); d.Width*d.Width+d.Height*d.Height > 0.1 {
			t.Errorf("%v in %v: %v, want %v", c.aspect, c.box, got, c.want)
		}
	}
}

func TestVideoPaintsBetweenBars(t *testing.T) {
	v := NewVideo()
	win := window(t, v, 400, 400)
	first := 0
	v.OnFirst = func() { first++ }
	for _, shade := range []byte{90, 10, 200} {
		v.Push(grey(v, 320, 180, shade))
	}
	m := win.Canvas().Capture()
	if c := at(m, 200, 200); c.R != 200 {
		t.Error("centre", c)
	}
	if c := at(m, 200, 10); c.R != 0 {
		t.Error("bar", c)
	}
	if first != 1 || !v.HasPicture() {
		t.Error("first picture told", first)
	}
	v.SetSeen(true)
	if w, h := v.Wanted(); w != 400 || h != 225 {
		t.Error("wanted", w, h)
	}
	v.SetSeen(false)
	if w, _ := v.Wanted(); w >= 0 {
		t.Error("a hidden one wants pictures")
	}
	v.Clear()
	if v.HasPicture() {
		t.Error("kept the last picture")
	}
}

func TestSelfViewMirrorsAndGoesDark(t *testing.T) {
	v := NewSelfView()
	win := window(t, v, 208, 117)
	b := v.Buffer(208, 117)
	for y := range 117 {
		for x := range 104 {
			b.SetRGBA(x, y, color.RGBA{255, 0, 0, 255}) // red at the left
		}
	}
	v.Push(b)
	m := win.Canvas().Capture()
	if l, r := at(m, 50, 60), at(m, 160, 60); l.R > 50 || r.R < 200 {
		t.Error("not mirrored", l, r)
	}
	v.SetMirror(false)
	b = grey(v, 208, 117, 0)
	b.SetRGBA(0, 60, color.RGBA{255, 0, 0, 255})
	v.Push(b)
	if b.RGBAAt(0, 60).R != 255 {
		t.Error("a shared screen was mirrored")
	}
	v.SetOff(true)
	if v.img.Visible() || !v.icon.Visible() {
		t.Error("still looks as if it were sent")
	}
	v.Push(grey(v, 208, 117, 0)) // was on its way
	v.SetOff(false)
	if v.img.Visible() {
		t.Error("opened again with an old picture")
	}
}

func TestSelfViewOnlyReportsDrags(t *testing.T) {
	v := NewSelfView()
	win := window(t, v, 208, 117)
	var moved fyne.Delta
	dropped := false
	v.OnDrag = func(d fyne.Delta) { moved.DX += d.DX; moved.DY += d.DY }
	v.OnDrop = func() { dropped = true }
	test.Drag(win.Canvas(), fyne.NewPos(20, 20), 30, 12)
	if moved.DX != 30 || moved.DY != 12 || !dropped || v.Position() != fyne.NewPos(0, 0) {
		t.Error(moved, dropped, v.Position())
	}
}

// TestEmptyVideoCanBeDrawnInSoftware takes a picture of a call before the other's first one has come.
func TestEmptyVideoCanBeDrawnInSoftware(t *testing.T) {
	test.NewTempApp(t)
	w := test.NewTempWindow(t, NewVideo())
	w.Resize(fyne.NewSize(320, 200))
	m := w.Canvas().Capture()
	if r, g, b, _ := m.At(m.Bounds().Dx()/2, m.Bounds().Dy()/2).RGBA(); r|g|b != 0 {
		t.Errorf("the middle is %x %x %x, not black", r, g, b)
	}
}
