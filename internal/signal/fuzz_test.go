package signal

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
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
	decoderOf[Read](), decoderOf[Unread](), decoderOf[UnreadChat](),
	decoderOf[Restart](), decoderOf[Stopping](), decoderOf[Servers](), decoderOf[Resume](), decoderOf[User](), decoderOf[ICEServer](),
	decoderOf[Register](), decoderOf[SignedIn](), decoderOf[Info](), decoderOf[Failure](), decoderOf[CallRecord](), decoderOf[Calls](),
	decoderOf[Me](), decoderOf[DND](), decoderOf[NewPassword](), decoderOf[Leave](), decoderOf[SessionInfo](), decoderOf[Sessions](),
	decoderOf[Blocked](), decoderOf[NewInvite](), decoderOf[Invitation](), decoderOf[InviteInfo](), decoderOf[Invites](),
	decoderOf[CheckInvite](), decoderOf[InviteIsGood](),
}

// What goes over the wire, by the files of this package that say so: a payload that is forgotten above is never fuzzed.
func TestEveryPayloadIsFuzzed(t *testing.T) {
	known := map[string]bool{"Envelope": true} // FuzzParse
	for _, decode := range decoders {
		v, _ := decode(Envelope{Method: "x"})
		known[reflect.TypeOf(v).Name()] = true
	}
	found := 0
	for _, file := range []string{"account.go", "envelope.go", "payload.go", "people.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if fields, ok := spec.Type.(*ast.StructType); ok && spec.Name.IsExported() && isJSON(fields) {
				if found++; !known[spec.Name.Name] {
					t.Errorf("%s of %s is a payload that FuzzPayloads does not read", spec.Name.Name, file)
				}
			}
			return false
		})
	}
	if found < 40 {
		t.Errorf("only %d payloads were found", found)
	}
}

func isJSON(s *ast.StructType) bool {
	return slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool { return f.Tag != nil && strings.Contains(f.Tag.Value, `json:"`) })
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
