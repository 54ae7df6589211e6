package explain

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Bounds of DependenceOptions.
const (
	MostDependencePoints         = 20
	DefaultDependenceRows        = 500
	DefaultDependencePredictions = 20_000
)

// DependenceOptions steer PartialDependence; the zero value is usable.
type DependenceOptions struct {
	MaxRows        int    // rows averaged over, at least 2; 0 means DefaultDependenceRows
	Points         int    // values asked about, 2 to MostDependencePoints, without the missing one; 0 means the most
	Curves         int    // rows whose own curve is shown; 0 means none
	LeastRows      int    // names that fewer rows have are not asked about, since a rare one can tell who a row is about; 0 means 1
	Centred        bool   // curves shown start at 0: the change against the first point (Goldstein et al. 2015, section 3.2)
	Seed           uint64 // of the sample of rows
	MaxPredictions int    // the rows are cut down to keep to it; 0 means DefaultDependencePredictions
}

// Dependence is how a model's answers change with one feature. Mean of Outputs[k] and every curve have one value a point.
type Dependence struct {
	Method      string     `json:"method"` // for a person: what was done, and what the intervals cover
	Feature     string     `json:"feature"`
	Kind        table.Kind `json:"kind"`
	Task        stats.Task `json:"task"`
	Rows        int        `json:"rows"`        // given
	RowsUsed    int        `json:"rows_used"`   // averaged over
	Predictions int        `json:"predictions"` // rows that the model was asked about
	Seed        uint64     `json:"seed"`

	Points      []DependencePoint  `json:"points"`                 // numbers ascending, levels by falling frequency; a missing value last
	OtherLevels int                `json:"other_levels,omitempty"` // rarer levels that were not asked about
	OtherShare  float64            `json:"other_share,omitempty"`  // of rows that have one of them
	Outputs     []DependenceOutput `json:"outputs"`                // one a class of a multiclass model, otherwise one
	Note        string             `json:"note,omitempty"`         // why there is little to see
}

// DependencePoint is a value that all rows were given in turn, and how many rows really have one near it. An average over
// rows says little where hardly any row lies.
type DependencePoint struct {
	Value   string   `json:"value"`            // as text; "" when missing
	Number  *float64 `json:"number,omitempty"` // of a numeric feature
	Missing bool     `json:"missing,omitempty"`
	Rows    int      `json:"rows"`       // rows given for which no other point is nearer, or that have the level
	Share   float64  `json:"share"`      // of all rows given
	Gap     float64  `json:"widest_gap"` // the widest stretch without a row between the previous point and this one, in the feature's units
}

// DependenceOutput is the dependence of one number that the model answers.
type DependenceOutput struct {
	Class string           `json:"class,omitempty"` // of a multiclass model
	Mean  []stats.Estimate `json:"mean"`            // the partial dependence, a point each
	// Spread is the standard deviation of Mean over the points, each weighed by its rows: how much the feature matters on
	// average (Greenwell, Boehmke and McCarthy 2018, equation 3, weighed).
	Spread float64 `json:"spread"`
	// Heterogeneity is the standard deviation over rows of the curves, each less its own mean over the points: 0 at all points
	// exactly when the feature's effect is the same in every row, so that the mean tells all (Goldstein et al. 2015, section 3.1).
	Heterogeneity     []float64 `json:"heterogeneity"`
	MeanHeterogeneity float64   `json:"mean_heterogeneity"` // root of the mean square over the points, weighed by rows
	Curves            []Curve   `json:"curves,omitempty"`
}

// Curve is the model's answers for one row as its feature takes each value: an individual conditional expectation.
type Curve struct {
	Row    int       `json:"row"` // of the table given
	Values []float64 `json:"values"`
}

// PartialDependence averages the answers of p over rows of f, each in turn with every value of a grid in the named feature
// (Friedman 2001, Greedy function approximation, section 8.2, equation 53), and keeps what single rows do (individual
// conditional expectations; Goldstein, Kapelner, Bleich and Pitkin 2015, Peeking inside the black box). Numbers are asked
// about at quantiles that occur in f, ties merged; levels by falling frequency; a missing value where f has one. Intervals
// are Student's t over rows, each point by itself.
//
// It asks for points times rows predictions, at most opt.MaxPredictions. It fails when there are no rows, f lacks a column,
// the feature is unknown or has no value at all, the bound leaves fewer than 2 rows a point, an answer is not finite
// (naming the row), and when ctx ends.
func PartialDependence(ctx context.Context, p model.Predictor, f *table.Frame, feature string, opt DependenceOptions) (Dependence, error) {
	d, err := partialDependence(ctx, p, f, feature, opt)
	if err != nil {
		return Dependence{}, fmt.Errorf("partial dependence on feature %q: %w", feature, err)
	}
	return d, nil
}

func partialDependence(ctx context.Context, p model.Predictor, f *table.Frame, feature string, opt DependenceOptions) (Dependence, error) {
	opt = opt.resolve()
	if opt.Points < 2 || opt.Points > MostDependencePoints {
		return Dependence{}, fmt.Errorf("%d points; expected 2 to %d", opt.Points, MostDependencePoints)
	}
	f, err := inputs(p, f)
	if err != nil {
		return Dependence{}, err
	}
	at := slices.IndexFunc(f.Columns, func(c table.Column) bool { return c.Name == feature })
	if at < 0 {
		names := make([]string, len(f.Columns))
		for j, c := range f.Columns {
			names[j] = c.Name
		}
		return Dependence{}, fmt.Errorf("the model does not look at it; it looks at %s", table.Listed(names))
	}
	d := Dependence{Feature: feature, Kind: f.Columns[at].Kind, Task: p.Schema().TaskOf(), Rows: f.Rows, Seed: opt.Seed}
	if err := d.place(&f.Columns[at], opt.Points, max(opt.LeastRows, 1)); err != nil {
		return Dependence{}, err
	}
	use := min(opt.MaxRows, opt.MaxPredictions/len(d.Points), f.Rows)
	if use < min(2, f.Rows) {
		return Dependence{}, fmt.Errorf("at most %d predictions of at most %d rows for %d points; expected room for 2 rows: allow more predictions or fewer points", opt.MaxPredictions, opt.MaxRows, len(d.Points))
	}
	rows := generator(opt.Seed, "partial dependence").Perm(f.Rows)[:use]
	shown := slices.Clone(rows[:min(max(opt.Curves, 0), use)])
	slices.Sort(rows)
	slices.Sort(shown)
	d.RowsUsed = use

	ask := newAsker(p)
	held := takeRows(f, rows)
	answers := make([][]float64, len(d.Points)) // of a point, width numbers a row
	for k, point := range d.Points {
		set(&held.Columns[at], point)
		if answers[k], err = ask.ask(ctx, held, func(i int) int { return rows[i] }); err != nil {
			return Dependence{}, err
		}
	}
	d.Predictions = ask.asked
	for o := range ask.width {
		curves := make([][]float64, use)
		for i := range curves {
			for k := range answers {
				curves[i] = append(curves[i], answers[k][i*ask.width+o])
			}
		}
		out, err := d.output(curves)
		if err != nil {
			return Dependence{}, err
		}
		if d.Task == stats.Multiclass {
			out.Class = p.Schema().Classes[o]
		}
		for _, row := range shown {
			i, _ := slices.BinarySearch(rows, row)
			out.Curves = append(out.Curves, Curve{Row: row, Values: centred(curves[i], opt.Centred)})
		}
		d.Outputs = append(d.Outputs, out)
	}
	d.Method = d.method(opt)
	return d, nil
}

func (o DependenceOptions) resolve() DependenceOptions {
	if o.MaxRows <= 0 {
		o.MaxRows = DefaultDependenceRows
	}
	if o.Points == 0 {
		o.Points = MostDependencePoints
	}
	if o.MaxPredictions <= 0 {
		o.MaxPredictions = DefaultDependencePredictions
	}
	return o
}

func (d *Dependence) method(opt DependenceOptions) string {
	used := fmt.Sprintf("all %d rows", d.Rows)
	if d.RowsUsed < d.Rows {
		used = fmt.Sprintf("a random sample of %d of %d rows", d.RowsUsed, d.Rows)
	}
	text := fmt.Sprintf("Partial dependence (Friedman 2001) over %s: each row is given every one of %d values in turn, the rest of it as it is. "+
		"%g%% Student-t intervals over rows, each point by itself. Values are combined that may never occur together: "+
		"where few rows lie near a point, or the heterogeneity is large, the mean says little about any row.", used, len(d.Points), 100*Level)
	if opt.Curves > 0 && opt.Centred {
		text += " Curves of single rows are shown less their value at the first point."
	}
	return text
}

// place chooses the points, and counts the rows near each.
func (d *Dependence) place(c *table.Column, most, least int) error {
	var err error
	if c.Kind == table.Numeric {
		err = d.placeNumbers(c, most)
	} else {
		err = d.placeLevels(c, most, least)
	}
	if err != nil {
		return err
	}
	if len(d.Points) == 1 {
		d.Note = "the feature has one value in all rows: nothing to compare it with"
	}
	missing := 0
	for i := range d.Rows {
		if absent(c, i) {
			missing++
		}
	}
	if missing > 0 {
		d.Points = append(d.Points, DependencePoint{Missing: true, Rows: missing})
	}
	for k := range d.Points {
		d.Points[k].Share = float64(d.Points[k].Rows) / float64(d.Rows)
	}
	return nil
}

var errNoValue = fmt.Errorf("it is missing in every row; give rows that have values of it")

func (d *Dependence) placeNumbers(c *table.Column, most int) error {
	sorted := present(c)
	if len(sorted) == 0 {
		return errNoValue
	}
	for _, v := range spacedOut(sorted, most) {
		d.Points = append(d.Points, DependencePoint{Value: table.NumberText(v), Number: &v})
	}
	k := 0
	for i, v := range sorted {
		for k+1 < len(d.Points) && v-*d.Points[k].Number > *d.Points[k+1].Number-v {
			k++
		}
		d.Points[k].Rows++
		if i == 0 {
			continue
		}
		upper, _ := slices.BinarySearchFunc(d.Points, v, func(p DependencePoint, v float64) int { return cmp.Compare(*p.Number, v) })
		if gap := v - sorted[i-1]; gap > d.Points[upper].Gap {
			d.Points[upper].Gap = min(gap, math.MaxFloat64)
		}
	}
	return nil
}

// present is the column's numbers, ascending.
func present(c *table.Column) []float64 {
	sorted := slices.DeleteFunc(slices.Clone(c.Numbers), math.IsNaN)
	slices.Sort(sorted)
	return sorted
}

// spacedOut is at most so many different values of the ascending ones, the first and the last among them, at equal ranks;
// all of them when they are few.
func spacedOut(sorted []float64, most int) []float64 {
	distinct := slices.Compact(slices.Clone(sorted))
	if len(distinct) <= most {
		return distinct
	}
	out := make([]float64, most)
	for k := range out {
		out[k] = sorted[int(math.Round(float64(k)*float64(len(sorted)-1)/float64(most-1)))]
	}
	return slices.Compact(out)
}

func (d *Dependence) placeLevels(c *table.Column, most, least int) error {
	levels := byFrequency(c)
	switch {
	case len(levels) == 0:
		return errNoValue
	case levels[0].rows < least:
		return fmt.Errorf("each of its names stands in fewer than %d rows, and a rare name can tell who a row is about; leave it out, or group its names", least)
	}
	for k, l := range levels {
		if k < most && l.rows >= least {
			d.Points = append(d.Points, DependencePoint{Value: c.Levels[l.code], Rows: l.rows})
			continue
		}
		d.OtherLevels++
		d.OtherShare += float64(l.rows)
	}
	d.OtherShare /= float64(d.Rows)
	return nil
}

type levelCount struct {
	code int32
	rows int
}

// byFrequency is the levels that occur, the most frequent first, equally frequent ones by name.
func byFrequency(c *table.Column) []levelCount {
	counts := make([]levelCount, len(c.Levels))
	for k := range counts {
		counts[k].code = int32(k)
	}
	for _, code := range c.Codes {
		if code >= 0 {
			counts[code].rows++
		}
	}
	counts = slices.DeleteFunc(counts, func(l levelCount) bool { return l.rows == 0 })
	slices.SortFunc(counts, func(a, b levelCount) int {
		return cmp.Or(cmp.Compare(b.rows, a.rows), cmp.Compare(c.Levels[a.code], c.Levels[b.code]))
	})
	return counts
}

// set gives every row of the column the point's value.
func set(c *table.Column, point DependencePoint) {
	if c.Kind == table.Numeric {
		v := math.NaN()
		if !point.Missing {
			v = *point.Number
		}
		c.Numbers = slices.Repeat([]float64{v}, len(c.Numbers))
		return
	}
	code := int32(-1)
	if !point.Missing {
		code = int32(slices.Index(c.Levels, point.Value))
	}
	c.Codes = slices.Repeat([]int32{code}, len(c.Codes))
}

func (d *Dependence) output(curves [][]float64) (DependenceOutput, error) {
	var out DependenceOutput
	weights := make([]float64, len(d.Points))
	means, values := make([]float64, len(d.Points)), make([]float64, len(curves))
	total := make([]float64, len(curves))
	for i, c := range curves {
		total[i] = stat.Mean(c, nil)
	}
	square := 0.0
	for k, point := range d.Points {
		weights[k] = float64(point.Rows)
		for i, c := range curves {
			values[i] = c[k]
		}
		mean := stats.StudentMean(values, (1-Level)/2)
		if !mean.Defined() && slices.Min(values) == slices.Max(values) {
			mean = stats.Exact(values[0], len(values))
		}
		means[k] = stat.Mean(values, nil)
		out.Mean = append(out.Mean, mean)
		for i := range values {
			values[i] -= total[i]
		}
		sd := 0.0
		if len(values) > 1 {
			sd = stat.StdDev(values, nil)
		}
		out.Heterogeneity = append(out.Heterogeneity, sd)
		square += weights[k] * sd * sd
	}
	rows := 0.0
	for _, w := range weights {
		rows += w
	}
	out.Spread = stat.PopStdDev(means, weights)
	out.MeanHeterogeneity = math.Sqrt(square / rows)
	for _, v := range append(slices.Clone(out.Heterogeneity), out.Spread, out.MeanHeterogeneity) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return out, fmt.Errorf("the answers are too large to be averaged; predict in larger units")
		}
	}
	return out, nil
}

func centred(curve []float64, really bool) []float64 {
	out := slices.Clone(curve)
	if really {
		for k := range out {
			out[k] -= curve[0]
		}
	}
	return out
}
