package peer

import (
	"encoding/binary"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// numbered is an RTP packet of a stream with a transport-wide number.
func numbered(t *testing.T, ssrc uint32, number uint16) []byte {
	t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, PayloadType: 96, SequenceNumber: 7}, Payload: []byte{1, 2, 3}}
	if err := p.SetExtension(3, []byte{byte(number >> 8), byte(number)}); err != nil {
		t.Fatal(err)
	}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestArrivalLogKnowsWhenPacketsCame(t *testing.T) {
	at := time.Unix(500, 0)
	read := at.Add(80 * time.Millisecond)
	var l arrivalLog
	l.reads(9, 3)
	l.reads(8, 0) // says nothing of the number

	l.saw(numbered(t, 9, 65535), at)
	if !l.inside(65535, read) || l.inside(65534, read) || l.inside(1023, read) {
		t.Error("what waits is not known")
	}
	if came := l.came(65535, read); !came.Equal(at) || l.inside(65535, read) {
		t.Errorf("came at %v", came)
	}
	if came := l.came(65535, read); !came.Equal(read) {
		t.Error("a packet came twice")
	}
	l.saw(numbered(t, 9, 65535), read) // a copy of the network's
	if l.inside(65535, read) {
		t.Error("a copy waits to be read")
	}

	relayed := append([]byte{0x40, 1, 0, 0}, numbered(t, 9, 5)...)
	binary.BigEndian.PutUint16(relayed[2:], uint16(len(relayed)-4))
	l.saw(relayed, at)
	if came := l.came(5, read); !came.Equal(at) {
		t.Errorf("what a relay brought came at %v", came)
	}

	report, err := (&rtcp.SenderReport{SSRC: 9}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{nil, {0x40}, {0x80, 96}, report, numbered(t, 10, 6), numbered(t, 9, 6)[:14]} {
		l.saw(b, at)
	}
	for n := range uint16(16) {
		if l.inside(n, read) {
			t.Errorf("%d is inside", n)
		}
	}
	l.saw(numbered(t, 9, 6), at)
	if l.inside(6, at.Add(insideMost)) {
		t.Error("a packet that nobody reads is waited for for ever")
	}
	if later := at.Add(2 * arrivalLife); !l.came(6, later).Equal(later) {
		t.Error("a number of long ago counts")
	}
	l.readsNoMore(9)
	l.saw(numbered(t, 9, 7), at)
	if l.inside(7, read) {
		t.Error("a stream that ended is waited for")
	}
}

// Streams are read by goroutines of their own. What one of them has yet to read is not lost.
func TestFeedbackWaitsForWhatIsInTheMachine(t *testing.T) {
	at := time.Unix(500, 0)
	f := newFeedbackWriter(1)
	inside := []uint16{3, 4}
	f.inside = func(n uint16, _ time.Time) bool { return slices.Contains(inside, n) }
	told := func(now time.Time) (received, lost []uint16) {
		for _, p := range f.take(now) {
			n := p.BaseSequenceNumber
			for _, symbol := range symbolsOf(p) {
				if symbol == rtcp.TypeTCCPacketNotReceived {
					lost = append(lost, n)
				} else {
					received = append(received, n)
				}
				n++
			}
		}
		return received, lost
	}
	for _, n := range []uint16{0, 2, 5, 6} {
		f.add(n, 100, at)
	}
	if received, lost := told(at); !slices.Equal(received, []uint16{0, 2}) || !slices.Equal(lost, []uint16{1}) {
		t.Errorf("told of %v, and %v as lost", received, lost)
	}
	f.add(3, 100, at)
	inside = inside[1:]
	if received, lost := told(at); !slices.Equal(received, []uint16{3}) || lost != nil {
		t.Errorf("then told of %v, and %v as lost", received, lost)
	}
	inside = nil // it did not prove to be the other's
	if received, lost := told(at); !slices.Equal(received, []uint16{5, 6}) || !slices.Equal(lost, []uint16{4}) {
		t.Errorf("at last told of %v, and %v as lost", received, lost)
	}
}

func symbolsOf(p *rtcp.TransportLayerCC) (list []uint16) {
	for _, c := range p.PacketChunks {
		switch c := c.(type) {
		case *rtcp.RunLengthChunk:
			list = append(list, slices.Repeat([]uint16{c.PacketStatusSymbol}, int(c.RunLength))...)
		case *rtcp.StatusVectorChunk:
			list = append(list, c.SymbolList...)
		}
	}
	return list[:p.PacketStatusCount]
}

// The system knows when a packet came, however late it is read.
func TestStampedConnTellsTheSystemsTime(t *testing.T) {
	var log arrivalLog
	log.reads(9, 3)
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c := newStampedConn(in, &log)
	if c.message == nil {
		t.Skip("this system does not say when packets came")
	}
	out, err := net.Dial("udp4", in.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	b := make([]byte, 100)
	for n := range uint16(500) { // the kernel begins to note it a while after it is asked
		began := time.Now()
		if _, err := out.Write(numbered(t, 9, n)); err != nil {
			t.Fatal(err)
		}
		sent := time.Now()
		for time.Since(sent) < 3*time.Millisecond { // the reader has no time
		}
		size, from, err := c.ReadFrom(b)
		if err != nil || from.String() != out.LocalAddr().String() || size != len(numbered(t, 9, n)) {
			t.Fatalf("read %d bytes from %v: %v", size, from, err)
		}
		came := log.came(n, time.Now())
		if came.Before(began.Add(-time.Millisecond)) {
			t.Fatalf("came %v before it was sent", began.Sub(came))
		}
		if came.Before(sent.Add(time.Millisecond)) {
			return
		}
	}
	t.Error("no packet came before it was read")
}
