package trainer

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// privateDesign is the training table under declared scales. The parameter vector holds, feature by feature, for a
// number its coefficient and the effect of a missing value, for a category one effect a level, that of an unseen value
// and that of a missing one; the intercept comes last. Which parameters there are depends on the declarations alone.
type privateDesign struct {
	rows     int
	width    int // parameters, the intercept included
	numbers  []int
	z        []float64 // rows x numbers: in [-1, 1], 0 where missing
	slots    int
	on       []int32 // rows x slots: the parameter of the indicator that is 1, or -1
	positive []bool
	length   []float64 // by row: the length of its vector of inputs
	features []privateEncoding
}

type privateEncoding struct {
	feature   model.Feature
	first     int // its first parameter
	mid, half float64
}

func newPrivateDesign(in Input, p Private, l labels) (*privateDesign, error) {
	if err := checkDeclared(in, p); err != nil {
		return nil, err
	}
	d := &privateDesign{rows: len(l.rows), positive: l.positive}
	for _, name := range in.Features {
		col, err := column(in.Frame, name)
		if err != nil {
			return nil, err
		}
		e, err := d.declare(col, p)
		if err != nil {
			return nil, err
		}
		d.features = append(d.features, e)
	}
	d.slots = len(d.features)
	d.width++ // the intercept
	d.fill(in.Frame)
	return d, nil
}

// checkDeclared finds a declaration that no feature uses, which is most often a misspelt name.
func checkDeclared(in Input, p Private) error {
	names := slices.Sorted(maps.Keys(p.Bounds))
	names = append(names, slices.Sorted(maps.Keys(p.Levels))...)
	for _, name := range names {
		if !slices.Contains(in.Features, name) {
			return &InputError{name, "bounds or levels are declared for it, but it is no feature", "correct the name, or leave the declaration out"}
		}
	}
	return nil
}

func (d *privateDesign) declare(col *table.Column, p Private) (privateEncoding, error) {
	e := privateEncoding{feature: model.Feature{Name: col.Name, Kind: col.Kind}, first: d.width, half: 1}
	if !utf8.ValidString(col.Name) {
		return e, &InputError{col.Name, "its name is not valid UTF-8", "rename it in data.transform"}
	}
	bounds, bounded := p.Bounds[col.Name]
	levels, listed := p.Levels[col.Name]
	switch {
	case col.Kind == table.Numeric && listed:
		return e, &InputError{col.Name, "levels are declared for it, but it holds numbers", "declare bounds, or cast it to text in data.transform"}
	case col.Kind == table.Numeric && !bounded:
		return e, &InputError{col.Name, "private training must not look at the data for the scale of a number", "declare its bounds, the lowest and highest value that make sense, from knowledge of the matter"}
	case col.Kind == table.Categorical && bounded:
		return e, &InputError{col.Name, "bounds are declared for it, but it holds categories", "declare levels, or cast it to a number in data.transform"}
	case col.Kind == table.Categorical && !listed:
		return e, &InputError{col.Name, "private training must not look at the data for the values of a category", "declare its levels, the values that it can have, from knowledge of the matter"}
	case col.Kind == table.Numeric:
		e.mid, e.half = bounds.Low/2+bounds.High/2, bounds.High/2-bounds.Low/2
		if !(bounds.Low < bounds.High) || math.IsInf(bounds.Low, 0) || math.IsInf(bounds.High, 0) || !(e.half > 0) {
			return e, &InputError{col.Name, fmt.Sprintf("its declared bounds are %v to %v", bounds.Low, bounds.High), "declare two finite numbers, the lower one first"}
		}
		d.numbers = append(d.numbers, e.first)
		d.width += 2
	case col.Kind == table.Categorical:
		if err := e.setLevels(levels); err != nil {
			return e, err
		}
		d.width += len(levels) + 2
	default:
		return e, &InputError{col.Name, fmt.Sprintf("unknown kind %q", col.Kind), "this is a fault of the reader, report it"}
	}
	return e, nil
}

func (e *privateEncoding) setLevels(levels []string) error {
	sorted := slices.Clone(levels)
	slices.Sort(sorted)
	name := e.feature.Name
	switch {
	case len(sorted) == 0:
		return &InputError{name, "its declared levels are empty", "declare at least one value"}
	case len(slices.Compact(slices.Clone(sorted))) < len(sorted):
		return &InputError{name, "a level is declared twice", "declare each value once"}
	case slices.ContainsFunc(sorted, func(s string) bool { return !utf8.ValidString(s) }):
		return &InputError{name, "a declared level is not valid UTF-8", "save the spec as UTF-8"}
	}
	e.feature.Levels = sorted
	return nil
}

// Parameters of a feature.
func (e privateEncoding) missing() int {
	if e.feature.Kind == table.Numeric {
		return e.first + 1
	}
	return e.first + len(e.feature.Levels) + 1
}
func (e privateEncoding) unseen() int { return e.first + len(e.feature.Levels) }

func (d *privateDesign) fill(f *table.Frame) {
	d.z = make([]float64, d.rows*len(d.numbers))
	d.on = make([]int32, d.rows*d.slots)
	number := 0
	for slot, e := range d.features {
		col, _ := f.Column(e.feature.Name) // newPrivateDesign has found it
		if e.feature.Kind == table.Numeric {
			for r, x := range col.Numbers {
				on := int32(-1)
				if math.IsNaN(x) {
					on = int32(e.missing())
				} else {
					d.z[r*len(d.numbers)+number] = min(max(x/e.half-e.mid/e.half, -1), 1)
				}
				d.on[r*d.slots+slot] = on
			}
			number++
			continue
		}
		parameter := make([]int32, len(col.Levels))
		for code, level := range col.Levels {
			parameter[code] = int32(e.unseen())
			if k, ok := slices.BinarySearch(e.feature.Levels, level); ok {
				parameter[code] = int32(e.first + k)
			}
		}
		for r, code := range col.Codes {
			on := int32(e.missing())
			if code >= 0 {
				on = parameter[code]
			}
			d.on[r*d.slots+slot] = on
		}
	}
	d.length = make([]float64, d.rows)
	for r := range d.rows {
		square := 1.0
		z, on := d.row(r)
		for _, x := range z {
			square += x * x
		}
		for _, k := range on {
			if k >= 0 {
				square++
			}
		}
		d.length[r] = math.Sqrt(square)
	}
}

func (d *privateDesign) row(r int) (z []float64, on []int32) {
	return d.z[r*len(d.numbers) : (r+1)*len(d.numbers)], d.on[r*d.slots : (r+1)*d.slots]
}

// addGradient adds row r's gradient of the logistic loss at w to sum, scaled down to the length clip where it is longer.
func (d *privateDesign) addGradient(sum, w []float64, r int, clip float64) {
	z, on := d.row(r)
	logit := w[d.width-1]
	for k, x := range z {
		logit += w[d.numbers[k]] * x
	}
	for _, k := range on {
		if k >= 0 {
			logit += w[k]
		}
	}
	g := model.Sigmoid(logit)
	if d.positive[r] {
		g--
	}
	// Clipping: the gradient is g times the row, so its length is |g| times that of the row.
	if bound := clip / d.length[r]; math.Abs(g) > bound {
		g = math.Copysign(bound, g)
	}
	for k, x := range z {
		sum[d.numbers[k]] += g * x
	}
	for _, k := range on {
		if k >= 0 {
			sum[k] += g
		}
	}
	sum[d.width-1] += g
}

// model says the parameters in the form that predicts. It does not clamp: beyond its declared bounds a number goes on
// counting in proportion.
func (d *privateDesign) model(in Input, l labels, w []float64) *model.Logistic {
	fitted := &model.Logistic{
		Kind: model.KindLogistic, Format: model.LogisticFormat,
		Inputs:    model.Schema{Target: in.Target, Positive: in.Positive, Negative: l.negative},
		Intercept: w[d.width-1],
	}
	for _, e := range d.features {
		term := model.Term{}
		if e.feature.Kind == table.Numeric {
			term.Numeric = &model.NumericTerm{Mean: e.mid, SD: e.half, Coefficient: w[e.first], Missing: w[e.missing()]}
		} else {
			term.Categorical = &model.CategoricalTerm{
				Coefficients: slices.Clone(w[e.first:e.unseen()]), Unseen: w[e.unseen()], Missing: w[e.missing()]}
		}
		fitted.Inputs.Features = append(fitted.Inputs.Features, e.feature)
		fitted.Terms = append(fitted.Terms, term)
	}
	return fitted
}
