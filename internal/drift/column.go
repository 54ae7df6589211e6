package drift

import (
	"fmt"

	"github.com/assay-ml/assay/internal/table"
)

// compare runs the tests of one column. rows is the number of current rows.
func compare(ref columnReference, cur *table.Column, rows int) (Column, error) {
	if err := ref.fits(cur, rows); err != nil {
		return Column{}, err
	}
	c := Column{Name: ref.name, Kind: ref.kind, PValue: 1, AdjustedP: 1}
	if ref.kind == table.Numeric {
		c.numeric(ref, cur)
		return c, nil
	}
	counts, err := countLevels(cur)
	if err != nil {
		return Column{}, err
	}
	c.categorical(ref, counts, int64(rows))
	return c, nil
}

// fits reports why a current column cannot be compared.
func (ref columnReference) fits(cur *table.Column, rows int) error {
	if cur.Kind != ref.kind {
		return fmt.Errorf("the reference is %s and the current data is %s; expected the same kind in both", ref.kind, cur.Kind)
	}
	if len(cur.Numbers)+len(cur.Codes) != rows {
		return fmt.Errorf("it has %d values and the table has %d rows; expected one value per row", len(cur.Numbers)+len(cur.Codes), rows)
	}
	return nil
}

func (c *Column) numeric(ref columnReference, cur *table.Column) {
	listed, es, reference := ref.steps, []float64(nil), int64(0)
	if len(ref.steps.values) > 0 {
		es, reference = edges(ref.steps), ref.steps.n()
		listed = ref.steps.withEdges(es)
	}
	t := count(listed, cur.Numbers)
	c.Missing = share(cell{ref.missing, int64(len(cur.Numbers)) - t.n}, cell{ref.present, t.n})
	if !c.comparable(reference, t.n) {
		return
	}
	c.Test = KolmogorovSmirnov
	c.Statistic = kolmogorovSmirnov(listed, t)
	c.PValue = kolmogorovP(reference, t.n, c.Statistic)
	c.PSI = psi(binned(listed, t, es))
	c.detectable = func(level float64) float64 { return detectableKS(reference, t.n, level) }
	if len(ref.steps.values) <= mostCells && ref.steps.complete {
		c.Note = "few distinct values: the test is conservative here, so a change must be larger to alarm"
	}
}

func (c *Column) categorical(ref columnReference, counts []counted, rows int64) {
	cells, others := compared(ref.names, counts)
	reference, present := sums(append(cells, others))
	c.Missing = share(cell{ref.missing, rows - present}, cell{ref.present, present})
	if !c.comparable(reference, present) {
		return
	}
	main := cell{reference - others.ref, present - others.cur}
	c.Rare = share(others, main)
	c.PSI = psi(nameCells(ref.names, counts))
	if len(cells) < 2 {
		c.Note = "fewer than two values are frequent enough to be compared one by one"
		return
	}
	if main.ref == 0 || main.cur == 0 {
		c.Note = "one sample holds none of the frequent values"
		return
	}
	c.Test = ChiSquare
	c.Statistic = chiSquare(cells)
	c.PValue = chiSquareP(cells)
	c.detectable = func(level float64) float64 {
		return detectableChiSquare(main.ref, main.cur, len(cells)-1, level)
	}
}

// comparable reports whether both samples have present values, and otherwise notes which has not.
func (c *Column) comparable(reference, current int64) bool {
	switch {
	case reference == 0 && current == 0:
		c.Note = "every value is missing in both samples"
	case reference == 0:
		c.Note = "every value of the reference is missing"
	case current == 0:
		c.Note = "every current value is missing"
	default:
		return true
	}
	return false
}

// share tests whether some rows make up the same share of both samples; nil when no row, or every row, is one of them.
func share(some, rest cell) *Share {
	if some.total() == 0 || rest.total() == 0 {
		return nil
	}
	ref, cur := some.ref+rest.ref, some.cur+rest.cur
	if ref == 0 || cur == 0 {
		return nil
	}
	return &Share{
		Reference: float64(some.ref) / float64(ref),
		Current:   float64(some.cur) / float64(cur),
		PValue:    chiSquareP([]cell{some, rest}),
		AdjustedP: 1,
	}
}

// countLevels counts the present values of a categorical column that occur.
func countLevels(cur *table.Column) ([]counted, error) {
	rows := make([]int64, len(cur.Levels))
	for i, code := range cur.Codes {
		if code >= int32(len(rows)) {
			return nil, fmt.Errorf("row %d has code %d and there are %d levels; expected a code below that", i+1, code, len(rows))
		}
		if code >= 0 {
			rows[code]++
		}
	}
	var counts []counted
	for i, n := range rows {
		if n > 0 {
			counts = append(counts, counted{cur.Levels[i], n})
		}
	}
	return counts, nil
}
