package main

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pion/stun/v4"
	"golang.org/x/sys/unix"
)

const relayChannel = 0x4000

// relayPair is a client with an allocation and a peer bound to it. The descriptors are connected and do not block; big
// buffers of their own keep the load from losing what the relay has carried.
type relayPair struct{ client, peer int }

func (p relayPair) close() { _ = errors.Join(unix.Close(p.client), unix.Close(p.peer)) }

func newRelayPair(s *relayProcess) (relayPair, error) {
	server := &net.UDPAddr{IP: net.ParseIP(relayAddr), Port: 3478}
	c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.ParseIP(loadAddr)}, server)
	if err != nil {
		return relayPair{}, err
	}
	defer c.Close()
	peer, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(loadAddr)})
	if err != nil {
		return relayPair{}, err
	}
	defer peer.Close()
	t := &turnClient{c: c, user: s.user, password: s.password}
	at, err := t.allocate()
	if err != nil {
		return relayPair{}, err
	}
	to, _ := peer.LocalAddr().(*net.UDPAddr)
	if err := t.bind(to); err != nil {
		return relayPair{}, err
	}
	p := relayPair{}
	if p.client, err = descriptor(c); err != nil {
		return relayPair{}, err
	}
	if p.peer, err = descriptor(peer); err != nil {
		return relayPair{}, errors.Join(err, unix.Close(p.client))
	}
	if err := unix.Connect(p.peer, &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}); err != nil {
		p.close()
		return relayPair{}, err
	}
	return p, nil
}

// descriptor is one that Go's poller does not watch.
func descriptor(u *net.UDPConn) (fd int, err error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	if e := raw.Control(func(f uintptr) { fd, err = unix.FcntlInt(f, unix.F_DUPFD_CLOEXEC, 0) }); e != nil || err != nil {
		return 0, errors.Join(e, err)
	}
	return fd, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
}

// turnClient makes one allocation and one channel.
type turnClient struct {
	c              *net.UDPConn
	user, password string
	realm          stun.Realm
	nonce          stun.Nonce
}

type attribute struct {
	kind  stun.AttrType
	value []byte
}

func (a attribute) AddTo(m *stun.Message) error { m.Add(a.kind, a.value); return nil }

// xorPeer is XOR-PEER-ADDRESS.
type xorPeer struct{ *net.UDPAddr }

func (p xorPeer) AddTo(m *stun.Message) error {
	return (stun.XORMappedAddress{IP: p.IP, Port: p.Port}).AddToAs(m, stun.AttrXORPeerAddress)
}

// ask sends until it is answered, for seconds: the relay may be starting.
func (t *turnClient) ask(m *stun.Message) (*stun.Message, error) {
	buf := make([]byte, 2048)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		_, _ = t.c.Write(m.Raw)
		_ = t.c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := t.c.Read(buf)
		if err != nil {
			continue
		}
		r := &stun.Message{Raw: append([]byte(nil), buf[:n]...)}
		if r.Decode() == nil && r.TransactionID == m.TransactionID {
			return r, nil
		}
	}
	return nil, errors.New("the relay does not answer")
}

func (t *turnClient) signed(method stun.Method, list ...stun.Setter) *stun.Message {
	sum := md5.Sum([]byte(t.user + ":" + t.realm.String() + ":" + t.password)) // RFC 8489, section 18.5.1.1
	all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, list...)
	return stun.MustBuild(append(all, stun.NewUsername(t.user), t.realm, t.nonce, stun.MessageIntegrity(sum[:]))...)
}

func (t *turnClient) allocate() (*net.UDPAddr, error) {
	udp := attribute{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}}
	r, err := t.ask(stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest), udp))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(t.realm.GetFrom(r), t.nonce.GetFrom(r)); err != nil {
		return nil, fmt.Errorf("ask for credentials: %w", err)
	}
	if r, err = t.ask(t.signed(stun.MethodAllocate, udp)); err != nil {
		return nil, err
	}
	var at stun.XORMappedAddress
	if err := at.GetFromAs(r, stun.AttrXORRelayedAddress); err != nil {
		return nil, fmt.Errorf("allocate: %v", r)
	}
	return &net.UDPAddr{IP: at.IP, Port: at.Port}, nil
}

func (t *turnClient) bind(peer *net.UDPAddr) error {
	number := binary.BigEndian.AppendUint16(nil, relayChannel)
	r, err := t.ask(t.signed(stun.MethodChannelBind, attribute{stun.AttrChannelNumber, append(number, 0, 0)}, xorPeer{peer}))
	if err == nil && r.Type.Class != stun.ClassSuccessResponse {
		err = fmt.Errorf("bind a channel: %v", r)
	}
	return err
}
