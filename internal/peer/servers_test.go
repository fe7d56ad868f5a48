package peer

import (
	"net"
	"sync"
	"testing"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// doorman is a TURN server that makes allocations for whoever bears the newest name only.
type doorman struct {
	mu     sync.Mutex
	newest string
	made   map[string]int // allocations asked for, by the name that was good
}

func (d *doorman) admit(r *turn.RequestAttributes) (string, []byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Method == stun.MethodAllocate {
		if r.Username != d.newest {
			return "", nil, false
		}
		d.made[r.Username]++
	}
	return r.Username, turn.GenerateAuthKey(r.Username, r.Realm, "secret"), true
}

func (d *doorman) renew(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.newest = name
}

func (d *doorman) count(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made[name]
}

// The relay takes new credentials only: SetICEServers disturbs nothing, and the next path is sought with what it gave.
func TestAnotherPathWithNewCredentials(t *testing.T) {
	d := &doorman{newest: "first", made: map[string]int{}}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "test", AuthHandler: d.admit,
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn:            conn,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	servers := func(name string) []ICEServer {
		return []ICEServer{{URLs: []string{"turn:" + conn.LocalAddr().String() + "?transport=udp"}, Username: name, Credential: "secret"}}
	}
	a, b := newPair(t, func(s *Session) { s.RelayOnly, s.ICEServers = true, servers("first") })
	call(t, a, b)
	flows(t, a, b)
	d.renew("second")
	a.SetICEServers(servers("second"))
	b.SetICEServers(servers("second"))
	nextPicture(t, a, b)
	if offers(a) != 1 || has[Disconnected](a) || has[Disconnected](b) {
		t.Errorf("new credentials alone made %d offers", offers(a))
	}
	a.Restart(true)
	eventually(t, "both to allocate anew", func() bool { return offers(a) == 2 && d.count("second") >= 2 })
	a.eye.again()
	b.eye.again()
	flows(t, a, b)
	if has[Failed](a) || has[Failed](b) {
		t.Error("Failed was said")
	}
}
