package simulation

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
	"gonum.org/v1/gonum/stat/distuv"
)

// Scene is a world in which the expression of a condition has exactly the value of its bound, and from which test rows are drawn
// that evaluation.Source decides on. "More than the bound" does not hold there, so that a pass is wrong; "at least the bound"
// does, so that a fail of it would be. Nowhere else is either more likely.
type Scene struct {
	Name       string
	Expression string
	Bound      float64
	Task       stats.Task
	Guaranteed bool // the error rate holds by proof; otherwise it is an approximation
	Cautious   bool // it holds for several groups together, and is wrong less often than stated
	Rows       int
	draw       func(r *rand.Rand, p *evaluation.Predictions)
}

// Condition is the scene's condition, which does not hold.
func (s Scene) Condition() string { return fmt.Sprintf("%s > %v", s.Expression, s.Bound) }

// Draw draws a test set.
func (s Scene) Draw(r *rand.Rand) evaluation.Predictions {
	p := evaluation.Predictions{
		Task: s.Task, Threshold: 0.5, Row: make([]int64, s.Rows), Y: make([]float64, s.Rows), Score: make([]float64, s.Rows),
	}
	for i := range p.Row {
		p.Row[i] = int64(i + 1)
	}
	s.draw(r, &p)
	return p
}

// Ends counts, in so many worlds, those in which the whole interval of the expression lies above its true value, and those in
// which it lies below. A plan with one clause states at most 1 - reliability for each of them.
func (s Scene) Ends(plan gate.Plan, worlds int, seed uint64) (above, below Rate, err error) {
	f, err := gate.Parse(s.Condition())
	if err != nil {
		return Rate{}, Rate{}, err
	}
	r := generator(seed)
	above.Worlds, below.Worlds = worlds, worlds
	for range worlds {
		source, err := evaluation.NewSource(s.Draw(r), evaluation.SourceOptions{Seed: r.Uint64()})
		if err != nil {
			return Rate{}, Rate{}, err
		}
		d, err := gate.DecideAll([]gate.Formula{f}, plan, source)
		if err != nil {
			return Rate{}, Rate{}, err
		}
		switch d.Verdict {
		case gate.Pass:
			above.Times++
		case gate.Fail:
			below.Times++
		}
	}
	return above, below, nil
}

func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }

// Scenes are worlds for the methods that a unit is measured by.
func Scenes() []Scene {
	binary := func(expression string, bound float64, guaranteed bool, rows int, draw func(*rand.Rand, *evaluation.Predictions)) Scene {
		return Scene{Name: expression, Expression: expression, Bound: bound, Task: stats.Binary, Guaranteed: guaranteed, Rows: rows, draw: draw}
	}
	number := func(name, expression string, bound float64, residual func(*rand.Rand) float64) Scene {
		return Scene{Name: name, Expression: expression, Bound: bound, Task: stats.Regression, Rows: 500, draw: residuals(residual)}
	}
	gaps := func(name string, bound float64, rows int, share map[string]float64) Scene {
		return Scene{Name: name, Expression: "demographic_parity_difference[g]", Bound: bound, Task: stats.Binary, Cautious: true, Rows: rows, draw: groups(share)}
	}
	separation := 1.2
	auc := distuv.UnitNormal.CDF(separation / math.Sqrt2)
	return []Scene{
		binary("f1", 2*0.25/(2*0.25+0.10+0.15), true, 500, cells(0.25, 0.10, 0.15)),
		binary("recall", 0.97, true, 400, cells(0.485, 0.10, 0.015)),
		binary("brier", 0.25*0.1+0.01*0.9, true, 1000, rare),
		binary("new.recall - old.recall", 0, true, 1000, twins),
		binary("auc", auc, false, 400, binormal(separation)),
		binary("new.auc - old.auc", 0, false, 400, rivals(separation)),
		binary("recall[g=a] - recall[g=b]", 0, false, 400, groups(map[string]float64{"a": 0.8, "b": 0.8})),
		binary("balanced_accuracy", (0.25/0.40+0.50/0.60)/2, false, 400, cells(0.25, 0.10, 0.15)),
		binary("mcc", mcc(0.25, 0.10, 0.15), false, 400, cells(0.25, 0.10, 0.15)),
		gaps("demographic_parity_difference[g]", 0.2, 900, map[string]float64{"a": 0.6, "b": 0.5, "c": 0.4}),
		gaps("demographic_parity_difference[g], eight alike groups", 0, 1600, map[string]float64{
			"a": 0.3, "b": 0.3, "c": 0.3, "d": 0.3, "e": 0.3, "f": 0.3, "g": 0.3, "h": 0.3,
		}),
		number("rmse, normal errors", "rmse", 2, func(r *rand.Rand) float64 { return 2 * r.NormFloat64() }),
		number("rmse, errors with long tails", "rmse", math.Sqrt2, func(r *rand.Rand) float64 { return r.ExpFloat64() * sign(r) }),
		number("mae, errors with a long tail", "mae", 1, func(r *rand.Rand) float64 { return r.ExpFloat64() * sign(r) }),
	}
}

// cells draws rows of a confusion matrix; what is left are true negatives.
func cells(tp, fp, fn float64) func(*rand.Rand, *evaluation.Predictions) {
	return func(r *rand.Rand, p *evaluation.Predictions) {
		for i := range p.Y {
			switch u := r.Float64(); {
			case u < tp:
				p.Y[i], p.Score[i] = 1, 1
			case u < tp+fp:
				p.Score[i] = 1
			case u < tp+fp+fn:
				p.Y[i] = 1
			}
		}
	}
}

func mcc(tp, fp, fn float64) float64 {
	tn := 1 - tp - fp - fn
	return (tp*tn - fp*fn) / math.Sqrt((tp+fp)*(tp+fn)*(tn+fp)*(tn+fn))
}

// rare draws rows of which a tenth have a large error, and the others a small one.
func rare(r *rand.Rand, p *evaluation.Predictions) {
	for i := range p.Y {
		p.Score[i] = 0.1
		if r.Float64() < 0.1 {
			p.Score[i] = 0.5
		}
	}
}

// twins draws the answers of two models of the same recall that seldom differ.
func twins(r *rand.Rand, p *evaluation.Predictions) {
	p.Old = make([]float64, len(p.Y))
	for i := range p.Y {
		p.Y[i] = float64(r.IntN(2))
		switch u := r.Float64(); {
		case u < 0.03:
			p.Score[i] = 1
		case u < 0.06:
			p.Old[i] = 1
		case u < 0.80:
			p.Score[i], p.Old[i] = 1, 1
		}
	}
}

// binormal draws normal scores, those of positives so many standard deviations higher, brought into [0, 1].
func binormal(separation float64) func(*rand.Rand, *evaluation.Predictions) {
	return func(r *rand.Rand, p *evaluation.Predictions) {
		for i := range p.Y {
			if r.Float64() < 0.3 {
				p.Y[i] = 1
			}
			p.Score[i] = distuv.UnitNormal.CDF(r.NormFloat64() + separation*p.Y[i])
		}
	}
}

// rivals draws the answers of two models of the same AUC, correlated as those of models of the same data are.
func rivals(separation float64) func(*rand.Rand, *evaluation.Predictions) {
	const common = 0.8
	return func(r *rand.Rand, p *evaluation.Predictions) {
		p.Old = make([]float64, len(p.Y))
		own := math.Sqrt(1 - common)
		for i := range p.Y {
			if r.Float64() < 0.3 {
				p.Y[i] = 1
			}
			shared := math.Sqrt(common)*r.NormFloat64() + separation*p.Y[i]
			p.Score[i] = distuv.UnitNormal.CDF(shared + own*r.NormFloat64())
			p.Old[i] = distuv.UnitNormal.CDF(shared + own*r.NormFloat64())
		}
	}
}

// groups draws positive rows of groups that are as frequent as one another, of which such shares are predicted positive.
func groups(share map[string]float64) func(*rand.Rand, *evaluation.Predictions) {
	names := slices.Sorted(maps.Keys(share))
	return func(r *rand.Rand, p *evaluation.Predictions) {
		column := make([]string, len(p.Y))
		for i := range p.Y {
			column[i] = names[r.IntN(len(names))]
			p.Y[i] = 1
			if r.Float64() < share[column[i]] {
				p.Score[i] = 1
			}
		}
		p.Groups = map[string][]string{"g": column}
	}
}

func residuals(residual func(*rand.Rand) float64) func(*rand.Rand, *evaluation.Predictions) {
	return func(r *rand.Rand, p *evaluation.Predictions) {
		for i := range p.Y {
			p.Y[i] = 10 * r.NormFloat64()
			p.Score[i] = p.Y[i] + residual(r)
		}
	}
}

func sign(r *rand.Rand) float64 { return float64(2*r.IntN(2) - 1) }
