package accounts

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"visavis.example/internal/signal"
)

//go:embed common.txt
var commonFile string

// common holds passwords that are tried first by everybody who guesses.
var common = lines(commonFile)

// reserved names would pass for the server or for everybody.
var reserved = lines(`
echo
admin
administrator
all
anonymous
everybody
everyone
help
lobby
moderator
nobody
null
operator
root
security
server
support
system
undefined
visavis
`)

func lines(s string) map[string]bool {
	m := make(map[string]bool)
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			m[l] = true
		}
	}
	return m
}

func badName(format string, args ...any) error {
	return refuse(http.StatusBadRequest, signal.ErrBadName, fmt.Sprintf(format, args...))
}

func badPassword(format string, args ...any) error {
	return refuse(http.StatusBadRequest, signal.ErrBadPassword, fmt.Sprintf(format, args...))
}

// checkName gives a new name as it is shown and as it is compared (RFC 8265 UsernameCaseMapped).
func checkName(typed string) (name, key string, err error) {
	name = strings.TrimSpace(typed)
	switch n := utf8.RuneCountInString(name); {
	case !utf8.ValidString(name):
		return "", "", badName("A name is text.")
	case n < signal.MinName || n > signal.MaxName:
		return "", "", badName("A name has %d to %d characters.", signal.MinName, signal.MaxName)
	}
	letters := false
	for _, r := range name {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			letters = true
		case unicode.IsMark(r) || strings.ContainsRune("._-'@+", r):
		default:
			return "", "", badName("A name has letters, digits and . _ - ' @ + only, no spaces.")
		}
	}
	if !letters {
		return "", "", badName("A name needs a letter or a digit.")
	}
	key, err = precis.UsernameCaseMapped.String(name)
	if err != nil {
		return "", "", badName("This name has characters that are easily mistaken for others.")
	}
	if !oneScript(key) {
		return "", "", badName("A name is written in one alphabet: letters of several look alike.")
	}
	if reserved[key] || reserved[look(name)] {
		return "", "", badName("This name is reserved. Please choose another.")
	}
	return name, key, nil
}

// nameKey is how a name that somebody signs in with is looked up; one that cannot be a name finds nobody.
func nameKey(typed string) string {
	key, err := precis.UsernameCaseMapped.String(strings.TrimSpace(typed))
	if err != nil || len(key) > 4*signal.MaxName {
		return "\x00"
	}
	return key
}

// Scripts whose letters look like those of others. East Asian writing mixes its own scripts, and Latin, without that.
var lookalikes = []*unicode.RangeTable{
	unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Georgian,
	unicode.Hebrew, unicode.Arabic, unicode.Lisu, unicode.Deseret, unicode.Osage, unicode.Tifinagh,
}

func oneScript(s string) bool {
	var seen *unicode.RangeTable
	for _, r := range s {
		for _, t := range lookalikes {
			if !unicode.Is(t, r) {
				continue
			}
			if seen != nil && seen != t {
				return false
			}
			seen = t
		}
	}
	return true
}

// prepare gives a password in one spelling whatever keyboard it was typed on (RFC 8265 OpaqueString).
func prepare(password string) string {
	p, err := precis.OpaqueString.String(password)
	if err != nil || len(password) > 4*signal.MaxPassword {
		return "\x00" // cannot be anybody's
	}
	return p
}

func checkPassword(typed, key string) (string, error) {
	n := utf8.RuneCountInString(typed)
	if n < signal.MinPassword {
		return "", badPassword("A password has at least %d characters.", signal.MinPassword)
	}
	if n > signal.MaxPassword {
		return "", badPassword("A password has at most %d characters.", signal.MaxPassword)
	}
	p, err := precis.OpaqueString.String(typed)
	if err != nil {
		return "", badPassword("A password has no control characters.")
	}
	low := strings.ToLower(p)
	switch {
	case common[low] || plain(low):
		return "", badPassword("This password is one of the first that a guesser tries. Please choose another.")
	case low == key || strings.EqualFold(p, key+key):
		return "", badPassword("The password is the name. Please choose another.")
	}
	return p, nil
}

// plain says whether a password is one character repeated, or counts up or down.
func plain(p string) bool {
	r := []rune(p)
	step := r[1] - r[0]
	if step < -1 || step > 1 {
		return false
	}
	for i := range r[1:] {
		if r[i+1]-r[i] != step {
			return false
		}
	}
	return true
}

func checkDevice(d string) (string, error) {
	if len(d) > signal.MaxDevice {
		return "", refuse(http.StatusBadRequest, signal.ErrBadRequest, fmt.Sprintf("A device's name has at most %d bytes.", signal.MaxDevice))
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, d), nil
}
