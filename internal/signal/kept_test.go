package signal

import (
	"bytes"
	"fmt"
	"testing"
)

func TestKept(t *testing.T) {
	var k Kept
	message := func(i int) []byte { return fmt.Appendf(nil, `{"n":%d}`, i) }
	for i := 1; i <= 10; i++ {
		if seq := k.Add(message(i)); seq != uint64(i) {
			t.Fatalf("message %d has the number %d", i, seq)
		}
	}
	if err := k.Ack(11); err == nil {
		t.Error("what was never sent can be acknowledged")
	}
	for _, ack := range []uint64{0, 4, 3, 4} { // 0 and 3: older news, come late
		if err := k.Ack(ack); err != nil {
			t.Errorf("ack of %d: %v", ack, err)
		}
	}
	missed, ok := k.Since(7)
	if !ok || len(missed) != 3 || !bytes.Equal(missed[0], message(8)) || !bytes.Equal(missed[2], message(10)) {
		t.Errorf("since 7: %q, %v", missed, ok)
	}
	if all, ok := k.Since(4); !ok || len(all) != 6 {
		t.Errorf("since 4: %q, %v", all, ok)
	}
	if none, ok := k.Since(10); !ok || len(none) != 0 {
		t.Errorf("since 10: %q, %v", none, ok)
	}
	for _, seq := range []uint64{3, 11} {
		if _, ok := k.Since(seq); ok {
			t.Errorf("there is something since %d", seq)
		}
	}
	if err := k.Ack(10); err != nil || k.messages != nil || k.size != 0 {
		t.Errorf("all is acknowledged (%v), and %d messages of %d bytes are kept", err, len(k.messages), k.size)
	}
	if seq := k.Add(message(11)); seq != 11 {
		t.Errorf("and the next has the number %d", seq)
	}
}

// Who is too far behind has lost the oldest, and only those.
func TestKeptIsBounded(t *testing.T) {
	var k Kept
	for range MaxKept + 10 {
		k.Add([]byte("{}"))
	}
	if _, ok := k.Since(9); ok {
		t.Error("more is kept than should be")
	}
	if missed, ok := k.Since(10); !ok || len(missed) != MaxKept || k.Fits(1) {
		t.Errorf("%d messages are kept, %v", len(missed), ok)
	}
	k = Kept{}
	big := make([]byte, MaxMessage)
	for range 2 * MaxKeptBytes / MaxMessage {
		k.Add(big)
	}
	if k.size > MaxKeptBytes || k.Fits(MaxMessage) || len(k.messages) != MaxKeptBytes/MaxMessage {
		t.Errorf("%d bytes in %d messages are kept", k.size, len(k.messages))
	}
}

func TestKeptLimits(t *testing.T) {
	k := Kept{Limits: &KeptLimits{Messages: 3, Bytes: 10}}
	for range 5 {
		k.Add([]byte("{}"))
	}
	if missed, ok := k.Since(2); !ok || len(missed) != 3 || k.Fits(1) {
		t.Errorf("%d messages are kept, %v", len(missed), ok)
	}
	if k.Add(make([]byte, 8)); k.size != 10 || len(k.messages) != 2 {
		t.Errorf("%d bytes in %d messages are kept", k.size, len(k.messages))
	}
}

func TestAppendNumbered(t *testing.T) {
	for _, c := range []struct {
		seq, ack uint64
		want     string
	}{
		{1, 2, `{"seq":1,"ack":2,"method":"User/List","type":0,"code":0}`},
		{1, 0, `{"seq":1,"method":"User/List","type":0,"code":0}`},
		{0, 2, `{"ack":2,"method":"User/List","type":0,"code":0}`},
		{0, 0, `{"method":"User/List","type":0,"code":0}`},
	} {
		got := AppendNumbered([]byte("x"), Encode(Envelope{Method: UserList}), c.seq, c.ack)
		if string(got) != "x"+c.want {
			t.Errorf("%d, %d: %s", c.seq, c.ack, got)
		}
		if e, err := Parse(got[1:]); err != nil || e.Seq != c.seq || e.Ack != c.ack {
			t.Errorf("%d, %d: read back as %+v, %v", c.seq, c.ack, e, err)
		}
	}
	largest := AppendNumbered(nil, []byte("{}"), maxNumber, maxNumber)
	if len(largest)-len("{}") > numberRoom {
		t.Errorf("numbers take %d bytes", len(largest))
	}
	for _, bad := range []string{`{"method":"a","seq":-1}`, `{"method":"a","seq":1.5}`, `{"method":"a","ack":9007199254740992}`, `{"method":"a","seq":"1"}`} {
		if e, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%s is read as %+v", bad, e)
		}
	}
}
