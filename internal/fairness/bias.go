package fairness

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// Names of the metrics of label bias, in the order of Bias.Metrics. They compare a group d with others a, by the shares q of rows
// with the positive label, as the pre-training metrics of Amazon SageMaker Clarify do (Hardt et al., 2021, "Amazon SageMaker
// Clarify: Machine learning bias detection and explainability in the cloud", section 4.1; Das et al., 2021, "Fairness measures for
// machine learning in finance"). Logarithms are natural. Above zero, those with a sign say that group d is the smaller or the
// less favoured one.
const (
	ClassImbalance       = "class_imbalance"                          // CI = (n_a - n_d) / (n_a + n_d), -1 to 1
	LabelProportions     = "difference_in_proportions_of_labels"      // DPL = q_a - q_d, -1 to 1
	KullbackLeibler      = "kullback_leibler_divergence"              // KL(P_a || P_d) = sum over labels of P_a ln(P_a/P_d), 0 and more
	JensenShannon        = "jensen_shannon_divergence"                // JS = (KL(P_a || P) + KL(P_d || P)) / 2, P = (P_a + P_d)/2; 0 to ln 2
	LpNorm               = "lp_norm"                                  // L2 = root of the sum of (P_a - P_d)^2, 0 to the root of 2
	TotalVariation       = "total_variation_distance"                 // TVD = half the sum of |P_a - P_d|, 0 to 1
	KolmogorovSmirnov    = "kolmogorov_smirnov"                       // KS = largest |P_a - P_d| of a label, 0 to 1
	LabelDisparity       = "demographic_disparity_in_labels"          // DDL = d's share of the negative rows less that of the positive, -1 to 1
	ConditionalDisparity = "conditional_demographic_disparity_labels" // CDDL = mean of DDL within strata, weighted by their rows, -1 to 1
)

// LabelBiasNames lists the metrics in the order of Bias.Metrics.
func LabelBiasNames() []string {
	return []string{
		ClassImbalance, LabelProportions, KullbackLeibler, JensenShannon, LpNorm, TotalVariation, KolmogorovSmirnov, LabelDisparity, ConditionalDisparity,
	}
}

// BiasReport is how labels differ between groups before anything is learned from them.
type BiasReport struct {
	Rows      int         `json:"rows"`
	Positives int         `json:"positives"`
	Reference string      `json:"reference"` // the group that the others are compared with
	Level     float64     `json:"level"`
	Groups    []GroupBias `json:"groups"` // by name
	Note      string      `json:"note"`
}

// GroupBias is one group compared with the rest and with the reference.
type GroupBias struct {
	Group     string         `json:"group"`
	N         int            `json:"n"`
	Positives int            `json:"positives"`
	Share     stats.Estimate `json:"share"` // of rows with the positive label, Wilson
	Rest      Bias           `json:"rest"`
	Reference *Bias          `json:"reference,omitempty"` // nil for the reference itself
}

// Bias is the metrics of a group against other rows.
type Bias struct {
	N             int            `json:"n"`         // rows of the others
	Positives     int            `json:"positives"` // of the others
	Metrics       []stats.Metric `json:"metrics"`   // in the order of LabelBiasNames
	RowsOneLabel  int            `json:"rows_one_label,omitempty"`
	StrataLeftOut int            `json:"strata_left_out,omitempty"` // strata of one label, which take no part in CDDL; RowsOneLabel are their rows
}

const labelBiasNote = "Intervals are at the level for one comparison each. Strata whose rows all have one label say nothing of a disparity within them, and take no part in the conditional one."

// biasReplicates are the resamples of the metrics that have no closed interval.
const biasReplicates = 1000

// LabelBias compares the labels of each group with those of all other rows, and with those of the reference group; the largest one,
// the first by name among equals, when reference is empty. strata, nil or a name for each row, is what people are compared within.
//
// Intervals at 95 %: CI from Wilson's of the group's share of rows; DPL Newcombe's (1998); TVD, KS and L2, which for two labels are
// |DPL|, |DPL| and the root of 2 times |DPL|, from that of DPL; KL and JS, which chance moves up, the bootstrap by
// stats.Bootstrapped.EstimateAboveTruth; DDL and CDDL BCa. Resamples have a fixed seed, so that the same rows give the same report.
//
// What has no value is undefined with its reason: a comparison with no rows, a KL in which group d lacks a label, a DDL
// without rows of a label, CDDL without strata. Errors: no rows, lengths that differ, a reference without rows, too many strata.
func LabelBias(y []bool, groups []string, reference string, strata []string) (BiasReport, error) {
	if len(y) == 0 {
		return BiasReport{}, errors.New("compare the labels of groups: found no rows; expected some: check the part of the data that was read")
	}
	if len(groups) != len(y) || strata != nil && len(strata) != len(y) {
		return BiasReport{}, fmt.Errorf("compare the labels of groups: found %d labels, %d groups and %d strata; expected one of each per row, or no strata", len(y), len(groups), len(strata))
	}
	names, member := positions(groups)
	var within []string
	stratum := make([]int, len(y))
	if strata != nil {
		within, stratum = positions(strata)
	}
	if cells := len(names) * max(len(within), 4); cells > mostBiasCells {
		return BiasReport{}, fmt.Errorf("compare the labels of groups: found %d groups in %d strata; expected groups times strata, or four times the groups, to be at most %d: take coarser groups or strata",
			len(names), len(within), mostBiasCells)
	}
	table := make([]labelled, len(names)) // by group
	for k := range table {
		table[k] = make(labelled, max(len(within), 1))
	}
	for i, positive := range y {
		table[member[i]][stratum[i]].add(positive)
	}
	r := BiasReport{Rows: len(y), Level: stats.DefaultLevel, Note: labelBiasNote}
	all := make(labelled, max(len(within), 1))
	largest := 0
	for k, of := range table {
		all = all.plus(of, 1)
		if of.sum().n() > table[largest].sum().n() {
			largest = k
		}
	}
	at := largest
	if reference != "" {
		if at = slices.Index(names, reference); at < 0 {
			return BiasReport{}, fmt.Errorf("compare the labels of groups: the reference group %q has no rows; expected one of the column's groups", reference)
		}
	}
	r.Positives, r.Reference = all.sum()[1], names[at]
	for k, of := range table {
		total := of.sum()
		g := GroupBias{
			Group: names[k], N: total.n(), Positives: total[1], Share: stats.Proportion(total[1], total.n(), r.Level, "no rows"),
			Rest: biasAgainst(of, all.plus(of, -1), strata != nil, r.Level),
		}
		if k != at {
			b := biasAgainst(of, table[at], strata != nil, r.Level)
			g.Reference = &b
		}
		r.Groups = append(r.Groups, g)
	}
	return r, nil
}

// ClassBias is how one class's label differs between groups, against all other classes.
type ClassBias struct {
	Class string     `json:"class"`
	Bias  BiasReport `json:"bias"`
}

// mostBiasClasses keeps the report of every class readable, and its resampling within seconds.
const mostBiasClasses = 50

// LabelBiasByClass is LabelBias of each class in turn, by name, as the positive label against all others, for targets of more than
// two classes. Of numbers, ExamineNumbers compares the means.
//
// Errors are those of LabelBias, and more than 50 classes.
func LabelBiasByClass(labels, groups []string, reference string, strata []string) ([]ClassBias, error) {
	classes, member := positions(labels)
	if len(classes) > mostBiasClasses {
		return nil, fmt.Errorf("compare the labels of groups: found %d classes; expected at most %d: is the target a number?", len(classes), mostBiasClasses)
	}
	if len(classes) == 0 {
		_, err := LabelBias(nil, groups, reference, strata)
		return nil, err
	}
	out := make([]ClassBias, len(classes))
	failed := make([]error, len(classes))
	inParallel(len(classes), func(k int) {
		y := make([]bool, len(labels))
		for i, class := range member {
			y[i] = class == k
		}
		out[k].Class = classes[k]
		out[k].Bias, failed[k] = LabelBias(y, groups, reference, strata)
	})
	// Whatever LabelBias refuses, it refuses for every class.
	if failed[0] != nil {
		return nil, failed[0]
	}
	return out, nil
}

// mostBiasCells keeps the resampling of cells by group and stratum within seconds.
const mostBiasCells = 5_000

// positions gives the names in order and each row's place among them.
func positions(groups []string) (names []string, member []int) {
	place := map[string]int{}
	for _, g := range groups {
		place[g] = 0
	}
	for g := range place {
		names = append(names, g)
	}
	slices.Sort(names)
	for k, name := range names {
		place[name] = k
	}
	member = make([]int, len(groups))
	for i, g := range groups {
		member[i] = place[g]
	}
	return names, member
}

// twoLabels counts rows with the negative and with the positive label.
type twoLabels [2]int

func (c *twoLabels) add(positive bool) {
	if positive {
		c[1]++
	} else {
		c[0]++
	}
}

func (c twoLabels) n() int { return c[0] + c[1] }

func (c twoLabels) share() float64 { return float64(c[1]) / float64(c.n()) }

// labelled counts rows by stratum and label.
type labelled []twoLabels

func (l labelled) plus(other labelled, times int) labelled {
	out := slices.Clone(l)
	for k := range out {
		out[k][0] += times * other[k][0]
		out[k][1] += times * other[k][1]
	}
	return out
}

func (l labelled) sum() (total twoLabels) {
	for _, c := range l {
		total[0] += c[0]
		total[1] += c[1]
	}
	return total
}

// divergence is the sum over both labels of p ln(p/q); false when q lacks a label that p has.
func divergence(p, q float64) (float64, bool) {
	sum := 0.0
	for _, pair := range [][2]float64{{p, q}, {1 - p, 1 - q}} {
		switch {
		case pair[0] == 0:
		case pair[1] == 0:
			return 0, false
		default:
			sum += pair[0] * math.Log(pair[0]/pair[1])
		}
	}
	// The sum of a divergence that is zero may round to slightly below.
	return max(sum, 0), true
}
