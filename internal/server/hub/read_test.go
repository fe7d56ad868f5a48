package hub

import (
	"slices"
	"testing"

	"visavis.example/internal/signal"
)

// What one device has read is told to the person's others, and to nobody else.
func TestReadOnOneDevice(t *testing.T) {
	w := newWorld(t, "alice", "bob", "echo")
	a, b, b2 := w.connect("alice", "a"), w.connect("bob", "b"), w.connect("bob", "b2")
	b.got, b2.got, a.got = nil, nil, nil
	b.must(signal.MessageRead, "", "", signal.Read{With: "alice", ID: 7})
	if r, e := take[signal.Read](b2, signal.CodeRead); r != (signal.Read{With: "alice", ID: 7}) || e.FromID != "bob" || e.Method != signal.MessageRead {
		t.Errorf("the other device hears %+v in %+v", r, e)
	}
	b2.must(signal.MessageRead, "", "", signal.Read{ID: 9}) // the lobby
	take[signal.Read](b, signal.CodeRead)
	b.refused(signal.ErrNotFound, signal.MessageRead, "", "", signal.Read{With: "nobody", ID: 7})
	for _, id := range []int64{0, -1} {
		b.refused(signal.ErrBadRequest, signal.MessageRead, "", "", signal.Read{With: "alice", ID: id})
	}
	for _, d := range []*dev{a, b, b2} {
		d.quiet()
	}
	if want := []string{"bob alice 7", "bob  9"}; !slices.Equal(w.reads, want) {
		t.Errorf("kept %q, want %q", w.reads, want)
	}
}
