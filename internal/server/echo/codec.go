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

// passed are the codecs that are sent back as they come. The names are those of the field in SDP, upper case.
var passed = map[webrtc.RTPCodecType][]string{
	webrtc.RTPCodecTypeAudio: {"OPUS"},
	webrtc.RTPCodecTypeVideo: {"VP8", "VP9", "H264"},
}

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
func readOffer(text string) ([]offered, error) {
	description := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: text}
	parsed, err := description.Unmarshal()
	if err != nil {
		return nil, fmt.Errorf("read offer: %w", err)
	}
	known := parsed.GetCodecMap()
	var list []offered
	for _, m := range parsed.MediaDescriptions {
		kind := webrtc.NewRTPCodecType(m.MediaName.Media)
		if passed[kind] == nil {
			continue
		}
		o := offered{kind: kind, codecs: pick(kind, m.MediaName.Formats, known)}
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

func pick(kind webrtc.RTPCodecType, formats []string, known map[uint8]sdp.Codec) []webrtc.RTPCodecParameters {
	codecs := make([]sdp.Codec, 0, len(formats))
	for _, f := range formats {
		if n, err := strconv.ParseUint(f, 10, 7); err == nil {
			if c, ok := known[uint8(n)]; ok {
				codecs = append(codecs, c)
			}
		}
	}
	for _, c := range codecs {
		if !slices.Contains(passed[kind], strings.ToUpper(c.Name)) {
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

// parameters leaves the feedback to the interceptors that give it, but for full intra requests, which forward.go serves.
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
		p.RTCPFeedback = []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}}
	}
	return p
}
