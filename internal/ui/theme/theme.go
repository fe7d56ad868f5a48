// Package theme is how Visavis looks: two palettes, sizes, and icons in the colour they are asked for. It gives Fyne a
// fyne.Theme, so that its own widgets (entries, selects, menus) match, and gives package widget the palette in force.
// Packages ui and widget call it, on the UI thread. It draws nothing.
package theme

import (
	"fmt"
	"image/color"
	"sync"

	"fyne.io/fyne/v2"
	stock "fyne.io/fyne/v2/theme"

	"visavis.example/assets"
)

// Choices of Theme.Choice.
const (
	System      = "" // what the operating system says
	ChooseLight = "light"
	ChooseDark  = "dark"
)

// Text sizes and measures, in Fyne's device-independent pixels.
const (
	Caption  float32 = 12
	Body     float32 = 14
	Name     float32 = 15
	Heading  float32 = 20
	Title    float32 = 28
	Radius   float32 = 10
	RowGap   float32 = 12
	PageEdge float32 = 24
)

// Theme implements fyne.Theme.
type Theme struct {
	Choice string
}

var _ fyne.Theme = (*Theme)(nil)

// Palette gives the colours for what the system wants, unless the person chose otherwise.
func (t *Theme) Palette(v fyne.ThemeVariant) *Palette {
	switch {
	case t.Choice == ChooseLight:
		return &Light
	case t.Choice == ChooseDark:
		return &Dark
	case v == stock.VariantLight:
		return &Light
	}
	return &Dark
}

// Now gives the palette in force.
func Now() *Palette {
	s := fyne.CurrentApp().Settings()
	if t, ok := s.Theme().(*Theme); ok {
		return t.Palette(s.ThemeVariant())
	}
	return &Dark
}

// Color implements fyne.Theme.
func (t *Theme) Color(n fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	p := t.Palette(v)
	switch n {
	case stock.ColorNameBackground:
		return p.Page
	case stock.ColorNameForeground:
		return p.Text
	case stock.ColorNameButton, stock.ColorNameDisabledButton, stock.ColorNameInputBackground:
		return p.Raised
	case stock.ColorNameInputBorder:
		return color.Transparent // the GL painter darkens thin strokes without a fill; the raised ground is enough
	case stock.ColorNameSeparator:
		return p.Border
	case stock.ColorNamePlaceHolder, stock.ColorNameDisabled:
		return p.Faint
	case stock.ColorNameMenuBackground:
		return p.Raised
	case stock.ColorNameOverlayBackground, stock.ColorNameHeaderBackground:
		return p.Surface
	case stock.ColorNameHover:
		return Alpha(p.Text, 18)
	case stock.ColorNamePressed:
		return Alpha(p.Text, 36)
	case stock.ColorNamePrimary, stock.ColorNameHyperlink:
		return p.Primary
	case stock.ColorNameFocus, stock.ColorNameSelection:
		return Alpha(p.Primary, 96)
	case stock.ColorNameScrollBar:
		return Alpha(p.Muted, 110)
	case stock.ColorNameScrollBarBackground:
		return color.Transparent
	case stock.ColorNameError:
		return p.Bad
	case stock.ColorNameSuccess:
		return p.Good
	case stock.ColorNameWarning:
		return p.Warn
	case stock.ColorNameForegroundOnError, stock.ColorNameForegroundOnPrimary, stock.ColorNameForegroundOnSuccess:
		return p.OnColor
	case stock.ColorNameShadow:
		return color.Transparent // else every scroller has a grey edge
	}
	if p == &Light {
		return stock.DefaultTheme().Color(n, stock.VariantLight)
	}
	return stock.DefaultTheme().Color(n, stock.VariantDark)
}

// Size implements fyne.Theme.
func (t *Theme) Size(n fyne.ThemeSizeName) float32 {
	switch n {
	case stock.SizeNameText:
		return Body
	case stock.SizeNameCaptionText:
		return Caption
	case stock.SizeNameSubHeadingText:
		return Heading
	case stock.SizeNameHeadingText:
		return Title
	case stock.SizeNameInputRadius, stock.SizeNameSelectionRadius:
		return Radius
	case stock.SizeNameInnerPadding:
		return 10
	case stock.SizeNameScrollBar:
		return 8
	case stock.SizeNameScrollBarSmall:
		return 4
	case stock.SizeNameScrollBarRadius:
		return 4
	}
	return stock.DefaultTheme().Size(n)
}

// Font implements fyne.Theme.
func (t *Theme) Font(s fyne.TextStyle) fyne.Resource { return stock.DefaultTheme().Font(s) }

// Icon implements fyne.Theme: our own drawings inside Fyne's widgets.
func (t *Theme) Icon(n fyne.ThemeIconName) fyne.Resource {
	var name string
	switch n {
	case stock.IconNameVisibility:
		name = "eye"
	case stock.IconNameVisibilityOff:
		name = "eye-off"
	case stock.IconNameArrowDropDown:
		name = "chevron-down"
	case stock.IconNameSearch:
		name = "search"
	case stock.IconNameCancel, stock.IconNameContentClear, stock.IconNameWindowClose:
		name = "close"
	case stock.IconNameConfirm:
		name = "check"
	default:
		return stock.DefaultTheme().Icon(n)
	}
	return Drawing(name, ToneText)
}

var (
	iconsMu sync.Mutex
	icons   = map[string]fyne.Resource{}
)

// Icon gives a drawing of package assets in a colour. The same pair gives the same resource, whose name tells Fyne's
// picture cache apart what has another colour.
func Icon(name string, c color.NRGBA) fyne.Resource {
	key := fmt.Sprintf("%s-%02x%02x%02x.svg", name, c.R, c.G, c.B)
	iconsMu.Lock()
	defer iconsMu.Unlock()
	if r, ok := icons[key]; ok {
		return r
	}
	r := fyne.NewStaticResource(key, paint(assets.Icon(name), c))
	icons[key] = r
	return r
}

// AppIcon is the program's icon.
func AppIcon() fyne.Resource { return fyne.NewStaticResource("visavis.png", assets.AppIcon) }

// drawing is an icon that takes its colour when it is asked for, so that it follows the theme in places that keep it.
type drawing struct {
	name string
	tone Tone
}

// Drawing gives such an icon.
func Drawing(name string, tone Tone) fyne.Resource { return &drawing{name, tone} }

// Name implements fyne.Resource.
func (d *drawing) Name() string { return Icon(d.name, d.tone(Now())).Name() }

// Content implements fyne.Resource.
func (d *drawing) Content() []byte { return Icon(d.name, d.tone(Now())).Content() }
