package drift

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/table"
)

// Distribution is how a column's values spread over cells in both samples: the cells that its tests look at, by which one can see
// what has changed.
type Distribution struct {
	Name string     `json:"name"`
	Kind table.Kind `json:"kind"`

	// Distance is the total variation distance over the cells, in [0, 1]: half the sum of |q-p|, p and q the shares of all rows in
	// reference and current sample (Levin, Peres and Wilmer, 2009, Markov Chains and Mixing Times, proposition 4.2). At least
	// this share of rows would have to hold another value for both to be alike. Without drift it is above 0 by chance.
	Distance float64 `json:"distance"`

	// Cells are ranges that ascend, or values, the most frequent in both samples together first; then other and missing values.
	Cells []Cell `json:"cells,omitempty"`
}

// Cell is a value or a range of values. Exactly one of these holds: it is a value, of a column of names; a range of numbers, of
// which an end that is absent is open; everything else of a column of names; no value.
type Cell struct {
	Value   string   `json:"value,omitempty"`
	Above   *float64 `json:"above,omitempty"` // the numbers are above this
	UpTo    *float64 `json:"up_to,omitempty"` // and at most this
	Other   bool     `json:"other,omitempty"` // values too rare to be compared one by one, and those that the reference never held
	Missing bool     `json:"missing,omitempty"`

	Reference float64 `json:"reference"` // shares of all rows, in [0, 1]
	Current   float64 `json:"current"`
}

// Distributions describes the columns that a check of the same samples compares, in its order. It fails where Check fails.
func Distributions(ref *table.Profile, current *table.Frame) ([]Distribution, error) {
	refs, _, err := references(ref)
	if err != nil {
		return nil, fmt.Errorf("describe the columns of both samples: %w", err)
	}
	var none Report
	both, err := none.shared(refs, current)
	if err != nil {
		return nil, fmt.Errorf("describe the columns of both samples: %w", err)
	}
	all := make([]Distribution, len(both))
	for i, r := range both {
		cur, err := current.Column(r.name)
		if err == nil {
			all[i], err = distribution(r, cur, current.Rows)
		}
		if err != nil {
			return nil, fmt.Errorf("describe column %q in both samples: %w", r.name, err)
		}
	}
	return all, nil
}

func distribution(ref columnReference, cur *table.Column, rows int) (Distribution, error) {
	if err := ref.fits(cur, rows); err != nil {
		return Distribution{}, err
	}
	d := Distribution{Name: ref.name, Kind: ref.kind}
	var cells []cell
	if ref.kind == table.Numeric {
		d.Cells, cells = ranges(ref.steps, cur.Numbers)
	} else {
		counts, err := countLevels(cur)
		if err != nil {
			return Distribution{}, err
		}
		d.Cells, cells = values(ref.names, counts)
	}
	described, present := sums(cells) // a large table is described by fewer rows than ref.present
	all := cell{ref.missing + ref.present, int64(rows)}
	for i, c := range cells {
		d.Cells[i].Reference = ratio(float64(c.ref)*float64(ref.present), float64(described)*float64(all.ref))
		d.Cells[i].Current = ratio(float64(c.cur), float64(all.cur))
	}
	d.Cells = append(d.Cells, Cell{Missing: true, Reference: ratio(float64(ref.missing), float64(all.ref)), Current: ratio(float64(all.cur-present), float64(all.cur))})
	d.Cells = slices.DeleteFunc(d.Cells, func(c Cell) bool { return c.Reference == 0 && c.Current == 0 })
	for _, c := range d.Cells {
		d.Distance += math.Abs(c.Current-c.Reference) / 2
	}
	d.Distance = min(d.Distance, 1)
	return d, nil
}

func ratio(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

// ranges are the bins of the PSI.
func ranges(ref steps, xs []float64) ([]Cell, []cell) {
	if len(ref.values) == 0 {
		return []Cell{{}}, []cell{{cur: count(ref, xs).n}}
	}
	es := edges(ref)
	listed := ref.withEdges(es)
	cells := binned(listed, count(listed, xs), es)
	shown := make([]Cell, len(cells))
	for i := range cells {
		if i > 0 {
			shown[i].Above = &es[i-1]
		}
		if i < len(es) {
			shown[i].UpTo = &es[i]
		}
	}
	return shown, cells
}

// values are the cells of the chi-square test, and all other values together.
func values(ref names, cur []counted) ([]Cell, []cell) {
	levels, others := comparedLevels(ref, cur)
	var shown []Cell
	var cells []cell
	for _, l := range levels {
		shown, cells = append(shown, Cell{Value: l.value}), append(cells, l.cell)
	}
	return append(shown, Cell{Other: true}), append(cells, others)
}

// Ranked orders distributions by how much of a change the check found: columns that drifted first, and of two that did, or did
// not, the one with the greater distance.
func (r Report) Ranked(all []Distribution) []Distribution {
	drifted := map[string]int{}
	for _, c := range r.Columns {
		if c.Drifted {
			drifted[c.Name] = 1
		}
	}
	ranked := slices.Clone(all)
	slices.SortStableFunc(ranked, func(a, b Distribution) int {
		return cmp.Or(cmp.Compare(drifted[b.Name], drifted[a.Name]), cmp.Compare(b.Distance, a.Distance))
	})
	return ranked
}

// Named turns the profile of a column of numbers that stand for names, such as the classes of a target, into that of a column of
// names. Otherwise it is false: when the profile does not list all values, and of any other column.
func Named(c table.ColumnProfile) (table.ColumnProfile, bool) {
	r, err := reference(math.MaxInt64, c)
	if err != nil || c.Kind != table.Numeric || !r.steps.complete {
		return c, false
	}
	named := table.ColumnProfile{Name: c.Name, Type: c.Type, Kind: table.Categorical, Nulls: c.Nulls, Distinct: c.Distinct}
	before := int64(0)
	for i, v := range r.steps.values {
		named.Frequent = append(named.Frequent, table.Frequency{Value: table.NumberText(v), Count: r.steps.cumulative[i] - before})
		before = r.steps.cumulative[i]
	}
	return named, true
}
