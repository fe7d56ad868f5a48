package vpx

import (
	"testing"

	"visavis.example/internal/media"
)

// film is a second and a half of the moving scene, played forth and back.
func film(b *testing.B) []*media.Frame {
	b.Helper()
	frames := make([]*media.Frame, 45)
	for n := range frames {
		frames[n] = media.NewFrame(1280, 720)
		scene(frames[n], n)
	}
	return frames
}

func turn(n, length int) int {
	if n %= 2 * length; n >= length {
		return 2*length - 1 - n
	}
	return n
}

func benchmarkEncode(b *testing.B, c Codec, speed int) {
	frames := film(b)
	e := open(b, EncoderConfig{Codec: c, Width: 1280, Height: 720, BitrateBps: 1_500_000, Speed: speed, Threads: 1})
	b.ReportAllocs()
	n, bytes := 0, 0
	for b.Loop() {
		p, _, err := e.Encode(frames[turn(n, len(frames))], int64(n)*3000, false)
		if err != nil {
			b.Fatal(err)
		}
		n, bytes = n+1, bytes+len(p)
	}
	b.ReportMetric(float64(bytes)*8*30/float64(n)/1000, "kbit/s")
}

func BenchmarkEncodeVP8_720p(b *testing.B)     { benchmarkEncode(b, VP8, 0) }
func BenchmarkEncodeVP8Fast_720p(b *testing.B) { benchmarkEncode(b, VP8, 12) }
func BenchmarkEncodeVP9_720p(b *testing.B)     { benchmarkEncode(b, VP9, 0) }
func BenchmarkEncodeVP9Fast_720p(b *testing.B) { benchmarkEncode(b, VP9, 9) }

func benchmarkDecode(b *testing.B, c Codec) {
	frames := film(b)
	e := open(b, EncoderConfig{Codec: c, Width: 1280, Height: 720, BitrateBps: 1_500_000})
	var packets [][]byte
	for n := range 2 * len(frames) {
		p, _, err := e.Encode(frames[turn(n, len(frames))], int64(n)*3000, false)
		if err != nil {
			b.Fatal(err)
		}
		if p != nil {
			packets = append(packets, append([]byte(nil), p...))
		}
	}
	d := openDecoder(b, c)
	var pool media.Pool
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		f, err := d.Decode(packets[n%len(packets)], &pool)
		if err != nil {
			b.Fatal(err)
		}
		f.Release()
		n++
	}
}

func BenchmarkDecodeVP8_720p(b *testing.B) { benchmarkDecode(b, VP8) }
func BenchmarkDecodeVP9_720p(b *testing.B) { benchmarkDecode(b, VP9) }
