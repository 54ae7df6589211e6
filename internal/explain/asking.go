package explain

import (
	"context"
	"fmt"
	"math"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// asker asks a model about rows, checks what it answers, and counts the rows asked about.
type asker struct {
	p     model.Predictor
	width int
	asked int
}

func newAsker(p model.Predictor) *asker { return &asker{p: p, width: p.Schema().Width()} }

// ask gives width numbers a row. Origin names the row of the caller's table that row i of f was made from.
func (a *asker) ask(ctx context.Context, f *table.Frame, origin func(i int) int) ([]float64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.Rows == 0 {
		return nil, nil
	}
	a.asked += f.Rows
	answers, err := a.p.Predict(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("ask the model about %d rows: %w", f.Rows, err)
	}
	if len(answers) != f.Rows*a.width {
		return nil, fmt.Errorf("ask the model about %d rows: it gave %d numbers; expected %d a row", f.Rows, len(answers), a.width)
	}
	probability := a.p.Schema().TaskOf() != stats.Regression
	for k, v := range answers {
		switch row := origin(k / a.width); {
		case math.IsNaN(v) || math.IsInf(v, 0):
			return nil, fmt.Errorf("ask the model about row %d: the answer is no finite number; correct the model before explaining it", row)
		case probability && (v < 0 || v > 1):
			return nil, fmt.Errorf("ask the model about row %d: the answer %g is no probability; correct the model before explaining it", row, v)
		}
	}
	return answers, nil
}

// inputs is the table of the columns that the model looks at, checked, in the schema's order.
func inputs(p model.Predictor, f *table.Frame) (*table.Frame, error) {
	if f.Rows == 0 {
		return nil, fmt.Errorf("there are no rows; give the model rows to be asked about")
	}
	features := p.Schema().Features
	if len(features) == 0 {
		return nil, fmt.Errorf("the model has no features; there is nothing that its answers could depend on")
	}
	if p.Schema().Width() == 0 {
		return nil, fmt.Errorf("the model has no classes; expected those that it tells apart")
	}
	out := &table.Frame{Rows: f.Rows}
	for _, feature := range features {
		col, err := f.Column(feature.Name)
		if err != nil {
			return nil, err
		}
		if col.Kind != feature.Kind {
			return nil, fmt.Errorf("column %q is %s; the model was trained on it as %s", col.Name, col.Kind, feature.Kind)
		}
		n := len(col.Codes)
		if col.Kind == table.Numeric {
			n = len(col.Numbers)
		}
		if n != f.Rows {
			return nil, fmt.Errorf("column %q has %d values; expected one for each of the %d rows", col.Name, n, f.Rows)
		}
		for i, v := range col.Numbers {
			if math.IsInf(v, 0) {
				return nil, fmt.Errorf("column %q: row %d is infinite; expected a finite number or a missing value", col.Name, i)
			}
		}
		for i, code := range col.Codes {
			if int(code) >= len(col.Levels) {
				return nil, fmt.Errorf("column %q: row %d has code %d; the column has %d levels", col.Name, i, code, len(col.Levels))
			}
		}
		out.Columns = append(out.Columns, *col)
	}
	return out, nil
}

// takeRows is the table made of the given rows.
func takeRows(f *table.Frame, rows []int) *table.Frame {
	out := &table.Frame{Rows: len(rows)}
	for _, c := range f.Columns {
		out.Columns = append(out.Columns, take(c, rows))
	}
	return out
}

// absent reports whether the column has no value in row i.
func absent(c *table.Column, i int) bool {
	if c.Kind == table.Numeric {
		return math.IsNaN(c.Numbers[i])
	}
	return c.Codes[i] < 0
}
