package explain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// Defaults of ShapleyOptions.
const (
	DefaultShapleyRows         = 1000
	DefaultShapleyBackground   = 2000
	DefaultShapleyPermutations = 64   // of a model that has to be asked
	DefaultFastPermutations    = 1000 // of a model.Logistic, whose scores need no asking
	DefaultShapleyBatch        = 4096
	LeastShapleyPermutations   = 4
)

// ShapleyOptions steer Sampled; the zero value is usable for all models but multiclass ones, which need a Class.
type ShapleyOptions struct {
	Scale         Scale                 // "" means Number for a regression, Probability otherwise
	Class         string                // multiclass: whose probability is explained
	Rows          []int                 // the rows to be explained; nil means all, or a sample of MaxRows
	MaxRows       int                   // 0 means DefaultShapleyRows
	MaxBackground int                   // more background rows are sampled down to so many; 0 means DefaultShapleyBackground
	Permutations  int                   // a row, even; 0 means the default, or as many as the budget allows
	Batch         int                   // the most rows the model is asked about at once; 0 means DefaultShapleyBatch
	Seed          uint64                // of the samples and of the permutations
	Progress      func(done, total int) // called after every row, in order of completion, never at once; nil for none
}

// Sampled estimates the Shapley values of rows of f for any model, against the rows of background. For each row it draws pairs
// of an order of the features and its reverse (antithetic permutations, Mitchell, Cooper, Frank & Holmes 2022, Sampling
// Permutations for Shapley Value Estimation), each pair with a background row, without replacement while there are
// others, walks from the background row to the row one feature at a time in both orders, and averages the changes of the score
// (Castro, Gomez & Tejada 2009; Strumbelj & Kononenko 2014, algorithm 1). Control variates whose means over the whole
// background are known then take out most of the chance in which background rows were drawn, and make the values add up; see
// controls.estimate. Standard errors are over the pairs. On average they are a little large, because background rows are not drawn
// twice; that of a value which rests on a handful of background rows, such as those with a rare name, is itself uncertain.
//
// A model.Logistic is walked by its terms, without asking it; other models are asked in batches, through p itself when it is a
// *Allowance. A row costs at most Permutations * (features - 1) + 1 predictions, the base one a background row. A model that fails
// on some rows, or on all, gives Values that say so. It is an error when the tables do not fit the model, when ctx ends, and
// when the budget is smaller than what is asked for, or than LeastShapleyPermutations need (ErrBudget).
func Sampled(ctx context.Context, p model.Predictor, f, background *table.Frame, opt ShapleyOptions) (Values, error) {
	v, err := sampled(ctx, p, f, background, opt)
	if err != nil {
		return Values{}, fmt.Errorf("sampled Shapley values: %w", err)
	}
	return v, nil
}

// sampling is one call of Sampled.
type sampling struct {
	opt        ShapleyOptions
	at         int // of the number that is explained, in a prediction
	of, behind *table.Frame
	out        Values
	used       []int     // background rows with a score, rows of behind
	base       []float64 // their scores
	pairs      int
	budgeted   bool // fewer pairs than usual, for the budget
}

func sampled(ctx context.Context, p model.Predictor, f, background *table.Frame, opt ShapleyOptions) (Values, error) {
	s, err := newSampling(p, f, background, opt)
	if err != nil {
		return Values{}, err
	}
	budget, ok := p.(*Allowance)
	if !ok {
		budget = NewAllowance(p, 0, 0)
	}
	if logistic := LogisticOf(p); logistic != nil {
		err = s.byTerms(ctx, logistic)
	} else {
		err = s.byAsking(ctx, budget)
	}
	if err != nil {
		return Values{}, err
	}
	s.describe(background.Rows)
	return s.out, nil
}

// LogisticOf is the logistic regression that p is, or wraps (what wraps one says so by Unwrap); nil when it is none.
func LogisticOf(p model.Predictor) *model.Logistic {
	switch p := p.(type) {
	case *model.Logistic:
		return p
	case *Allowance:
		return LogisticOf(p.p)
	case interface{ Unwrap() model.Predictor }:
		return LogisticOf(p.Unwrap())
	}
	return nil
}

func newSampling(p model.Predictor, f, background *table.Frame, opt ShapleyOptions) (*sampling, error) {
	s := &sampling{opt: opt.resolve()}
	var err error
	if s.opt.Scale, s.at, err = scaleOf(p.Schema(), opt.Scale, opt.Class); err != nil {
		return nil, err
	}
	if s.opt.Permutations < 0 || s.opt.Permutations%2 != 0 || s.opt.Permutations > 0 && s.opt.Permutations < LeastShapleyPermutations {
		return nil, fmt.Errorf("%d permutations; expected an even number of at least %d, each order goes with its reverse", s.opt.Permutations, LeastShapleyPermutations)
	}
	if s.of, err = inputs(p, f); err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	if s.behind, err = inputs(p, background); err != nil {
		return nil, fmt.Errorf("background rows: %w", err)
	}
	s.behind = takeRows(s.behind, drawn(background.Rows, s.opt.MaxBackground, generator(opt.Seed, "shapley background")))
	rows := opt.Rows
	if rows == nil {
		rows = drawn(f.Rows, s.opt.MaxRows, generator(opt.Seed, "shapley rows"))
	}
	for _, r := range rows {
		if r < 0 || r >= f.Rows {
			return nil, fmt.Errorf("row %d is to be explained; the table has the rows 0 to %d", r, f.Rows-1)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no rows are to be explained; name at least one")
	}
	s.of = takeRows(s.of, rows)
	s.opt.Rows = rows
	s.out = Values{Scale: s.opt.Scale, Class: opt.Class, Features: featureNames(p.Schema()), Seed: opt.Seed,
		Rows: []int{}, Scores: []float64{}, Phi: [][]float64{}, SE: [][]float64{}, Residuals: []float64{}, Pairs: []int{}, LeftOut: []int{}, Notes: []string{}}
	return s, nil
}

func (o ShapleyOptions) resolve() ShapleyOptions {
	if o.MaxRows <= 0 {
		o.MaxRows = DefaultShapleyRows
	}
	if o.MaxBackground <= 0 {
		o.MaxBackground = DefaultShapleyBackground
	}
	if o.Batch <= 0 {
		o.Batch = DefaultShapleyBatch
	}
	return o
}

// drawn are at most most of n rows, drawn at random, in their order.
func drawn(n, most int, random *rand.Rand) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	if n > most {
		rows = random.Perm(n)[:most]
		slices.Sort(rows)
	}
	return rows
}

// ground takes the scores of the background rows, NaN where there is none.
func (s *sampling) ground(scores []float64) {
	for i, score := range scores {
		if !math.IsNaN(score) {
			s.used, s.base = append(s.used, i), append(s.base, score)
		}
	}
	s.out.Background = len(s.used)
	if len(s.used) > 0 {
		s.out.Base, s.out.Spread = stat.PopMeanStdDev(s.base, nil)
	}
	if !finite(s.out.Base, s.out.Spread) {
		s.used, s.base, s.out.Base, s.out.Spread = nil, nil, 0, 0
		s.out.Notes = append(s.out.Notes, "The scores of the background rows are too large to be added; predict in larger units.")
	}
}

// plan decides how many pairs a row gets, so that the budget lasts.
func (s *sampling) plan(b *Allowance) error {
	rows, background, width := len(s.opt.Rows), s.behind.Rows, len(s.out.Features)
	need := func(permutations int) int { return background + rows*(1+permutations*max(width-1, 0)) }
	asked := s.opt.Permutations
	if asked == 0 {
		asked = DefaultShapleyPermutations
	}
	left := b.Left()
	if need(asked) > left && s.opt.Permutations == 0 {
		each := (left-background)/rows - 1
		asked = max(each/max(width-1, 1)/2*2, LeastShapleyPermutations)
		s.budgeted = true
	}
	if need(asked) > left {
		return fmt.Errorf("%w: %d rows with %d permutations against %d background rows may need %d predictions and %d are left; allow so many, explain fewer rows, or use fewer background rows or permutations",
			ErrBudget, rows, asked, background, need(asked), left)
	}
	s.pairs = asked / 2
	return nil
}

// stream is the chance in one row's walks, which does not depend on which other rows are explained.
func (s *sampling) stream(row int) *rand.Rand {
	return generator(s.opt.Seed, fmt.Sprintf("shapley row %d", row))
}

// grounds draws the background row of each pair, as positions in used: all of them before any a second time.
func (s *sampling) grounds(random *rand.Rand) []int {
	out := make([]int, 0, s.pairs)
	for len(out) < s.pairs {
		round := random.Perm(len(s.used))
		out = append(out, round[:min(len(round), s.pairs-len(out))]...)
	}
	return out
}

// keep adds a row's values, or leaves it out when too few pairs have them.
func (s *sampling) keep(i int, score float64, e estimated) {
	row := s.opt.Rows[i]
	if math.IsNaN(score) || e.pairs < LeastShapleyPermutations/2 || !finite(e.phi...) || !finite(e.se...) {
		s.out.LeftOut = append(s.out.LeftOut, row)
		return
	}
	residual := score - s.out.Base
	for _, x := range e.phi {
		residual -= x
	}
	v := &s.out
	v.Rows, v.Scores, v.Phi, v.SE = append(v.Rows, row), append(v.Scores, score), append(v.Phi, e.phi), append(v.SE, e.se)
	v.Residuals, v.Pairs = append(v.Residuals, residual), append(v.Pairs, e.pairs)
	v.LostPairs += s.pairs - e.pairs
}

func finite(xs ...float64) bool {
	return !slices.ContainsFunc(xs, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}

// describe says for a person what was done.
func (s *sampling) describe(background int) {
	v := &s.out
	v.Method = fmt.Sprintf("Sampled Shapley values (Castro, Gomez & Tejada 2009; Strumbelj & Kononenko 2014) on the scale %s: each row by %d orders of the "+
		"features and their reverses (Mitchell et al. 2022), each against one of %d background rows, with control variates; standard errors are over the orders.",
		v.Scale, s.pairs, s.behind.Rows)
	if background > s.behind.Rows {
		v.Notes = append(v.Notes, fmt.Sprintf("The base is the mean over a random sample of %d of %d background rows.", s.behind.Rows, background))
		if len(s.base) > 1 {
			v.BaseSE = stat.StdDev(s.base, nil) / math.Sqrt(float64(len(s.base)))
		}
	}
	if missing := s.behind.Rows - len(s.used); missing > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("The model gave no score for %d of %d background rows, which are left out.", missing, s.behind.Rows))
	}
	if len(v.LeftOut) > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%d of %d rows are left out: the model did not answer about them, or about what their walks pass through.", len(v.LeftOut), len(s.opt.Rows)))
	}
	if v.LostPairs > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%d pairs of walks of other rows are left out, because the model did not answer about a row on them.", v.LostPairs))
	}
	if v.Lost.Late > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("The model took too long to answer about %d rows.", v.Lost.Late))
	}
	if s.budgeted {
		v.Notes = append(v.Notes, fmt.Sprintf("The budget of predictions allowed %d permutations a row, fewer than the usual %d.", 2*s.pairs, DefaultShapleyPermutations))
	}
}

// enough reports that asking on is no use or not possible, and notes why.
func (s *sampling) enough(b *Allowance, err error) bool {
	switch {
	case errors.Is(err, ErrBudget):
		s.out.Notes = append(s.out.Notes, "The budget of predictions ran out while rows were asked about again to find those on which the model fails.")
	case b.Silent():
		s.out.Notes = append(s.out.Notes, "The model stopped answering, and was not asked any more.")
	default:
		return false
	}
	return true
}
