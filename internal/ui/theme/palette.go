package theme

import "image/color"

// Palette is one set of colours, named by what they are for. Contrast of Text and Muted on Page, Surface and Raised is at
// least 4.5 : 1 in both sets (WCAG 2.2 AA); theme_test.go computes it.
type Palette struct {
	Page    color.NRGBA // behind everything
	Surface color.NRGBA // side bar, headers, cards
	Raised  color.NRGBA // entries, quiet buttons, the other's chat bubble
	Hover   color.NRGBA // a row or button under the mouse
	Chosen  color.NRGBA // the row whose page is open
	Border  color.NRGBA
	Text    color.NRGBA
	Muted   color.NRGBA // second lines, times
	Faint   color.NRGBA // placeholders, disabled
	Primary color.NRGBA
	OnColor color.NRGBA // text on Primary, Accept and Bad
	Own     color.NRGBA // our chat bubble
	Good    color.NRGBA // dots
	Accept  color.NRGBA // buttons that say yes to a call
	Bad     color.NRGBA
	BadText color.NRGBA // words about what went wrong
	Warn    color.NRGBA
	OnWarn  color.NRGBA // text on Warn
	Glass   color.NRGBA // pills over video
	OnGlass color.NRGBA // a round button on a pill
}

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
}

// Alpha gives c with another opacity.
func Alpha(c color.NRGBA, a uint8) color.NRGBA {
	c.A = a
	return c
}

// Dark is the palette of the call screen, and of the whole window for those who chose it.
var Dark = Palette{
	Page:    rgb(0x121418),
	Surface: rgb(0x16191f),
	Raised:  rgb(0x20242d),
	Hover:   rgb(0x1e222a),
	Chosen:  rgb(0x232b3b),
	Border:  rgb(0x2a303b),
	Text:    rgb(0xf2f4f7),
	Muted:   rgb(0xa0a9b8),
	Faint:   rgb(0x6b7484),
	Primary: rgb(0x4f8cff),
	OnColor: rgb(0xffffff),
	Own:     rgb(0x2b59b8),
	Good:    rgb(0x3dd68c),
	Accept:  rgb(0x1f9d5f),
	Bad:     rgb(0xe5393f),
	BadText: rgb(0xff7a7e),
	Warn:    rgb(0xf5b942),
	OnWarn:  rgb(0x171a20),
	Glass:   color.NRGBA{0x16, 0x19, 0x1f, 0xd8},
	OnGlass: color.NRGBA{0xff, 0xff, 0xff, 0x24},
}

// Light is Dark's sister: the same hues, deeper, so that they read on white.
var Light = Palette{
	Page:    rgb(0xf5f6f9),
	Surface: rgb(0xffffff),
	Raised:  rgb(0xe9ecf2),
	Hover:   rgb(0xf0f2f6),
	Chosen:  rgb(0xe3ecff),
	Border:  rgb(0xdce0e8),
	Text:    rgb(0x171a20),
	Muted:   rgb(0x556070),
	Faint:   rgb(0x8a93a2),
	Primary: rgb(0x2f6fed),
	OnColor: rgb(0xffffff),
	Own:     rgb(0x2f6fed),
	Good:    rgb(0x17864f),
	Accept:  rgb(0x17864f),
	Bad:     rgb(0xd92f36),
	BadText: rgb(0xb8232a),
	Warn:    rgb(0xa86500),
	OnWarn:  rgb(0xffffff),
	Glass:   color.NRGBA{0x16, 0x19, 0x1f, 0xd8},
	OnGlass: color.NRGBA{0xff, 0xff, 0xff, 0x24},
}

// Tone picks a colour of whichever palette is in force when something is drawn.
type Tone func(*Palette) color.NRGBA

// Tones.
var (
	Clear       Tone = func(*Palette) color.NRGBA { return color.NRGBA{} }
	TonePage    Tone = func(p *Palette) color.NRGBA { return p.Page }
	ToneSurface Tone = func(p *Palette) color.NRGBA { return p.Surface }
	ToneRaised  Tone = func(p *Palette) color.NRGBA { return p.Raised }
	ToneHover   Tone = func(p *Palette) color.NRGBA { return p.Hover }
	ToneChosen  Tone = func(p *Palette) color.NRGBA { return p.Chosen }
	ToneBorder  Tone = func(p *Palette) color.NRGBA { return p.Border }
	ToneText    Tone = func(p *Palette) color.NRGBA { return p.Text }
	ToneMuted   Tone = func(p *Palette) color.NRGBA { return p.Muted }
	ToneFaint   Tone = func(p *Palette) color.NRGBA { return p.Faint }
	TonePrimary Tone = func(p *Palette) color.NRGBA { return p.Primary }
	ToneOnColor Tone = func(p *Palette) color.NRGBA { return p.OnColor }
	ToneOwn     Tone = func(p *Palette) color.NRGBA { return p.Own }
	ToneGood    Tone = func(p *Palette) color.NRGBA { return p.Good }
	ToneAccept  Tone = func(p *Palette) color.NRGBA { return p.Accept }
	ToneBad     Tone = func(p *Palette) color.NRGBA { return p.Bad }
	ToneBadText Tone = func(p *Palette) color.NRGBA { return p.BadText }
	ToneWarn    Tone = func(p *Palette) color.NRGBA { return p.Warn }
	ToneOnWarn  Tone = func(p *Palette) color.NRGBA { return p.OnWarn }
	ToneGlass   Tone = func(p *Palette) color.NRGBA { return p.Glass }
	ToneOnGlass Tone = func(p *Palette) color.NRGBA { return p.OnGlass }
)

// Always fixes a tone to one palette, for the call screen, which is dark whatever the window is.
func (t Tone) Always(p *Palette) Tone {
	return func(*Palette) color.NRGBA { return t(p) }
}
