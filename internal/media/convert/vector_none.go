//go:build !cgo

package convert

import (
	"image"

	"visavis.example/internal/media"
)

func fastest(dst *image.RGBA, src *media.Frame, w, h int, c *coefficients) { table(dst, src, w, h, c) }
