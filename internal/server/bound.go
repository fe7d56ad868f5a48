package server

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"visavis.example/internal/server/limit"
)

// bound is one limit: what it is called and how its field is read, written and filled. It is a flag.Value.
type bound struct {
	name, doc string
	show      func() string
	set       func(string) error
	fill      func() // gives a zero field its default
}

// String implements flag.Value; package flag also asks zero values.
func (b bound) String() string {
	if b.show == nil {
		return ""
	}
	return b.show()
}

// Set implements flag.Value.
func (b bound) Set(s string) error { return b.set(s) }

func count(name string, field *int, usual, least, most int, doc string) bound {
	return number(name, field, usual, least, most, doc, strconv.Itoa, func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if errors.Is(err, strconv.ErrRange) {
			return 0, errors.New("the number is too large")
		} else if err != nil {
			return 0, fmt.Errorf("%q is not a whole number", s)
		}
		return n, nil
	})
}

func size(name string, field *int, usual, least, most int, doc string) bound {
	return number(name, field, usual, least, most, doc, bytesText, parseBytes)
}

func bitRate(name string, field *int, usual, least, most int, doc string) bound {
	return number(name, field, usual, least, most, doc, bitsText, parseBits)
}

func wait(name string, field *time.Duration, usual, least, most time.Duration, doc string) bound {
	return number(name, field, usual, least, most, doc, limit.Short, func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf("%q is not a time such as 30s, 15m or 24h", s)
		}
		return d, nil
	})
}

func rate(name string, field *limit.Rate, usual limit.Rate, doc string) bound {
	return bound{
		name: name, doc: doc,
		show: func() string { return field.String() },
		set: func(s string) error {
			r, err := limit.ParseRate(s)
			if err == nil {
				*field = r
			}
			return err
		},
		fill: func() { *field = cmp.Or(*field, usual) },
	}
}

// number is a limit between least and most, both included.
func number[T cmp.Ordered](name string, field *T, usual, least, most T, doc string, show func(T) string, parse func(string) (T, error)) bound {
	return bound{
		name: name, doc: doc,
		show: func() string { return show(*field) },
		set: func(s string) error {
			v, err := parse(s)
			switch {
			case err != nil:
				return err
			case v < least || v > most:
				return fmt.Errorf("it is %s to %s", show(least), show(most))
			}
			*field = v
			return nil
		},
		fill: func() { *field = cmp.Or(*field, usual) },
	}
}

func bytesText(n int) string {
	switch {
	case n >= megabyte && n%megabyte == 0:
		return fmt.Sprint(n/megabyte, " MB")
	case n >= kilobyte && n%kilobyte == 0:
		return fmt.Sprint(n/kilobyte, " KB")
	}
	return strconv.Itoa(n)
}

// parseBytes reads "16 KB", "2MB" and plain bytes; a KB has 1024 of them.
func parseBytes(s string) (int, error) {
	digits, times := s, 1
	for suffix, n := range map[string]int{"KB": kilobyte, "MB": megabyte} {
		if rest, ok := strings.CutSuffix(strings.ToUpper(s), suffix); ok {
			digits, times = strings.TrimSpace(rest), n
		}
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || n > 1<<30/uint64(times) {
		return 0, fmt.Errorf("%q is not a size such as 16 KB or 2 MB", s)
	}
	return int(n) * times, nil
}

func bitsText(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprint(n/1_000_000, " Mbit/s")
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprint(n/1000, " kbit/s")
	}
	return fmt.Sprint(n, " bit/s")
}

// parseBits reads "8 Mbit/s", "500 kbit/s" and "9600 bit/s".
func parseBits(s string) (int, error) {
	digits, times, ok := s, 1, false
	for suffix, n := range map[string]int{" mbit/s": 1_000_000, " kbit/s": 1000, " bit/s": 1} {
		if rest, has := strings.CutSuffix(strings.ToLower(s), suffix); has {
			digits, times, ok = rest, n, true
		}
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if !ok || err != nil || n > 1<<30/uint64(times) {
		return 0, fmt.Errorf("%q is not a rate such as 8 Mbit/s", s)
	}
	return int(n) * times, nil
}
