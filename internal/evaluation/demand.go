package evaluation

import (
	"math"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// demand is rows that need labels: so many of them, picked by lot, or those on which the models differ.
type demand struct {
	rows   []int32
	n      int
	differ bool
}

// demands are the labels a unit needs.
func (s *Source) demands(n gate.Need) ([]demand, error) {
	q, err := s.resolve(n.Unit.Quantity)
	if err != nil {
		return nil, err
	}
	if n.Unit.Minus == nil {
		return s.demandOf(q, n.Tail, n.HalfWidth, false), nil
	}
	minus, err := s.resolve(*n.Unit.Minus)
	if err != nil {
		return nil, err
	}
	switch {
	case q.sameBut(minus) && q.Which != minus.Which:
		return s.demandOf(q, n.Tail, n.HalfWidth, true), nil
	case q.apart(minus):
		width := n.HalfWidth / math.Sqrt2
		return append(s.demandOf(q, n.Tail, width, false), s.demandOf(minus, n.Tail, width, false)...), nil
	}
	return append(s.demandOf(q, n.Tail/2, n.HalfWidth/2, false), s.demandOf(minus, n.Tail/2, n.HalfWidth/2, false)...), nil
}

// demandOf is the labels that one quantity needs, or, paired, its difference between the two models.
func (s *Source) demandOf(q quantity, tail, halfWidth float64, paired bool) []demand {
	switch q.kind {
	case ofFigure, ofDisagreement:
		return nil
	case ofGroups:
		if !gaps[q.Metric].labels() {
			return nil
		}
		return []demand{{rows: s.whole().rows, n: s.index.N()}}
	}
	rows := q.at.rows
	if metric, ok := shareNamed(q.Metric); ok && q.kind == ofShare {
		switch {
		case !metric.labels, paired && metric.name == stats.BaseRate:
			return nil
		case paired && metric.name == stats.Accuracy:
			return []demand{{rows: rows, differ: true}}
		}
	}
	n := len(rows)
	if halfWidth > 0 && n > 0 {
		if enough := s.rowsEnough(q, tail, halfWidth, paired); enough > 0 {
			n = min(n, enough)
		}
	}
	return []demand{{rows: rows, n: n}}
}

// rowsEnough is how many of a quantity's rows give the half width whatever their labels, 0 when that cannot be told.
func (s *Source) rowsEnough(q quantity, tail, halfWidth float64, paired bool) int {
	within := s.rangeOf(q.Metric)
	if q.kind == ofOwn {
		within = s.ownRange(q.Metric)
	}
	switch {
	case (q.kind == ofMean || q.kind == ofOwn) && within != nil:
		if paired {
			within = within.doubled()
		}
		width := within.Most - within.Least // no numbers vary more than those half at either end
		return stats.EmpiricalBernsteinRows(width*width/4, within.Least, within.Most, halfWidth, tail)
	case q.kind == ofTop2 && !paired:
		return stats.ExactShareRows(0.5, halfWidth, tail)
	case q.kind != ofShare && q.kind != ofTop2:
		return 0
	case paired:
		return s.pairRowsEnough(q, tail, halfWidth)
	}
	counting := s.counting(q)
	if !(counting > 0) {
		return 0
	}
	return int(math.Ceil(float64(stats.ExactShareRows(0.5, halfWidth, tail)) / counting))
}

// pairRowsEnough takes the share of rows on which the models differ, which needs no labels, as that on which one is right.
func (s *Source) pairRowsEnough(q quantity, tail, halfWidth float64) int {
	counting, p := s.counting(q), q.at.pair
	if q.Metric == stats.Precision || q.kind == ofTop2 || !(counting > 0) {
		return 0
	}
	trials := stats.PairedShareRows(float64(p.differ)/float64(p.n), halfWidth, tail)
	return int(math.Ceil(float64(trials) / counting))
}

// counting is about what share of a quantity's rows count in its denominator.
func (s *Source) counting(q quantity) float64 {
	rows := q.at.rows
	switch q.Metric {
	case stats.Precision:
		predicted := 0
		for _, c := range q.at.answers {
			if class := c.new; q.Which == gate.New && class == q.class || q.Which == gate.Old && c.old == q.class {
				predicted += c.n
			}
		}
		return float64(predicted) / float64(len(rows))
	case stats.Recall, stats.FNR:
		return s.frequency(q)
	case stats.Specificity, stats.FPR:
		return 1 - s.frequency(q)
	}
	return 1
}

// frequency is about what share of a quantity's rows are of its class: as among those labelled, or as the scores say.
func (s *Source) frequency(q quantity) float64 {
	const enough = 100
	if len(q.at.labelled) >= enough {
		base, _ := shareNamed(stats.BaseRate)
		return base.tally(q.at.cells, false, q.class).share()
	}
	total, column := 0.0, 0
	if s.index.Task == stats.Multiclass {
		column = int(q.class)
	}
	for _, i := range q.at.rows {
		total += s.index.scores(s.index.Score, int(i))[column]
	}
	return total / float64(len(q.at.rows))
}
