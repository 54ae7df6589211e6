package ownmetric

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/assay-ml/assay/internal/table"
)

// rowName is what a program reads and writes table.RowColumn as.
const rowName = "row"

// mostRow bounds the numbers of rows: above it not every whole number is a float64.
const mostRow = 1 << 53

// grid is the rows as a program gets them.
type grid struct {
	names   []string
	columns []*table.Column
	numbers []int64 // that name the rows
}

// gridOf checks a frame and finds the numbers of its rows.
func gridOf(f *table.Frame) (grid, error) {
	if f == nil {
		return grid{}, errors.New("there is no table of rows to measure on")
	}
	var g grid
	taken := map[string]bool{}
	for i := range f.Columns {
		c := &f.Columns[i]
		if err := check(c, f.Rows); err != nil {
			return grid{}, err
		}
		name := c.Name
		if name == table.RowColumn {
			name = rowName
		}
		if taken[name] {
			return grid{}, twice(name)
		}
		taken[name] = true
		g.names, g.columns = append(g.names, name), append(g.columns, c)
	}
	c, err := f.Column(table.RowColumn)
	if err != nil {
		return grid{}, fmt.Errorf("look for the numbers of the rows: %w", err)
	}
	g.numbers, err = numbersOf(c)
	return g, err
}

func twice(name string) error {
	if name == rowName {
		return &Error{Kind: Columns, Problem: fmt.Sprintf("the rows have a column %q, which is what its program gets the numbers of the rows as", name),
			Advice: "expected no column of that name: rename it in data.transform, or leave it out with data.exclude"}
	}
	return &Error{Kind: Columns, Problem: fmt.Sprintf("two columns of the rows are named %q", name), Advice: "expected different names: rename one in data.transform"}
}

func check(c *table.Column, rows int) error {
	have := len(c.Numbers)
	if c.Kind == table.Categorical {
		have = len(c.Codes)
	}
	if have != rows {
		return fmt.Errorf("the column %q has %d values for %d rows; expected as many", c.Name, have, rows)
	}
	for i, code := range c.Codes {
		if code < -1 || int(code) >= len(c.Levels) {
			return fmt.Errorf("the column %q has at position %d no level that it knows; expected one of its %d", c.Name, i, len(c.Levels))
		}
	}
	return nil
}

// numbersOf checks that whole and different numbers name the rows.
func numbersOf(c *table.Column) ([]int64, error) {
	if c.Kind != table.Numeric {
		return nil, fmt.Errorf("the column %s is %s; expected the numbers of the rows", c.Name, c.Kind)
	}
	numbers, seen := make([]int64, len(c.Numbers)), make(map[int64]bool, len(c.Numbers))
	for i, v := range c.Numbers {
		if v != math.Trunc(v) || math.Abs(v) > mostRow { // NaN is not itself
			return nil, fmt.Errorf("the column %s has at position %d no whole number; expected the numbers of the rows", c.Name, i)
		}
		numbers[i] = int64(v)
		if seen[numbers[i]] {
			return nil, fmt.Errorf("the column %s names row %d twice; expected every row once", c.Name, numbers[i])
		}
		seen[numbers[i]] = true
	}
	return numbers, nil
}

func (g grid) writeFile(ctx context.Context, path string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := g.write(ctx, w); err != nil {
		return err
	}
	return w.Flush()
}

// askEvery is after how many rows it is looked whether the context has ended.
const askEvery = 1 << 12

// write writes the rows as CSV (RFC 4180, lines end with a line feed). Package encoding/csv cannot tell an empty text
// from a missing value.
func (g grid) write(ctx context.Context, w *bufio.Writer) error {
	header := make([]string, len(g.names))
	for j, name := range g.names {
		header[j] = cell(name)
	}
	if err := writeLine(w, header); err != nil {
		return err
	}
	levels := make([][]string, len(g.columns)) // quoted once, not row by row
	for j, c := range g.columns {
		for _, level := range c.Levels {
			levels[j] = append(levels[j], cell(level))
		}
	}
	line := make([]string, len(g.columns))
	for i := range g.numbers {
		if i%askEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for j, c := range g.columns {
			switch {
			case c.Kind != table.Categorical:
				line[j], _ = c.Text(i)
			case c.Codes[i] < 0:
				line[j] = ""
			default:
				line[j] = levels[j][c.Codes[i]]
			}
		}
		if err := writeLine(w, line); err != nil {
			return err
		}
	}
	return nil
}

func writeLine(w io.StringWriter, cells []string) error {
	for j, c := range cells {
		if j > 0 {
			c = "," + c
		}
		if _, err := w.WriteString(c); err != nil {
			return err
		}
	}
	_, err := w.WriteString("\n")
	return err
}

// cell quotes what would not read back as the same text otherwise; readers may trim blanks that are not quoted.
func cell(text string) string {
	if text != "" && !strings.ContainsAny(text, ",\"\r\n") && strings.TrimSpace(text) == text {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}
