package evaluation

import (
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// compare fills in what the champion's answers on the same rows say of the candidate's.
func (e *evaluator) compare(c *Comparison) error {
	s := newSource(e.index, SourceOptions{Seed: e.Seed, Replicates: e.Replicates})
	tail := (1 - e.Level) / 2
	for _, name := range e.metricNames() {
		u := gate.Unit{
			Quantity: gate.Quantity{Which: gate.New, Metric: name},
			Minus:    &gate.Quantity{Which: gate.Old, Metric: name},
		}
		m, err := s.Measure(u, tail)
		if err != nil {
			return err
		}
		c.Differences = append(c.Differences, stats.Metric{Name: name, Estimate: m.Estimate})
	}
	if e.new == nil {
		return nil
	}
	m, err := s.Measure(gate.Unit{Quantity: gate.Quantity{Which: gate.Both, Metric: stats.Disagreement}}, tail)
	if err != nil {
		return err
	}
	c.Disagreement = &m.Estimate
	whole := s.whole()
	c.Answers = answers(whole.answers, e.classCount())
	c.Right = right(whole.cells)
	return nil
}

func (e *evaluator) metricNames() []string {
	switch e.Task {
	case stats.Multiclass:
		return stats.MulticlassMetricNames()
	case stats.Regression:
		return stats.RegressionMetricNames()
	}
	return stats.MetricNames()
}

func answers(cells []cell, classes int) [][]int {
	table := make([][]int, classes)
	for k := range table {
		table[k] = make([]int, classes)
	}
	for _, c := range cells {
		table[c.old][c.new] += c.n
	}
	return table
}

func right(cells []cell) *Right {
	var r Right
	for _, c := range cells {
		switch {
		case c.truth == c.new && c.truth == c.old:
			r.Both += c.n
		case c.truth == c.new:
			r.OnlyCandidate += c.n
		case c.truth == c.old:
			r.OnlyChampion += c.n
		default:
			r.Neither += c.n
		}
	}
	r.McNemar = stats.McNemar(r.OnlyCandidate, r.OnlyChampion)
	return &r
}
