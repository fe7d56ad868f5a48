package main

import (
	"fmt"
	"image/color"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Colours that stay apart for colour-blind people too (Okabe and Ito 2008).
var inks = map[string]color.RGBA{
	"visavis → visavis":   {R: 0, G: 114, B: 178, A: 255},
	"visavis → chromium":  {R: 0, G: 158, B: 115, A: 255},
	"chromium → visavis":  {R: 204, G: 121, B: 167, A: 255},
	"chromium → chromium": {R: 213, G: 94, B: 0, A: 255},
}

// panel is one of the plots over each other.
type panel struct {
	title string
	of    func(s *series) []point
	dots  bool
}

var panels = []panel{
	{"camera → picture, ms", func(s *series) []point { return s.latency }, true},
	{"pictures a second", func(s *series) []point { return s.fps }, false},
	{"through the line, kbit/s", func(s *series) []point { return s.kbps }, false},
	{"the sender's estimate, kbit/s", func(s *series) []point {
		v := make([]point, len(s.estimate))
		for i, p := range s.estimate {
			v[i] = point{p.T, p.V / 1000}
		}
		return v
	}, false},
	{"microphone → speaker, ms", func(s *series) []point {
		v := make([]point, len(s.sound))
		for i, p := range s.sound {
			v[i] = point{p.T, 1000 * p.V}
		}
		return v
	}, false},
}

// writePlot draws the first series of a line: all panels over the seconds of the call, one colour a direction.
func writePlot(dir string, line badLine, all []figures) error {
	const width, height = 24 * vg.Centimeter, 7 * vg.Centimeter
	image := vgimg.New(width, height*vg.Length(len(panels)))
	canvas := draw.New(image)
	tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadLeft: vg.Points(4), PadRight: vg.Points(12), PadY: vg.Points(6)}
	plots := make([][]*plot.Plot, len(panels))
	for i, p := range panels {
		one, err := drawPanel(p, line, all, i == 0)
		if err != nil {
			return err
		}
		plots[i] = []*plot.Plot{one}
	}
	for i, row := range plot.Align(plots, tiles, canvas) {
		plots[i][0].Draw(row[0])
	}
	f, err := os.Create(filepath.Join(dir, line.Name+".png"))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := (vgimg.PngCanvas{Canvas: image}).WriteTo(f); err != nil {
		return fmt.Errorf("plot %s: %w", line.Name, err)
	}
	return f.Close()
}

func drawPanel(p panel, line badLine, all []figures, first bool) (*plot.Plot, error) {
	one := plot.New()
	one.Y.Label.Text = p.title
	one.Y.Min, one.X.Min, one.Y.Max, one.X.Max = 0, 0, 1, longest(line, all)
	if first {
		one.Title.Text = line.Title + " (by seconds since connected)"
		one.Legend.Top, one.Legend.XOffs = true, -vg.Points(4)
	}
	one.Add(plotter.NewGrid())
	named := map[string]bool{}
	for i := range all {
		f := &all[i]
		if f.Line != line.Name || f.Failed != "" || f.Series != 1 {
			continue
		}
		var xy plotter.XYs
		for _, v := range p.of(&f.series) {
			if v.T >= 0 {
				xy = append(xy, plotter.XY{X: v.T, Y: v.V})
			}
		}
		if len(xy) == 0 {
			continue
		}
		name := fmt.Sprintf("%s → %s", f.From, f.To)
		var thumb plot.Thumbnailer
		if p.dots {
			s, err := plotter.NewScatter(xy)
			if err != nil {
				return nil, err
			}
			s.Color, s.Radius, s.Shape = inks[name], vg.Points(1), draw.CircleGlyph{}
			one.Add(s)
			thumb = s
		} else {
			l, err := plotter.NewLine(xy)
			if err != nil {
				return nil, err
			}
			l.Color, l.Width = inks[name], vg.Points(1.2)
			one.Add(l)
			thumb = l
		}
		if first && !named[name] {
			one.Legend.Add(name, thumb)
			named[name] = true
		}
	}
	return one, nil
}

// longest is the end of the last figure, so that all panels show the same seconds.
func longest(line badLine, all []figures) float64 {
	end := 1.0
	for _, f := range all {
		if n := len(f.series.fps); f.Line == line.Name && n > 0 {
			end = max(end, f.series.fps[n-1].T)
		}
	}
	return end
}
