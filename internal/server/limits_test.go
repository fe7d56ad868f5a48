package server

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// leaves counts the fields of a struct, those of inner structs but not those of a rate.
func leaves(t reflect.Type) (n int) {
	for i := range t.NumField() {
		f := t.Field(i).Type
		if f.Kind() == reflect.Struct && f.Name() == "Limits" {
			n += leaves(f)
			continue
		}
		n++
	}
	return n
}

func TestEveryLimitHasANameAndADefault(t *testing.T) {
	l := DefaultLimits()
	list := l.List()
	if want := leaves(reflect.TypeFor[Limits]()); len(list) != want {
		t.Fatalf("%d limits are listed, and there are %d fields", len(list), want)
	}
	seen := map[string]bool{}
	for _, i := range list {
		if seen[i.Name] || i.Name != strings.ToLower(i.Name) || i.Doc == "" {
			t.Errorf("limit %q: %q", i.Name, i.Doc)
		}
		seen[i.Name] = true
		if err := i.Value.Set(i.Value.String()); err != nil {
			t.Errorf("%s: its default %s is refused: %v", i.Name, i.Value, err)
		}
	}
	if l != DefaultLimits() {
		t.Errorf("written and read they are %+v", l)
	}
	var zero []string
	v := reflect.ValueOf(l)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			zero = append(zero, v.Type().Field(i).Name)
		}
	}
	if zero != nil {
		t.Errorf("without a default: %v", zero)
	}
}

func TestLimitsAreBounded(t *testing.T) {
	l := DefaultLimits()
	byName := map[string]Limit{}
	for _, i := range l.List() {
		byName[i.Name] = i
	}
	for _, c := range []struct{ name, bad, says string }{
		{"sockets-per-person", "0", "1 to 1000"},
		{"sockets-per-person", "-3", "1 to 1000"},
		{"sockets-per-person", "1001", "1 to 1000"},
		{"sockets-per-person", "many", "whole number"},
		{"sockets-per-person", "99999999999999999999", "too large"},
		{"body-size", "1 KB", "4 KB to 1 MB"},
		{"body-size", "5000 MB", "not a size"},
		{"body-size", "16 EB", "not a size"},
		{"body-size", "-16 KB", "not a size"},
		{"header-wait", "0s", "1s to 1m"},
		{"header-wait", "5", "not a time"},
		{"call-attempts", "10", "not a rate"},
		{"relay-bandwidth", "8", "not a rate"},
		{"relay-bandwidth", "8 Tbit/s", "not a rate"},
		{"relay-bandwidth", "9 kbit/s", "100 kbit/s to 1000 Mbit/s"},
	} {
		if err := byName[c.name].Value.Set(c.bad); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s = %s: %v, want %q", c.name, c.bad, err, c.says)
		}
	}
	if l != DefaultLimits() {
		t.Error("a refused value was taken")
	}
	for _, c := range []struct{ name, value string }{{"body-size", "32kb"}, {"header-wait", "1m"}, {"strikes", "7"}, {"relay-bandwidth", "2500 kbit/s"}, {"chat-lines", "5 then 1 per 1h"}} {
		if err := byName[c.name].Value.Set(c.value); err != nil {
			t.Errorf("%s = %s: %v", c.name, c.value, err)
		}
	}
	if l.BodyBytes != 32*kilobyte || l.HeaderWait != time.Minute || l.Strikes != 7 || l.Relay.BitsPerSecond != 2_500_000 || l.Chat.Burst != 5 {
		t.Errorf("they are %+v", l)
	}
}
