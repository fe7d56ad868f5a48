package signal

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"
)

// decoder reads data as one payload and gives what it has read.
type decoder func(Envelope) (any, error)

func decoderOf[T any]() decoder {
	return func(e Envelope) (any, error) { return Decode[T](e) }
}

// decoders has every payload that either side reads.
var decoders = []decoder{
	decoderOf[Connect](), decoderOf[Connected](), decoderOf[Users](), decoderOf[UserChange](), decoderOf[Text](), decoderOf[ChatMessage](),
	decoderOf[History](), decoderOf[Messages](), decoderOf[Invite](), decoderOf[Invited](), decoderOf[Ring](), decoderOf[Rung](),
	decoderOf[Ringing](), decoderOf[Accept](), decoderOf[Accepted](), decoderOf[Reject](), decoderOf[Hangup](), decoderOf[Ended](),
	decoderOf[SDP](), decoderOf[Candidate](), decoderOf[Media](), decoderOf[Report](), decoderOf[Problem](),
	decoderOf[Register](), decoderOf[SignedIn](), decoderOf[Info](), decoderOf[Failure](), decoderOf[CallRecord](), decoderOf[Calls](),
}

// FuzzPayloads reads data as every payload: what is accepted is accepted again as it would be sent on, and means the same.
func FuzzPayloads(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no golden messages: ", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		e, err := Parse(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(e.Data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !utf8.Valid(data) || !json.Valid(data) || len(data) > MaxMessage {
			return // Parse has refused it
		}
		for _, decode := range decoders {
			first, err := decode(Envelope{Method: "x", Data: data})
			if err != nil {
				continue
			}
			said := Encode(first)
			second, err := decode(Envelope{Method: "x", Data: said})
			if err != nil {
				t.Fatalf("%T is refused when it is said again as %s: %v", first, said, err)
			}
			if !reflect.DeepEqual(first, second) && !bytes.Equal(said, Encode(second)) {
				t.Fatalf("%+v becomes %+v", first, second)
			}
		}
	})
}

// FuzzAddress reads what somebody types as a server's address.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"calls.example.org", "https://calls.example.org:8443/", "http://127.0.0.1:8080", "[::1]:8443", "localhost", "https://user:secret@host/", "//host", "",
		"https://[fe80::1%25eth0]:8443", "https://host:99999", "ftp://host", "host:8443/path?x=y#z", "https://xn--bcher-kva.example", "https://ex ample",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		again, err := ParseAddress(a.Base())
		if err != nil || again.Base() != a.Base() {
			t.Fatalf("%q is %q, which is %q, %v", s, a.Base(), again.Base(), err)
		}
	})
}
