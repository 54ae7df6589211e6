// Package mitigation is what can be done against differences that a model makes between groups: weights for training, and
// thresholds by group.
package mitigation

import (
	"cmp"
	"fmt"
	"slices"
)

// Cell is the training rows of one group with one label, and the weight each of them gets.
type Cell struct {
	Group    string  `json:"group"`
	Positive bool    `json:"positive"`
	Rows     int     `json:"rows"`
	Weight   float64 `json:"weight"` // 0: there are no such rows
}

// Reweighing says how training rows were weighed.
type Reweighing struct {
	Columns []string `json:"columns"` // whose groups, joined
	Rows    int      `json:"rows"`    // of the training part
	Cells   []Cell   `json:"cells"`   // by group, the negative label first
}

// Weights makes group and label independent among the weighted rows: a row of group s and label y weighs
// P(s) P(y) / P(s, y), with the shares of the rows given (Kamiran and Calders, 2012, "Data preprocessing techniques for
// classification without discrimination", section 4.2). The weights sum to the number of rows where every group has both
// labels; a group without one of them cannot be made independent, and its cell shows no rows.
//
// Errors: no rows, or not one group per label.
func Weights(y []bool, groups []string) ([]float64, []Cell, error) {
	if len(y) != len(groups) {
		return nil, nil, fmt.Errorf("weigh training rows: %d labels and %d groups; expected one of each per row", len(y), len(groups))
	}
	if len(y) == 0 {
		return nil, nil, fmt.Errorf("weigh training rows: there are none; check data.split and data.transform")
	}
	type counts [2]int // rows by label
	byGroup := map[string]*counts{}
	var all counts
	for i, positive := range y {
		c := byGroup[groups[i]]
		if c == nil {
			c = &counts{}
			byGroup[groups[i]] = c
		}
		c[label(positive)]++
		all[label(positive)]++
	}
	weight := map[string][2]float64{}
	var cells []Cell
	for group, c := range byGroup {
		var w [2]float64
		for k := range w {
			if c[k] > 0 {
				w[k] = float64(c[0]+c[1]) * float64(all[k]) / (float64(len(y)) * float64(c[k]))
			}
			cells = append(cells, Cell{Group: group, Positive: k == 1, Rows: c[k], Weight: w[k]})
		}
		weight[group] = w
	}
	slices.SortFunc(cells, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), label(a.Positive)-label(b.Positive))
	})
	out := make([]float64, len(y))
	for i, positive := range y {
		out[i] = weight[groups[i]][label(positive)]
	}
	return out, cells, nil
}

func label(positive bool) int {
	if positive {
		return 1
	}
	return 0
}
