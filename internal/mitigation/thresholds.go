package mitigation

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// Constraints that thresholds are chosen under.
const (
	DemographicParity = "demographic_parity" // equal shares predicted positive
	EqualOpportunity  = "equal_opportunity"  // equal shares of the positive found
	EqualizedOdds     = "equalized_odds"     // both, and equal shares of the negative taken for positive
)

// Options say what thresholds are to achieve.
type Options struct {
	Column     string  // whose groups get thresholds
	Constraint string  // one of the constraints
	Threshold  float64 // for groups that are too small or unknown, and what thresholds are compared with
	MinGroup   int     // groups with fewer rows keep Threshold
}

// Rule is a threshold for each group of a column.
type Rule struct {
	Column     string           `json:"column"`
	Constraint string           `json:"constraint"`
	Thresholds []GroupThreshold `json:"thresholds"`      // by name of the group
	Fallback   float64          `json:"fallback"`        // of every other group
	Small      []string         `json:"small,omitempty"` // groups that keep the fallback for want of rows, or of positive or negative ones
}

// GroupThreshold is a group's threshold: its rows are predicted positive from this score on. Shares are of the rows it was chosen on.
type GroupThreshold struct {
	Group     string  `json:"group"`
	Threshold float64 `json:"threshold"`
	Rows      int     `json:"rows"`
	Selected  float64 `json:"selected"` // share predicted positive
	TPR       float64 `json:"tpr"`
	FPR       float64 `json:"fpr"`
}

// Cut is the score from which a row of the group is predicted positive.
func (r Rule) Cut(group string) float64 {
	for _, t := range r.Thresholds {
		if t.Group == group {
			return t.Threshold
		}
	}
	return r.Fallback
}

// steps is how finely the common rate is searched.
const steps = 200

// Thresholds chooses, for every group, the threshold at which its rate is nearest to a rate common to all groups; the common
// rate is that with the highest accuracy over all groups together. The rate is the share predicted positive under
// DemographicParity and the true positive rate under EqualOpportunity. Under EqualizedOdds every group's threshold is that whose
// point on its ROC curve is nearest to a common point (FPR, TPR), and the common point is that with the smallest largest
// difference between groups in either rate, the higher accuracy among equals: with one threshold a group and no drawing of
// lots, exact equality can be out of reach (Hardt, Price and Srebro, 2016, "Equality of opportunity in supervised learning", sections 3
// and 4, who draw lots).
//
// Thresholds are scores that occur among the rows given, or above all of them. Errors: rows that stats.Sample refuses, not one
// group per row, an unknown constraint, fewer than two groups that are large enough.
func Thresholds(s stats.Sample, groups []string, o Options) (Rule, error) {
	rule, err := thresholds(s, groups, o)
	if err != nil {
		return Rule{}, fmt.Errorf("choose thresholds by %q: %w", o.Column, err)
	}
	return rule, nil
}

func thresholds(s stats.Sample, groups []string, o Options) (Rule, error) {
	if !slices.Contains([]string{DemographicParity, EqualOpportunity, EqualizedOdds}, o.Constraint) {
		return Rule{}, fmt.Errorf("constraint %q; expected %s, %s or %s", o.Constraint, DemographicParity, EqualOpportunity, EqualizedOdds)
	}
	if err := s.Validate(); err != nil {
		return Rule{}, err
	}
	if len(groups) != s.N() {
		return Rule{}, fmt.Errorf("%d groups for %d rows; expected one per row", len(groups), s.N())
	}
	rule := Rule{Column: o.Column, Constraint: o.Constraint, Fallback: o.Threshold}
	var curves []curve
	for _, name := range slices.Compact(slices.Sorted(slices.Values(groups))) {
		var rows []int
		for i, g := range groups {
			if g == name {
				rows = append(rows, i)
			}
		}
		c := curveOf(name, s.Subset(rows))
		if len(rows) < max(o.MinGroup, 1) || c.positives == 0 || c.positives == len(rows) {
			rule.Small = append(rule.Small, name)
			continue
		}
		curves = append(curves, c)
	}
	if len(curves) < 2 {
		return Rule{}, fmt.Errorf("%d groups have %d validation rows with both labels; expected two at least: enlarge data.split.validation", len(curves), o.MinGroup)
	}
	for k, at := range choose(curves, o.Constraint) {
		p := curves[k].points[at]
		rule.Thresholds = append(rule.Thresholds, GroupThreshold{
			Group: curves[k].group, Threshold: p.threshold, Rows: curves[k].rows, Selected: p.selected, TPR: p.tpr, FPR: p.fpr,
		})
	}
	return rule, nil
}

// curve is what each threshold of a group would do, from that which selects nobody on.
type curve struct {
	group           string
	rows, positives int
	points          []point
}

type point struct {
	threshold          float64
	selected, tpr, fpr float64
	right              int
}

func curveOf(group string, s stats.Sample) curve {
	order := make([]int, s.N())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case s.Score[a] > s.Score[b]:
			return -1
		case s.Score[a] < s.Score[b]:
			return 1
		}
		return 0
	})
	c := curve{group: group, rows: s.N()}
	for _, y := range s.Y {
		c.positives += label(y)
	}
	negatives := c.rows - c.positives
	c.points = []point{{threshold: 2, right: negatives}} // above every score
	tp, fp := 0, 0
	for k, i := range order {
		if s.Y[i] {
			tp++
		} else {
			fp++
		}
		if k+1 < len(order) && s.Score[order[k+1]] == s.Score[i] {
			continue
		}
		c.points = append(c.points, point{
			threshold: s.Score[i], selected: float64(tp+fp) / float64(c.rows), tpr: float64(tp) / float64(max(c.positives, 1)),
			fpr: float64(fp) / float64(max(negatives, 1)), right: tp + negatives - fp,
		})
	}
	return c
}

// choose is the point of each curve.
func choose(curves []curve, constraint string) []int {
	best, chosen := choice{gap: math.Inf(1), right: -1}, []int(nil)
	for a := 0; a <= steps; a++ {
		target := point{selected: float64(a) / steps, tpr: float64(a) / steps}
		if constraint != EqualizedOdds {
			at := nearest(curves, target, constraint)
			if c := judged(curves, at, constraint); c.right > best.right {
				best, chosen = c, at
			}
			continue
		}
		// A model better than chance has its points above the diagonal, and a quarter of the fineness keeps the search small.
		for b := 0; b <= a; b += 4 {
			target.fpr = float64(b) / steps
			at := nearest(curves, target, constraint)
			c := judged(curves, at, constraint)
			if c.useful && (c.gap < best.gap-1e-12 || c.gap <= best.gap+1e-12 && c.right > best.right) {
				best, chosen = c, at
			}
		}
	}
	if chosen == nil {
		chosen = nearest(curves, point{tpr: 0.5, fpr: 0.5}, constraint)
	}
	return chosen
}

// choice is what points of all curves come to.
type choice struct {
	gap    float64 // largest difference between groups in a rate of the constraint
	right  int     // rows predicted rightly
	useful bool    // more of the positive than of the negative are selected: selecting everybody or nobody treats all alike, too
}

func judged(curves []curve, at []int, constraint string) choice {
	c := choice{useful: true}
	var low, high point
	for k := range curves {
		p := curves[k].points[at[k]]
		c.right += p.right
		c.useful = c.useful && p.tpr > p.fpr
		if k == 0 {
			low, high = p, p
		}
		low.tpr, high.tpr = min(low.tpr, p.tpr), max(high.tpr, p.tpr)
		low.fpr, high.fpr = min(low.fpr, p.fpr), max(high.fpr, p.fpr)
	}
	if constraint == EqualizedOdds {
		c.gap = max(high.tpr-low.tpr, high.fpr-low.fpr)
	}
	return c
}

// nearest is the point of each curve that is nearest to the target.
func nearest(curves []curve, target point, constraint string) []int {
	at := make([]int, len(curves))
	for k := range curves {
		least := math.Inf(1)
		for i, p := range curves[k].points {
			var d float64
			switch constraint {
			case DemographicParity:
				d = math.Abs(p.selected - target.selected)
			case EqualOpportunity:
				d = math.Abs(p.tpr - target.tpr)
			default:
				d = math.Hypot(p.tpr-target.tpr, p.fpr-target.fpr)
			}
			if d < least {
				least, at[k] = d, i
			}
		}
	}
	return at
}
