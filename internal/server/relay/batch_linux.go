//go:build amd64 || arm64

package relay

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	slots      = 128           // datagrams between two sends
	headroom   = channelHeader // before each, for a header to be written
	slotSize   = 1664          // headroom, a datagram, its padding, and the rest of a cache line
	maxTrain   = 60            // datagrams in one UDP_SEGMENT message; the kernel takes 64
	trainBytes = 64_000        // of it; the kernel takes one IP packet
	ctlSize    = 24            // of a control message with the size of segments
	recvTries  = 4
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// inbox receives many datagrams in one call, each into a slot of its own where it stays until reset. It lives on the
// heap: the kernel is given its addresses.
type inbox struct {
	buf  [slots * slotSize]byte
	from [slots]unix.RawSockaddrInet6
	iov  [slots]unix.Iovec
	msgs [slots]mmsghdr
	used int
}

func newInbox() *inbox {
	in := &inbox{}
	for i := range in.msgs {
		in.iov[i].Base = &in.buf[i*slotSize+headroom]
		in.iov[i].SetLen(maxDatagram)
		in.msgs[i].hdr.Name = (*byte)(unsafe.Pointer(&in.from[i]))
		in.msgs[i].hdr.Iov = &in.iov[i]
		in.msgs[i].hdr.SetIovlen(1)
	}
	return in
}

// recv fills at most that many slots, which must be free, and gives the first and the one after the last.
func (in *inbox) recv(fd, most int) (first, end int) {
	first = in.used
	for i := first; i < first+most; i++ {
		in.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet6
	}
	for range recvTries {
		// Raw: it does not block, and telling Go's scheduler would cost more than the call.
		n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&in.msgs[first])), uintptr(most), unix.MSG_DONTWAIT, 0, 0)
		switch e {
		case 0:
			in.used += int(n)
			return first, in.used
		case unix.EAGAIN:
			return first, first
		} // an error of a datagram sent earlier, which reading has cleared: datagrams may wait behind it
	}
	return first, first
}

// data is the datagram in a slot.
func (in *inbox) data(slot int) []byte {
	at := slot*slotSize + headroom
	return in.buf[at : at+int(in.msgs[slot].n)]
}

// framed is the same behind a ChannelData header, padded as pion does (RFC 8656, section 12.5: it may be).
func (in *inbox) framed(slot int, number uint16) []byte {
	n := int(in.msgs[slot].n)
	b := in.buf[slot*slotSize : slot*slotSize+headroom+(n+3)&^3]
	binary.BigEndian.PutUint16(b, number)
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	clear(b[headroom+n:])
	return b
}

// renumbered is ChannelData that came in a slot as it goes to another client.
func (in *inbox) renumbered(slot, size int, number uint16) []byte {
	at := slot*slotSize + headroom
	b := in.buf[at : at+channelHeader+(size+3)&^3]
	binary.BigEndian.PutUint16(b, number)
	clear(b[channelHeader+size:])
	return b
}

func (in *inbox) free() int { return slots - in.used }
func (in *inbox) reset()    { in.used = 0 }

// outbox sends what it has gathered for one socket in one call. Neighbours of one size for one receiver become a train
// that the kernel cuts up, where it can.
type outbox struct {
	segments bool
	n        int
	to       [slots]*sockaddr
	iov      [slots]unix.Iovec
	msgs     [slots]mmsghdr
	ctl      [slots][ctlSize]byte
	first    [slots + 1]int // datagram of each message
	dropped  int
}

// add queues b, which must stay as it is until flush. There is room for as many as there are slots.
func (o *outbox) add(b []byte, to *sockaddr) {
	o.to[o.n] = to
	o.iov[o.n] = unix.Iovec{}
	if len(b) > 0 {
		o.iov[o.n].Base = &b[0]
		o.iov[o.n].SetLen(len(b))
	}
	o.n++
}

// flush never blocks; what the socket does not take is dropped, as it would be in a queue on the way.
func (o *outbox) flush(fd int) {
	if o.n == 0 {
		return
	}
	messages := 0
	for i := 0; i < o.n; messages++ {
		j := o.trainEnd(i)
		o.compose(messages, i, j)
		i = j
	}
	o.first[messages] = o.n
	for at := 0; at < messages; {
		sent, e := sendmmsg(fd, o.msgs[at:messages])
		switch e {
		case 0:
			at += sent
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			o.dropped += o.n - o.first[at]
			at = messages
		default: // this message cannot be sent, which says nothing of the next
			o.singly(fd, at, e)
			at++
		}
	}
	o.n = 0
}

// trainEnd gives the end of the run that starts at i: one receiver, one size, and a shorter one may be the last.
func (o *outbox) trainEnd(i int) int {
	j, total := i+1, o.iov[i].Len
	if !o.segments || total == 0 {
		return j
	}
	for j < o.n && j-i < maxTrain && o.to[j] == o.to[i] && o.iov[j].Len <= o.iov[i].Len && o.iov[j].Len > 0 {
		if total += o.iov[j].Len; total > trainBytes {
			break
		}
		j++
		if o.iov[j-1].Len < o.iov[i].Len {
			break
		}
	}
	return j
}

// compose makes message m of the datagrams from i to before j.
func (o *outbox) compose(m, i, j int) {
	o.first[m] = i
	h := &o.msgs[m].hdr
	*h = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&o.to[i].raw)), Namelen: o.to[i].size, Iov: &o.iov[i]}
	h.SetIovlen(j - i)
	if j-i == 1 {
		return
	}
	ctl := &o.ctl[m]
	c := (*unix.Cmsghdr)(unsafe.Pointer(&ctl[0]))
	c.Level, c.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	c.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(ctl[unix.CmsgLen(0):], uint16(o.iov[i].Len))
	h.Control = &ctl[0]
	h.SetControllen(unix.CmsgSpace(2))
}

// singly sends the datagrams of a train that was refused one by one: segments must fit into the path's packets, and some
// devices cannot do it at all (EIO), which is then not tried again.
func (o *outbox) singly(fd, message int, e unix.Errno) {
	i, j := o.first[message], o.first[message+1]
	if j-i == 1 {
		o.dropped++
		return
	}
	if e == unix.EIO {
		o.segments = false
	}
	for ; i < j; i++ {
		if !send(fd, unsafe.Slice(o.iov[i].Base, o.iov[i].Len), o.to[i]) {
			o.dropped++
		}
	}
}

func (o *outbox) takeDropped() int {
	n := o.dropped
	o.dropped = 0
	return n
}

// send sends one datagram; false: it could not be sent.
func send(fd int, b []byte, to *sockaddr) bool {
	var iov unix.Iovec
	if len(b) > 0 {
		iov.Base = &b[0]
		iov.SetLen(len(b))
	}
	one := []mmsghdr{{hdr: unix.Msghdr{Name: (*byte)(unsafe.Pointer(&to.raw)), Namelen: to.size, Iov: &iov}}}
	one[0].hdr.SetIovlen(1)
	for {
		n, e := sendmmsg(fd, one)
		if e != unix.EINTR {
			return n == 1
		}
	}
}

func sendmmsg(fd int, msgs []mmsghdr) (sent int, e unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}
