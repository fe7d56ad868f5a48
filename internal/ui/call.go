package ui

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/call"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

const (
	idleAfter   = 4 * time.Second // without the mouse the controls go
	drawerWidth = 340
	mostCrop    = 0.45 // of the other's picture may be cut off to fill the window
)

// callPage is the call screen: the other's picture in all of the window, the own one in a corner, two pills. It is dark
// whatever the theme, and sparse: every text in sight costs at each frame of the picture.
type callPage struct {
	w    *window
	root fyne.CanvasObject

	video  *widget.Video
	self   *widget.SelfView
	corner *corner
	noPic  *noPicture
	still  *fyne.Container // over the other's last picture: why it stands still
	top    *callTitle
	bar    *callBar
	drawer *drawer
	area   *fyne.Container // everything but the drawer

	c        app.Call
	awake    time.Time // when the mouse last moved
	showing  bool
	lastCall string
}

func newCallPage(w *window) *callPage {
	p := &callPage{w: w, video: widget.NewVideo(), self: widget.NewSelfView(), noPic: newNoPicture(), still: newStill()}
	p.video.MaxCrop = mostCrop
	p.video.OnFirst = p.pictures
	p.corner = newCorner(p.self)
	p.top = newCallTitle()
	p.top.place = func() { p.place(p.area.Size()) }
	p.top.root.OnHover = func(bool) { p.wake() }
	p.bar = newCallBar(p)
	p.drawer = newDrawer(p)
	p.self.OnMove = p.wake
	p.self.OnDrag = func(d fyne.Delta) { p.corner.drag(d, p.area.Size()) }
	p.self.OnDrop = func() { p.corner.drop(p.area.Size()) }
	p.area = container.New(widget.Layout{
		Min:   func() fyne.Size { return fyne.NewSize(minWidth, minHeight) },
		Place: p.place,
	}, p.video, p.noPic.root, p.still, p.top.root, p.top.stats, p.self, p.bar.hint.root, p.bar.root)
	hover := widget.NewHover(p.area)
	hover.OnMove = p.wake
	hover.OnDoubleTap = p.fullScreen
	p.root = container.New(widget.Layout{
		Min: func() fyne.Size { return fyne.NewSize(minWidth, minHeight) },
		Place: func(s fyne.Size) {
			picture := s
			if p.drawer.open() && s.Width-drawerWidth >= 480 {
				picture.Width -= drawerWidth
				widget.Place(p.drawer.root, picture.Width, 0, drawerWidth, s.Height)
			} else if p.drawer.open() { // a sheet over the lower half: the bar stays in reach
				picture.Height = max(s.Height*0.45, 230)
				widget.Place(p.drawer.root, 0, picture.Height, s.Width, s.Height-picture.Height)
			}
			widget.Place(hover, 0, 0, picture.Width, picture.Height)
		},
	}, hover, p.drawer.root)
	return p
}

func (p *callPage) place(s fyne.Size) {
	widget.Place(p.video, 0, 0, s.Width, s.Height)
	widget.Place(p.noPic.root, 0, 0, s.Width, s.Height)
	m := p.still.MinSize()
	widget.Place(p.still, max((s.Width-m.Width)/2, 0), (s.Height-m.Height)/2, min(m.Width, s.Width), m.Height)
	edge := float32(20)
	if s.Width < 640 {
		edge = 12
	}
	t := p.top.root.MinSize()
	widget.Place(p.top.root, edge, edge, min(t.Width, s.Width-2*edge), t.Height)
	widget.Place(p.top.stats, edge, edge+t.Height+8, min(470, s.Width-2*edge), 28)
	p.bar.fit(s.Width)
	b := p.bar.root.MinSize()
	y := s.Height - b.Height - edge - 4
	widget.Place(p.bar.root, (s.Width-b.Width)/2, y, b.Width, b.Height)
	p.bar.hint.under(s.Width, y-10)
	p.corner.place(s, edge, b.Height+edge)
}

// show draws s; showing is false when another page is in sight.
func (p *callPage) show(s app.Snapshot, showing bool) {
	if showing && !p.showing {
		p.awake = p.w.now()
	}
	p.showing = showing
	if !showing {
		p.rest()
		return
	}
	if s.Call.ID != p.lastCall && !(p.c.HasPeer() && s.Call.HasPeer()) { // a merge changes the id of a call that goes on
		p.video.Clear()
		p.self.Clear()
		p.drawer.close()
	}
	p.lastCall, p.c = s.Call.ID, s.Call
	p.top.show(s.Call, p.w.now())
	p.noPic.show(s.Call)
	p.bar.show(s)
	p.drawer.show(s)
	p.pictures()
	p.controls()
}

// pictures decides which of the two pictures can be seen.
func (p *callPage) pictures() {
	theirs := p.c.HasPeer() && (p.c.Peers.Camera || p.c.Peers.Screen)
	setVisible(p.video, theirs)
	setVisible(p.noPic.root, !theirs || !p.video.HasPicture())
	setVisible(p.still, theirs && p.c.Peers.Paused && p.c.Phase == call.Active && p.video.HasPicture())
	p.video.SetSeen(theirs)
	if p.c.Peers.Screen {
		p.video.SetCrop(0) // text at the edges matters
	} else {
		p.video.SetCrop(mostCrop)
	}
	sending := p.c.Camera || p.c.Screen
	setVisible(p.self, p.c.HasPeer() && (sending || theirs))
	p.self.SetOff(!sending)
	p.self.SetMirror(!p.c.Screen)
	p.self.SetSeen(p.c.HasPeer() && sending)
}

// rest is what the page does while it cannot be seen: nothing, so that no picture is converted.
func (p *callPage) rest() {
	p.video.SetSeen(false)
	p.self.SetSeen(false)
	if p.lastCall != "" {
		p.lastCall, p.c = "", app.Call{}
		p.video.Clear()
		p.self.Clear()
		p.drawer.close()
		p.corner.home()
		p.top.stats.Hide()
	}
}

// wake is told that the mouse moved.
func (p *callPage) wake() {
	p.awake = p.w.now()
	p.controls()
}

// controls shows or hides the pills. They stay while there is nothing to look at behind them.
func (p *callPage) controls() {
	idle := p.w.now().Sub(p.awake) >= idleAfter
	hide := idle && p.c.Phase == call.Active && p.video.Visible() && p.video.HasPicture()
	if hide == p.bar.root.Visible() {
		setVisible(p.top.root, !hide)
		if hide {
			p.top.stats.Hide()
		}
		setVisible(p.bar.root, !hide)
		p.bar.hint.hide()
		p.area.Refresh()
	}
}

// tick is called twice a second.
func (p *callPage) tick() {
	if !p.showing {
		return
	}
	p.top.show(p.c, p.w.now())
	p.controls()
}

func (p *callPage) fullScreen() {
	p.w.win.SetFullScreen(!p.w.win.FullScreen())
	p.bar.full.SetOn(p.w.win.FullScreen())
	p.wake()
}

// toggleDrawer opens and closes the chat.
func (p *callPage) toggleDrawer() {
	if p.drawer.open() {
		p.drawer.close()
	} else {
		p.drawer.openFor(p.c.PeerID)
		p.drawer.show(p.w.snap) // what was said since it was open last
	}
	p.bar.chat.SetOn(p.drawer.open())
	p.relayout()
	p.wake()
}

func (p *callPage) relayout() {
	p.root.(*fyne.Container).Refresh()
}

func setVisible(o fyne.CanvasObject, on bool) {
	if on == o.Visible() {
		return
	}
	if on {
		o.Show()
	} else {
		o.Hide()
	}
}

// night fixes a tone to the dark palette, for the call screen.
func night(t theme.Tone) theme.Tone { return t.Always(&theme.Dark) }
