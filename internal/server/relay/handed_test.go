package relay

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"visavis.example/internal/signal"
)

// elsewhere is a port that is not the relay's and hands over what comes.
func elsewhere(t *testing.T, s *Server) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.Serve(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l
}

func TestServesConnectionsAcceptedElsewhere(t *testing.T) {
	s := start(t, &Server{})
	l := elsewhere(t, s)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	call := signal.NewID()
	who := join(s, call)
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: l.Addr().String(), Conn: turn.NewSTUNConn(conn), Username: who.name, Password: who.password, LoggerFactory: quiet{},
	})
	if err == nil {
		err = c.Listen()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	talk(t, allocate(t, c), allocate(t, dial(t, s, "udp", join(s, call))))
	_ = conn.Close()
	s.Close() // ends although nobody has closed the listener elsewhere
	late, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	_ = late.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := late.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("after the end a connection stays: %v", err)
	}
}

// The book tells clients apart by their address and port, so one of them must not come in by two ports at once.
func TestOnePortOfAClientByTwoListeners(t *testing.T) {
	s := start(t, &Server{})
	l := elsewhere(t, s)
	d := net.Dialer{Control: reuseAddr} // both ends of the sharing have to allow it
	first, err := d.Dial("tcp", s.TCPAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	binding := stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw
	answered := func(c net.Conn) error {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Write(binding); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, stunHeader))
		return err
	}
	if err := answered(first); err != nil {
		t.Fatal(err)
	}
	d.LocalAddr = first.LocalAddr()
	second, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Skip("this system does not let one port dial twice: ", err)
	}
	defer second.Close()
	if err := answered(second); err == nil || isTimeout(err) {
		t.Errorf("the second is served: %v", err)
	}
	if err := answered(first); err != nil {
		t.Errorf("the first is not served any more: %v", err)
	}
}
