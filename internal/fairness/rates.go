package fairness

import "github.com/assay-ml/assay/internal/stats"

// Names of the rates of a group, in the order of RateNames; stats.SelectionRate, FPR, FNR, Accuracy and BaseRate are the others.
const (
	TPR = "tpr" // share of positives predicted positive
	TNR = "tnr" // share of negatives predicted negative
	PPV = "ppv" // share of predicted positives that are positive
	FDR = "fdr" // share of predicted positives that are negative
	NPV = "npv" // share of predicted negatives that are negative
	FOR = "for" // share of predicted negatives that are positive
)

// RateNames lists the rates of every group.
func RateNames() []string {
	names := make([]string, len(examined))
	for i, r := range examined {
		names[i] = r.name
	}
	return names
}

// examinedRate is a rate with the direction in which it is better for a group.
type examinedRate struct {
	rate
	fewer bool // the smallest rate is the best
}

const (
	noneSelected = "no examples are predicted positive"
	noneRefused  = "no examples are predicted negative"
)

// Places of rates that gaps are made of, in examined.
const (
	atSelection = iota
	atTPR
	atFPR
	atTNR
	atFNR
	atPPV
	atFDR
	atNPV
	atFOR
	atAccuracy
	atBase
)

var examined = []examinedRate{
	atSelection: {rate: selection},
	atTPR:       {rate: truePositive},
	atFPR:       {rate: falsePositive, fewer: true},
	atTNR: {rate: rate{TNR, falsePositive.none, func(c stats.Confusion) (int, int) {
		return c.TN, c.Negatives()
	}}},
	atFNR: {rate: rate{stats.FNR, truePositive.none, func(c stats.Confusion) (int, int) {
		return c.FN, c.Positives()
	}}, fewer: true},
	atPPV: {rate: rate{PPV, noneSelected, func(c stats.Confusion) (int, int) { return c.TP, c.Predicted() }}},
	atFDR: {rate: rate{FDR, noneSelected, func(c stats.Confusion) (int, int) { return c.FP, c.Predicted() }}, fewer: true},
	atNPV: {rate: rate{NPV, noneRefused, func(c stats.Confusion) (int, int) { return c.TN, c.TN + c.FN }}},
	atFOR: {rate: rate{FOR, noneRefused, func(c stats.Confusion) (int, int) { return c.FN, c.TN + c.FN }}, fewer: true},
	atAccuracy: {rate: rate{stats.Accuracy, selection.none, func(c stats.Confusion) (int, int) {
		return c.TP + c.TN, c.N()
	}}},
	atBase: {rate: rate{stats.BaseRate, selection.none, func(c stats.Confusion) (int, int) { return c.Positives(), c.N() }}},
}

// counts is a rate's successes and rows in every group.
type counts struct {
	successes, n []int
	known        int // groups with rows for this rate
}

func countsOf(r rate, groups []stats.Confusion) counts {
	c := counts{successes: make([]int, len(groups)), n: make([]int, len(groups))}
	for k, g := range groups {
		if c.successes[k], c.n[k] = r.count(g); c.n[k] > 0 {
			c.known++
		}
	}
	return c
}

// tallied is the rows counted by groups of one division.
type tallied struct {
	confusion []stats.Confusion
	score     []float64 // sum
	auc       []areaCount
	overall   stats.Confusion
	// How many groups have errors, and how many have both classes.
	withErrors, withAreas int
}

// examine counts rows once, by cells, and puts every division together from them.
func (p partition) examine(outcome []uint8, score []float64, q Question) Examination {
	cells := make([][4]int, p.cells)
	sum := make([]float64, p.cells)
	for i, c := range p.cell {
		cells[c][outcome[i]]++
		sum[c] += score[i]
	}
	ranked := p.rank(outcome, score)
	strata := p.stratify(q.Strata, outcome)
	e := Examination{Rows: len(p.cell), Level: q.Level, MinGroup: q.MinGroup, Divisions: []Division{}, LeftOut: p.leftOut}
	for _, d := range p.divisions {
		t := tallied{confusion: make([]stats.Confusion, len(d.groups)), score: make([]float64, len(d.groups))}
		for c, n := range cells {
			into := &t.confusion[d.of[c]]
			for _, g := range []*stats.Confusion{into, &t.overall} {
				g.TN, g.FP, g.FN, g.TP = g.TN+n[0], g.FP+n[1], g.FN+n[2], g.TP+n[3]
			}
			t.score[d.of[c]] += sum[c]
		}
		t.auc = areas(ranked, d.of, t.confusion)
		t.withErrors, t.withAreas = countsOf(falseNegativesOfErrors, t.confusion).known, areasKnown(t.confusion)
		e.Divisions = append(e.Divisions, d.report(t, strata, q))
	}
	return e
}

// report puts a division's estimates together.
func (d division) report(t tallied, strata *stratified, q Question) Division {
	out := d.empty(t.overall, q)
	for k := range d.groups {
		m := d.member(k, t, q)
		if m.Small {
			out.Small = append(out.Small, SmallCount{m.Name, m.N})
			out.Note = smallGroupsMakeNoGapsNote
		}
		out.Groups = append(out.Groups, m)
	}
	large := make([]bool, len(d.groups))
	for k, m := range out.Groups {
		large[k] = !m.Small
	}
	disparities := make([][][]Disparity, len(examined))
	inParallel(len(examined), func(at int) {
		r := examined[at]
		c := countsOf(r.rate, t.confusion)
		for k := range out.Groups {
			out.Groups[k].Rates[at] = Rate{r.name, shareTogether(c.successes[k], c.n[k], c.known, q.Level, r.none)}
		}
		disparities[at] = d.compare(r, c, large, q.Level)
	})
	for _, byGroup := range disparities {
		for k := range out.Groups {
			out.Groups[k].Disparities = append(out.Groups[k].Disparities, byGroup[k]...)
		}
	}
	out.Gaps = d.examinedGaps(out.Groups, t.confusion, large, q.Level)
	if strata != nil {
		out.Strata = &StrataUse{}
		out.Gaps = append(out.Gaps, d.conditional(out.Groups, strata, large, q.Level, out.Strata))
	}
	return out
}

func (d division) empty(overall stats.Confusion, q Question) Division {
	out := Division{Columns: d.columns, Reference: d.groupName(d.reference), Gaps: []Gap{}, Groups: make([]Member, 0, len(d.groups))}
	out.Name = joined(d.columns)
	for _, r := range examined {
		successes, n := r.count(overall)
		out.Overall = append(out.Overall, Rate{r.name, stats.ExactShare(successes, n, (1-q.Level)/2, r.none)})
	}
	return out
}

// member is a group without its rates, which are made for all groups at once.
func (d division) member(k int, t tallied, q Question) Member {
	c := t.confusion[k]
	m := Member{
		Name: d.groupName(k), Values: d.groups[k], N: c.N(), Positives: c.Positives(), Small: c.N() < q.MinGroup, Confusion: c,
		Rates: make([]Rate, len(examined)), Disparities: make([]Disparity, 0, 3*len(examined)),
		ErrorRatio: errorRatio(c, t.withErrors, q.Level),
		AUC:        areaEstimate(t.auc[k], c, t.withAreas, q.Level),
	}
	m.Calibration = calibrationOf(c, t.score[k], len(d.groups), q.Level)
	return m
}

// calibrationOf is the mean score minus the share of positives. Given the scores of the rows, positives are independent draws
// with probabilities of their own, whose number varies no more than that of a binomial with the same mean (Hoeffding, 1956,
// theorem 4), so that the exact limits of the share are limits of the mean of those probabilities too.
func calibrationOf(c stats.Confusion, sum float64, k int, level float64) Calibration {
	share := shareTogether(c.Positives(), c.N(), k, level, selection.none)
	mean := sum / float64(c.N())
	share.Value, share.Low, share.High = mean-share.Value, mean-share.High, mean-share.Low
	return Calibration{MeanScore: mean, Difference: share}
}

// falseNegativesOfErrors is the share of a group's errors that are false negatives, whose odds are the error ratio.
var falseNegativesOfErrors = rate{"fn_of_errors", "no errors", func(c stats.Confusion) (int, int) { return c.FN, c.FN + c.FP }}

const noFalsePositives = "no false positives, so there is no ratio"

// errorRatio is false negatives per false positive: given the errors it is the odds of a share, exact limits and all.
func errorRatio(c stats.Confusion, k int, level float64) stats.Estimate {
	if c.FP == 0 {
		return stats.NoValue(level, c.FN, noFalsePositives)
	}
	e := shareTogether(c.FN, c.FN+c.FP, k, level, falseNegativesOfErrors.none)
	e.Value, e.Low, e.High = float64(c.FN)/float64(c.FP), odds(e.Low), odds(e.High)
	e.Method = MethodExactOdds
	return e
}

func odds(share float64) float64 { return share / (1 - share) }
