package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// Note is a few lines of words, wrapped at spaces; without words it takes no room.
type Note struct {
	widget.BaseWidget
	Tone  theme.Tone
	Pts   float32
	Align fyne.TextAlign
	Bold  bool

	text  string
	lines []*canvas.Text
	box   *fyne.Container
	width float32
}

// NewNote gives an empty one.
func NewNote(tone theme.Tone) *Note {
	n := &Note{Tone: tone, Pts: theme.Body, box: &fyne.Container{}}
	n.Hidden = true
	n.ExtendBaseWidget(n)
	return n
}

// Text gives the words.
func (n *Note) Text() string { return n.text }

// SetText changes the words.
func (n *Note) SetText(s string) {
	if s == n.text {
		return
	}
	n.text = s
	n.wrap()
	if n.Hidden = s == ""; !n.Hidden {
		n.Refresh()
	}
}

func (n *Note) style() fyne.TextStyle { return fyne.TextStyle{Bold: n.Bold} }

func (n *Note) lineHeight() float32 { return n.Pts * 1.45 }

func (n *Note) wrap() {
	var words []string
	if n.text != "" {
		words = Wrap(n.text, n.Pts, n.style(), max(n.width, 120))
	}
	for len(n.lines) < len(words) {
		t := canvas.NewText("", nil)
		n.lines = append(n.lines, t)
		n.box.Objects = append(n.box.Objects, t)
	}
	for i, t := range n.lines {
		t.Hidden = i >= len(words)
		t.Text = ""
		if i < len(words) {
			t.Text = words[i]
		}
	}
}

func (n *Note) height() float32 {
	h := float32(0)
	for _, t := range n.lines {
		if !t.Hidden {
			h += n.lineHeight()
		}
	}
	return h
}

// CreateRenderer implements fyne.Widget.
func (n *Note) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{n.box},
		func() fyne.Size { return fyne.NewSize(40, n.height()) },
		func(s fyne.Size) {
			n.box.Resize(s)
			if s.Width != n.width {
				old := n.height()
				n.width = s.Width
				n.wrap()
				if n.height() != old {
					n.Refresh() // asks the parent to lay out again
				}
			}
			n.placeLines()
		},
		func() {
			p := theme.Now()
			for _, t := range n.lines {
				t.Color, t.TextSize, t.TextStyle, t.Alignment = n.Tone(p), n.Pts, n.style(), n.Align
				t.Refresh()
			}
			n.placeLines()
		})
}

func (n *Note) placeLines() {
	for i, t := range n.lines {
		Place(t, 0, float32(i)*n.lineHeight(), n.Size().Width, n.lineHeight())
	}
}
