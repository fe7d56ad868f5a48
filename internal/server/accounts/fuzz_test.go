package accounts

import (
	"strings"
	"testing"
	"unicode/utf8"

	"visavis.example/internal/signal"
)

// FuzzNames reads names as people type them: one that is accepted is found again however it is typed, and is text.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"alice", "ALICE", "ａｌｉｃｅ", "аlice", "O'Brien", "' OR 1=1--", "<img src=x>", "a\u0308b", "\u202ealice", "Ян", "李小龙", "\x00", "a\u200db", "ﬁona", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		name, key, err := checkName(typed)
		if err != nil {
			if name != "" || key != "" {
				t.Fatalf("%q is refused and is %q", typed, name)
			}
			return
		}
		if n := utf8.RuneCountInString(name); n < signal.MinName || n > signal.MaxName || !utf8.ValidString(name) || strings.ContainsAny(name, "<>&\"\\/ \t\r\n\x00") {
			t.Fatalf("%q is accepted as %q", typed, name)
		}
		if got := nameKey(typed); got != key {
			t.Fatalf("%q is kept under %q and looked for under %q", typed, key, got)
		}
		if got := nameKey(key); got != key {
			t.Fatalf("%q of %q is looked for under %q", key, typed, got)
		}
	})
}

// FuzzPasswords reads passwords: one that is accepted is the same when it is typed to sign in.
func FuzzPasswords(f *testing.F) {
	for _, s := range []string{"correct horse", "password1", "12345678", "Grüße aus Köln", "cafe\u0301 cafe\u0301", "密码可以是任何文字的", strings.Repeat("xy", 64), "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", "bell\x07bell", "\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		p, err := checkPassword(typed, "alice")
		if err != nil {
			return
		}
		if n := utf8.RuneCountInString(typed); n < signal.MinPassword || n > signal.MaxPassword {
			t.Fatalf("%d characters are accepted", n)
		}
		if got := prepare(typed); got != p || strings.Contains(p, "\x00") {
			t.Fatalf("%q is kept as %q and compared as %q", typed, p, got)
		}
	})
}

// FuzzPHC reads what should be a hash: nothing that a damaged database holds costs more than a hash should.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=1$$")
	f.Add("$$$$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		w, _, sum, ok := parsePHC(s)
		if ok && (w.MemoryKiB > maxWork.MemoryKiB || w.Passes > maxWork.Passes || w.Passes == 0 || len(sum) < 16 || len(sum) > 64) {
			t.Fatalf("%q is taken as %+v with %d bytes", s, w, len(sum))
		}
	})
}
