package explain

import (
	"context"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// Reorder is a table in which row i of the named column has the value that row order[i] has in f. Other columns are
// shared with f, which is left as it is. With a permutation as order it shuffles a column.
func Reorder(f *table.Frame, column string, order []int) (*table.Frame, error) {
	col, err := f.Column(column)
	if err != nil {
		return nil, err
	}
	if len(order) != f.Rows {
		return nil, fmt.Errorf("reorder column %q: an order of %d rows for a table of %d", column, len(order), f.Rows)
	}
	out := &table.Frame{Rows: f.Rows, Columns: slices.Clone(f.Columns)}
	for j := range out.Columns {
		if &f.Columns[j] == col {
			out.Columns[j] = take(*col, order)
		}
	}
	return out, nil
}

// take is the column made of the given rows.
func take(c table.Column, rows []int) table.Column {
	if c.Kind == table.Numeric {
		numbers := make([]float64, len(rows))
		for i, r := range rows {
			numbers[i] = c.Numbers[r]
		}
		c.Numbers = numbers
		return c
	}
	codes := make([]int32, len(rows))
	for i, r := range rows {
		codes[i] = c.Codes[r]
	}
	c.Codes = codes
	return c
}

// sample keeps the columns that p uses, and a simple random sample of rows, in their order, when there are too many.
func sample(p model.Predictor, f *table.Frame, y truth, opt Options) (*table.Frame, truth, error) {
	rows := make([]int, f.Rows)
	for i := range rows {
		rows[i] = i
	}
	if f.Rows > opt.MaxRows {
		rows = generator(opt.Seed, "").Perm(f.Rows)[:opt.MaxRows]
		slices.Sort(rows)
	}
	out := &table.Frame{Rows: len(rows)}
	for _, feature := range p.Schema().Features {
		col, err := f.Column(feature.Name)
		if err != nil {
			return nil, nil, err
		}
		if max(len(col.Numbers), len(col.Codes)) != f.Rows {
			return nil, nil, fmt.Errorf("column %q does not have one value for each of the %d rows", col.Name, f.Rows)
		}
		out.Columns = append(out.Columns, take(*col, rows))
	}
	return out, y.of(rows), nil
}

func measure(ctx context.Context, p model.Predictor, f *table.Frame, y truth) (quality, error) {
	if err := ctx.Err(); err != nil {
		return quality{}, err
	}
	scores, err := p.Predict(ctx, f)
	if err != nil {
		return quality{}, err
	}
	return y.quality(scores)
}
