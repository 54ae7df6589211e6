package drift

import (
	"fmt"

	"github.com/assay-ml/assay/internal/table"
)

// columnReference is one reference column as the tests take it.
type columnReference struct {
	name    string
	kind    table.Kind
	missing int64 // of all rows; the distribution below may be of a sample of them
	present int64
	steps   steps
	names   names
}

// references reads a profile. Columns that are neither numeric nor categorical, such as dates, are left out and named.
func references(p *table.Profile) (refs []columnReference, left []string, err error) {
	for _, c := range p.Columns {
		if c.Kind != table.Numeric && c.Kind != table.Categorical {
			left = append(left, c.Name)
			continue
		}
		ref, err := reference(p.Rows, c)
		if err != nil {
			return nil, nil, fmt.Errorf("reference column %q: %w", c.Name, err)
		}
		refs = append(refs, ref)
	}
	return refs, left, nil
}

func reference(rows int64, c table.ColumnProfile) (columnReference, error) {
	if c.Nulls < 0 || c.Nulls > rows {
		return columnReference{}, fmt.Errorf("%d of %d values are missing; expected a profile that Ingest or Prepare wrote", c.Nulls, rows)
	}
	ref := columnReference{name: c.Name, kind: c.Kind, missing: c.Nulls, present: rows - c.Nulls}
	if c.Kind == table.Numeric {
		return ref, ref.readSteps(c)
	}
	ref.names.other = c.Other
	for _, f := range c.Frequent {
		if f.Count < 0 {
			return ref, fmt.Errorf("a value occurs %d times; expected a profile that Ingest or Prepare wrote", f.Count)
		}
		ref.names.listed = append(ref.names.listed, counted{f.Value, f.Count})
	}
	return ref, nil
}

// readSteps takes the empirical distribution. It is complete when it lists as many values as there are distinct ones.
func (r *columnReference) readSteps(c table.ColumnProfile) error {
	if c.ECDF == nil || len(c.ECDF.Values) == 0 {
		return nil
	}
	e := c.ECDF
	if len(e.Values) != len(e.Cumulative) {
		return fmt.Errorf("its ECDF has %d values and %d counts; expected a profile that Ingest or Prepare wrote", len(e.Values), len(e.Cumulative))
	}
	for i := range e.Values {
		ascends := i == 0 || e.Values[i] > e.Values[i-1] && e.Cumulative[i] > e.Cumulative[i-1]
		if !ascends || e.Values[i] != e.Values[i] || e.Cumulative[i] < 1 {
			return fmt.Errorf("point %d of its ECDF does not ascend; expected a profile that Ingest or Prepare wrote", i+1)
		}
	}
	r.steps = steps{e.Values, e.Cumulative, !c.DistinctApprox && c.Distinct == int64(len(e.Values))}
	return nil
}
