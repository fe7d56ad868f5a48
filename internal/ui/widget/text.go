package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// Text is one line that is shortened with an ellipsis when there is no room for it.
type Text struct {
	widget.BaseWidget
	Tone  theme.Tone
	Pts   float32 // text size
	Bold  bool
	Align fyne.TextAlign
	Elide bool // ask for little width and shorten; else ask for the whole text's

	text string
	line *canvas.Text
}

// NewText gives a line of body text.
func NewText(s string, size float32, tone theme.Tone) *Text {
	t := &Text{Tone: tone, Pts: size, text: s, line: canvas.NewText("", nil)}
	t.ExtendBaseWidget(t)
	return t
}

// Strong makes it bold, for building.
func (t *Text) Strong() *Text { t.Bold = true; return t }

// Short makes it shorten itself, for building.
func (t *Text) Short() *Text { t.Elide = true; return t }

// Centred puts it in the middle, for building.
func (t *Text) Centred() *Text { t.Align = fyne.TextAlignCenter; return t }

// Text gives the whole text, also when it is shown shortened.
func (t *Text) Text() string { return t.text }

// SetText changes the text; the same text costs nothing.
func (t *Text) SetText(s string) {
	if s == t.text {
		return
	}
	t.text = s
	t.Refresh()
}

// SetTone changes the colour.
func (t *Text) SetTone(tone theme.Tone) {
	t.Tone = tone
	t.Refresh()
}

func (t *Text) style() fyne.TextStyle { return fyne.TextStyle{Bold: t.Bold} }

// CreateRenderer implements fyne.Widget.
func (t *Text) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{t.line},
		func() fyne.Size {
			s := fyne.MeasureText(t.text, t.Pts, t.style())
			if t.Elide {
				s.Width = min(s.Width, 32)
			}
			return s
		},
		func(s fyne.Size) {
			t.line.Resize(s)
			t.fill(s.Width)
		},
		func() {
			t.line.TextSize, t.line.TextStyle, t.line.Alignment = t.Pts, t.style(), t.Align
			t.line.Color = t.Tone(theme.Now())
			if t.Size().Width > 0 {
				t.fill(t.Size().Width)
			}
			t.line.Refresh()
		})
}

func (t *Text) fill(width float32) {
	s := t.text
	if t.Elide {
		s = Shorten(t.text, t.Pts, t.style(), width)
	}
	if s != t.line.Text {
		t.line.Text = s
		t.line.Refresh()
	}
}

// Shorten cuts s and adds an ellipsis so that it fits into width.
func Shorten(s string, size float32, style fyne.TextStyle, width float32) string {
	if s == "" || fyne.MeasureText(s, size, style).Width <= width {
		return s
	}
	runes := []rune(s)
	lo, hi := 0, len(runes)-1 // lo runes fit, hi+1 do not
	for lo < hi {
		mid := (lo + hi + 1) / 2
		if fyne.MeasureText(string(runes[:mid])+"…", size, style).Width <= width {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return string(runes[:lo]) + "…"
}

// Wrap breaks s into lines of at most width, at spaces where it can; line breaks of the text stay.
func Wrap(s string, size float32, style fyne.TextStyle, width float32) []string {
	var lines []string
	measure := func(s string) float32 { return fyne.MeasureText(s, size, style).Width }
	start, lastSpace := 0, -1
	runes := []rune(s)
	var used float32
	for i := 0; i < len(runes); i++ {
		if runes[i] == '\n' {
			lines = append(lines, string(runes[start:i]))
			start, lastSpace, used = i+1, -1, 0
			continue
		}
		if runes[i] == ' ' {
			lastSpace = i
		}
		used += measure(string(runes[i : i+1])) // Fyne keeps measured strings: single runes are found there
		if used <= width || i == start {
			continue
		}
		end, next := i, i
		if lastSpace > start {
			end, next = lastSpace, lastSpace+1
		} else if runes[i] == ' ' {
			next = i + 1
		}
		lines = append(lines, string(runes[start:end]))
		start, lastSpace = next, -1
		used = measure(string(runes[start:max(start, i+1)]))
	}
	return append(lines, string(runes[min(start, len(runes)):]))
}
