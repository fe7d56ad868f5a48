//go:build unix

package systemd

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func env(m map[string]string) func(string) (string, bool) {
	return func(n string) (string, bool) { v, ok := m[n]; return v, ok }
}

func TestNothingPassed(t *testing.T) {
	for _, m := range []map[string]string{
		nil,
		{"LISTEN_FDS": "2"},
		{"LISTEN_PID": "1", "LISTEN_FDS": "2"}, // for somebody else
		{"LISTEN_PID": strconv.Itoa(os.Getpid())},
	} {
		if s, err := Inherit(env(m)); s != nil || err != nil {
			t.Errorf("%v: %v, %v", m, s, err)
		}
	}
	for _, n := range []string{"two", "-1", "1000000"} {
		if _, err := Inherit(env(map[string]string{"LISTEN_PID": strconv.Itoa(os.Getpid()), "LISTEN_FDS": n})); err == nil {
			t.Errorf("LISTEN_FDS=%s is taken", n)
		}
	}
	var none *Sockets
	l, err := none.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := none.ListenPacket(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = l.Close(), p.Close()
	if u := none.Close(); u != nil {
		t.Errorf("left over: %v", u)
	}
}

// passed is what take makes of sockets of the test's own.
func passed(t *testing.T) (s *Sockets, tcp, udp netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &Sockets{}
	for _, c := range []interface{ File() (*os.File, error) }{l.(*net.TCPListener), p.(*net.UDPConn)} {
		f, err := c.File()
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Dup(int(f.Fd())) // take closes it
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if err := s.take(fd); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = l.Close(), p.Close()
	t.Cleanup(func() { s.Close() })
	return s, netip.MustParseAddrPort(l.Addr().String()), netip.MustParseAddrPort(p.LocalAddr().String())
}

func TestPassedSocketsAreTakenByAddress(t *testing.T) {
	s, tcp, udp := passed(t)
	other, err := s.Listen(t.Context(), "127.0.0.1:0")
	if err != nil || other.Addr().String() == tcp.String() {
		t.Fatalf("another port: %v, %v", other, err)
	}
	_ = other.Close()
	l, err := s.Listen(t.Context(), net.JoinHostPort("", strconv.Itoa(int(tcp.Port()))))
	if err != nil || l.Addr().String() != tcp.String() {
		t.Fatalf("the passed port: %v, %v", l, err)
	}
	// It is the very socket: the kernel has queued whoever came before.
	c, err := net.Dial("tcp", tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = in.Close(), l.Close()
	if u := s.Close(); !slices.Equal(u, []string{"udp " + udp.String()}) {
		t.Errorf("left over: %v", u)
	}
}

func TestPassedPacketSocket(t *testing.T) {
	s, tcp, udp := passed(t)
	p, err := s.ListenPacket(t.Context(), udp.String())
	if err != nil || p.LocalAddr().String() != udp.String() {
		t.Fatalf("the passed port: %v, %v", p, err)
	}
	_ = p.Close()
	if u := s.Close(); !slices.Equal(u, []string{"tcp " + tcp.String()}) {
		t.Errorf("left over: %v", u)
	}
}

func TestNotASocket(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	s := &Sockets{}
	if err := s.take(fd); err == nil {
		t.Error("a file is taken for a socket")
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		have, want string
		fits       bool
	}{
		{"[::]:443", ":443", true},
		{"[::]:443", "198.51.100.7:443", true},
		{"198.51.100.7:443", ":443", true},
		{"198.51.100.7:443", "0.0.0.0:443", true},
		{"198.51.100.7:443", "198.51.100.7:443", true},
		{"198.51.100.7:443", "198.51.100.8:443", false},
		{"127.0.0.1:443", "localhost:443", true},
		{"198.51.100.7:443", "localhost:443", false},
		{"[::]:443", ":8443", false},
		{"[::]:443", ":0", false},
		{"[::]:443", "nonsense", false},
	} {
		a := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.have))
		if got := fits(a, c.want); got != c.fits {
			t.Errorf("%s for %s: %v", c.have, c.want, got)
		}
	}
}

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := Notify(env(map[string]string{"NOTIFY_SOCKET": path}), Ready); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := l.Read(b)
	if err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("it hears %q, %v", b[:n], err)
	}
	if err := Notify(env(nil), Ready); err != nil {
		t.Errorf("without a manager: %v", err)
	}
	if err := Notify(env(map[string]string{"NOTIFY_SOCKET": path + ".not"}), Ready); err == nil {
		t.Error("nobody listens, and that is no error")
	}
}
