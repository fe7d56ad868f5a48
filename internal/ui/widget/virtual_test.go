package widget

import (
	"fmt"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"visavis.example/internal/ui/theme"
)

func list(n int, high float32) (v *Virtual, chosen *[]int, updates *int) {
	v, chosen, updates = NewVirtual(), &[]int{}, new(int)
	v.Count = func() int { return n }
	v.Height = func(int, float32) float32 { return high }
	v.New = func() fyne.CanvasObject { return NewText("", theme.Body, theme.ToneText) }
	v.Update = func(i int, row fyne.CanvasObject) {
		*updates++
		row.(*Text).SetText(fmt.Sprint("row ", i))
	}
	v.OnChoose = func(i int) { *chosen = append(*chosen, i) }
	return v, chosen, updates
}

func TestVirtualHoldsOnlyWhatIsInSight(t *testing.T) {
	v, _, updates := list(500, 60)
	window(t, v, 300, 600)
	if v.Held() > 11 {
		t.Fatalf("%d rows for 10 in sight", v.Held())
	}
	*updates = 0
	for y := float32(0); y < 500*60; y += 7 {
		v.scroll.Offset.Y = min(y, 500*60-600)
		v.scroll.Refresh()
		v.place()
	}
	if v.Held() > 12 {
		t.Errorf("%d rows after scrolling through", v.Held())
	}
	if *updates > 520 {
		t.Errorf("%d updates for 500 rows", *updates)
	}
	if row, ok := v.Row(499).(*Text); !ok || row.Text() != "row 499" || v.Row(0) != nil {
		t.Error("the end shows", v.Row(499))
	}
}

func TestVirtualByKeyboard(t *testing.T) {
	v, chosen, _ := list(40, 60)
	win := window(t, v, 300, 300)
	win.Canvas().FocusNext()
	press := func(keys ...fyne.KeyName) {
		for _, k := range keys {
			win.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: k})
		}
	}
	if !v.ring.Visible() {
		t.Fatal("no focus ring")
	}
	press(fyne.KeyDown, fyne.KeyDown, fyne.KeyReturn, fyne.KeyEnd, fyne.KeySpace, fyne.KeyPageUp, fyne.KeyUp, fyne.KeySpace, fyne.KeyHome, fyne.KeyReturn)
	if fmt.Sprint(*chosen) != "[2 39 33 0]" {
		t.Error(*chosen)
	}
	win.Canvas().Unfocus()
	if v.ring.Visible() {
		t.Error("the ring stayed")
	}
}

func TestVirtualSticksToTheBottom(t *testing.T) {
	n := 3
	v, _, _ := list(0, 50)
	v.Stick = true
	v.Count = func() int { return n }
	window(t, v, 300, 300)
	if y := v.tops[0]; y != 150 {
		t.Error("a short chat begins at", y)
	}
	n = 20
	v.Reload()
	v.ScrollToBottom()
	n = 21
	v.Reload()
	if !v.AtBottom() || v.Row(20) == nil {
		t.Error("left the bottom at a new line")
	}
	v.scroll.ScrollToOffset(fyne.NewPos(0, 100))
	v.place()
	n = 22
	v.Reload()
	if v.AtBottom() || v.scroll.Offset.Y != 100 {
		t.Error("was torn away while reading", v.scroll.Offset)
	}
	v.KeepPlace(func() {
		n = 32
		v.Reload()
	})
	if v.scroll.Offset.Y != 600 {
		t.Error("older lines moved what was read:", v.scroll.Offset.Y)
	}
}

func TestButtons(t *testing.T) {
	taps := 0
	b := NewButton("Go", "phone", Main, func() { taps++ })
	win := window(t, b, 200, 60)
	test.Tap(b)
	win.Canvas().Focus(b)
	if b.r.Hidden {
		t.Error("no focus ring")
	}
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	passed := fyne.KeyName("")
	win.Canvas().SetOnTypedKey(func(k *fyne.KeyEvent) { passed = k.Name })
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeyM})
	b.SetDisabled(true)
	test.Tap(b)
	if taps != 3 || passed != fyne.KeyM {
		t.Error(taps, passed)
	}
	if win.Canvas().FocusNext(); win.Canvas().Focused() == fyne.Focusable(b) && b.Disabled() {
		t.Log("a disabled button keeps the focus it had") // and takes no more taps
	}
}

func TestPasswordEye(t *testing.T) {
	f := NewPasswordField("Password")
	window(t, f, 200, 60)
	if !f.Password {
		t.Fatal("shown from the start")
	}
	test.Tap(f.ActionItem.(*RowButton))
	if f.Password {
		t.Error("the eye does nothing")
	}
	test.Tap(f.ActionItem.(*RowButton))
	if !f.Password {
		t.Error("cannot be hidden again")
	}
}

func TestTabs(t *testing.T) {
	var got []int
	tabs := NewTabs([]string{"One", "Two", "Three"}, func(i int) { got = append(got, i) })
	window(t, tabs, 300, 40)
	test.Tap(tabs.parts[1])
	test.Tap(tabs.parts[1])
	tabs.parts[1].TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	tabs.parts[1].TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	if fmt.Sprint(got) != "[1 2 0]" {
		t.Error(got)
	}
}
