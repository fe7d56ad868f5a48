package peer

import (
	"visavis.example/internal/media"
	"visavis.example/internal/media/codec/h264"
	"visavis.example/internal/media/codec/vpx"
)

// pictureEncoder is what videoSender needs of an encoder; each documents its methods.
type pictureEncoder interface {
	Encode(f *media.Frame, pts int64, forceKey bool) (packet []byte, key bool, err error)
	SetBitrate(bps int)
	SetSpeed(speed int)
	SetResilient(on bool)
	Refer(vpx.References)
	Close()
}

// pictureDecoder is what videoReceiver needs of a decoder.
type pictureDecoder interface {
	Decode(packet []byte, pool *media.Pool) (*media.Frame, error)
	Close()
}

// plainH264 is an encoder that knows one speed and chooses its references by itself.
type plainH264 struct{ *h264.Encoder }

func (plainH264) SetSpeed(int)         {}
func (plainH264) SetResilient(bool)    {}
func (plainH264) Refer(vpx.References) {}

// openPictureEncoder opens one; fps is what is expected.
func openPictureEncoder(c codec, width, height int, fps float64, bps int, resilient bool) (pictureEncoder, error) {
	if c == codecH264 {
		e, err := h264.NewEncoder(h264.EncoderConfig{Width: width, Height: height, FPS: fps, BitrateBps: bps})
		if err != nil {
			return nil, err
		}
		return plainH264{e}, nil
	}
	e, err := vpx.NewEncoder(vpx.EncoderConfig{
		Codec: vpxCodec(c), Width: width, Height: height, FPS: fps, BitrateBps: bps, Resilient: resilient,
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

func openPictureDecoder(c codec) (pictureDecoder, error) {
	if c == codecH264 {
		d, err := h264.NewDecoder()
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	d, err := vpx.NewDecoder(vpxCodec(c))
	if err != nil {
		return nil, err
	}
	return d, nil
}

// speeds are the encoder's, best picture first, and the index of the measured good middle: VP8 6, VP9 8.
func (c codec) speeds() (list []int, start int) {
	switch c {
	case codecVP9:
		return vpx.VP9.Speeds(), 1
	case codecH264:
		return []int{0}, 0
	}
	return vpx.VP8.Speeds(), 0
}

// vpxCodec is for VP8 and VP9 only.
func vpxCodec(c codec) vpx.Codec {
	if c == codecVP9 {
		return vpx.VP9
	}
	return vpx.VP8
}
