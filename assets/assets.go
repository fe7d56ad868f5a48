// Package assets holds the files that are built into the programs: the program's icon and the icons of the window, drawn
// for this project on a 24x24 grid. It gives bytes and nothing else: colours are the business of package ui/theme. A rect
// in these files needs rx and ry to get round corners, and curves are written as C, since Fyne's reader asks for both.
package assets

import (
	"embed"
	"fmt"
)

// AppIcon is the program's icon as PNG of 256x256 pixels, for window managers and the tray, which do not read SVG.
//
//go:embed icon.png
var AppIcon []byte

// AppIconSVG is the same picture as SVG.
//
//go:embed icon.svg
var AppIconSVG []byte

//go:embed icons/*.svg
var icons embed.FS

// Icon gives a white SVG by its name, "mic" for icons/mic.svg. It panics on a name that was never drawn.
func Icon(name string) []byte {
	b, err := icons.ReadFile("icons/" + name + ".svg")
	if err != nil {
		panic(fmt.Sprintf("assets: no icon %q", name))
	}
	return b
}
