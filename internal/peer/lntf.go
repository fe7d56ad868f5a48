package peer

import (
	"encoding/binary"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// lossNotification tells the sender of a video stream how far its pictures could be decoded, so that it may go on from a
// picture that both sides have instead of sending a key frame. It says what libwebrtc's loss notification says
// (modules/rtp_rtcp/source/rtcp_packet/loss_notification.h), but travels as an RTCP APP packet (RFC 3550 section 6.7)
// named LNTF: pion takes libwebrtc's form for a broken REMB and drops all that came with it. It is negotiated as
// a=rtcp-fb with feedbackLNTF, and only sent to those who know that.
type lossNotification struct {
	lastDecoded  uint16 // last sequence number of the newest picture that was decoded
	lastReceived uint16 // newest sequence number
	decodable    bool   // false: something was lost; without a recovery frame the picture stands still
}

const feedbackLNTF = "visavis-lntf"

const lntfName = "LNTF"

// packet makes the RTCP packet; source is the SSRC of the stream. APP packets name who they are from, but pion hands
// them to whom they name, so they name the stream, as feedback does.
func (n lossNotification) packet(source uint32) *rtcp.ApplicationDefined {
	delta := (n.lastReceived - n.lastDecoded) & 0x7fff << 1
	if n.decodable {
		delta |= 1
	}
	b := binary.BigEndian.AppendUint16(nil, n.lastDecoded)
	return &rtcp.ApplicationDefined{SSRC: source, Name: lntfName, Data: binary.BigEndian.AppendUint16(b, delta)}
}

// parseLNTF gives ok false for what is none.
func parseLNTF(p *rtcp.ApplicationDefined) (n lossNotification, ok bool) {
	if p.Name != lntfName || p.SubType != 0 || len(p.Data) != 4 {
		return lossNotification{}, false
	}
	delta := binary.BigEndian.Uint16(p.Data[2:])
	n.lastDecoded = binary.BigEndian.Uint16(p.Data)
	n.lastReceived = n.lastDecoded + delta>>1
	n.decodable = delta&1 == 1
	return n, true
}

// knowsLNTF says whether the other side takes loss notifications for that codec.
func knowsLNTF(c webrtc.RTPCodecCapability) bool {
	return slices.ContainsFunc(c.RTCPFeedback, func(f webrtc.RTCPFeedback) bool { return f.Type == feedbackLNTF })
}

// gotLossNotification takes what the receiver of our pictures says of them; on pion's goroutine.
func (v *videoSender) gotLossNotification(n lossNotification) {
	if v.kept.heard(n) {
		v.recoverOrKey()
	}
}
