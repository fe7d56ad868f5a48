package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"visavis.example/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file builds a wav by hand. Each channel plays the tone hz at level, but those after the first in opposite phase when split.
type file struct {
	rate, channels, bits, kind int
	extensible                 bool
	hz, level, seconds         float64
	extra                      string // chunks before data
	dataSize                   uint32 // 0: the real one
}

func (f file) bytes() []byte {
	le := binary.LittleEndian
	kind := f.kind
	if kind == 0 {
		kind = formatPCM
	}
	var format []byte
	tag := kind
	if f.extensible {
		tag = formatExtensible
	}
	block := f.channels * f.bits / 8
	format = le.AppendUint16(format, uint16(tag))
	format = le.AppendUint16(format, uint16(f.channels))
	format = le.AppendUint32(format, uint32(f.rate))
	format = le.AppendUint32(format, uint32(f.rate*block))
	format = le.AppendUint16(format, uint16(block))
	format = le.AppendUint16(format, uint16(f.bits))
	if f.extensible {
		format = append(format, 22, 0, byte(f.bits), 0, 0, 0, 0, 0, byte(kind), 0)
		format = append(format, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"...)
	}
	var data []byte
	for i := range int(f.seconds * float64(f.rate)) {
		v := f.level * math.Sin(2*math.Pi*f.hz*float64(i)/float64(f.rate))
		for range f.channels {
			data = appendSample(data, v, kind, f.bits)
		}
	}
	size := uint32(len(data))
	if f.dataSize != 0 {
		size = f.dataSize
	}
	b := le.AppendUint32([]byte("RIFF"), uint32(4+8+len(format)+len(f.extra)+8+len(data)))
	b = append(le.AppendUint32(append(b, "WAVEfmt "...), uint32(len(format))), format...)
	b = append(b, f.extra...)
	return append(le.AppendUint32(append(b, "data"...), size), data...)
}

func appendSample(b []byte, v float64, kind, bits int) []byte {
	le := binary.LittleEndian
	switch {
	case kind == formatFloat && bits == 32:
		return le.AppendUint32(b, math.Float32bits(float32(v)))
	case kind == formatFloat:
		return le.AppendUint64(b, math.Float64bits(v))
	case bits == 8:
		return append(b, byte(128+math.Round(v*127)))
	case bits == 16:
		return le.AppendUint16(b, uint16(int16(math.Round(v*32767))))
	}
	u := uint32(int32(math.Round(v * math.MaxInt32)))
	if bits == 24 {
		return append(b, byte(u>>8), byte(u>>16), byte(u>>24))
	}
	return le.AppendUint32(b, u)
}

func readAll(t *testing.T, r *Reader) []int16 {
	t.Helper()
	var all []int16
	block := make([]int16, media.BlockSamples)
	for {
		n, err := r.Read(block)
		all = append(all, block[:n]...)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil || n == 0 {
			t.Fatalf("%d samples, %v", n, err)
		}
	}
}

func open(t *testing.T, b []byte) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tone gives the level of hz in 48 kHz sound, and the level of all the rest, both with 1 for full scale.
func tone(pcm []int16, hz float64) (level, rest float64) {
	var re, im, total float64
	for i, v := range pcm {
		a := 2 * math.Pi * hz * float64(i) / media.SampleRate
		x := float64(v) / 32768
		re, im, total = re+x*math.Cos(a), im+x*math.Sin(a), total+x*x
	}
	n := float64(len(pcm))
	level = 2 * math.Hypot(re, im) / n
	return level, math.Sqrt(2 * max(total/n-level*level/2, 0))
}

func TestFormats(t *testing.T) {
	for _, f := range []file{
		{rate: 48000, channels: 1, bits: 16},
		{rate: 48000, channels: 2, bits: 16},
		{rate: 44100, channels: 1, bits: 16},
		{rate: 44100, channels: 2, bits: 24, extensible: true},
		{rate: 96000, channels: 2, bits: 24},
		{rate: 192000, channels: 1, bits: 32},
		{rate: 8000, channels: 1, bits: 8},
		{rate: 16000, channels: 6, bits: 16, extensible: true},
		{rate: 22050, channels: 1, bits: 32, kind: formatFloat},
		{rate: 11025, channels: 2, bits: 64, kind: formatFloat},
		{rate: 47999, channels: 1, bits: 16, extra: "LIST\x03\x00\x00\x00abc\x00JUNK\x00\x00\x00\x00"},
	} {
		f.hz, f.level, f.seconds = 1000, 0.5, 0.5
		t.Run(fmt.Sprintf("%dHz_%dch_%dbit_kind%d", f.rate, f.channels, f.bits, f.kind), func(t *testing.T) {
			r := open(t, f.bytes())
			if r.Rate != f.rate || r.Channels != f.channels || r.Bits != f.bits {
				t.Errorf("%+v", r)
			}
			pcm := readAll(t, r)
			if d := len(pcm) - media.SampleRate/2; d < -8 || d > 8 {
				t.Errorf("%d samples for half a second", len(pcm))
			}
			level, rest := tone(pcm[4800:19200], 1000)
			limit := 0.0005
			if f.bits == 8 {
				limit = 0.01
			}
			if math.Abs(level-0.5) > 0.005 || rest > limit {
				t.Errorf("level %.4f, noise %.5f", level, rest)
			}
			if err := r.Rewind(); err != nil {
				t.Fatal(err)
			}
			if again := readAll(t, r); len(again) != len(pcm) || again[1000] != pcm[1000] {
				t.Error("not the same after Rewind")
			}
		})
	}
}

// TestNoAliasing plays a tone that 48 kHz cannot hold: it must vanish, not come back as another.
func TestNoAliasing(t *testing.T) {
	pcm := readAll(t, open(t, file{rate: 96000, channels: 1, bits: 16, hz: 30000, level: 0.9, seconds: 0.5}.bytes()))
	for i, v := range pcm[1000 : len(pcm)-1000] {
		if v < -60 || v > 60 { // -54 dB
			t.Fatalf("%d at %d", v, i)
		}
	}
}

func TestLoudFloatsAndNaN(t *testing.T) {
	f := file{rate: 44100, channels: 1, bits: 32, kind: formatFloat, hz: 300, level: 3, seconds: 0.1}
	b := f.bytes()
	binary.LittleEndian.PutUint32(b[44+400:], math.Float32bits(float32(math.NaN())))
	binary.LittleEndian.PutUint32(b[44+800:], math.Float32bits(float32(math.Inf(1))))
	lowest, highest := int16(0), int16(0)
	for _, v := range readAll(t, open(t, b)) {
		lowest, highest = min(lowest, v), max(highest, v)
	}
	if lowest != math.MinInt16 || highest != math.MaxInt16 {
		t.Error(lowest, highest)
	}
}

func TestTruncatedAndUnknownSize(t *testing.T) {
	f := file{rate: 48000, channels: 2, bits: 16, hz: 500, level: 0.5, seconds: 0.2}
	b := f.bytes()
	if n := len(readAll(t, open(t, b[:len(b)-1002]))); n != 9600-251 {
		t.Errorf("%d samples of a file that is cut off", n)
	}
	f.dataSize = unknownSize
	if n := len(readAll(t, open(t, f.bytes()))); n != 9600 {
		t.Errorf("%d samples of a stream", n)
	}
	f.dataSize = 4000
	if n := len(readAll(t, open(t, append(f.bytes(), "LIST...."...)))); n != 1000 {
		t.Errorf("%d samples, read beyond the sound", n)
	}
}

func TestRefused(t *testing.T) {
	good := file{rate: 48000, channels: 1, bits: 16, hz: 500, level: 0.5, seconds: 0.01}
	patch := func(at int, v ...byte) []byte {
		b := good.bytes()
		copy(b[at:], v)
		return b
	}
	for name, c := range map[string]struct {
		b   []byte
		why string
	}{
		"nothing":        {nil, "ends before"},
		"film":           {[]byte("YUV4MPEG2 W2 H2 F30:1\n"), "begin with RIFF"},
		"big endian":     {patch(3, 'X'), "begin with RIFF"},
		"only a header":  {good.bytes()[:44], "no sound"},
		"half a header":  {good.bytes()[:30], "ends before"},
		"no format":      {append(patch(0)[:12], patch(0)[36:]...), "before its format"},
		"MP3 inside":     {patch(20, 0x55, 0), "format 0x55"},
		"12 bits":        {patch(34, 12), "12 bits"},
		"no channels":    {patch(22, 0, 0), "0 channels"},
		"1000 channels":  {patch(22, 0xe8, 3), "1000 channels"},
		"rate 0":         {patch(24, 0, 0, 0, 0), "at 0 Hz"},
		"rate 4 GHz":     {patch(24, 255, 255, 255, 255), "at 4294967295 Hz"},
		"short format":   {patch(16, 4, 0, 0, 0), "4 bytes"},
		"endless format": {patch(16, 255, 255, 255, 255), "4294967295 bytes"},
		"endless chunk":  {patch(12, 'j', 'u', 'n', 'k', 255, 255, 255, 255), "ends before"},
	} {
		path := filepath.Join(t.TempDir(), "x.wav")
		if err := os.WriteFile(path, c.b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err == nil {
			r.Close()
			t.Errorf("%s: accepted", name)
		} else if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %q", name, err, c.why)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.wav")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]int16, media.BlockSamples)
	var want []int16
	for n := range 250 {
		for i := range block {
			block[i] = int16(n*131 + i*17)
		}
		want = append(want, block...)
		if err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name    string
		samples int
	}{{"killed", 2 * media.SampleRate}, {"closed", len(want)}} {
		if step.name == "closed" {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(step.name, err)
		}
		got := readAll(t, r)
		r.Close()
		if len(got) != step.samples {
			t.Fatalf("%s: %d samples, want %d", step.name, len(got), step.samples)
		}
		for i, v := range got {
			if v != want[i] {
				t.Fatalf("%s: sample %d is %d, want %d", step.name, i, v, want[i])
			}
		}
	}
	if err := w.Write(block); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := Create(filepath.Join(t.TempDir(), "none", "x.wav")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestWriterStopsAtTheFormatsLimit(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "x.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	w.written = maxDataBytes - 3
	if err := w.Write(make([]int16, 2)); err == nil {
		t.Error("sizes of more than 32 bits written")
	}
	w.written = 0
}

func FuzzReader(f *testing.F) {
	f.Add(file{rate: 44100, channels: 2, bits: 16, hz: 500, level: 0.5, seconds: 0.001}.bytes())
	f.Add(file{rate: 8000, channels: 1, bits: 8, hz: 500, level: 0.5, seconds: 0.001, extra: "LIST\x01\x00\x00\x00a\x00"}.bytes())
	f.Add(file{rate: 384000, channels: 1, bits: 64, kind: formatFloat, extensible: true, hz: 500, seconds: 0.001}.bytes())
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		n, limit := 0, (len(b)*media.SampleRate)/minRate+1000
		for block := make([]int16, 480); ; {
			k, err := r.Read(block)
			if n += k; err != nil {
				break
			}
			if n > limit {
				t.Fatalf("%d samples of %d bytes", n, len(b))
			}
		}
	})
}

func BenchmarkReadWAV44k_10ms(b *testing.B) {
	r, err := NewReader(bytes.NewReader(file{rate: 44100, channels: 2, bits: 16, hz: 500, level: 0.5, seconds: 1}.bytes()))
	if err != nil {
		b.Fatal(err)
	}
	block := make([]int16, media.BlockSamples)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Read(block); err != nil {
			if err := r.Rewind(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
