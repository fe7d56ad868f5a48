package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// column puts objects below each other with that gap.
func column(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(gap), objects...)
}

// line puts objects side by side with that gap, each as wide as it wants to be.
func line(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedHBoxLayout(gap), objects...)
}

// padded puts the same room around an object on all sides.
func padded(room float32, o fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedLayout(room, room, room, room), o)
}

// inset puts room at the sides x and above and below y.
func inset(x, y float32, o fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedLayout(y, y, x, x), o)
}

// labelled puts a caption over a field.
func labelled(caption string, field fyne.CanvasObject) *fyne.Container {
	return column(6, widget.NewText(caption, theme.Caption, theme.ToneMuted).Strong(), field)
}

// stretch lays objects in a row, centred in height, with those of wide sharing the room that is left.
func stretch(gap float32, wide fyne.CanvasObject, objects ...fyne.CanvasObject) *fyne.Container {
	visible := func() (n int, used, high float32) {
		for _, o := range objects {
			if !o.Visible() {
				continue
			}
			m := o.MinSize()
			used, high, n = used+m.Width, max(high, m.Height), n+1
		}
		return n, used + gap*float32(max(n-1, 0)), high
	}
	return container.New(widget.Layout{
		Min: func() fyne.Size {
			_, used, high := visible()
			return fyne.NewSize(used, high)
		},
		Place: func(s fyne.Size) {
			_, used, _ := visible()
			var x float32
			for _, o := range objects {
				if !o.Visible() {
					continue
				}
				m := o.MinSize()
				if o == wide {
					m.Width += max(s.Width-used, 0)
				}
				widget.Place(o, x, (s.Height-m.Height)/2, m.Width, m.Height)
				x += m.Width + gap
			}
		},
	}, objects...)
}
