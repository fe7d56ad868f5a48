package call

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
)

var update = flag.Bool("update", false, "rewrite testdata/transitions.json")

const tableFile = "testdata/transitions.json"

// row is one line of the table that holds this machine and the browser's.
type row struct {
	State map[string]any   `json:"state"`
	Event map[string]any   `json:"event"`
	Next  map[string]any   `json:"next"`
	Does  []map[string]any `json:"does"`
}

// lower makes Go's field names the table's: ID → id, PeerID → peerId.
func lower(name string) string {
	if name == "ID" {
		return "id"
	}
	name = strings.ReplaceAll(name, "ID", "Id")
	r := []rune(name)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}

// fields puts a struct into a map under the table's names; durations become milliseconds, phases words.
func fields(v any) map[string]any {
	m := map[string]any{}
	rv := reflect.ValueOf(v)
	for i := range rv.NumField() {
		name, f := lower(rv.Type().Field(i).Name), rv.Field(i).Interface()
		switch f := f.(type) {
		case time.Duration:
			m[name+"Ms"] = f.Milliseconds()
		case Phase:
			m[name] = f.String()
		default:
			m[name] = f
		}
	}
	return m
}

func typed(v any) map[string]any {
	m := fields(v)
	m["type"] = reflect.TypeOf(v).Name()
	return m
}

const own, other = "call-one", "call-two"

// states holds one state of every phase, outgoing and incoming where both exist.
func states() []State {
	out := State{ID: own, PeerID: "bob", Outgoing: true, Video: true}
	in := State{ID: own, PeerID: "bob"}
	with := func(s State, p Phase, video bool, reason string) State {
		s.Phase, s.Video, s.Reason = p, video, reason
		return s
	}
	return []State{
		{},
		with(out, Dialing, true, ""), with(out, RingingOut, true, ""),
		with(in, Incoming, false, ""), with(in, Accepting, true, ""),
		with(out, Connecting, true, ""), with(in, Connecting, true, ""),
		with(out, Active, true, ""), with(in, Active, false, ""),
		with(out, Reconnecting, true, ""), with(in, Reconnecting, true, ""),
		with(out, Ended, true, "hangup"), with(in, Ended, false, "no_answer"),
	}
}

// events holds every event, for the current call and for a stranger's.
func events() []Event {
	list := []Event{
		Dial{ID: other, PeerID: "eve", Video: true},
		Dial{ID: other, PeerID: "eve"},
		Accept{Video: true},
		Accept{},
		Decline{},
		Hangup{},
		Dismiss{},
	}
	for _, id := range []string{own, other} {
		list = append(list,
			GotInvite{id, "eve"}, GotRinging{id}, GotAccepted{id}, AcceptOK{id}, Merged{id, "call-three"},
			Refused{id, "already_in_call"}, GotEnded{id, "declined"}, PeerUp{id}, PeerDown{id}, PeerFailed{id}, Timeout{id})
	}
	return list
}

func table() []row {
	var rows []row
	for _, s := range states() {
		for _, e := range events() {
			next, effects := Next(s, e)
			does := []map[string]any{}
			for _, f := range effects {
				does = append(does, typed(f))
			}
			rows = append(rows, row{fields(s), typed(e), fields(next), does})
		}
	}
	return rows
}

// TestTransitionTable fails when the machine changes without the table, which the browser's machine must follow.
func TestTransitionTable(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("[\n")
	rows := table()
	for i, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
		if i < len(rows)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tableFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Fatal("the machine and testdata/transitions.json differ: run go test -update, read the diff, and teach the browser's machine the same")
	}
}
