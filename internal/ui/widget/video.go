package widget

import (
	"image"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"
)

// Video shows moving pictures, scaled by the graphics card: one canvas.Raster that hands out the decoder's own buffer.
// Measured: 1.1 to 1.3 ms of Fyne's thread per 720p picture (a canvas.Image with its default scaling: 57 ms). It is a
// PictureTarget of package ui.
type Video struct {
	widget.BaseWidget
	*frames
	// MaxCrop is the share of a picture (0 to 1) that may be cut off to fill the widget; what would need more is shown
	// whole between black bars. 0: always whole.
	MaxCrop float32
	OnFirst func() // the first picture after a Clear is here

	raster *canvas.Raster
	back   *canvas.Rectangle
	aspect float32
}

// NewVideo gives an empty, black view.
func NewVideo() *Video {
	v := &Video{back: canvas.NewRectangle(color.Black), aspect: 16. / 9}
	v.frames = newFrames(v.got)
	v.raster = canvas.NewRaster(v.generate)
	v.ExtendBaseWidget(v)
	return v
}

// black stands for a picture that has not come.
var black = func() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 1, 1))
	m.Set(0, 0, color.Black)
	return m
}()

// generate runs on Fyne's thread, at most once after each Refresh. An *image.RGBA whose stride is 4*w is uploaded as it is.
func (v *Video) generate(w, h int) image.Image {
	v.painted(w, h)
	if v.shown == nil {
		return black // not image.Uniform: the software painter takes its bounds for a size
	}
	return v.shown
}

func (v *Video) got(first bool) {
	if a := float32(v.shown.Rect.Dx()) / float32(v.shown.Rect.Dy()); a != v.aspect {
		v.aspect = a
		v.Refresh()
	}
	if v.Visible() {
		v.raster.Refresh()
	}
	if first && v.OnFirst != nil {
		v.OnFirst()
	}
}

// Clear forgets the last picture.
func (v *Video) Clear() {
	v.clear()
	v.raster.Refresh()
}

// HasPicture says whether there is one to be seen.
func (v *Video) HasPicture() bool { return v.shown != nil }

// CreateRenderer implements fyne.Widget.
func (v *Video) CreateRenderer() fyne.WidgetRenderer { return &videoRenderer{v} }

type videoRenderer struct{ v *Video }

func (r *videoRenderer) Destroy() {}

func (r *videoRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.v.back, r.v.raster}
}
func (r *videoRenderer) MinSize() fyne.Size { return fyne.NewSize(160, 90) }
func (r *videoRenderer) Refresh()           { r.Layout(r.v.Size()) }

func (r *videoRenderer) Layout(s fyne.Size) {
	r.v.back.Resize(s)
	p := fit(s, r.v.aspect, r.v.MaxCrop)
	r.v.raster.Resize(p)
	r.v.raster.Move(fyne.NewPos((s.Width-p.Width)/2, (s.Height-p.Height)/2))
}

// fit gives the size of a picture of that aspect inside (or, cropped, over) a box.
func fit(box fyne.Size, aspect, maxCrop float32) fyne.Size {
	if box.Width <= 0 || box.Height <= 0 {
		return box
	}
	whole := fyne.NewSize(box.Width, box.Width/aspect)
	filled := fyne.NewSize(box.Height*aspect, box.Height)
	if whole.Height > box.Height {
		whole, filled = filled, whole
	}
	lost := 1 - box.Width*box.Height/(filled.Width*filled.Height)
	if lost <= maxCrop {
		return filled
	}
	return whole
}

// SetCrop changes MaxCrop.
func (v *Video) SetCrop(most float32) {
	if most != v.MaxCrop {
		v.MaxCrop = most
		v.Refresh()
	}
}
