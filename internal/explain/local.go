package explain

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// DefaultLocalFeatures is how many features of a row are listed one by one.
const DefaultLocalFeatures = 10

// MonteCarlo is the interval method of a Shapley value: normal, over pairs of permutations.
const MonteCarlo = "normal over permutation pairs"

// LocalOptions steer Local; the zero value shows no value of any row.
type LocalOptions struct {
	// ShowValues names the columns whose values may be shown. What a row holds in the others, which may tell who it is about,
	// is in no part of the report.
	ShowValues map[string]bool
	Features   int      // listed a row, those that move its score most; 0 means DefaultLocalFeatures
	Threshold  *float64 // on the scale of the values; with it rows say on which side they are
}

// LocalReport explains single rows.
type LocalReport struct {
	Method    string             `json:"method"`
	Scale     Scale              `json:"scale"`
	Class     string             `json:"class,omitempty"`
	Base      float64            `json:"base"`
	Threshold *float64           `json:"threshold,omitempty"`
	Rows      []LocalExplanation `json:"rows"`
	LeftOut   []int              `json:"left_out"` // rows asked for that could not be explained
	Verdict   string             `json:"verdict"`  // Sound or Doubtful, as of the summary of these rows
	Reading   string             `json:"reading"`
	Notes     []string           `json:"notes"`
}

// LocalExplanation is why one row has its score: base + the parts + Others + Residual = score.
type LocalExplanation struct {
	Row       int     `json:"row"`
	Score     float64 `json:"score"`
	AtLeast   *bool   `json:"at_least,omitempty"` // whether the score reaches the threshold
	Parts     []Part  `json:"parts"`              // the largest first
	Others    float64 `json:"others"`             // sum of the values of features not listed
	NotListed int     `json:"not_listed"`         // features
	Residual  float64 `json:"residual"`
}

// Part is the Shapley value of a feature. Text is what the row holds, where it may be shown and is present.
type Part struct {
	Feature string         `json:"feature"`
	Value   stats.Estimate `json:"value"` // on the scale; N is the number of pairs, or of background rows when exact
	Text    *string        `json:"text,omitempty"`
	Missing bool           `json:"missing,omitempty"` // it may be shown, and the row has none
}

// Local explains the rows of v; f is the table that v was made from.
func (v Values) Local(f *table.Frame, opt LocalOptions) (LocalReport, error) {
	if opt.Features <= 0 {
		opt.Features = DefaultLocalFeatures
	}
	if t := opt.Threshold; t != nil && (math.IsNaN(*t) || math.IsInf(*t, 0)) {
		return LocalReport{}, fmt.Errorf("explain rows: the threshold is no finite number; expected one on the scale %s", v.Scale)
	}
	s := v.Summary()
	r := LocalReport{Method: v.Method, Scale: v.Scale, Class: v.Class, Base: v.Base, Threshold: opt.Threshold, Rows: []LocalExplanation{},
		LeftOut: append([]int{}, v.LeftOut...), Verdict: s.Verdict, Reading: s.Reading, Notes: s.Notes}
	columns := make([]*table.Column, len(v.Features))
	for j, name := range v.Features {
		if !opt.ShowValues[name] {
			continue
		}
		c, err := f.Column(name)
		if err != nil {
			return LocalReport{}, fmt.Errorf("explain rows: show the values of %q: %w", name, err)
		}
		columns[j] = c
	}
	for i, row := range v.Rows {
		if row < 0 || row >= f.Rows {
			return LocalReport{}, fmt.Errorf("explain rows: row %d is explained and the table has %d rows; give the table that the values were made from", row, f.Rows)
		}
		e := LocalExplanation{Row: row, Score: v.Scores[i], Residual: v.Residuals[i], Parts: []Part{}}
		if opt.Threshold != nil {
			reached := e.Score >= *opt.Threshold
			e.AtLeast = &reached
		}
		for rank, j := range v.bySize(i) {
			if rank >= opt.Features {
				e.Others += v.Phi[i][j]
				e.NotListed++
				continue
			}
			e.Parts = append(e.Parts, v.part(i, j, row, columns[j]))
		}
		r.Rows = append(r.Rows, e)
	}
	return r, nil
}

// bySize orders the features by the size of their values for a row, then by name.
func (v Values) bySize(i int) []int {
	order := make([]int, len(v.Features))
	for j := range order {
		order[j] = j
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(math.Abs(v.Phi[i][b]), math.Abs(v.Phi[i][a])), cmp.Compare(v.Features[a], v.Features[b]))
	})
	return order
}

func (v Values) part(i, j, row int, shown *table.Column) Part {
	p := Part{Feature: v.Features[j], Value: stats.Exact(v.Phi[i][j], v.Background)}
	if v.SE != nil {
		half := stats.NormalQuantileTail((1-Level)/2) * v.SE[i][j]
		p.Value = stats.Estimate{Value: v.Phi[i][j], Low: v.Phi[i][j] - half, High: v.Phi[i][j] + half, Level: Level, Method: MonteCarlo, N: v.Pairs[i]}
	}
	if shown != nil {
		if text, present := shown.Text(row); present {
			p.Text = &text
		} else {
			p.Missing = true
		}
	}
	return p
}

// Borderline gives the rows whose scores are nearest to the threshold, the nearest first, at most n; of equally near ones those
// that come first. Rows without a score (NaN) are none of them.
func Borderline(scores []float64, threshold float64, n int) []int {
	rows := make([]int, 0, len(scores))
	for i, s := range scores {
		if !math.IsNaN(s - threshold) {
			rows = append(rows, i)
		}
	}
	slices.SortStableFunc(rows, func(a, b int) int {
		return cmp.Compare(math.Abs(scores[a]-threshold), math.Abs(scores[b]-threshold))
	})
	return rows[:min(max(n, 0), len(rows))]
}

// ExplainRows explains the rows of f whose numbers are in rows by Sampled; opt.Rows and opt.MaxRows do not count.
func ExplainRows(ctx context.Context, p model.Predictor, f, background *table.Frame, rows []int, opt ShapleyOptions, local LocalOptions) (LocalReport, error) {
	opt.Rows = append([]int{}, rows...)
	v, err := Sampled(ctx, p, f, background, opt)
	if err != nil {
		return LocalReport{}, fmt.Errorf("explain rows: %w", err)
	}
	return v.Local(f, local)
}
