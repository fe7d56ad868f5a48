package ui

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

const (
	toastFor  = 9 * time.Second
	maxToasts = 4
)

// toasts shows notices over every page: those of the snapshot, and a few words of the window's own. They go by themselves.
type toasts struct {
	w     *window
	root  *fyne.Container
	items []*toast // shown or spare
	own   []ownNotice
	from  []string // the snapshot's
	since map[string]time.Time
	room  float32 // that the strips over the page take
}

type ownNotice struct {
	text  string
	since time.Time
}

// toast is one notice.
type toast struct {
	root fyne.CanvasObject
	note *widget.Note
}

func newToasts(w *window) *toasts {
	t := &toasts{w: w, since: map[string]time.Time{}}
	t.root = container.New(widget.Layout{Min: func() fyne.Size { return fyne.NewSize(1, 1) }, Place: t.place})
	for i := range maxToasts {
		t.items = append(t.items, t.newToast(i))
		t.root.Add(t.items[i].root)
	}
	return t
}

func (t *toasts) newToast(i int) *toast {
	n := widget.NewNote(theme.ToneText)
	shut := widget.NewRowButton("close", "Dismiss", 30, theme.ToneMuted, func() { t.dismiss(i) })
	row := stretch(10, n, widget.NewIcon("info", 20, theme.TonePrimary), n, shut)
	o := container.NewStack(widget.NewPanel(theme.ToneSurface, 12).Outlined(theme.ToneBorder), inset(14, 10, row))
	o.Hide()
	return &toast{o, n}
}

func (t *toasts) place(s fyne.Size) {
	y, width := t.w.main.topRoom()+16, min(s.Width-32, 420)
	for _, i := range t.items {
		if i.root.Visible() {
			i.root.Resize(fyne.NewSize(width, i.root.MinSize().Height)) // wraps the words at this width
			h := i.root.MinSize().Height
			widget.Place(i.root, (s.Width-width)/2, y, width, h)
			y += h + 8
		}
	}
}

// add shows words of the window's own.
func (t *toasts) add(text string) {
	if len(t.own) > 0 && t.own[len(t.own)-1].text == text {
		t.own[len(t.own)-1].since = t.w.now()
	} else {
		t.own = append(t.own, ownNotice{text, t.w.now()})
	}
	t.fill()
}

// show takes the snapshot's notices.
func (t *toasts) show(notices []string) {
	t.from = notices
	now, since := t.w.now(), map[string]time.Time{}
	for _, n := range notices {
		since[n] = now
		if old, ok := t.since[n]; ok {
			since[n] = old
		}
	}
	t.since = since
	t.fill()
}

func (t *toasts) all() []string {
	all := append([]string{}, t.from...)
	for _, o := range t.own {
		all = append(all, o.text)
	}
	return all
}

func (t *toasts) fill() {
	all := t.all()
	changed := false
	for i, item := range t.items {
		on := i < len(all)
		changed = changed || on != item.root.Visible() || on && item.note.Text() != all[i]
		setVisible(item.root, on)
		if on {
			item.note.SetText(all[i])
		}
	}
	if room := t.w.main.topRoom(); room != t.room {
		t.room, changed = room, true
	}
	if changed {
		t.place(t.root.Size())
		t.root.Refresh()
	}
}

func (t *toasts) dismiss(i int) {
	if i < len(t.from) {
		t.w.cmd.DismissNotice(i)
		return
	}
	if i -= len(t.from); i < len(t.own) {
		t.own = append(t.own[:i:i], t.own[i+1:]...)
		t.fill()
	}
}

// tick lets old ones go.
func (t *toasts) tick() {
	now := t.w.now()
	for i, n := range t.from {
		if now.Sub(t.since[n]) >= toastFor {
			t.since[n] = now // asked once; the next snapshot comes without it
			t.w.cmd.DismissNotice(i)
			return
		}
	}
	for len(t.own) > 0 && now.Sub(t.own[0].since) >= toastFor {
		t.own = t.own[1:]
		t.fill()
	}
}
