package evaluation

import (
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// figure is what was measured elsewhere: counted, or single latencies whose quantile has an interval without any distribution.
func (s *Source) figure(q quantity) (measure, error) {
	from := s.options.New
	if q.Which == gate.Old {
		from = s.options.Old
	}
	if e, ok := from.Counted[q.Metric]; ok {
		if !e.Defined() {
			return noValue(e.N, e.Undefined), nil
		}
		if e.Method != stats.MethodExact {
			return nil, fmt.Errorf("its figure has the method %q; expected %q: hand in the single measurements of what is estimated", e.Method, stats.MethodExact)
		}
		return counted(e), nil
	}
	share, ok := latencies[q.Metric]
	if !ok {
		return nil, fmt.Errorf("it was not measured of the %s model", q.Which)
	}
	if len(from.LatencyMS) == 0 {
		return noValue(0, fmt.Sprintf("no latencies of the %s model were measured", q.Which)), nil
	}
	sorted := slices.Sorted(slices.Values(from.LatencyMS))
	return func(tail float64) gate.Measurement {
		e := stats.QuantileInterval(sorted, share, tail)
		return gate.Measurement{Estimate: e, Tail: tail, Guaranteed: true}
	}, nil
}

func (s *Source) pairedFigure(q quantity) (measure, error) {
	minus := q
	minus.Which = gate.Old
	one, err := s.figure(q)
	if err != nil {
		return nil, err
	}
	two, err := s.figure(minus)
	if err != nil {
		return nil, err
	}
	return difference(one, two), nil
}

// ownValues are a user's own numbers of the labelled rows of a quantity.
func (s *Source) ownValues(q quantity) ([]float64, error) {
	own := s.index.Own
	if q.Which == gate.Old {
		own = s.index.OwnOld
	}
	all, ok := own[q.Metric]
	if !ok {
		return nil, fmt.Errorf("it was not computed of the champion; run its program on the champion's answers too")
	}
	values := make([]float64, len(q.at.labelled))
	for k, i := range q.at.labelled {
		values[k] = all[i]
	}
	return values, nil
}

func (s *Source) ownRange(metric string) *Range {
	if r, ok := s.options.Ranges[metric]; ok {
		return &r
	}
	return nil
}

func (s *Source) own(q quantity) (measure, error) {
	if q.at.reason != "" {
		return noValue(0, q.at.reason), nil
	}
	values, err := s.ownValues(q)
	if err != nil {
		return nil, err
	}
	return meanMeasure(values, s.ownRange(q.Metric), q.at.from), nil
}

func (s *Source) pairedOwn(q quantity) (measure, error) {
	if q.at.reason != "" {
		return noValue(0, q.at.reason), nil
	}
	minus := q
	minus.Which = gate.Old
	values, err := s.ownValues(q)
	if err != nil {
		return nil, err
	}
	old, err := s.ownValues(minus)
	if err != nil {
		return nil, err
	}
	for k, v := range old {
		values[k] -= v
	}
	return meanMeasure(values, s.ownRange(q.Metric).doubled(), q.at.from), nil
}
