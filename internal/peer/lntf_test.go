package peer

import (
	"testing"

	"github.com/pion/rtcp"
)

func TestLossNotificationTravels(t *testing.T) {
	for _, n := range []lossNotification{{7, 9, true}, {65535, 3, false}, {100, 100, true}, {}} {
		b, err := n.packet(77).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		list, err := rtcp.Unmarshal(b)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v, %d packets", err, len(list))
		}
		app, ok := list[0].(*rtcp.ApplicationDefined)
		if !ok || app.SSRC != 77 {
			t.Fatalf("came as %T", list[0])
		}
		if got, ok := parseLNTF(app); !ok || got != n {
			t.Errorf("%+v became %+v", n, got)
		}
	}
}

func FuzzLossNotification(f *testing.F) {
	for _, n := range []lossNotification{{7, 9, true}, {65535, 3, false}} {
		b, _ := n.packet(1).Marshal()
		f.Add(b)
	}
	f.Add([]byte{0x80, 204, 0, 2, 0, 0, 0, 1, 'L', 'N', 'T', 'F'})
	f.Add([]byte{0xa0, 204, 0, 3, 0, 0, 0, 1, 'L', 'N', 'T', 'F', 1, 2, 3, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := rtcp.Unmarshal(b)
		if err != nil {
			return
		}
		for _, p := range list {
			app, ok := p.(*rtcp.ApplicationDefined)
			if !ok {
				continue
			}
			if n, ok := parseLNTF(app); ok {
				if again, ok := parseLNTF(n.packet(app.SSRC)); !ok || again != n {
					t.Fatalf("%+v became %+v", n, again)
				}
			}
		}
	})
}
