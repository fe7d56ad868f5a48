package theme

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"image/color"
)

// paint puts c in the place of white, the only colour our drawings have.
func paint(svg []byte, c color.NRGBA) []byte {
	return bytes.ReplaceAll(svg, []byte("#ffffff"), fmt.Appendf(nil, "#%02x%02x%02x", c.R, c.G, c.B))
}

// faces are the colours of avatars; white reads on each.
var faces = []color.NRGBA{
	rgb(0x3b6fd4), rgb(0x7a56c8), rgb(0xb2488f), rgb(0xc0513f), rgb(0xa8691a), rgb(0x4d7f2e), rgb(0x1f8468), rgb(0x2a7f9e),
	rgb(0x5a63b8), rgb(0x8b5a44), rgb(0x5f6b7a), rgb(0x97416a),
}

// Face gives the avatar's colour of a name: always the same one, also on other machines.
func Face(name string) color.NRGBA {
	h := fnv.New32a()
	h.Write([]byte(name))
	return faces[h.Sum32()%uint32(len(faces))]
}
