package echo

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// names are codecs by their names in SDP, upper case, for each kind of media.
type names map[webrtc.RTPCodecType][]string

// passed are the codecs that are sent back as they come.
var passed = names{
	webrtc.RTPCodecTypeAudio: {"OPUS"},
	webrtc.RTPCodecTypeVideo: {"VP8", "VP9", "H264"},
}

// fullIntraRequests are served by forward.go; other feedback is registered by the interceptors that give it.
var fullIntraRequests = []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}}

const maxSections = 8 // m-lines of audio and video

// offered is one m-line of an offer that can be echoed.
type offered struct {
	kind   webrtc.RTPCodecType
	mid    string
	sends  bool                        // the caller may send
	takes  bool                        // the caller may receive
	codecs []webrtc.RTPCodecParameters // the one that is answered, and its retransmissions
}

// readOffer takes one codec from each m-line: the first of the caller's that passes. With a single codec in the answer
// nobody can switch to another in the middle of the call, so that payload types need no translation. Payload types and
// parameters are the caller's own, because the caller is also who decodes.
func readOffer(text string, passed names) ([]offered, error) {
	description := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}
	parsed, err := description.Unmarshal()
	if err != nil {
		return nil, errUnreadable
	}
	known := parsed.GetCodecMap()
	var list []offered
	for _, m := range parsed.MediaDescriptions {
		kind := webrtc.NewRTPCodecType(m.MediaName.Media)
		if passed[kind] == nil {
			continue
		}
		o := offered{kind: kind, codecs: pick(kind, passed[kind], m.MediaName.Formats, known)}
		o.mid, _ = m.Attribute(sdp.AttrKeyMID)
		o.sends, o.takes = directions(m)
		list = append(list, o)
	}
	if len(list) > maxSections {
		return nil, fmt.Errorf("%d media sections, at most %d", len(list), maxSections)
	}
	if !slices.ContainsFunc(list, func(o offered) bool { return len(o.codecs) > 0 }) {
		return nil, errors.New("no codec of the offer can be echoed")
	}
	return list, nil
}

func directions(m *sdp.MediaDescription) (sends, takes bool) {
	has := func(key string) bool { _, ok := m.Attribute(key); return ok }
	switch {
	case has(sdp.AttrKeyInactive):
		return false, false
	case has(sdp.AttrKeySendOnly):
		return true, false
	case has(sdp.AttrKeyRecvOnly):
		return false, true
	}
	return true, true
}

func pick(
	kind webrtc.RTPCodecType, passed, formats []string, known map[uint8]sdp.Codec,
) []webrtc.RTPCodecParameters {
	codecs := make([]sdp.Codec, 0, len(formats))
	for _, f := range formats {
		if n, err := strconv.ParseUint(f, 10, 7); err == nil {
			if c, ok := known[uint8(n)]; ok {
				codecs = append(codecs, c)
			}
		}
	}
	for _, c := range codecs {
		if !slices.Contains(passed, strings.ToUpper(c.Name)) {
			continue
		}
		list := []webrtc.RTPCodecParameters{parameters(kind, c)}
		apt := "apt=" + strconv.Itoa(int(c.PayloadType))
		for _, r := range codecs {
			if strings.EqualFold(r.Name, "rtx") && r.Fmtp == apt {
				list = append(list, parameters(kind, r))
			}
		}
		return list
	}
	return nil
}

func parameters(kind webrtc.RTPCodecType, c sdp.Codec) webrtc.RTPCodecParameters {
	p := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: kind.String() + "/" + c.Name, ClockRate: c.ClockRate, SDPFmtpLine: c.Fmtp,
		},
		PayloadType: webrtc.PayloadType(c.PayloadType),
	}
	if channels, err := strconv.ParseUint(c.EncodingParameters, 10, 16); err == nil {
		p.Channels = uint16(channels)
	}
	if kind == webrtc.RTPCodecTypeVideo && !strings.EqualFold(c.Name, "rtx") {
		p.RTCPFeedback = fullIntraRequests
	}
	return p
}

// complete adds a codec for a kind of media that is not in the first offer but may come with a later one, as when a call
// begins without cameras: pion must know it beforehand. It takes the payload types from the later offer; the ones here
// only have to be free.
func complete(first []offered) []offered {
	var used []webrtc.PayloadType
	for _, o := range first {
		for _, c := range o.codecs {
			used = append(used, c.PayloadType)
		}
	}
	free := func() webrtc.PayloadType {
		n := webrtc.PayloadType(96)
		for slices.Contains(used, n) {
			n++
		}
		used = append(used, n)
		return n
	}
	has := func(kind webrtc.RTPCodecType) bool {
		return slices.ContainsFunc(first, func(o offered) bool { return o.kind == kind && len(o.codecs) > 0 })
	}
	if !has(webrtc.RTPCodecTypeAudio) {
		opus := sdp.Codec{PayloadType: uint8(free()), Name: "opus", ClockRate: 48000, EncodingParameters: "2"}
		first = append(first, offered{
			kind:   webrtc.RTPCodecTypeAudio,
			codecs: []webrtc.RTPCodecParameters{parameters(webrtc.RTPCodecTypeAudio, opus)},
		})
	}
	if !has(webrtc.RTPCodecTypeVideo) {
		vp8 := sdp.Codec{PayloadType: uint8(free()), Name: "VP8", ClockRate: 90000}
		rtx := sdp.Codec{PayloadType: uint8(free()), Name: "rtx", ClockRate: 90000, Fmtp: fmt.Sprintf("apt=%d", vp8.PayloadType)}
		first = append(first, offered{
			kind: webrtc.RTPCodecTypeVideo,
			codecs: []webrtc.RTPCodecParameters{
				parameters(webrtc.RTPCodecTypeVideo, vp8), parameters(webrtc.RTPCodecTypeVideo, rtx),
			},
		})
	}
	return first
}

// namesOf are the codecs of m-lines, but for retransmissions.
func namesOf(list []offered) names {
	n := names{}
	for _, o := range list {
		if len(o.codecs) > 0 {
			_, name, _ := strings.Cut(o.codecs[0].MimeType, "/")
			n[o.kind] = append(n[o.kind], strings.ToUpper(name))
		}
	}
	return n
}
