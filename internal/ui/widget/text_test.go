package widget

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"visavis.example/internal/ui/theme"
)

func width(s string) float32 { return fyne.MeasureText(s, 14, fyne.TextStyle{}).Width }

func TestWrap(t *testing.T) {
	test.NewTempApp(t)
	for _, s := range []string{
		"", "short", "a b c d e f g h i j k l m n o p q r s t u v w x y z",
		"The terrace has moved a little to the south, and there is a pond now.",
		strings.Repeat("w", 90), "one\n\ntwo lines apart", "ends with a space ", "https://example.org/without/any/space/at/all and then some",
	} {
		lines := Wrap(s, 14, fyne.TextStyle{}, 150)
		var back strings.Builder
		for _, l := range lines {
			if width(l) > 151 {
				t.Errorf("%q is %v wide", l, width(l))
			}
			back.WriteString(l)
		}
		bare := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
		if bare(back.String()) != bare(s) {
			t.Errorf("%q became %q", s, lines)
		}
	}
	if got := Wrap("a\nb", 14, fyne.TextStyle{}, 150); len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("%q", got)
	}
	if got := Wrap("hello wonderful world", 14, fyne.TextStyle{}, width("hello wonderful")+2); len(got) != 2 || got[1] != "world" {
		t.Errorf("%q", got)
	}
}

func TestShorten(t *testing.T) {
	test.NewTempApp(t)
	long := "Xavier Bartholomew Montgomery-Featherstone"
	got := Shorten(long, 14, fyne.TextStyle{}, 120)
	if width(got) > 120 || !strings.HasSuffix(got, "…") || !strings.HasPrefix(long, strings.TrimSuffix(got, "…")) || len(got) < 12 {
		t.Errorf("%q, %v", got, width(got))
	}
	if got := Shorten("Bob", 14, fyne.TextStyle{}, 120); got != "Bob" {
		t.Errorf("%q", got)
	}
	if got := Shorten(long, 14, fyne.TextStyle{}, 1); got != "…" {
		t.Errorf("%q", got)
	}
}

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{
		"Maria Keller": "MK", "bob": "B", "Ольга Петрова": "ОП", "": "?", "...": "?", "anna-lena von der Au": "AA", "x_1": "X1", "四郎": "四",
	} {
		if got := Initials(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestNoteTakesRoomForItsWords(t *testing.T) {
	n := NewNote(theme.ToneText)
	window(t, n, 160, 200)
	if n.Visible() || n.MinSize().Height != 0 {
		t.Error("an empty one takes room")
	}
	n.SetText("The name or the password is wrong. Try again in a minute.")
	if lines := n.MinSize().Height / n.lineHeight(); lines < 3 || !n.Visible() {
		t.Error("lines:", lines)
	}
}
