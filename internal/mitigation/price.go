package mitigation

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// Cost compares what is predicted of the same rows before and after a mitigation.
type Cost struct {
	Rows           int               `json:"rows"`
	Level          float64           `json:"level"` // confidence level of every interval
	Before         Outcome           `json:"before"`
	After          Outcome           `json:"after"`
	Groups         []GroupCost       `json:"groups"`          // by name
	Gaps           []GapCost         `json:"gaps"`            // demographic parity, equal opportunity, equalized odds
	Change         stats.Estimate    `json:"change"`          // of the accuracy, after less before, by stats.PairedShare
	BalancedChange stats.Estimate    `json:"balanced_change"` // of the balanced accuracy, after less before, by MethodBalancedPairs
	McNemar        stats.McNemarTest `json:"mcnemar"`         // that both are right equally often; new is after
	Gained         int               `json:"gained"`          // rows predicted positive only after
	Lost           int               `json:"lost"`            // rows predicted positive only before
}

// MethodBalancedPairs is half the sum of the intervals of stats.PairedShare of the recalls of both classes, each at half of the tail: it misses
// with at most the tail at each end for every number of rows.
const MethodBalancedPairs = "bennett_disagreement_balanced"

// Outside these, the resamples behind a gap's change vary too little, or take too long.
const (
	fewestChanged    = 10 // rows that are predicted differently
	mostPricedGroups = 2000
)

// Priced is the price of what was done about differences between groups, all of it together.
type Priced struct {
	Columns    []string `json:"columns"`              // whose groups the cost is by, crossed
	Weights    bool     `json:"weights,omitempty"`    // before is a model that was trained without the weights
	Thresholds bool     `json:"thresholds,omitempty"` // before is one threshold for all
	Cost       Cost     `json:"cost"`
}

// Outcome is what is predicted of some rows, with Wilson intervals; the balanced accuracy has Newcombe's.
type Outcome struct {
	Confusion        stats.Confusion `json:"confusion"`
	Accuracy         stats.Estimate  `json:"accuracy"`
	BalancedAccuracy stats.Estimate  `json:"balanced_accuracy"`
	SelectionRate    stats.Estimate  `json:"selection_rate"`
	TPR              stats.Estimate  `json:"tpr"`
	FPR              stats.Estimate  `json:"fpr"`
}

// GroupCost is one group's part of the comparison.
type GroupCost struct {
	Group  string         `json:"group"`
	N      int            `json:"n"`
	Before Outcome        `json:"before"`
	After  Outcome        `json:"after"`
	Change stats.Estimate `json:"change"` // of the group's accuracy, after less before
}

// GapCost is the largest difference between groups of a rate, before and after; of several rates the larger one.
type GapCost struct {
	Name    string         `json:"name"` // as fairness names gaps
	Before  stats.Estimate `json:"before"`
	After   stats.Estimate `json:"after"`
	Change  stats.Estimate `json:"change"`             // after less before, from resamples of the pairs
	LeftOut []string       `json:"left_out,omitempty"` // groups that lack a rate of this gap
}

// Price says what a mitigation costs and what it gains on given rows: the accuracy, the balanced accuracy and the gaps between groups, each
// before, after, and as the change on the same rows. Changes of accuracies miss with at most half of 1 - level at each end. The gaps'
// limits are those of fairness.GapOfShares, and their changes have BCa intervals over rows, with 2,000 resamples of a fixed seed.
//
// Both samples are of the same rows in the same order, and groups names each row's group. A row is predicted positive from its
// sample's own cut on, or from the threshold, in [0, 1]; so thresholds by group are priced by setting Cut of after, and weights by
// the scores of a second model. Rows that chose the thresholds, or that either model learned from, flatter them: use others, such
// as the test part. The level is in (0, 1); 0 means 0.95.
//
// Errors: no rows, lengths or labels that differ, a score that is no probability, a cut that is no number, a threshold or level
// out of range, more than 2,000 groups. What the rows cannot give is undefined with its reason: a TPR without positives, a gap of
// one group, and its change where fewer than ten rows are predicted differently.
func Price(before, after stats.Sample, groups []string, threshold, level float64) (Cost, error) {
	if level == 0 {
		level = stats.DefaultLevel
	}
	if err := priceable(before, after, groups, threshold, level); err != nil {
		return Cost{}, fmt.Errorf("price a mitigation: %w", err)
	}
	names := slices.Compact(slices.Sorted(slices.Values(groups)))
	if len(names) > mostPricedGroups {
		return Cost{}, fmt.Errorf("price a mitigation: found %d groups; expected at most %d: take coarser groups", len(names), mostPricedGroups)
	}
	place := make(map[string]int, len(names))
	for k, name := range names {
		place[name] = k
	}
	byGroup := make([]pair, len(names))
	for i, g := range groups {
		byGroup[place[g]].add(before.Y[i], before.Predicted(i, threshold), after.Predicted(i, threshold))
	}
	var all pair
	c := Cost{Rows: before.N(), Level: level, Groups: make([]GroupCost, len(names))}
	for k, p := range byGroup {
		for cell, n := range p {
			all[cell] += n
		}
		old, now := p.confusions()
		c.Groups[k] = GroupCost{Group: names[k], N: old.N(), Before: outcome(old, level), After: outcome(now, level), Change: p.change(level)}
	}
	old, now := all.confusions()
	c.Before, c.After, c.Change, c.BalancedChange = outcome(old, level), outcome(now, level), all.change(level), all.balancedChange(level)
	gained, lost := all.right()
	c.McNemar = stats.McNemar(gained, lost)
	c.Gained, c.Lost = all[cellOf(false, false, true)]+all[cellOf(true, false, true)], all[cellOf(false, true, false)]+all[cellOf(true, true, false)]
	for _, m := range pricedGaps {
		c.Gaps = append(c.Gaps, m.cost(names, byGroup, level))
	}
	return c, nil
}

func priceable(before, after stats.Sample, groups []string, threshold, level float64) error {
	switch {
	case before.N() == 0:
		return errors.New("found no rows; expected some that chose nothing, such as the test part")
	case before.N() != after.N() || before.N() != len(groups):
		return fmt.Errorf("found %d rows before, %d after and %d groups; expected the same rows, each with its group", before.N(), after.N(), len(groups))
	case !(threshold >= 0 && threshold <= 1):
		return fmt.Errorf("the threshold is %g; expected a score between 0 and 1", threshold)
	case !(level > 0 && level < 1):
		return fmt.Errorf("the level is %g; expected a number between 0 and 1, such as 0.95", level)
	}
	for _, s := range []stats.Sample{before, after} {
		if err := s.Validate(); err != nil {
			return err
		}
		if i := slices.IndexFunc(s.Cut, math.IsNaN); i >= 0 {
			return fmt.Errorf("row %d: the cut is not a number; expected the score from which the row is predicted positive", i)
		}
	}
	for i, y := range before.Y {
		if y != after.Y[i] {
			return fmt.Errorf("row %d: the labels before and after differ; expected the same rows in the same order", i)
		}
	}
	return nil
}

// pair counts rows by label and both predictions.
type pair [8]int

func cellOf(y, before, after bool) int { return 4*label(y) + 2*label(before) + label(after) }

func (p *pair) add(y, before, after bool) { p[cellOf(y, before, after)]++ }

func (p pair) confusions() (before, after stats.Confusion) {
	before = stats.Confusion{TN: p[0] + p[1], FP: p[2] + p[3], FN: p[4] + p[5], TP: p[6] + p[7]}
	after = stats.Confusion{TN: p[0] + p[2], FP: p[1] + p[3], FN: p[4] + p[6], TP: p[5] + p[7]}
	return before, after
}

// right counts the rows that only one of the two predicts as they are.
func (p pair) right() (after, before int) {
	return p[cellOf(true, false, true)] + p[cellOf(false, true, false)], p[cellOf(true, true, false)] + p[cellOf(false, false, true)]
}

func (p pair) change(level float64) stats.Estimate {
	n := 0
	for _, k := range p {
		n += k
	}
	after, before := p.right()
	e := stats.PairedShare(after, before, after+before, n, (1-level)/2)
	e.Level = level
	return e
}

// balancedChange is the mean of the changes of the two classes' recalls.
func (p pair) balancedChange(level float64) stats.Estimate {
	n, positives := 0, 0
	for cell, k := range p {
		n += k
		if cell >= cellOf(true, false, false) {
			positives += k
		}
	}
	if positives == 0 || positives == n {
		return stats.NoValue(level, n, "rows of only one label")
	}
	recall := func(y bool, rows int) stats.Estimate {
		after, before := p[cellOf(y, !y, y)], p[cellOf(y, y, !y)]
		return stats.PairedShare(after, before, after+before, rows, (1-level)/4)
	}
	a, b := recall(true, positives), recall(false, n-positives)
	return stats.Estimate{
		Value: (a.Value + b.Value) / 2, Low: (a.Low + b.Low) / 2, High: (a.High + b.High) / 2, Level: level, Method: MethodBalancedPairs, N: n,
	}
}

// changed is how many rows are predicted differently.
func (p pair) changed() int {
	return p[cellOf(false, false, true)] + p[cellOf(false, true, false)] + p[cellOf(true, false, true)] + p[cellOf(true, true, false)]
}

func outcome(c stats.Confusion, level float64) Outcome {
	o := Outcome{
		Confusion:     c,
		Accuracy:      stats.Proportion(c.TP+c.TN, c.N(), level, "no rows"),
		SelectionRate: stats.Proportion(c.Predicted(), c.N(), level, "no rows"),
		TPR:           stats.Proportion(c.TP, c.Positives(), level, "no positive rows"),
		FPR:           stats.Proportion(c.FP, c.Negatives(), level, "no negative rows"),
	}
	if !o.TPR.Defined() || !o.FPR.Defined() {
		o.BalancedAccuracy = stats.NoValue(level, c.N(), "rows of only one label")
		return o
	}
	// It is (1 + TPR - FPR)/2, so the difference's interval is its own, moved and halved.
	low, high := stats.Newcombe(o.TPR, o.FPR)
	o.BalancedAccuracy = stats.Estimate{
		Value: (1 + o.TPR.Value - o.FPR.Value) / 2, Low: (1 + low) / 2, High: (1 + high) / 2, Level: level, Method: stats.MethodNewcombe, N: c.N(),
	}
	return o
}

// share is a rate as counts.
type share func(stats.Confusion) (successes, n int)

func selected(c stats.Confusion) (int, int)      { return c.Predicted(), c.N() }
func truePositives(c stats.Confusion) (int, int) { return c.TP, c.Positives() }
func falseAlarms(c stats.Confusion) (int, int)   { return c.FP, c.Negatives() }

type pricedGap struct {
	name   string
	shares []share
}

var pricedGaps = []pricedGap{
	{fairness.DemographicParityDifference, []share{selected}},
	{fairness.EqualOpportunityDifference, []share{truePositives}},
	{fairness.EqualizedOddsDifference, []share{truePositives, falseAlarms}},
}

func (m pricedGap) cost(names []string, groups []pair, level float64) GapCost {
	c := GapCost{Name: m.name}
	before, after := make([]stats.Confusion, len(groups)), make([]stats.Confusion, len(groups))
	for k, p := range groups {
		before[k], after[k] = p.confusions()
		if slices.ContainsFunc(m.shares, func(of share) bool { _, n := of(before[k]); return n == 0 }) {
			c.LeftOut = append(c.LeftOut, names[k])
		}
	}
	c.Before, c.After, c.Change = m.gap(before, level), m.gap(after, level), m.change(groups, level)
	return c
}

// change is by how much the gap grows, from resamples of the rows with both predictions.
func (m pricedGap) change(groups []pair, level float64) stats.Estimate {
	cells, changed, n := make([]int, 0, 8*len(groups)), 0, 0
	for _, p := range groups {
		cells = append(cells, p[:]...)
		changed += p.changed()
	}
	for _, k := range cells {
		n += k
	}
	if _, ok := m.growth(cells); !ok {
		return stats.NoValue(level, n, fewGroups)
	}
	if changed < fewestChanged {
		return stats.NoValue(level, n, fmt.Sprintf("%d rows are predicted differently; resamples need at least %d to vary as new rows would", changed, fewestChanged))
	}
	e := stats.BCaCells(cells, stats.Resampling{}, m.growth).Estimate((1-level)/2).Within(-1, 1)
	e.Level = level
	return e
}

// growth is the gap after less that before, from the cells of each group's pair; false for fewer than two groups with a rate.
func (m pricedGap) growth(cells []int) (float64, bool) {
	before, after := 0.0, 0.0
	for _, of := range m.shares {
		least, most, groups := [2]float64{1, 1}, [2]float64{}, 0
		for k := 0; k < len(cells); k += 8 {
			old, now := pair(cells[k : k+8]).confusions()
			s, n := of(old)
			if n == 0 {
				continue
			}
			t, _ := of(now)
			groups++
			for at, share := range [2]float64{float64(s) / float64(n), float64(t) / float64(n)} {
				least[at], most[at] = min(least[at], share), max(most[at], share)
			}
		}
		if groups < 2 {
			return 0, false
		}
		before, after = max(before, most[0]-least[0]), max(after, most[1]-least[1])
	}
	return after - before, true
}

const fewGroups = "fewer than two groups have the rate"

// gap is the larger of the rates' gaps. Its lower limit must hold for all rates together, so each has its part of the tail; its
// upper one is that of the rate which truly has the larger gap, and is among the limits at the whole tail.
func (m pricedGap) gap(groups []stats.Confusion, level float64) stats.Estimate {
	e := stats.Estimate{Level: level, Method: fairness.MethodPairs}
	tail := (1 - level) / 2
	for _, of := range m.shares {
		var successes, n []int
		for _, c := range groups {
			if s, rows := of(c); rows > 0 {
				successes, n = append(successes, s), append(n, rows)
			}
		}
		value, _, high, _, _, ok := fairness.GapOfShares(successes, n, false, tail)
		if !ok {
			return stats.NoValue(level, 0, fewGroups)
		}
		_, low, _, _, _, _ := fairness.GapOfShares(successes, n, false, tail/float64(len(m.shares)))
		e.Value, e.Low, e.High = max(e.Value, value), max(e.Low, low), max(e.High, high)
	}
	for _, c := range groups {
		e.N += c.N()
	}
	return e
}
