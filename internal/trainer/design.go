package trainer

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// design is the training table as the optimiser sees it. The parameter vector is
//
//	[0, numbers)            coefficients of standardised numeric features
//	[numbers, intercept)    coefficients of indicators: levels, missing values
//	intercept               the intercept, last
//
// A row holds its standardised numbers and, for each slot (a categorical feature, or a numeric one with missing
// values), the parameter of the one indicator that is 1; void where none is. So the one-hot matrix never exists.
type design struct {
	rows      int
	numbers   int
	slots     int
	z         []float64 // rows x numbers, row by row
	on        []int32   // rows x slots, row by row
	intercept int
	void      int32 // = intercept + 1: one past the parameters, where a zero is kept
	features  []encoding
	warnings  []string
}

// encoding ties one feature to its parameters; -1 is "no such parameter".
type encoding struct {
	feature model.Feature
	mean    float64
	sd      float64
	number  int   // numeric: its coefficient
	levels  []int // categorical: one per level, nil when the feature does not vary
	missing int   // indicator of a missing value
	slot    int
	code    []int // categorical: from the frame's code to the position in feature.Levels
}

func newDesign(in Input, l labels) (*design, error) {
	d := &design{rows: len(l.rows)}
	for _, name := range in.Features {
		col, err := column(in.Frame, name)
		if err != nil {
			return nil, err
		}
		e, err := d.encode(col, l)
		if err != nil {
			return nil, err
		}
		d.features = append(d.features, e)
	}
	d.number()
	d.fill(in.Frame, l)
	return d, nil
}

func (d *design) encode(col *table.Column, l labels) (encoding, error) {
	if !utf8.ValidString(col.Name) {
		return encoding{}, &InputError{col.Name, "its name is not valid UTF-8", "rename it in data.transform"}
	}
	switch col.Kind {
	case table.Numeric:
		return d.encodeNumeric(col, l)
	case table.Categorical:
		return d.encodeCategorical(col, l)
	default:
		return encoding{}, &InputError{col.Name, fmt.Sprintf("unknown kind %q", col.Kind), "this is a fault of the reader, report it"}
	}
}

func (d *design) encodeNumeric(col *table.Column, l labels) (encoding, error) {
	e := encoding{feature: model.Feature{Name: col.Name, Kind: col.Kind}, sd: 1, number: -1, missing: -1, slot: -1}
	m, err := measure(col, l)
	if err != nil {
		return e, err
	}
	if m.present == 0 {
		d.warn("feature %q has no value in any training row; the model does not use it", col.Name)
		return e, nil
	}
	e.mean = m.mean
	if m.sd > 0 {
		e.sd, e.number = m.sd, 0
	}
	if m.present < len(l.rows) {
		e.missing = 0
	}
	if e.number < 0 && e.missing < 0 {
		d.warn("feature %q has the same value in all training rows; the model does not use it", col.Name)
	}
	return e, nil
}

func (d *design) encodeCategorical(col *table.Column, l labels) (encoding, error) {
	e := encoding{feature: model.Feature{Name: col.Name, Kind: col.Kind}, number: -1, missing: -1, slot: -1}
	seen := make([]bool, len(col.Levels))
	present := 0
	for _, i := range l.rows {
		if code := col.Codes[i]; code >= 0 {
			seen[code] = true
			present++
		}
	}
	e.code = make([]int, len(col.Levels))
	for code, level := range col.Levels {
		if !seen[code] {
			continue
		}
		if !utf8.ValidString(level) {
			return e, &InputError{col.Name, "it has a value that is not valid UTF-8", "save the data as UTF-8"}
		}
		e.code[code] = len(e.feature.Levels)
		e.feature.Levels = append(e.feature.Levels, level)
	}
	if !slices.IsSorted(e.feature.Levels) {
		return e, &InputError{col.Name, "its levels are not sorted", "this is a fault of the reader, report it"}
	}
	hasMissing := present < len(l.rows)
	switch {
	case present == 0:
		d.warn("feature %q has no value in any training row; the model does not use it", col.Name)
	case len(e.feature.Levels) == 1 && !hasMissing:
		d.warn("feature %q has the same value in all training rows; the model does not use it", col.Name)
	default:
		e.levels = make([]int, len(e.feature.Levels))
		if hasMissing {
			e.missing = 0
		}
	}
	return e, nil
}

// number gives every parameter its place: numbers first, then indicators in the order of features.
func (d *design) number() {
	for j := range d.features {
		if e := &d.features[j]; e.number >= 0 {
			e.number = d.numbers
			d.numbers++
		}
	}
	next := d.numbers
	take := func() int { next++; return next - 1 }
	for j := range d.features {
		e := &d.features[j]
		for k := range e.levels {
			e.levels[k] = take()
		}
		if e.missing >= 0 {
			e.missing = take()
		}
		if e.levels != nil || e.missing >= 0 {
			e.slot = d.slots
			d.slots++
		}
	}
	d.intercept = next
	d.void = int32(next + 1)
}

func (d *design) fill(f *table.Frame, l labels) {
	d.z = make([]float64, d.rows*d.numbers)
	d.on = make([]int32, d.rows*d.slots)
	for _, e := range d.features {
		col, _ := f.Column(e.feature.Name) // newDesign has found it
		for r, i := range l.rows {
			missing := col.Kind == table.Numeric && math.IsNaN(col.Numbers[i]) || col.Kind == table.Categorical && col.Codes[i] < 0
			if e.number >= 0 && !missing {
				d.z[r*d.numbers+e.number] = (col.Numbers[i] - e.mean) / e.sd
			}
			if e.slot < 0 {
				continue
			}
			on := d.void
			switch {
			case missing:
				on = int32(e.missing)
			case col.Kind == table.Categorical:
				on = int32(e.levels[e.code[col.Codes[i]]])
			}
			d.on[r*d.slots+e.slot] = on
		}
	}
}

// row is row r's standardised numbers and the parameters of its indicators.
func (d *design) row(r int) (z []float64, on []int32) {
	return d.z[r*d.numbers : (r+1)*d.numbers], d.on[r*d.slots : (r+1)*d.slots]
}

func (d *design) warn(format string, args ...any) {
	d.warnings = append(d.warnings, fmt.Sprintf(format, args...))
}

// moments of a numeric column over the rows that have a value.
type moments struct {
	present  int
	mean, sd float64 // weighted; sd with divisor "sum of weights", 0 when the column does not vary
}

// measure works on u = (x - min) / (max - min), which keeps squares from overflowing or vanishing whatever the unit.
func measure(col *table.Column, l labels) (moments, error) {
	lo, hi := math.Inf(1), math.Inf(-1)
	m := moments{}
	for _, i := range l.rows {
		x := col.Numbers[i]
		if math.IsNaN(x) {
			continue
		}
		if math.IsInf(x, 0) {
			return m, &InputError{col.Name, fmt.Sprintf("row %d is infinite; expected finite numbers", i), "replace infinite numbers in data.transform, e.g. by null"}
		}
		lo, hi = min(lo, x), max(hi, x)
		m.present++
	}
	if m.present == 0 || lo == hi {
		m.mean = lo
		return m, nil
	}
	span := hi - lo
	if math.IsInf(span, 0) {
		return m, &InputError{col.Name, "its numbers span more than a float64 can hold", "rescale it, or take its logarithm, in data.transform"}
	}
	total, first := 0.0, 0.0
	for r, i := range l.rows {
		if x := col.Numbers[i]; !math.IsNaN(x) {
			total += l.weight[r]
			first += l.weight[r] * ((x - lo) / span)
		}
	}
	first /= total
	second := 0.0
	for r, i := range l.rows {
		if x := col.Numbers[i]; !math.IsNaN(x) {
			u := (x-lo)/span - first
			second += l.weight[r] * u * u
		}
	}
	m.mean, m.sd = lo+span*first, span*math.Sqrt(second/total)
	return m, nil
}
