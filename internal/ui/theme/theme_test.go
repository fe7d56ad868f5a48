package theme

import (
	"image/color"
	"math"
	"os"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	stock "fyne.io/fyne/v2/theme"
)

// luminance and contrast are those of WCAG 2.2.
func luminance(c color.NRGBA) float64 {
	lin := func(v uint8) float64 {
		f := float64(v) / 255
		if f <= 0.04045 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(c.R) + 0.7152*lin(c.G) + 0.0722*lin(c.B)
}

func contrast(a, b color.NRGBA) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestTextCanBeRead(t *testing.T) {
	for name, p := range map[string]*Palette{"dark": &Dark, "light": &Light} {
		for ground, c := range map[string]color.NRGBA{"page": p.Page, "surface": p.Surface, "raised": p.Raised, "hover": p.Hover, "chosen": p.Chosen} {
			for ink, i := range map[string]color.NRGBA{"text": p.Text, "muted": p.Muted, "bad": p.BadText} {
				if r := contrast(i, c); r < 4.5 {
					t.Errorf("%s: %s on %s is %.2f : 1", name, ink, ground, r)
				}
			}
		}
		if r := contrast(p.OnColor, p.Own); r < 4.5 {
			t.Errorf("%s: the own bubble has %.2f : 1", name, r)
		}
		if r := contrast(p.OnWarn, p.Warn); r < 4.5 {
			t.Errorf("%s: the banner has %.2f : 1", name, r)
		}
		for what, c := range map[string]color.NRGBA{"primary": p.Primary, "bad": p.Bad, "accept": p.Accept} {
			if r := contrast(p.OnColor, c); r < 3 { // bold 14 px and drawings: large text
				t.Errorf("%s: white on %s is %.2f : 1", name, what, r)
			}
		}
	}
	for _, c := range faces {
		if r := contrast(Dark.OnColor, c); r < 4 {
			t.Errorf("white on the face %v is %.2f : 1", c, r)
		}
	}
}

func TestChoice(t *testing.T) {
	for _, c := range []struct {
		choice  string
		variant fyne.ThemeVariant
		want    *Palette
	}{
		{System, stock.VariantDark, &Dark},
		{System, stock.VariantLight, &Light},
		{ChooseLight, stock.VariantDark, &Light},
		{ChooseDark, stock.VariantLight, &Dark},
	} {
		if got := (&Theme{Choice: c.choice}).Palette(c.variant); got != c.want {
			t.Errorf("%q with variant %d", c.choice, c.variant)
		}
	}
	a := test.NewTempApp(t)
	a.Settings().SetTheme(&Theme{Choice: ChooseLight})
	if Now() != &Light {
		t.Error("the light palette is not in force")
	}
}

// TestEveryIconIsDrawn reads each with Fyne's reader, which passes over what it does not know without a word.
func TestEveryIconIsDrawn(t *testing.T) {
	test.NewTempApp(t)
	files, err := os.ReadDir("../../../assets/icons")
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".svg")
		img := canvas.NewImageFromResource(Icon(name, Dark.Good))
		win := test.NewTempWindow(t, img)
		win.SetPadded(false)
		win.Resize(fyne.NewSquareSize(24))
		m := win.Canvas().Capture()
		green := 0
		for y := range 24 {
			for x := range 24 {
				if c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA); int(c.G) > int(c.R)+60 {
					green++
				}
			}
		}
		if green < 20 || green > 400 {
			t.Errorf("%s: %d of 576 pixels in its colour", name, green)
		}
	}
	if Icon("mic", Dark.Good) != Icon("mic", Dark.Good) || Icon("mic", Dark.Good).Name() == Icon("mic", Dark.Bad).Name() {
		t.Error("Fyne's picture cache would mix colours")
	}
}

// The browser client has the same (words.test.js), so that people know each other by their colours.
func TestFacesAreTheSameInTheBrowser(t *testing.T) {
	for name, want := range map[string]int{"Anna": 11, "bob": 8, "Maria Keller": 0, "Ольга Петрова": 6, "": 1} {
		if got := Face(name); got != faces[want] {
			t.Errorf("%q has %v, want number %d", name, got, want)
		}
	}
}
