package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
)

// equal is how far two values may be apart that are the same but for the order of their sums.
const equal = 1e-9

// agreement is how far the figures of both are apart at most.
type agreement struct {
	values, ends int     // compared: points, and ends of intervals that have a formula
	value, end   float64 // the largest difference of each
	resampled    int     // intervals compared that are resampled
	apart        float64 // the largest difference of their ends, as a share of Assay's interval
}

func (a agreement) String() string {
	return fmt.Sprintf("%d values within %.0e, %d interval ends within %.0e", a.values, a.value, a.ends, a.end)
}

func (a agreement) note() string {
	if a.resampled == 0 {
		return "checked in every round"
	}
	return fmt.Sprintf("checked in every round; ends of %d resampled intervals, whose resamples differ, are at most %.0f %% of the interval apart", a.resampled, 100*a.apart)
}

// compare is an error when a value, or an interval that has a formula, is not the same in both.
func compare(r evaluation.Report, peer answer) (agreement, error) {
	var a agreement
	ours := map[string]evaluation.Result{"": r.Overall}
	for _, s := range r.Slices {
		ours[s.Column+"="+s.Group] = s.Result
	}
	for _, crossed := range r.Intersections {
		for _, g := range crossed.Groups {
			var both []string
			for k, column := range crossed.Columns {
				both = append(both, column+"="+g.Values[k])
			}
			ours[strings.Join(both, ",")] = g.Result
		}
	}
	if len(ours) != len(peer.Sets) {
		return a, fmt.Errorf("the peer evaluated %d sets of rows, Assay %d", len(peer.Sets), len(ours))
	}
	for rows, result := range ours {
		theirs, ok := peer.Sets[rows]
		if !ok {
			return a, fmt.Errorf("the peer has no rows %q", rows)
		}
		for _, m := range result.Metrics() {
			if err := a.add(m, theirs[m.Name]); err != nil {
				return a, fmt.Errorf("%s of the rows %q: %w", m.Name, rows, err)
			}
		}
	}
	return a, nil
}

func (a *agreement) add(m stats.Metric, theirs []float64) error {
	if !m.Defined() || len(theirs) == 0 {
		if m.Defined() || len(theirs) > 0 {
			return fmt.Errorf("one of the two has no value: Assay %g %s, the peer %v", m.Value, m.Undefined, theirs)
		}
		return nil
	}
	difference := math.Abs(m.Value - theirs[0])
	if !(difference <= equal) {
		return fmt.Errorf("the values differ: Assay %.12g, the peer %.12g", m.Value, theirs[0])
	}
	a.values++
	a.value = max(a.value, difference)
	if len(theirs) != 3 {
		return nil
	}
	ends := max(math.Abs(m.Low-theirs[1]), math.Abs(m.High-theirs[2]))
	if m.Method == stats.MethodBootstrap {
		a.resampled++
		a.apart = max(a.apart, ends/(m.High-m.Low))
		return nil
	}
	if !(ends <= equal) {
		return fmt.Errorf("the intervals differ: Assay %.12g to %.12g, the peer %.12g to %.12g", m.Low, m.High, theirs[1], theirs[2])
	}
	a.ends += 2
	a.end = max(a.end, ends)
	return nil
}
