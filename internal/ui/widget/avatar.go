package widget

import (
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// Presence is the dot at an avatar.
type Presence uint8

// Presences.
const (
	NoPresence Presence = iota
	Offline
	Online
	Undisturbed // here, and does not want calls
)

// Avatar is a circle with the initials of a name on a colour made from it, or a drawing, and perhaps a presence dot.
type Avatar struct {
	widget.BaseWidget
	side     float32
	name     string
	icon     string
	presence Presence
	behind   theme.Tone // what the dot is cut out of

	disc, cut, dot *canvas.Circle
	bar            *canvas.Rectangle // in the dot of who is undisturbed: colour alone tells not everybody
	initials       *canvas.Text
	img            *canvas.Image
}

// NewAvatar gives an empty one of that diameter, to lie on a background of that tone.
func NewAvatar(side float32, behind theme.Tone) *Avatar {
	a := &Avatar{
		side: side, behind: behind,
		disc: canvas.NewCircle(nil), cut: canvas.NewCircle(nil), dot: canvas.NewCircle(nil),
		bar: canvas.NewRectangle(nil), initials: canvas.NewText("", nil), img: &canvas.Image{FillMode: canvas.ImageFillContain},
	}
	a.ExtendBaseWidget(a)
	return a
}

// Set says whom to show; icon "" means initials.
func (a *Avatar) Set(name, icon string, p Presence) {
	if name == a.name && icon == a.icon && p == a.presence {
		return
	}
	a.name, a.icon, a.presence = name, icon, p
	a.Refresh()
}

// SetBehind changes the tone behind the avatar.
func (a *Avatar) SetBehind(t theme.Tone) {
	a.behind = t
	a.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (a *Avatar) CreateRenderer() fyne.WidgetRenderer {
	return NewRenderer([]fyne.CanvasObject{a.disc, a.initials, a.img, a.cut, a.dot, a.bar},
		func() fyne.Size { return fyne.NewSquareSize(a.side) },
		func(s fyne.Size) {
			x, y := (s.Width-a.side)/2, (s.Height-a.side)/2
			Place(a.disc, x, y, a.side, a.side)
			Place(a.initials, x, y, a.side, a.side)
			k := a.side * 0.5
			Place(a.img, x+(a.side-k)/2, y+(a.side-k)/2, k, k)
			d := max(10, a.side*0.26)
			Place(a.cut, x+a.side-d-1, y+a.side-d-1, d+4, d+4)
			Place(a.dot, x+a.side-d+1, y+a.side-d+1, d, d)
			Place(a.bar, x+a.side-d+1+d*0.25, y+a.side-d+1+d*0.4, d*0.5, d*0.2)
		},
		a.paint)
}

func (a *Avatar) paint() {
	p := theme.Now()
	a.disc.FillColor = theme.Face(a.name)
	a.initials.Text, a.initials.Hidden = Initials(a.name), a.icon != ""
	a.initials.TextSize, a.initials.TextStyle = a.side*0.38, fyne.TextStyle{Bold: true}
	a.initials.Alignment, a.initials.Color = fyne.TextAlignCenter, p.OnColor
	a.img.Hidden = a.icon == ""
	if a.icon != "" {
		a.disc.FillColor = p.Primary
		a.img.Resource = theme.Icon(a.icon, p.OnColor)
		a.img.Refresh()
	}
	here, undisturbed := a.presence == Online || a.presence == Undisturbed, a.presence == Undisturbed
	a.cut.Hidden, a.dot.Hidden, a.bar.Hidden = !here, !here, !undisturbed
	a.cut.FillColor, a.dot.FillColor, a.bar.FillColor = a.behind(p), p.Good, p.OnColor
	if undisturbed {
		a.dot.FillColor = p.Bad
	}
	a.disc.Refresh()
	a.initials.Refresh()
	a.cut.Refresh()
	a.dot.Refresh()
	a.bar.Refresh()
}

// Initials gives one or two letters for a name: "Maria Keller" MK, "bob" B.
func Initials(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 {
		return "?"
	}
	out := firstUpper(words[0])
	if len(words) > 1 {
		out += firstUpper(words[len(words)-1])
	}
	return out
}

func firstUpper(s string) string {
	for _, r := range s {
		return string(unicode.ToUpper(r))
	}
	return ""
}
