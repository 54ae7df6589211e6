package serve

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

// rows is some rows of a frame: the columns of the schema, in its order.
type rows struct {
	columns  []*table.Column
	from, to int
}

func (r rows) count() int { return r.to - r.from }

// rowsOf finds a schema's features in a frame.
func rowsOf(schema model.Schema, f *table.Frame) (rows, error) {
	r := rows{columns: make([]*table.Column, len(schema.Features)), to: f.Rows}
	for i, feature := range schema.Features {
		c, err := f.Column(feature.Name)
		if err != nil {
			return rows{}, err
		}
		if c.Kind != feature.Kind {
			return rows{}, fmt.Errorf("column %q is %s; the model was trained on it as %s", c.Name, c.Kind, feature.Kind)
		}
		if have := max(len(c.Numbers), len(c.Codes)); have != f.Rows {
			return rows{}, fmt.Errorf("column %q has %d values for %d rows", c.Name, have, f.Rows)
		}
		for row, v := range c.Numbers {
			if math.IsInf(v, 0) {
				return rows{}, fmt.Errorf("column %q is infinite in row %d; expected a finite number or a missing value", c.Name, row)
			}
		}
		r.columns[i] = c
	}
	return r, nil
}

// encoder writes the body of a request for rows of one or more frames.
type encoder struct {
	mediaType string
	write     func(b *bytes.Buffer, features []model.Feature, parts []rows) error
}

var encoders = map[string]*encoder{
	spec.ServeCSV:         {"text/csv", func(b *bytes.Buffer, fs []model.Feature, parts []rows) error { return writeCSV(b, fs, parts, true) }},
	spec.ServeCSVNoHeader: {"text/csv", func(b *bytes.Buffer, fs []model.Feature, parts []rows) error { return writeCSV(b, fs, parts, false) }},
	spec.ServeDataframeSplit: {"application/json", func(b *bytes.Buffer, fs []model.Feature, parts []rows) error {
		b.WriteString(`{"dataframe_split":{"columns":[`)
		for i, f := range fs {
			comma(b, i)
			writeText(b, f.Name)
		}
		b.WriteString(`],"data":[`)
		writeRows(b, parts, '[', ']', nil)
		b.WriteString("]}}")
		return nil
	}},
	spec.ServeDataframeRecords: {"application/json", func(b *bytes.Buffer, fs []model.Feature, parts []rows) error {
		writeRecords(b, "dataframe_records", fs, parts)
		return nil
	}},
	spec.ServeInstances: {"application/json", func(b *bytes.Buffer, fs []model.Feature, parts []rows) error {
		writeRecords(b, "instances", fs, parts)
		return nil
	}},
}

func writeCSV(b *bytes.Buffer, features []model.Feature, parts []rows, header bool) error {
	w := csv.NewWriter(b)
	line := make([]string, len(features))
	if header {
		for i, f := range features {
			line[i] = f.Name
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	for _, part := range parts {
		for row := part.from; row < part.to; row++ {
			for i, c := range part.columns {
				line[i], _ = c.Text(row)
			}
			if len(line) == 1 && line[0] == "" {
				// Readers skip empty lines, so an empty cell that is alone on its line must be quoted.
				w.Flush()
				b.WriteString("\"\"\n")
				continue
			}
			if err := w.Write(line); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}

func writeRecords(b *bytes.Buffer, field string, features []model.Feature, parts []rows) {
	names := make([]string, len(features))
	for i, f := range features {
		var name bytes.Buffer
		writeText(&name, f.Name)
		names[i] = name.String() + ":"
	}
	b.WriteString(`{"` + field + `":[`)
	writeRows(b, parts, '{', '}', names)
	b.WriteString("]}")
}

func writeRows(b *bytes.Buffer, parts []rows, open, shut byte, names []string) {
	first := true
	for _, part := range parts {
		for row := part.from; row < part.to; row++ {
			if !first {
				b.WriteByte(',')
			}
			first = false
			b.WriteByte(open)
			for i, c := range part.columns {
				comma(b, i)
				if names != nil {
					b.WriteString(names[i])
				}
				writeCell(b, c, row)
			}
			b.WriteByte(shut)
		}
	}
}

func comma(b *bytes.Buffer, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

func writeCell(b *bytes.Buffer, c *table.Column, row int) {
	text, present := c.Text(row)
	switch {
	case !present:
		b.WriteString("null")
	case c.Kind == table.Numeric:
		b.WriteString(text)
	default:
		writeText(b, text)
	}
}

// textList is a JSON list of strings.
func textList(texts []string) string {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, text := range texts {
		comma(&b, i)
		writeText(&b, text)
	}
	b.WriteByte(']')
	return b.String()
}

// writeText writes a JSON string, with <, > and & as they are.
func writeText(b *bytes.Buffer, text string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string can always be encoded, and a buffer takes it
	b.Truncate(b.Len() - len("\n"))
}
