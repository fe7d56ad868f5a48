package ui

import (
	"strings"
	"time"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"visavis.example/internal/app"
	"visavis.example/internal/signal"
	"visavis.example/internal/ui/theme"
	"visavis.example/internal/ui/widget"
)

// lobby is the id of the chat with everybody.
const lobby = ""

// chatView is one chat, the lobby's or a person's: what was said, and a field to say more. The main page has one and the
// drawer of a call another.
type chatView struct {
	w        *window
	dark     bool // always dark: in a call
	root     fyne.CanvasObject
	log      *widget.Virtual
	field    *widget.Field
	send     *widget.IconButton
	empty    *widget.Text
	foot     fyne.CanvasObject
	onEscape func()
	inSight  func() bool

	id     string
	chosen bool
	lines  []app.Line
	shapes map[shapeKey]shape
	drafts map[string]string // what was typed and not sent, by chat
	told   int               // how many unread lines were said to be read
	asked  int64             // older lines than this one were asked for
}

func newChatView(w *window, dark bool) *chatView {
	v := &chatView{w: w, dark: dark, shapes: map[shapeKey]shape{}, drafts: map[string]string{}}
	v.log = widget.NewVirtual()
	v.log.Stick = true
	v.log.OnTop = v.older
	v.log.Count = func() int { return len(v.lines) }
	v.log.Height = func(i int, width float32) float32 { return v.shape(i, width).height }
	v.log.New = func() fyne.CanvasObject { return newBubble(v) }
	v.log.Update = func(i int, row fyne.CanvasObject) { row.(*bubble).set(v.lines[i], v.shape(i, v.log.Size().Width)) }
	v.field = widget.NewSearchField("Message")
	v.field.Limit = signal.MaxChatRunes
	v.field.OnSubmitted = func(string) { v.submit() }
	v.field.OnEscape = func() {
		if v.onEscape != nil {
			v.onEscape()
		}
	}
	v.field.OnChanged = func(s string) { v.send.SetDisabled(strings.TrimSpace(s) == "") }
	ink, idle := theme.TonePrimary, theme.ToneFaint
	if dark {
		ink, idle = night(ink), night(idle)
	}
	v.send = widget.NewToggle(40, "Send", [2]string{"send", "send"}, [2]theme.Tone{theme.Clear, theme.Clear}, [2]theme.Tone{ink, idle}, v.submit)
	v.send.SetDisabled(true)
	v.empty = widget.NewText("Nothing has been said here yet.", theme.Body, v.tone(theme.ToneMuted)).Centred()
	v.foot = inset(14, 12, container.NewBorder(nil, nil, nil, v.send, v.field))
	v.root = container.NewBorder(nil, v.foot, nil, nil, container.NewStack(container.NewCenter(v.empty), v.log))
	return v
}

func (v *chatView) tone(t theme.Tone) theme.Tone {
	if v.dark {
		return night(t)
	}
	return t
}

// choose shows another chat and asks for its history.
func (v *chatView) choose(id string) {
	if v.chosen && v.id == id {
		return
	}
	if v.chosen {
		v.drafts[v.id] = v.field.Text
	}
	v.id, v.chosen, v.lines, v.asked, v.told = id, true, nil, 0, 0
	v.log.Reload() // an empty chat must not go on showing the one before
	v.field.SetText(v.drafts[id])
	v.w.cmd.LoadChat(id)
	v.show(v.w.snap)
	v.log.ScrollToBottom()
}

// forget drops drafts and lines of whoever was signed in.
func (v *chatView) forget() {
	clear(v.drafts)
	clear(v.shapes)
	v.chosen, v.id, v.lines, v.asked, v.told = false, "", nil, 0, 0
	v.field.SetText("")
	v.log.Reload()
}

// setWritable shows the field, or takes it away.
func (v *chatView) setWritable(on bool) {
	if on != v.foot.Visible() {
		setVisible(v.foot, on)
		v.root.Refresh()
	}
}

func (v *chatView) focus() { v.w.win.Canvas().Focus(v.field) }

// older asks once for what was said before the oldest line that is there.
func (v *chatView) older() {
	if len(v.lines) == 0 || v.lines[0].ID <= 0 || v.asked == v.lines[0].ID {
		return
	}
	v.asked = v.lines[0].ID
	v.w.cmd.LoadOlder(v.id)
}

// show draws s.
func (v *chatView) show(s app.Snapshot) {
	if !v.chosen {
		return
	}
	lines := s.Lobby
	if v.id != lobby {
		lines = s.Chats[v.id]
	}
	setVisible(v.empty, len(lines) == 0)
	v.read(s)
	if sameLines(v.lines, lines) {
		return
	}
	older := len(v.lines) > 0 && len(lines) > 0 && lines[0].ID < v.lines[0].ID
	mine := len(lines) > len(v.lines) && len(lines) > 0 && lines[len(lines)-1].Mine && lines[len(lines)-1].Pending
	if older && !v.log.AtBottom() {
		v.log.KeepPlace(func() {
			v.lines = lines
			v.log.Reload()
		})
		return
	}
	v.lines = lines
	v.log.Reload()
	if mine {
		v.log.ScrollToBottom()
	}
}

// read tells that what came has been seen.
func (v *chatView) read(s app.Snapshot) {
	if !v.seen() {
		return
	}
	n := unread(s, v.id)
	if n > 0 && n != v.told {
		v.w.cmd.MarkRead(v.id)
	}
	v.told = n
}

// seen says whether the chat is before the person's eyes.
func (v *chatView) seen() bool { return v.chosen && !v.w.away && v.inSight() }

func sameLines(a, b []app.Line) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// submit sends what was typed, unless the server would not take it: then it stays in the field.
func (v *chatView) submit() {
	text := strings.TrimSpace(v.field.Text)
	if text == "" {
		return
	}
	if err := (signal.Text{Text: text}).Check(); err != nil {
		v.w.toasts.add("Not sent: " + err.Error())
		return
	}
	v.say(text)
	v.field.SetText("")
	v.focus()
}

func (v *chatView) say(text string) {
	if v.id == lobby {
		v.w.cmd.SendToAll(text)
	} else {
		v.w.cmd.SendTo(v.id, text)
	}
}

// shapeKey is all that the measures of a line depend on.
type shapeKey struct {
	text        string
	width       float32
	name, day   string
	under, mine bool
}

// shape is the measures of a line, worked out once.
type shape struct {
	lines         []string
	pts, line     float32 // text size, and from one line to the next
	width, height float32 // of the bubble; of the whole row
	bubbleHeight  float32
	name, day     string // over the bubble; empty: none
	under         string // below it: that it was not sent
	failed        bool
}

const (
	bubblePadX float32 = 12
	bubblePadY float32 = 8
	textLine   float32 = 20
)

var bodyStyle = fyne.TextStyle{}

// shape measures line i.
func (v *chatView) shape(i int, width float32) shape {
	l := v.lines[i]
	k := shapeKey{text: l.Text, width: width, under: l.Failed, mine: l.Mine}
	if i == 0 || !sameDay(v.lines[i-1].Sent, l.Sent) {
		k.day = day(l.Sent, v.w.now())
	}
	if v.id == lobby && !l.Mine && (k.day != "" || v.lines[i-1].FromID != l.FromID) {
		k.name = l.FromName
	}
	if s, ok := v.shapes[k]; ok {
		return s
	}
	if len(v.shapes) > 2000 { // widths that are gone
		clear(v.shapes)
	}
	s := measure(k)
	v.shapes[k] = s
	return s
}

func measure(k shapeKey) shape {
	s := shape{name: k.name, day: k.day, failed: k.under, pts: theme.Body, line: textLine}
	if pictograms(k.text) {
		s.pts, s.line = 30, 40
	}
	most := max(min(k.width*0.78, 560)-2*bubblePadX, 80)
	s.lines = widget.Wrap(k.text, s.pts, bodyStyle, most)
	for _, l := range s.lines {
		s.width = max(s.width, fyne.MeasureText(l, s.pts, bodyStyle).Width)
	}
	s.width = max(s.width, 64) + 2*bubblePadX // 64: the time fits
	s.bubbleHeight = float32(len(s.lines))*s.line + 2*bubblePadY + 14
	s.height = s.bubbleHeight + 8
	if s.name != "" {
		s.height += 20
	}
	if s.day != "" {
		s.height += 36
	}
	if k.under {
		s.under = "Not sent. Tap to try again."
		s.height += 20
	}
	return s
}

func sentWords(l app.Line) string {
	switch {
	case l.Failed:
		return "Not sent"
	case l.Pending:
		return "Sending…"
	}
	return l.Sent.In(time.Local).Format("15:04")
}

// pictograms says whether s is nothing but a few emoji, which are shown larger: Fyne draws them small.
func pictograms(s string) bool {
	n := 0
	for _, r := range s {
		if r < 0x2190 || n > 8 {
			return false
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return false
		}
		n++
	}
	return n > 0
}
