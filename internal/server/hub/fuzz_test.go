package hub

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"visavis.example/internal/signal"
)

// FuzzRequests lets three people's devices say anything, a line each: the device's digit and an envelope. Every request
// that asks for a reply gets exactly one, and what is sent on is a message that a client can read.
func FuzzRequests(f *testing.F) {
	files, err := filepath.Glob("../../signal/testdata/*.request.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no golden requests: ", err)
	}
	var all []byte
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		b = bytes.ReplaceAll(b, []byte("\n"), nil)
		b = bytes.ReplaceAll(b, []byte("bob23456789abcdefghijklmno"), []byte("bob"))
		f.Add(append([]byte("0"), b...))
		all = append(append(append(all, "01"[len(all)%2]), b...), '\n')
	}
	f.Add(all)
	f.Add([]byte(`0{"method":"Call/Invite","toId":"bob","callId":"call3456789abcdefghijklmno","data":{"early":true}}
1{"method":"Call/Ringing","callId":"call3456789abcdefghijklmno","data":{"early":true}}
0{"method":"Message/Offer","callId":"call3456789abcdefghijklmno","data":{"sdp":"v=0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ relay","device":"1"}}
1{"method":"Call/Accept","callId":"call3456789abcdefghijklmno","requestId":"a","data":{"early":true}}
1{"method":"Message/Candidate","callId":"call3456789abcdefghijklmno","data":{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host"}}
+
0{"method":"Call/Hangup","callId":"call3456789abcdefghijklmno"}`))
	f.Add([]byte(`0{"method":"Call/Invite","toId":"bob","callId":"call3456789abcdefghijklmno"}
1{"method":"Call/Invite","toId":"alice","callId":"hers3456789abcdefghijklmno"}
-
+
2{"method":"Call/Cancel","callId":"call3456789abcdefghijklmno"}`))
	f.Fuzz(func(t *testing.T, script []byte) {
		w := newWorld(t, "alice", "bob", "carol", "echo")
		devices := []*dev{w.connect("alice", "a"), w.connect("bob", "b"), w.connect("carol", "c"), w.connect("echo", "e")}
		for line := range bytes.Lines(script) {
			switch {
			case len(line) < 2:
			case line[0] == '+':
				w.pass(time.Minute)
			case line[0] == '-':
				d := devices[int(line[1])%3]
				w.c.disconnect(d, Parting(line[1]%3))
				w.c.connect(d, Hello{UserID: d.user, RequestID: "hello", Connect: signal.Connect{DeviceID: d.id}})
			default:
				say(t, w, devices[int(line[0])%len(devices)], line[1:], devices)
			}
		}
	})
}

func say(t *testing.T, w *world, d *dev, b []byte, all []*dev) {
	e, err := signal.Parse(bytes.TrimSpace(b))
	if err != nil {
		return
	}
	for _, o := range all {
		o.got = nil
	}
	w.c.request(d, e)
	replies := 0
	for _, o := range all {
		for _, m := range o.got {
			raw := (&Message{Envelope: m}).JSON()
			if _, err := signal.Parse(raw); err != nil {
				t.Fatalf("%s was sent %s: %v", o.user, raw, err)
			}
			switch {
			case m.RequestID == "" && m.Code >= 10000:
			case m.RequestID == e.RequestID && o == d && m.Method == e.Method:
				replies++
			default:
				t.Fatalf("%s was sent %s after %s of %s", o.user, raw, b, d.user)
			}
		}
	}
	if want := min(1, len(e.RequestID)); replies != want {
		t.Fatalf("%d replies to %s, want %d", replies, b, want)
	}
}

// FuzzHideAddresses takes the addresses out of descriptions: what is left tells only of relays.
func FuzzHideAddresses(f *testing.F) {
	f.Add("v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\nc=IN IP4 192.0.2.9\r\na=rtcp:9 IN IP4 192.0.2.9\r\na=" + relayCandidate + "\r\n")
	f.Add("v=0\na=" + hostCandidate)
	f.Add("v=0\n\ra=" + hostCandidate) // a line of its own to some who read it
	f.Add("v=0\ra=" + hostCandidate)
	f.Add("v=0\r\na=candidate: typ relay\r\r\n\na=candidate:\t1 1 udp 1 a 9 typ relay raddr")
	f.Add("c=IN IP6 2001:db8::9\r\no= \r\na=candidate:1 1 udp 1 2001:db8::1 9 typ relay raddr 2001:db8::9 rport 5 raddr 2001:db8::9")
	relay := netip.MustParseAddr("2001:db8::1")
	owns := func(at netip.AddrPort) bool {
		return at.Addr() == relay || at.Addr() == netip.MustParseAddr("198.51.100.1")
	}
	f.Fuzz(func(t *testing.T, sdp string) {
		hidden, err := hideAddresses(sdp, owns)
		if err != nil {
			return
		}
		for line := range strings.Lines(hidden) {
			text := strings.TrimSuffix(line, "\r\n")
			switch {
			case strings.ContainsAny(text, "\r\n"):
				t.Fatalf("the end of %q can be read in two ways", line)
			case strings.HasPrefix(text, "c=") && text != "c=IN IP4 0.0.0.0", strings.HasPrefix(text, "a=rtcp:") && text != "a=rtcp:9 IN IP4 0.0.0.0":
				t.Fatalf("%q is left", text)
			case strings.HasPrefix(text, "a=candidate:") && text != "a=candidate:":
				fields := strings.Fields(text)
				if len(fields) < 8 || fields[7] != "relay" {
					t.Fatalf("%q is left", text)
				}
				if at, err := netip.ParseAddr(fields[4]); err != nil || !owns(netip.AddrPortFrom(at, 1)) {
					t.Fatalf("%q is left, which is no relay of ours", text)
				}
			}
		}
		if again, err := hideAddresses(hidden, owns); err != nil || again != hidden {
			t.Fatalf("hidden again it is %q and not %q, %v", again, hidden, err)
		}
	})
}
