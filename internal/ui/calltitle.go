package ui

import (
	"fmt"
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// callTitle is the pill at the top left: how the connection is, who, how long, and whether they are muted.
type callTitle struct {
	root        *widget.Touch // tapped: the line below comes and goes
	stats       *fyne.Container
	numbers     *widget.Text
	dot         *canvas.Circle
	name, state *widget.Text
	muted       *widget.Icon
	poor        *widget.Text
	mutedBox    *fyne.Container // what is hidden, so that it takes no room
	poorBox     *fyne.Container
	pill        *fyne.Container
	place       func() // lays the page out again
}

func newCallTitle() *callTitle {
	t := &callTitle{
		dot:   canvas.NewCircle(color.Transparent),
		name:  widget.NewText("", theme.Name, night(theme.ToneText)).Strong(),
		state: widget.NewText("", theme.Body, night(theme.ToneMuted)),
		muted: widget.NewIcon("mic-off", 18, night(theme.ToneBadText)),
		poor:  widget.NewText("Weak connection", theme.Caption, night(theme.ToneWarn)).Strong(),
	}
	t.mutedBox, t.poorBox = container.NewCenter(t.muted), container.NewCenter(t.poor)
	t.mutedBox.Hide()
	t.poorBox.Hide()
	dot := container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(9), t.dot))
	row := line(10, dot, t.name, t.state, t.mutedBox, t.poorBox)
	t.numbers = widget.NewText("", theme.Caption, night(theme.ToneText)).Short()
	t.stats = container.NewStack(widget.NewPanel(theme.ToneGlass, canvas.RadiusMaximum), inset(16, 6, t.numbers))
	t.stats.Hide()
	t.pill = container.NewStack(widget.NewPanel(theme.ToneGlass, canvas.RadiusMaximum), inset(16, 8, row))
	t.root = widget.NewTouch(t.pill, t.toggleStats)
	return t
}

func (t *callTitle) toggleStats() {
	setVisible(t.stats, !t.stats.Visible())
	t.place()
}

func (t *callTitle) show(c app.Call, now time.Time) {
	name, state := nameOf(c.Peer), callState(c, now)
	muted := c.Phase == call.Active && !c.Peers.Microphone
	paused := c.Phase == call.Active && c.Paused && (c.Camera || c.Screen)
	poor := paused || c.Phase == call.Active && (c.Quality.LossPercent >= 8 || c.Quality.RTT >= 600*time.Millisecond)
	same := t.name.Text() == name && len(t.state.Text()) == len(state) && t.mutedBox.Visible() == muted && t.poorBox.Visible() == poor
	words := "Weak connection"
	if paused {
		words = "Your picture is paused"
	}
	same = same && t.poor.Text() == words
	t.poor.SetText(words)
	t.name.SetText(name)
	t.state.SetText(state)
	setVisible(t.mutedBox, muted)
	setVisible(t.poorBox, poor)
	if col := dotColor(c.Phase, poor); t.dot.FillColor != col {
		t.dot.FillColor = col
		t.dot.Refresh()
	}
	if !same { // the pill is as wide as its words
		t.pill.Refresh()
		t.place()
	}
	if t.stats.Visible() {
		t.numbers.SetText(statLine(c.Quality))
	}
}

func dotColor(p call.Phase, poor bool) color.Color {
	switch p {
	case call.Active:
		if poor {
			return theme.Dark.Warn
		}
		return theme.Dark.Good
	case call.Reconnecting:
		return theme.Dark.Bad
	case call.Idle, call.Dialing, call.RingingOut, call.Incoming, call.Accepting, call.Connecting, call.Ended:
	}
	return theme.Dark.Warn
}

// pathWords says how media travels.
func pathWords(p signal.Path) string {
	switch p {
	case signal.PathDirect:
		return "Direct, from device to device"
	case signal.PathRelay:
		return "Through the server's relay"
	case signal.PathUnknown:
	}
	return "Unknown"
}

// noPicture is shown where there is no picture: who it is, and what is being waited for.
type noPicture struct {
	root   *fyne.Container
	avatar *widget.Avatar
	name   *widget.Text
	state  *widget.Text
}

func newNoPicture() *noPicture {
	n := &noPicture{
		avatar: widget.NewAvatar(132, night(theme.TonePage)),
		name:   widget.NewText("", theme.Title, night(theme.ToneText)).Strong().Centred().Short(),
		state:  widget.NewText("", theme.Name, night(theme.ToneMuted)).Centred(),
	}
	box := column(10, container.NewCenter(n.avatar), n.name, n.state)
	back := canvas.NewRadialGradient(color.NRGBA{0x23, 0x2c, 0x3d, 255}, theme.Dark.Page)
	back.CenterOffsetY = -0.1
	n.root = container.NewStack(canvas.NewRectangle(theme.Dark.Page), back, container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(100, 100) },
		Place: func(s fyne.Size) {
			m := box.MinSize()
			widget.Place(box, 24, max((s.Height-m.Height)*0.42, 70), s.Width-48, m.Height)
		},
	}, box))
	return n
}

func (n *noPicture) show(c app.Call) {
	n.avatar.Set(nameOf(c.Peer), iconOf(c.Peer), widget.NoPresence)
	n.name.SetText(nameOf(c.Peer))
	n.state.SetText(n.words(c))
}

func (n *noPicture) words(c app.Call) string {
	if c.Phase != call.Active {
		return callState(c, time.Time{})
	}
	switch {
	case (c.Peers.Camera || c.Peers.Screen) && c.Peers.Paused:
		return pausedWords
	case c.Peers.Camera || c.Peers.Screen:
		return "The picture is on its way…"
	case !c.Peers.Microphone:
		return "Camera and microphone are off"
	case c.Peer.Kind == signal.KindEcho:
		return "You hear yourself, with a short delay"
	}
	return "Camera is off"
}

const pausedWords = "Picture paused: the line is too slow"

// newStill is the word on a picture that stands still.
func newStill() *fyne.Container {
	text := widget.NewText(pausedWords, theme.Body, night(theme.ToneText))
	c := container.NewStack(widget.NewPanel(theme.ToneGlass, canvas.RadiusMaximum), inset(18, 10, text))
	c.Hide()
	return c
}

// statLine is one line about the connection for those who want to know.
func statLine(q app.Quality) string {
	if q.Path == signal.PathUnknown && q.RTT == 0 {
		return "Measuring the connection…"
	}
	way := "direct"
	if q.Path == signal.PathRelay {
		way = "relayed"
	}
	s := fmt.Sprintf("%s · %d ms · %.1f %% lost · ↓ %d ↑ %d kbit/s", way, q.RTT.Milliseconds(), q.LossPercent, q.ReceiveKbps, q.SendKbps)
	if q.ReceiveSize[0] > 0 {
		s += fmt.Sprintf(" · %d×%d at %.0f", q.ReceiveSize[0], q.ReceiveSize[1], q.ReceiveFPS)
	}
	if q.VideoCodec != "" {
		s += " · " + q.VideoCodec
	}
	return s
}
