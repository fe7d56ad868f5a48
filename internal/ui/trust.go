package ui

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// trustCard asks about a server's certificate over whatever page is there: quietly about one that has not been met
// before, and loudly, in red, about one that should have another. Never over a call: that goes on by itself.
type trustCard struct {
	w    *window
	root *fyne.Container
	card fyne.CanvasObject

	title             *widget.Note
	words             *widget.Note
	known, knownPrint *widget.Note
	shown, shownPrint *widget.Note
	no, yes           *widget.Button
	frame             *widget.Panel
	asked             *signal.Untrusted
}

func newTrustCard(w *window) *trustCard {
	c := &trustCard{w: w, frame: widget.NewPanel(theme.ToneSurface, 18).Outlined(theme.ToneBorder)}
	note := func(size float32, bold bool) *widget.Note {
		n := widget.NewNote(theme.ToneText)
		n.Pts, n.Bold = size, bold
		return n
	}
	c.title = note(theme.Title, true)
	c.words = note(theme.Body, false)
	c.known, c.knownPrint = note(theme.Caption, true), note(theme.Caption, false)
	c.shown, c.shownPrint = note(theme.Caption, true), note(theme.Caption, false)
	c.no = widget.NewButton("Do not connect", "", widget.Quiet, func() { w.cmd.Trust(false) })
	c.yes = widget.NewButton("", "", widget.Main, func() { w.cmd.Trust(true) })
	form := column(12, c.title, c.words, column(4, c.known, c.knownPrint), column(4, c.shown, c.shownPrint),
		inset(0, 6, column(10, c.no, c.yes)))
	c.card = container.NewStack(c.frame, padded(24, form))
	shade := widget.NewTouch(widget.NewPanel(theme.ToneGlass, 0), func() {}) // what is below must not be touched
	scroll := container.NewVScroll(container.New(widget.Layout{
		Min: func() fyne.Size { return c.card.MinSize().AddWidthHeight(32, 32) },
		Place: func(s fyne.Size) {
			width := min(s.Width-32, 520)
			c.card.Resize(fyne.NewSize(width, c.card.MinSize().Height)) // wraps the words at this width
			h := c.card.MinSize().Height
			widget.Place(c.card, (s.Width-width)/2, max((s.Height-h)*0.42, 16), width, h)
		},
	}, c.card))
	c.root = container.NewStack(shade, scroll)
	c.root.Hide()
	return c
}

// show draws s; inCall: a call is in sight.
func (c *trustCard) show(s app.Snapshot, inCall bool) {
	u := s.Untrusted
	on := u != nil && !inCall
	if on && c.asked != u {
		c.fill(u)
		c.w.win.Canvas().Unfocus() // keys must not go to a field below, nor Return to a button
	}
	c.asked = u
	setVisible(c.root, on)
	if on {
		c.root.Refresh()
	}
}

func (c *trustCard) fill(u *signal.Untrusted) {
	title, words := trustWords(u)
	loud := theme.ToneText
	c.no.SetStyle(widget.Quiet)
	c.yes.SetStyle(widget.Main)
	c.yes.SetText("Trust this server")
	c.frame.Stroke = theme.ToneBorder
	if u.Changed() {
		loud = theme.ToneBadText
		c.no.SetStyle(widget.Main)
		c.yes.SetStyle(widget.Risky)
		c.yes.SetText("Trust the new certificate")
		c.frame.Stroke = theme.ToneBad
	}
	c.frame.Refresh()
	c.title.Tone = loud
	c.title.SetText(title)
	c.words.SetText(words)
	c.known.SetText(knownCaption(u))
	c.knownPrint.SetText(inGroups(u.Known))
	c.shown.SetText("Fingerprint of the certificate that it shows (SHA-256)")
	c.shownPrint.SetText(inGroups(u.Shown))
	setVisible(c.yes, !u.Named)
}

// trustWords is what is asked.
func trustWords(u *signal.Untrusted) (title, words string) {
	if !u.Changed() {
		return "Is this the right server?", "No authority vouches for the certificate of " + u.Host + ", as is usual for a server of one's own. Compare the " +
			"fingerprint below with the one that the server printed when it started, or ask whoever runs it. Your password has not been sent yet."
	}
	words = "Somebody may be between you and " + u.Host + " and read along, or its operator has replaced the certificate. Ask the operator before you go on, " +
		"by another way than this program. Nothing has been sent to it."
	if u.Vouched {
		words += " An authority vouches for the new certificate, so the operator may just have got a better one."
	}
	if u.Named {
		words += " The address that you entered names the certificate it should have; to use another one, enter another address."
	}
	return "Warning: this is not the server you know", words
}

func knownCaption(u *signal.Untrusted) string {
	switch {
	case !u.Changed():
		return ""
	case u.Named || u.Since.IsZero():
		return "Fingerprint that the address names"
	}
	return "Fingerprint that you trusted on " + u.Since.Local().Format(time.DateOnly)
}

// inGroups breaks a fingerprint where eyes can rest, and lines can end.
func inGroups(print string) string {
	var b strings.Builder
	for i, pair := range strings.Split(print, ":") {
		switch {
		case i == 0:
		case i%16 == 0:
			b.WriteByte('\n')
		case i%8 == 0:
			b.WriteString("   ")
		default:
			b.WriteByte(':')
		}
		b.WriteString(pair)
	}
	return b.String()
}
