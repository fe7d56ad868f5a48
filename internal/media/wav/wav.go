// Package wav reads and writes RIFF/WAVE sound files: any PCM or float file as 48 kHz mono, and 48 kHz mono 16-bit files that
// stay readable when the program is killed. File microphones and recordings use it. It never paces and never plays.
package wav

import "errors"

// ErrFormat is what every file is that is not uncompressed WAVE.
var ErrFormat = errors.New("not a usable wav file")

const (
	formatPCM        = 1
	formatFloat      = 3
	formatExtensible = 0xFFFE // the real one is in the first bytes of the sub-format
)
