package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/tests/bench/people"
)

// writeRows writes the rows as the peer reads them, see peer.py.
func writeRows(folder string, p evaluation.Predictions, opt evaluation.Options) error {
	labels := make([]uint8, p.N())
	for i, y := range p.Y {
		labels[i] = uint8(y)
	}
	groups := map[string][]string{}
	for _, column := range people.Columns() {
		names := people.Groups(column)
		groups[column] = names
		codes := make([]uint8, p.N())
		for i, name := range p.Groups[column] {
			codes[i] = uint8(slices.Index(names, name))
		}
		if err := writeArray(filepath.Join(folder, column+".npy"), "|u1", codes); err != nil {
			return err
		}
	}
	if err := writeArray(filepath.Join(folder, "y.npy"), "|u1", labels); err != nil {
		return err
	}
	if err := writeArray(filepath.Join(folder, "score.npy"), "<f8", p.Score); err != nil {
		return err
	}
	return writeSettings(filepath.Join(folder, "settings.json"), p.Threshold, opt, groups)
}

// writeSettings keeps the columns in their order, in which pairs of them are named.
func writeSettings(file string, threshold float64, opt evaluation.Options, groups map[string][]string) error {
	var ordered bytes.Buffer
	for i, column := range people.Columns() {
		name, err := json.Marshal(column)
		if err != nil {
			return err
		}
		names, err := json.Marshal(groups[column])
		if err != nil {
			return err
		}
		if i > 0 {
			ordered.WriteByte(',')
		}
		fmt.Fprintf(&ordered, "%s:%s", name, names)
	}
	encoded, err := json.Marshal(map[string]any{
		"threshold": threshold, "min_group": opt.MinGroup, "replicates": opt.Replicates, "seed": opt.Seed,
		"groups": json.RawMessage("{" + ordered.String() + "}"),
	})
	if err != nil {
		return err
	}
	return os.WriteFile(file, encoded, 0o600)
}

// writeArray writes one dimension in NumPy's format, version 1.0 (NumPy Enhancement Proposal 1).
func writeArray[T uint8 | float64](file, kind string, values []T) error {
	const aligned, preamble = 64, 10
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d,), }", kind, len(values))
	header += strings.Repeat(" ", (aligned-(preamble+len(header)+1)%aligned)%aligned) + "\n"
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	for _, part := range []any{uint16(len(header)), []byte(header), values} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			return err
		}
	}
	return os.WriteFile(file, b.Bytes(), 0o600)
}

// took is what every peer prints about its run.
type took struct {
	Seconds  float64           `json:"seconds"`
	CPU      float64           `json:"processor_seconds"`
	Versions map[string]string `json:"versions"`
}

// answer is what the peer of the evaluation prints.
type answer struct {
	took
	Sets map[string]map[string][]float64 `json:"sets"` // by set of rows and metric: the value, or value, low and high; none if undefined
}

func (t took) versions() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(t.Versions)) {
		all = append(all, name+" "+t.Versions[name])
	}
	return strings.Join(all, ", ")
}

// peer is a Python with the packages that are compared with, and its programs.
type peer struct{ python, scripts string }

// ask runs the peer's program once and reads what it prints.
func (p peer) ask(ctx context.Context, into any, program string, args ...string) error {
	c := exec.CommandContext(ctx, p.python, append([]string{filepath.Join(p.scripts, program)}, args...)...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("run %s; `make bench-peers` installs what it needs: %w", c, err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("read what the peer printed, %q: %w", out[:min(len(out), 80)], err)
	}
	return nil
}

// evaluation asks for the metrics of every set of rows.
func (c *comparison) evaluation(ctx context.Context, way string, processes int) (a answer, err error) {
	return a, c.ask(ctx, &a, "peer.py", c.folder, way, strconv.Itoa(processes))
}
