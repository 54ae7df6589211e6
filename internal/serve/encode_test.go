package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

func TestRequestsAsTheyAreSent(t *testing.T) {
	f := &table.Frame{Rows: 3, Columns: []table.Column{
		{Name: "sex", Kind: table.Categorical, Codes: []int32{0, -1, 1}, Levels: []string{`Fe"male`, "a,b\n<c>"}},
		{Name: "unused", Kind: table.Numeric, Numbers: []float64{1, 2, 3}},
		{Name: "hours, a week", Kind: table.Numeric, Numbers: []float64{40, math.NaN(), 0.1}},
	}}
	schema := model.Schema{Features: []model.Feature{{Name: "hours, a week", Kind: table.Numeric}, {Name: "sex", Kind: table.Categorical}}}
	r, err := rowsOf(schema, f)
	require.NoError(t, err)
	for format, want := range map[string]string{
		spec.ServeCSV:              "\"hours, a week\",sex\n40,\"Fe\"\"male\"\n,\n0.1,\"a,b\n<c>\"\n",
		spec.ServeCSVNoHeader:      "40,\"Fe\"\"male\"\n,\n0.1,\"a,b\n<c>\"\n",
		spec.ServeDataframeSplit:   `{"dataframe_split":{"columns":["hours, a week","sex"],"data":[[40,"Fe\"male"],[null,null],[0.1,"a,b\n<c>"]]}}`,
		spec.ServeDataframeRecords: `{"dataframe_records":[{"hours, a week":40,"sex":"Fe\"male"},{"hours, a week":null,"sex":null},{"hours, a week":0.1,"sex":"a,b\n<c>"}]}`,
		spec.ServeInstances:        `{"instances":[{"hours, a week":40,"sex":"Fe\"male"},{"hours, a week":null,"sex":null},{"hours, a week":0.1,"sex":"a,b\n<c>"}]}`,
	} {
		var b bytes.Buffer
		require.NoError(t, encoders[format].write(&b, schema.Features, []rows{{r.columns, 0, 1}, {r.columns, 1, 3}}))
		require.Equal(t, want, b.String(), format)
	}
	require.Len(t, encoders, 5)
}

// drawFrame gives a frame and its schema.
func drawFrame(t *rapid.T) (*table.Frame, model.Schema) {
	names := rapid.SliceOfNDistinct(rapid.StringN(1, 6, -1), 1, 4, rapid.ID[string]).Draw(t, "names")
	n := rapid.IntRange(1, 6).Draw(t, "rows")
	f, schema := &table.Frame{Rows: n}, model.Schema{}
	for _, name := range names {
		c := table.Column{Name: name, Kind: table.Numeric}
		if rapid.Bool().Draw(t, "is text") {
			c.Kind = table.Categorical
			c.Levels = rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "levels")
			c.Codes = rapid.SliceOfN(rapid.Int32Range(-1, int32(len(c.Levels)-1)), n, n).Draw(t, "codes")
		} else {
			number := rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Map(rapid.IntRange(-9, 9), func(i int) float64 { return float64(i) }))
			c.Numbers = rapid.SliceOfN(number, n, n).Draw(t, "numbers")
		}
		f.Columns = append(f.Columns, c)
		schema.Features = append(schema.Features, model.Feature{Name: name, Kind: c.Kind})
	}
	return f, schema
}

func TestAnyFrameReadsBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, schema := drawFrame(t)
		r, err := rowsOf(schema, f)
		require.NoError(t, err)
		cut := rapid.IntRange(0, f.Rows).Draw(t, "cut")
		parts := []rows{{r.columns, 0, cut}, {r.columns, cut, f.Rows}}
		for format, e := range encoders {
			var b bytes.Buffer
			require.NoError(t, e.write(&b, schema.Features, parts))
			cells, err := readBack(format, b.Bytes(), schema.Features)
			require.NoError(t, err)
			require.Len(t, cells, f.Rows)
			for row, line := range cells {
				for i, c := range f.Columns {
					require.NoError(t, sameCell(&c, row, line[i], strings.HasPrefix(format, "csv")), "format %s, row %d, column %q", format, row, c.Name)
				}
			}
		}
	})
}

// sameCell compares what was read, nil where missing, with a column's value.
func sameCell(c *table.Column, row int, got any, isCSV bool) error {
	want, present := c.Text(row)
	if isCSV && want == "" {
		present = false // an empty text and a missing value are the same in CSV
	}
	if !present {
		if got != nil {
			return fmt.Errorf("got %v for a missing value", got)
		}
		return nil
	}
	if c.Kind == table.Categorical {
		if got != want {
			return fmt.Errorf("got %q for %q", got, want)
		}
		return nil
	}
	text, ok := got.(string)
	if n, isNumber := got.(json.Number); isNumber {
		text, ok = string(n), true
	}
	v, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || v != c.Numbers[row] {
		return fmt.Errorf("got %v for %v", got, c.Numbers[row])
	}
	if v == math.Trunc(v) && math.Abs(v) < 1e15 && strings.ContainsAny(text, ".e") {
		return fmt.Errorf("the whole number %v was written as %s", v, text)
	}
	return nil
}

func readBack(format string, body []byte, features []model.Feature) ([][]any, error) {
	if strings.HasPrefix(format, "csv") {
		lines, err := readCSV(string(body))
		if err != nil || format == spec.ServeCSVNoHeader {
			return lines, err
		}
		for i, f := range features {
			if lines[0][i] != f.Name {
				return nil, fmt.Errorf("header %q for %q", lines[0][i], f.Name)
			}
		}
		return lines[1:], nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if format == spec.ServeDataframeSplit {
		var v map[string]struct {
			Columns []string
			Data    [][]any
		}
		err := dec.Decode(&v)
		for i, f := range features {
			if err == nil && v[format].Columns[i] != f.Name {
				err = fmt.Errorf("column %q for %q", v[format].Columns[i], f.Name)
			}
		}
		return v[format].Data, err
	}
	var v map[string][]map[string]any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	var cells [][]any
	for _, object := range v[format] {
		var line []any
		for _, f := range features {
			cell, ok := object[f.Name]
			if !ok || len(object) != len(features) {
				return nil, errors.New("a row has other names")
			}
			line = append(line, cell)
		}
		cells = append(cells, line)
	}
	return cells, nil
}

// readCSV reads RFC 4180 to the letter, which encoding/csv does not: it changes line ends inside quotes. Empty cells are
// nil; an empty line is skipped, as other readers do.
func readCSV(s string) (lines [][]any, err error) {
	for len(s) > 0 {
		if s[0] == '\n' {
			s = s[1:]
			continue
		}
		var line []any
		for more := true; more; {
			var cell string
			if strings.HasPrefix(s, `"`) {
				if cell, s, err = quoted(s[1:]); err != nil {
					return nil, err
				}
			} else {
				end := strings.IndexAny(s, ",\n\"\r")
				if end < 0 || s[end] == '"' || s[end] == '\r' {
					return nil, errors.New("a cell has no end, or a quote within")
				}
				cell, s = s[:end], s[end:]
			}
			if line = append(line, cell); cell == "" {
				line[len(line)-1] = nil
			}
			if s == "" || s[0] != ',' && s[0] != '\n' {
				return nil, errors.New("a cell does not end with a comma or a line end")
			}
			more, s = s[0] == ',', s[1:]
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func quoted(s string) (cell, rest string, err error) {
	var b strings.Builder
	for {
		end := strings.IndexByte(s, '"')
		if end < 0 {
			return "", "", errors.New("a quoted cell has no end")
		}
		b.WriteString(s[:end])
		if s = s[end+1:]; !strings.HasPrefix(s, `"`) {
			return b.String(), s, nil
		}
		b.WriteByte('"')
		s = s[1:]
	}
}
