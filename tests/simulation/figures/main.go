// Command figures runs the simulations of package simulation with fixed seeds, prints the tables of docs/statistics.md and draws
// its pictures: go run ./tests/simulation/figures -o docs/figures
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

func main() {
	folder := flag.String("o", "docs/figures", "folder of the pictures")
	worlds := flag.Int("worlds", 4000, "invented worlds for each rate")
	flag.Parse()
	if err := figures(os.Stdout, *folder, *worlds); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// figures prints the tables to w and writes the pictures into the folder.
func figures(w io.Writer, folder string, worlds int) error {
	if worlds < 1 {
		return fmt.Errorf("%d worlds; expected at least 1", worlds)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the folder of the pictures: %w", err)
	}
	for _, figure := range []struct {
		name          string
		width, height vg.Length
		make          func(w io.Writer, worlds int) (*plot.Plot, error)
	}{
		{"wrong-verdicts.svg", 18 * vg.Centimeter, 15 * vg.Centimeter, wrongVerdicts},
		{"adversary.svg", 18 * vg.Centimeter, 10 * vg.Centimeter, adversary},
		{"rows-needed.svg", 18 * vg.Centimeter, 10 * vg.Centimeter, rowsNeeded},
	} {
		p, err := figure.make(w, worlds)
		if err != nil {
			return fmt.Errorf("simulate for %s: %w", figure.name, err)
		}
		if err := save(p, figure.width, figure.height, filepath.Join(folder, figure.name)); err != nil {
			return err
		}
	}
	return paperTable(w)
}

// save writes a picture as SVG with a white ground, which it needs on dark pages.
func save(p *plot.Plot, width, height vg.Length, path string) error {
	const margin = 4 * vg.Millimeter
	canvas := vgsvg.New(width, height)
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return fmt.Errorf("draw %s: %w", path, err)
	}
	// Few machines have the font that text is measured with; these have letters as wide.
	svg := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	if err := os.WriteFile(path, svg, 0o644); err != nil {
		return fmt.Errorf("write a picture: %w", err)
	}
	return nil
}
