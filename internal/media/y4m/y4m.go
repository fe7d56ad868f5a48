// Package y4m reads and writes YUV4MPEG2, the simplest uncompressed video file: a header line, then raw 4:2:0 pictures. File
// cameras and recordings use it. It never scales, paces or keeps a frame.
package y4m

import "errors"

// ErrFormat is what every file is that is not YUV4MPEG2 in 8-bit 4:2:0.
var ErrFormat = errors.New("not a usable y4m file")

const (
	magic      = "YUV4MPEG2"
	maxLine    = 1024 // of a header; the format sets no limit
	defaultFPS = 30
)
