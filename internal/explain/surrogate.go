package explain

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Defaults and bounds of SurrogateOptions.
const (
	MostSurrogateDepth        = 4
	DefaultSurrogateRows      = 3000
	DefaultSurrogateR2        = 0.8
	DefaultSurrogateAgreement = 0.9
	LeastSurrogateRows        = 20
	surrogateHeldOut          = 3  // one row in so many is held out
	surrogateLeavesAtMost     = 50 // a leaf holds one fitted row in so many
)

// SurrogateOptions steer SurrogateTree; the zero value is usable, but for a binary model's threshold.
type SurrogateOptions struct {
	Threshold      float64 // binary: the score from which the decision is positive; 0 means 0.5
	Depth          int     // questions asked in a row, 1 to MostSurrogateDepth; 0 means the most
	MinLeaf        int     // training rows in every leaf; 0 means 1 in 50, and at least 5
	MaxRows        int     // rows used, two thirds of them to fit; 0 means DefaultSurrogateRows
	MaxPredictions int     // bounds the rows as MaxRows does; 0 means no bound but that
	Seed           uint64  // of the sample, and of which rows are held out
	MinR2          float64 // below, the tree must not be read; 0 means DefaultSurrogateR2
	MinAgreement   float64 // of decisions, likewise; 0 means DefaultSurrogateAgreement
}

// Surrogate is a small tree that answers as the model does, more or less: how much is its fidelity, on rows it was not fitted
// to.
type Surrogate struct {
	Method      string     `json:"method"` // for a person
	Task        stats.Task `json:"task"`
	Rows        int        `json:"rows"` // given
	Fitted      int        `json:"fitted"`
	HeldOut     int        `json:"held_out"`
	Predictions int        `json:"predictions"` // rows that the model was asked about
	Seed        uint64     `json:"seed"`
	Depth       int        `json:"depth"` // reached

	// R2 is the share of the variance of the model's answers that the tree's explain, over the held-out rows and, of a
	// multiclass model, all classes' probabilities together: BCa interval over rows, or exactly 1 where every row agrees.
	R2 stats.Estimate `json:"r2"`
	// Agreement is the share of held-out rows with the same decision; undefined for a regression, which decides nothing.
	Agreement stats.Estimate `json:"agreement"`
	// Baseline is the agreement of always taking the decision most frequent among the fitted rows.
	Baseline     stats.Estimate `json:"baseline"`
	MinR2        float64        `json:"min_r2"`
	MinAgreement float64        `json:"min_agreement"`
	Verdict      string         `json:"verdict"` // pass, fail or inconclusive: is the fidelity enough to read the rules
	Reading      string         `json:"reading"` // the verdict for a person

	Rules []SurrogateRule `json:"rules"` // one a leaf; together they cover every row once
}

// SurrogateRule is one leaf: the rows it is for, and what the model answers there on average.
type SurrogateRule struct {
	When      string         `json:"when"`               // in words; "always" for a tree without a question
	Answers   []float64      `json:"answers"`            // the mean of the model's over the leaf's fitted rows: a number, or one a class
	Decision  string         `json:"decision,omitempty"` // not of a regression
	Fitted    int            `json:"fitted"`
	HeldOut   int            `json:"held_out"`
	Share     float64        `json:"share"`     // of the fitted rows
	Agreement stats.Estimate `json:"agreement"` // of decisions among the leaf's held-out rows
}

// Verdicts of Surrogate.
const (
	Faithful   = "pass"
	Unfaithful = "fail"
	Unsettled  = "inconclusive"
)

// SurrogateTree fits a classification and regression tree (Breiman, Friedman, Olshen and Stone 1984, sections 8.3 and 9.4) to
// the answers of p on rows of f (Craven and Shavlik 1996, Extracting tree-structured representations of trained networks), and
// measures its fidelity on a third of the rows, held out. Its splits take the most from the squared error, added up over the
// classes of a multiclass model. Rows without a value go to the side where they fit better (Twala, Jones and Hand 2008).
// Levels are ordered by their mean answer, which finds the best split of one answer (Breiman et al. 1984, theorem 4.5) and
// approximates it for several. Levels not met in fitting go with the larger side.
//
// The verdict is pass when the lower ends of R2 and agreement reach their bounds, fail when an upper end lies below, and
// otherwise inconclusive. It asks for one prediction a row used. It fails with fewer than LeastSurrogateRows rows, options
// out of range, an answer that is not finite (naming the row), and when ctx ends.
func SurrogateTree(ctx context.Context, p model.Predictor, f *table.Frame, opt SurrogateOptions) (Surrogate, error) {
	s, err := surrogateTree(ctx, p, f, opt)
	if err != nil {
		return Surrogate{}, fmt.Errorf("surrogate tree: %w", err)
	}
	return s, nil
}

func surrogateTree(ctx context.Context, p model.Predictor, f *table.Frame, opt SurrogateOptions) (Surrogate, error) {
	opt = opt.resolve()
	if err := opt.check(); err != nil {
		return Surrogate{}, err
	}
	f, err := inputs(p, f)
	if err != nil {
		return Surrogate{}, err
	}
	use := min(f.Rows, opt.MaxRows)
	if opt.MaxPredictions > 0 {
		use = min(use, opt.MaxPredictions)
	}
	if use < LeastSurrogateRows {
		return Surrogate{}, fmt.Errorf("%d rows may be used; expected at least %d, of which a third is held out", use, LeastSurrogateRows)
	}
	drawn := generator(opt.Seed, "surrogate").Perm(f.Rows)[:use]
	held := slices.Clone(drawn[:use/surrogateHeldOut])
	fitted := slices.Clone(drawn[use/surrogateHeldOut:])
	slices.Sort(held)
	slices.Sort(fitted)
	rows := slices.Concat(fitted, held)

	ask := newAsker(p)
	used := takeRows(f, rows)
	answers, err := ask.ask(ctx, used, func(i int) int { return rows[i] })
	if err != nil {
		return Surrogate{}, err
	}
	schema := p.Schema()
	s := Surrogate{Task: schema.TaskOf(), Rows: f.Rows, Fitted: len(fitted), HeldOut: len(held), Predictions: ask.asked, Seed: opt.Seed,
		MinR2: opt.MinR2, MinAgreement: opt.MinAgreement}
	g := grower{frame: used, answers: answers, width: ask.width, depth: opt.Depth, minLeaf: opt.MinLeaf}
	if g.minLeaf == 0 {
		g.minLeaf = max(5, len(fitted)/surrogateLeavesAtMost)
	}
	index := make([]int, use)
	for i := range index {
		index[i] = i
	}
	root, err := g.grow(ctx, index[:len(fitted)], 0)
	if err != nil {
		return Surrogate{}, err
	}
	decide := decider(schema, opt.Threshold)
	if err := s.judge(&g, root, index[len(fitted):], decide); err != nil {
		return Surrogate{}, err
	}
	s.write(&g, root, nil, index[len(fitted):], decide)
	s.Method = fmt.Sprintf("A regression tree (Breiman et al. 1984) of at most %d questions, fitted to the model's own answers on %d rows; fidelity on %d held-out rows, %g%% intervals. "+
		"It says what the model does, not what is true, and where the fidelity is low not even that.", opt.Depth, s.Fitted, s.HeldOut, 100*Level)
	return s, nil
}

func (o SurrogateOptions) resolve() SurrogateOptions {
	if o.Threshold == 0 {
		o.Threshold = 0.5
	}
	if o.Depth == 0 {
		o.Depth = MostSurrogateDepth
	}
	if o.MaxRows <= 0 {
		o.MaxRows = DefaultSurrogateRows
	}
	if o.MinR2 == 0 {
		o.MinR2 = DefaultSurrogateR2
	}
	if o.MinAgreement == 0 {
		o.MinAgreement = DefaultSurrogateAgreement
	}
	return o
}

func (o SurrogateOptions) check() error {
	switch {
	case o.Depth < 1 || o.Depth > MostSurrogateDepth:
		return fmt.Errorf("a depth of %d; expected 1 to %d, deeper trees are not read", o.Depth, MostSurrogateDepth)
	case o.MinLeaf < 0:
		return fmt.Errorf("at least %d rows in a leaf; expected 1 or more", o.MinLeaf)
	case !(o.Threshold > 0 && o.Threshold <= 1):
		return fmt.Errorf("the threshold is %g; expected one above 0 and at most 1", o.Threshold)
	case !(o.MinR2 > 0 && o.MinR2 <= 1) || !(o.MinAgreement > 0 && o.MinAgreement <= 1):
		return fmt.Errorf("the bounds of fidelity are %g and %g; expected numbers above 0 and at most 1", o.MinR2, o.MinAgreement)
	}
	return nil
}

// decider gives the name of what is decided upon an answer; nil of a regression.
func decider(s model.Schema, threshold float64) func(answer []float64) string {
	switch s.TaskOf() {
	case stats.Regression:
		return nil
	case stats.Multiclass:
		return func(a []float64) string { return s.Classes[stats.MostProbable(a)] }
	}
	return func(a []float64) string {
		if a[0] >= threshold {
			return s.Positive
		}
		return s.Negative
	}
}

const noDecision = "a regression decides nothing"

func (s *Surrogate) judge(g *grower, root *node, held []int, decide func([]float64) string) error {
	tiny, same := true, 0
	sums := make([]float64, 0, len(held)*(1+2*g.width))
	varies := false
	for _, i := range held {
		leaf, answer := root.leaf(g.frame, i), g.answer(i)
		e := 0.0
		for o, v := range answer {
			d := v - leaf.mean[o]
			e += d * d
			tiny = tiny && math.Abs(d) <= 1e-9*(1+math.Abs(v))
			varies = varies || v != g.answer(held[0])[o]
		}
		sums = append(sums, e)
		for o, v := range answer {
			// Answers far from 0 would cancel in the variance; the tree's mean is near enough to theirs.
			c := v - root.mean[o]
			sums = append(sums, c, c*c)
		}
		if decide != nil && decide(answer) == decide(leaf.mean) {
			same++
		}
	}
	for _, v := range sums {
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Errorf("the answers are too large to be squared; predict in larger units")
		}
	}
	width := 1 + 2*g.width
	s.R2 = stats.NoValue(Level, len(held), "the model gives every held-out row the same answer")
	switch {
	case varies && tiny:
		// Resampling rows of which none has an error gives no spread to make an interval from.
		s.R2 = stats.Exact(1, len(held))
	case varies:
		s.R2 = stats.BCaSums(sums, width, stats.Resampling{Replicates: 1000, Seed: s.Seed}, func(sum []float64, n int) (float64, bool) {
			total := 0.0
			for o := range g.width {
				total += sum[2+2*o] - sum[1+2*o]*sum[1+2*o]/float64(n)
			}
			return 1 - sum[0]/total, total > 0
		}).Estimate((1 - Level) / 2)
	}
	s.Agreement, s.Baseline = stats.NoValue(Level, len(held), noDecision), stats.NoValue(Level, len(held), noDecision)
	if decide != nil {
		s.Agreement = stats.Proportion(same, len(held), Level, "")
		s.Baseline = stats.Proportion(g.usual(s.Fitted, held, decide), len(held), Level, "")
	}
	s.read(tiny)
	return nil
}

// usual is how many held-out rows have the decision that is most frequent among the fitted ones, the first n.
func (g *grower) usual(n int, held []int, decide func([]float64) string) int {
	counts, best := map[string]int{}, ""
	for i := range n {
		counts[decide(g.answer(i))]++
	}
	for i := range n {
		if d := decide(g.answer(i)); best == "" || counts[d] > counts[best] {
			best = d
		}
	}
	same := 0
	for _, i := range held {
		if decide(g.answer(i)) == best {
			same++
		}
	}
	return same
}

// read gives the verdict. Exact says that the tree answers every held-out row as the model does.
func (s *Surrogate) read(exact bool) {
	regression := s.Task == stats.Regression
	low := s.R2.Defined() && s.R2.High < s.MinR2 || !regression && s.Agreement.High < s.MinAgreement
	enough := s.R2.Defined() && s.R2.Low >= s.MinR2 && (regression || s.Agreement.Low >= s.MinAgreement)
	if exact {
		// A few rows without an error prove little: as many are asked for as would settle an agreement.
		enough = stats.Proportion(s.HeldOut, s.HeldOut, Level, "").Low >= s.MinAgreement
	}
	switch {
	case low:
		s.Verdict, s.Reading = Unfaithful, "Do not read the rules: the tree does not answer as the model does."
	case enough:
		s.Verdict, s.Reading = Faithful, "The rules can be read as a summary of what the model does on rows like these."
	default:
		s.Verdict, s.Reading = Unsettled, "Do not rely on the rules: the held-out rows do not settle whether the tree answers as the model does; give more rows."
	}
	bound := fmt.Sprintf("R2 of at least %g", s.MinR2)
	if !regression {
		bound += fmt.Sprintf(" and agreement of at least %g", s.MinAgreement)
	}
	s.Reading += " Asked for: " + bound + "."
}
