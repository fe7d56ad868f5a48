package signal

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// Without this the quick way could be closed to all that clients really say, and nobody would notice.
func TestOrdinaryEnvelopesAreReadQuickly(t *testing.T) {
	for _, g := range goldens() {
		b := Encode(g.env)
		if bytes.ContainsRune(b, '\\') && !bytes.ContainsRune(g.env.Data, '\\') {
			continue // in the envelope itself
		}
		if g.env.Seq == 0 && g.env.Ack == 0 {
			b = AppendNumbered(nil, b, 12, 34)
		}
		if _, ok := parseQuick(append(b, '\n')); !ok {
			t.Errorf("%s is not read quickly with the end of a line", g.name)
		}
		if _, ok := parseQuick(b); !ok {
			t.Errorf("%s is not read quickly: %s", g.name, b)
		}
	}
}

// FuzzQuick holds the quick way to what encoding/json says.
func FuzzQuick(f *testing.F) {
	for _, g := range goldens() {
		f.Add([]byte(Encode(g.env)))
	}
	for _, s := range []string{
		`{"seq":1,"ack":2,"method":"User/List","type":0,"code":0}`, `{"method":"a\u0062","type":0,"code":0}`, `{"method":"é\u2028<","message":"&"}`,
		`{}`, `{"method":"x",}`, `{"method":"x"}}`, "{\"method\":\"x\"}\n", "{\"method\":\"x\"}\n\n", `{"method":"x"} `, `{ "method":"x"}`, `{"Method":"x"}`, `{"method":"x","method":"y"}`, `{"method":null}`,
		`{"seq":01}`, `{"seq":1.5}`, `{"seq":1e3}`, `{"seq":-1}`, `{"seq":9007199254740993}`, `{"seq":99999999999999999999}`, `{"code":-7,"type":1}`, `{"code":"1"}`,
		`{"data":{"a":"}"}}`, `{"data":{"a":"\"}"}}`, `{"data":{"a":]}}`, `{"data":[1]}`, `{"data":null}`, `{"data":{`, `{"data":{"a":"`, `{"data":{"a":"\`, `{"data": {"a" : 1 }}`,
		`{"data":` + strings.Repeat(`{"a":`, 80) + `1` + strings.Repeat(`}`, 80) + `}`, `{"data":{"a":"<` + "\u2028" + `"}}`, `{"method"`, `{"method":`, `{"seq":`, `{"message":"` + "\x7f" + `"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.Valid(b) || len(b) > MaxMessage {
			return // Parse has refused it
		}
		var want Envelope
		err := json.Unmarshal(b, &want)
		if got, ok := parseQuick(b); ok && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("%s is read as %+v, not as %+v (%v)", b, got, want, err)
		}
		if err != nil {
			return
		}
		if want.Data != nil {
			want.Data = Encode(want.Data)
		}
		if got := AppendEnvelope(nil, &want); !bytes.Equal(got, Encode(want)) {
			t.Fatalf("%+v is written as %s, not as %s", want, got, Encode(want))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	e := Envelope{Method: CallMedia, CallID: NewID(), RequestID: "r12", Data: Encode(Media{Microphone: true, Camera: true, Change: 123})}
	m := AppendNumbered(nil, Encode(e), 1234, 5678)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendEnvelope(b *testing.B) {
	e := Envelope{Method: CallMedia, CallID: NewID(), FromID: NewID(), ToID: NewID(), Data: Encode(Media{Microphone: true, Camera: true, Change: 123})}
	b.ReportAllocs()
	for b.Loop() {
		AppendEnvelope(make([]byte, 0, 256), &e)
	}
}
