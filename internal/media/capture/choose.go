package capture

import (
	"math"

	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/prop"
)

// wanted is what the caller would like.
type wanted struct {
	width, height int
	fps           float64 // 0: whatever comes
}

// formatCost is what a format costs per picture, against a camera that has the wrong size or rate: JPEG takes some
// milliseconds for 720p and costs sharpness, but often is the only format in which a webcam has 30 pictures a second. Depth pictures
// (Z16) are left out.
var formatCost = map[frame.Format]float64{
	frame.FormatI420: 0, frame.FormatNV12: 0.05, frame.FormatNV21: 0.05, frame.FormatYUYV: 0.05, frame.FormatYUY2: 0.05,
	frame.FormatUYVY: 0.05, frame.FormatI444: 0.1, frame.FormatRGBA: 0.15, frame.FormatMJPEG: 0.3,
}

// choose picks the mode nearest to the wanted; false when there is none that we can read.
func choose(modes []prop.Media, w wanted) (prop.Media, bool) {
	var best prop.Media
	lowest := math.Inf(1)
	for _, m := range modes {
		if c := cost(m, w); c < lowest {
			best, lowest = m, c
		}
	}
	return best, !math.IsInf(lowest, 1)
}

// cost weighs: too small and too slow are seen at once, too big and too fast only cost time.
func cost(m prop.Media, w wanted) float64 {
	format, ok := formatCost[m.FrameFormat]
	if !ok || m.Width < 2 || m.Height < 2 {
		return math.Inf(1)
	}
	fit := min(float64(m.Width)/float64(w.width), float64(m.Height)/float64(w.height))
	size := math.Log2(fit)
	if fit < 1 {
		size = 4 * (1 - fit)
	}
	shape := math.Abs(math.Log(float64(m.Width) * float64(w.height) / float64(m.Height*w.width)))
	rate := 0.0
	switch fps := float64(m.FrameRate); {
	case w.fps == 0 || fps == w.fps:
	case fps == 0: // the driver does not say: Windows and macOS
		rate = 0.5
	case fps < w.fps:
		rate = 3 * (1 - fps/w.fps)
	default:
		rate = 0.2 * math.Log2(fps/w.fps)
	}
	return size + shape + rate + format
}
