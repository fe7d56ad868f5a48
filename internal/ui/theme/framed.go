package theme

import (
	"image/color"

	"fyne.io/fyne/v2"
	stock "fyne.io/fyne/v2/theme"
)

// Framed is the theme in force, but that entries and check boxes have a frame. Entries do without: their ground is enough.
type Framed struct{}

func (Framed) now() fyne.Theme { return fyne.CurrentApp().Settings().Theme() }

// Color implements fyne.Theme.
func (f Framed) Color(n fyne.ThemeColorName, v fyne.ThemeVariant) color.Color {
	if n == stock.ColorNameInputBorder {
		n = stock.ColorNamePlaceHolder
	}
	return f.now().Color(n, v)
}

// Font implements fyne.Theme.
func (f Framed) Font(s fyne.TextStyle) fyne.Resource { return f.now().Font(s) }

// Icon implements fyne.Theme.
func (f Framed) Icon(n fyne.ThemeIconName) fyne.Resource { return f.now().Icon(n) }

// Size implements fyne.Theme.
func (f Framed) Size(n fyne.ThemeSizeName) float32 { return f.now().Size(n) }
