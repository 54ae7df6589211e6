package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
)

// Scale is what Shapley values add up to.
type Scale string

const (
	Probability Scale = "probability" // of the positive class, or of the class that is explained
	LogOdds     Scale = "log_odds"    // ln(p / (1 - p)) of that probability
	Number      Scale = "number"      // a regression's prediction, in the target's units
)

// Verdicts on Values and on Stability.
const (
	Sound    = "pass"         // it can be read
	Doubtful = "inconclusive" // it cannot, for the reason given
)

// What a summary's verdict lets pass.
const (
	// MostErrorShare: the Monte Carlo error of a row, the root of the sum of the squared standard errors of its values, on
	// average over the rows, as a share of the standard deviation of the scores over the background.
	MostErrorShare = 0.10
	// MostResidualShare: the largest residual of a row, as a share of the same standard deviation.
	MostResidualShare = 0.05
	// MostLeftOut: the share of rows, and of permutation pairs, left out because the model did not answer.
	MostLeftOut = 0.05
)

// Values are the Shapley values of rows: how much each feature moves a row's score away from the mean score over background
// rows. The value of a feature is the mean, over all orders of the features, of the change of the score when the feature takes
// the row's value after those before it have, all others having those of a background row (Shapley 1953; Lundberg & Lee 2017,
// equation 8, with the interventional value function of Janzing, Minorics & Bloebaum 2020).
// Rows, Scores, Phi, SE and Residuals have one entry a row; Phi and SE one number a feature, in the order of Features.
type Values struct {
	Method     string      `json:"method"` // for a person
	Scale      Scale       `json:"scale"`
	Class      string      `json:"class,omitempty"` // multiclass: whose probability is explained
	Features   []string    `json:"features"`
	Base       float64     `json:"base"`         // mean score of the background rows
	BaseSE     float64     `json:"base_se"`      // its standard error when they were drawn from more rows, otherwise 0
	Background int         `json:"background"`   // rows
	Spread     float64     `json:"spread"`       // standard deviation of the score over the background
	Rows       []int       `json:"rows"`         // numbers in the caller's table
	Scores     []float64   `json:"scores"`       // on the scale
	Phi        [][]float64 `json:"phi"`          // on the scale
	SE         [][]float64 `json:"se,omitempty"` // Monte Carlo standard errors; none when the values are exact
	Residuals  []float64   `json:"residuals"`    // score - base - sum of the values
	Pairs      []int       `json:"pairs,omitempty"`
	Seed       uint64      `json:"seed,omitempty"`
	Asked      int         `json:"asked"`      // predictions spent
	Lost       Lost        `json:"lost"`       // predictions without an answer
	LeftOut    []int       `json:"left_out"`   // rows that could not be explained
	LostPairs  int         `json:"lost_pairs"` // permutation pairs left out of rows that could
	Notes      []string    `json:"notes"`
}

// Attribution is the importance of a feature: the mean over the rows of the size of its Shapley value (Lundberg et al. 2020,
// From local explanations to global understanding with explainable AI for trees). The interval is for the mean over rows like these.
type Attribution struct {
	Feature string         `json:"feature"`
	MeanAbs float64        `json:"mean_abs"` // on the scale
	Mean    float64        `json:"mean"`     // with its sign
	SE      float64        `json:"se"`       // root mean square Monte Carlo standard error of the values of one row
	Size    stats.Estimate `json:"size"`     // of MeanAbs
}

// ShapleyReport is a summary of Values over the rows, most important feature first.
type ShapleyReport struct {
	Method     string        `json:"method"`
	Scale      Scale         `json:"scale"`
	Class      string        `json:"class,omitempty"`
	Base       float64       `json:"base"`
	BaseSE     float64       `json:"base_se"`
	Rows       int           `json:"rows"`
	Background int           `json:"background"`
	Spread     float64       `json:"spread"`
	Seed       uint64        `json:"seed,omitempty"`
	Features   []Attribution `json:"features"`

	MeanError     float64  `json:"mean_error"`     // expected mean absolute Monte Carlo error of a value, on the scale
	ErrorShare    float64  `json:"error_share"`    // see MostErrorShare
	Residual      float64  `json:"residual"`       // the largest of a row, in size
	ResidualShare float64  `json:"residual_share"` // see MostResidualShare
	Asked         int      `json:"asked"`
	Lost          Lost     `json:"lost"`
	LeftOut       int      `json:"left_out"` // rows
	LostPairs     int      `json:"lost_pairs"`
	Verdict       string   `json:"verdict"` // pass or inconclusive: can the values be read
	Reading       string   `json:"reading"`
	Notes         []string `json:"notes"`
}

// Summary is what the values say over all rows.
func (v Values) Summary() ShapleyReport {
	r := ShapleyReport{
		Method: v.Method, Scale: v.Scale, Class: v.Class, Base: v.Base, BaseSE: v.BaseSE, Rows: len(v.Rows), Background: v.Background,
		Spread: v.Spread, Seed: v.Seed, Features: []Attribution{}, Asked: v.Asked, Lost: v.Lost, LeftOut: len(v.LeftOut),
		LostPairs: v.LostPairs, Notes: append([]string{}, v.Notes...),
	}
	sizes := make([]float64, len(v.Rows))
	for j, feature := range v.Features {
		a := Attribution{Feature: feature}
		for i := range v.Rows {
			sizes[i] = math.Abs(v.Phi[i][j])
			a.Mean += v.Phi[i][j] / float64(len(v.Rows))
			if v.SE != nil {
				a.SE += v.SE[i][j] * v.SE[i][j] / float64(len(v.Rows))
			}
		}
		a.SE = math.Sqrt(a.SE)
		if len(sizes) > 0 {
			a.MeanAbs = stat.Mean(sizes, nil)
		}
		if a.Size = stats.StudentMean(sizes, (1-Level)/2); len(sizes) > 0 && slices.Max(sizes) == 0 {
			a.Size = stats.Exact(0, len(sizes))
		}
		r.Features = append(r.Features, a)
	}
	slices.SortStableFunc(r.Features, func(a, b Attribution) int {
		return cmp.Or(cmp.Compare(b.MeanAbs, a.MeanAbs), cmp.Compare(a.Feature, b.Feature))
	})
	v.errors(&r)
	r.Verdict, r.Reading = v.judge(r)
	return r
}

// errors measures how exact the values are.
func (v Values) errors(r *ShapleyReport) {
	rows := 0.0
	for i := range v.Rows {
		r.Residual = max(r.Residual, math.Abs(v.Residuals[i]))
		if v.SE == nil {
			continue
		}
		squares := 0.0
		for _, se := range v.SE[i] {
			squares += se * se
			// The mean size of a normal variable is sqrt(2/pi) standard deviations.
			r.MeanError += se * math.Sqrt(2/math.Pi) / float64(len(v.Rows)*len(v.Features))
		}
		rows += math.Sqrt(squares) / float64(len(v.Rows))
	}
	r.ErrorShare, r.ResidualShare = v.share(rows), v.share(r.Residual)
}

// mostShare stands for all larger shares, and for those of a score that does not vary.
const mostShare = 1000

// share is that of an error in the spread of the scores; what is but the rounding of the scores is none.
func (v Values) share(part float64) float64 {
	switch {
	case part <= 1e-12*math.Abs(v.Base):
		return 0
	case part >= mostShare*v.Spread:
		return mostShare
	}
	return part / v.Spread
}

// judge says whether the values can be read.
func (v Values) judge(r ShapleyReport) (string, string) {
	rows, pairs := len(v.Rows)+len(v.LeftOut), v.LostPairs
	for _, n := range v.Pairs {
		pairs += n
	}
	switch {
	case len(v.Rows) == 0:
		return Doubtful, "No row could be explained: the model gave no answers to build on. Correct the model, or allow it more time and predictions."
	case float64(len(v.LeftOut)) > MostLeftOut*float64(rows):
		return Doubtful, fmt.Sprintf("%d of %d rows could not be explained, more than %g%%: what is left may not be like them.", len(v.LeftOut), rows, 100*MostLeftOut)
	case float64(v.LostPairs) > MostLeftOut*float64(pairs):
		return Doubtful, fmt.Sprintf("The model did not answer in %d of %d walks from a background row to a row, more than %g%%: what is left may not be like them.", v.LostPairs, pairs, 100*MostLeftOut)
	case r.ErrorShare > MostErrorShare:
		return Doubtful, fmt.Sprintf("The Monte Carlo error of a row is %.3g of the spread of the scores, more than %g; about %.0f times as many permutations would do.", r.ErrorShare, MostErrorShare, math.Ceil(math.Pow(r.ErrorShare/MostErrorShare, 2)))
	case r.ResidualShare > MostResidualShare:
		return Doubtful, fmt.Sprintf("The values of a row miss its score by up to %.3g of the spread of the scores, more than %g; use more permutations.", r.ResidualShare, MostResidualShare)
	case v.SE == nil:
		return Sound, "The values are exact, and add up to the score."
	}
	missed := "values add up to the score"
	if r.ResidualShare >= 5e-4 {
		missed = fmt.Sprintf("values miss the score by at most %.3g of it (at most %g)", r.ResidualShare, MostResidualShare)
	}
	return Sound, fmt.Sprintf("The Monte Carlo error of a row is %.3g of the spread of the scores (at most %g), and %s.", r.ErrorShare, MostErrorShare, missed)
}

// scaleOf checks the scale and the class for a model, and gives the scale and the index of its number in a prediction.
func scaleOf(s model.Schema, scale Scale, class string) (Scale, int, error) {
	task := s.TaskOf()
	if scale == "" {
		if scale = Probability; task == stats.Regression {
			scale = Number
		}
	}
	switch {
	case scale != Probability && scale != LogOdds && scale != Number:
		return "", 0, fmt.Errorf("the scale is %q; expected %q, %q or %q", scale, Probability, LogOdds, Number)
	case (scale == Number) != (task == stats.Regression):
		return "", 0, fmt.Errorf("the scale is %q and the model's task %s; expected %q for a regression, otherwise %q or %q", scale, task, Number, Probability, LogOdds)
	case task != stats.Multiclass && class != "":
		return "", 0, fmt.Errorf("a class is named to be explained, and the model's task is %s; expected none", task)
	case task != stats.Multiclass:
		return scale, 0, nil
	}
	k := slices.Index(s.Classes, class)
	if k < 0 {
		return "", 0, fmt.Errorf("the class %q to be explained is none of the model's; expected one of %d classes", class, len(s.Classes))
	}
	return scale, k, nil
}

// onto puts a model's number on the scale.
func (s Scale) onto(v float64) float64 {
	if s != LogOdds {
		return v
	}
	p := clipped(v)
	return math.Log(p) - math.Log1p(-p)
}

func featureNames(s model.Schema) []string {
	names := make([]string, len(s.Features))
	for j, f := range s.Features {
		names[j] = f.Name
	}
	return names
}
