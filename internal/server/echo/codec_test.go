package echo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

const head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"

// section writes an m-line; maps are "PT name/rate fmtp".
func section(kind, mid, direction string, maps ...string) string {
	var types []string
	var rest strings.Builder
	for _, m := range maps {
		pt, codec, _ := strings.Cut(m, " ")
		codec, fmtp, _ := strings.Cut(codec, " ")
		types = append(types, pt)
		fmt.Fprintf(&rest, "a=rtpmap:%s %s\r\n", pt, codec)
		if fmtp != "" {
			fmt.Fprintf(&rest, "a=fmtp:%s %s\r\n", pt, fmtp)
		}
	}
	return fmt.Sprintf("m=%s 9 UDP/TLS/RTP/SAVPF %s\r\na=mid:%s\r\na=%s\r\n%s", kind, strings.Join(types, " "), mid, direction, rest.String())
}

func TestReadOffer(t *testing.T) {
	audio := section("audio", "0", "sendrecv", "63 red/48000/2 111/111", "111 opus/48000/2 minptime=10;useinbandfec=1", "0 PCMU/8000")
	for name, c := range map[string]struct{ sdp, want string }{
		"browser": {
			audio + section("video", "1", "sendrecv", "45 AV1/90000", "96 VP8/90000", "97 rtx/90000 apt=96",
				"98 VP9/90000 profile-id=0", "99 rtx/90000 apt=98"),
			"audio 0 true true 111 audio/opus 2 minptime=10;useinbandfec=1 | video 1 true true 96 video/VP8 0 , 97 video/rtx 0 apt=96",
		},
		"VP9 first": {
			section("video", "v", "sendonly", "98 VP9/90000 profile-id=0", "96 VP8/90000", "99 rtx/90000 apt=98"),
			"video v true false 98 video/VP9 0 profile-id=0, 99 video/rtx 0 apt=98",
		},
		"H264 only": {
			section("video", "v", "recvonly", "102 H264/90000 packetization-mode=1;profile-level-id=42e01f"),
			"video v false true 102 video/H264 0 packetization-mode=1;profile-level-id=42e01f",
		},
		"a picture that cannot be echoed": {
			audio + section("video", "1", "inactive", "45 AV1/90000"),
			"audio 0 true true 111 audio/opus 2 minptime=10;useinbandfec=1 | video 1 false false ",
		},
		"nothing that can be echoed": {section("video", "1", "sendrecv", "45 AV1/90000"), "error"},
		"data only":                  {"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n", "error"},
		"too many":                   {strings.Repeat(audio, maxSections+1), "error"},
	} {
		if got := describe(readOffer(head+c.sdp, passed)); got != strings.ReplaceAll(c.want, " ,", ",") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

func describe(list []offered, err error) string {
	if err != nil {
		return "error"
	}
	var lines []string
	for _, o := range list {
		var codecs []string
		for _, c := range o.codecs {
			codecs = append(codecs, strings.TrimSpace(fmt.Sprintf("%d %s %d %s", c.PayloadType, c.MimeType, c.Channels, c.SDPFmtpLine)))
		}
		lines = append(lines, fmt.Sprintf("%s %s %v %v %s", o.kind, o.mid, o.sends, o.takes, strings.Join(codecs, ", ")))
	}
	return strings.Join(lines, " | ")
}

func TestComplete(t *testing.T) {
	opusAt96, err := readOffer(head+section("audio", "0", "sendrecv", "96 opus/48000/2"), passed)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := describe(complete(opusAt96), nil),
		"audio 0 true true 96 audio/opus 2 | video  false false 97 video/VP8 0, 98 video/rtx 0 apt=97"; got != want {
		t.Errorf("got %s", got)
	}
	if n := namesOf(complete(opusAt96)); fmt.Sprint(n[webrtc.RTPCodecTypeVideo], n[webrtc.RTPCodecTypeAudio]) != "[VP8] [OPUS]" {
		t.Error(n)
	}
}

func FuzzReadOffer(f *testing.F) {
	f.Add(head + section("audio", "0", "sendrecv", "111 opus/48000/2"))
	f.Add(head + section("video", "0", "sendrecv", "96 VP8/90000", "97 rtx/90000 apt=96"))
	f.Fuzz(func(t *testing.T, sdp string) {
		list, err := readOffer(sdp, passed)
		if err != nil {
			return
		}
		if _, err := newAPI(complete(list), false); err != nil && !strings.Contains(err.Error(), "register") {
			t.Error(err)
		}
	})
}
