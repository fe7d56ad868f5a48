package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"visavis.example/internal/ui/theme"
)

// Field is a text entry that gives Escape, and shortcuts it has no use for, to the window: Fyne's own swallows them.
type Field struct {
	widget.Entry
	OnEscape func()
	OnLeave  func() // the cursor goes elsewhere
	Limit    int    // characters; 0: any number
	deaf     bool
}

// NewField gives one with a placeholder.
func NewField(placeholder string) *Field {
	f := &Field{}
	f.PlaceHolder = placeholder
	f.Scroll = fyne.ScrollNone
	f.ExtendBaseWidget(f)
	return f
}

// NewSearchField gives one line that scrolls sideways.
func NewSearchField(placeholder string) *Field {
	f := NewField(placeholder)
	f.Scroll = fyne.ScrollHorizontalOnly
	return f
}

// NewPasswordField gives one whose text is hidden until the eye is tapped.
func NewPasswordField(placeholder string) *Field {
	f := &Field{}
	f.PlaceHolder = placeholder
	f.Password = true
	f.ExtendBaseWidget(f)
	f.ActionItem = newRevealer(f)
	return f
}

// FocusLost implements fyne.Focusable.
func (f *Field) FocusLost() {
	f.Entry.FocusLost()
	if f.OnLeave != nil {
		f.OnLeave()
	}
}

// Deafen has the field ignore the letter of the key that has just given it the focus, which follows the key.
func (f *Field) Deafen() { f.deaf = true }

// TypedKey implements fyne.Focusable.
func (f *Field) TypedKey(k *fyne.KeyEvent) {
	f.deaf = false
	switch k.Name {
	case fyne.KeyEscape:
		if f.OnEscape != nil {
			f.OnEscape()
			return
		}
		PassKey(f, k)
	case fyne.KeyF11:
		PassKey(f, k)
	default:
		f.Entry.TypedKey(k)
	}
}

// TypedRune implements fyne.Focusable.
func (f *Field) TypedRune(r rune) {
	if f.deaf {
		f.deaf = false
		return
	}
	if f.Limit > 0 && len([]rune(f.Text)) >= f.Limit && f.SelectedText() == "" {
		return
	}
	f.Entry.TypedRune(r)
}

// TypedShortcut implements fyne.Shortcutable.
func (f *Field) TypedShortcut(s fyne.Shortcut) {
	switch s.(type) {
	case *fyne.ShortcutCopy, *fyne.ShortcutCut, *fyne.ShortcutPaste, *fyne.ShortcutSelectAll, *fyne.ShortcutUndo, *fyne.ShortcutRedo:
		f.Entry.TypedShortcut(s)
		return
	}
	if c, ok := fyne.CurrentApp().Driver().CanvasForObject(f).(fyne.Shortcutable); ok {
		c.TypedShortcut(s)
	}
}

// newRevealer is the eye in a password field: on shows the text.
func newRevealer(f *Field) *RowButton {
	b := NewRowButton("eye", "Show the password", 32, theme.ToneMuted, nil)
	b.OnTapped = func() {
		f.Password = !f.Password
		icon := "eye"
		if !f.Password {
			icon = "eye-off"
		}
		b.Icons = [2]string{icon, icon}
		b.Refresh()
		f.Refresh()
	}
	return b
}
