package fairness

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/assay-ml/assay/internal/stats"
)

// Words for a group's share of the rows against its declared share of the population.
const (
	Under      = "under"       // the whole interval lies below the declared share
	Over       = "over"        // the whole interval lies above it
	AsDeclared = "as_declared" // the interval holds the declared share, and lies between 4/5 and 5/4 of it
	Undecided  = "undecided"   // the interval holds the declared share and more than that: too few rows to tell
)

// RepresentationReport compares who is in the data with who the model is for.
type RepresentationReport struct {
	Rows           int                   `json:"rows"`     // all rows
	Declared       int                   `json:"declared"` // rows of declared groups, which shares are of
	Level          float64               `json:"level"`    // that all intervals hold at together
	Groups         []RepresentationGroup `json:"groups"`   // every declared group, by name
	ChiSquared     float64               `json:"chi_squared"`
	Freedom        int                   `json:"degrees_of_freedom"`
	P              float64               `json:"p"`                         // of Pearson's test that the shares are as declared; 1 when there is nothing to test
	Note           string                `json:"note,omitempty"`            // what the test or the shares leave out
	Missing        []string              `json:"missing,omitempty"`         // declared groups without rows, by name
	Undeclared     []GroupCount          `json:"undeclared,omitempty"`      // groups of the data that no population is declared for
	UndeclaredRows int                   `json:"undeclared_rows,omitempty"` // rows of these
}

// RepresentationGroup is one declared group.
type RepresentationGroup struct {
	Group    string         `json:"group"`
	N        int            `json:"n"`
	Declared float64        `json:"declared"` // share of the population
	Observed stats.Estimate `json:"observed"` // share of the rows of declared groups
	Ratio    stats.Estimate `json:"ratio"`    // observed over declared
	Word     string         `json:"word"`     // under, over, as_declared or undecided
}

// GroupCount is a group with its rows.
type GroupCount struct {
	Group string `json:"group"`
	N     int    `json:"n"`
}

// MethodWilsonTogether is Wilson's interval with the tail divided by the number of groups, so that all hold together at about the
// level (Bonferroni; for shares of one whole, Goodman, 1965, "On simultaneous confidence intervals for multinomial proportions").
const MethodWilsonTogether = "wilson_bonferroni"

// declaredSlack is how far declared shares may sum from 1: they are often rounded to percents.
const declaredSlack = 0.01

// leastDeclared is the share below which a group is as good as absent: one person in more than ever lived.
const leastDeclared = 1e-12

// Representation compares the groups of the rows with a declared population, group to share, each at least 0 and 1 in sum, give or
// take 0.01, by which they are divided. Shares are among the rows of declared groups; others, such as rows whose group is not known,
// are named and counted. Intervals have the level, in (0, 1), together; 0 means 0.95. P is that of Pearson's (1900) goodness of fit.
//
// Errors: no rows, no population, shares out of range, a level out of range.
func Representation(groups []string, population map[string]float64, level float64) (RepresentationReport, error) {
	level, err := levelOf(level)
	if err == nil && len(groups) == 0 {
		err = errors.New("found no rows; expected some: check the part of the data that was read")
	}
	names := slices.Sorted(maps.Keys(population))
	sum := 0.0
	for _, name := range names {
		share := population[name]
		if err == nil && !(share >= 0 && share <= 1) {
			err = fmt.Errorf("the declared share of group %q is %g; expected a number between 0 and 1", name, share)
		}
		sum += share
	}
	if err == nil && math.Abs(sum-1) > declaredSlack {
		err = fmt.Errorf("the declared shares of %d groups sum to %.6g; expected 1: give every group of the population", len(names), sum)
	}
	if err != nil {
		return RepresentationReport{}, fmt.Errorf("compare groups with the declared population: %w", err)
	}
	count := map[string]int{}
	for _, g := range groups {
		count[g]++
	}
	r := RepresentationReport{Rows: len(groups), Level: level, P: 1, Groups: []RepresentationGroup{}}
	for _, name := range slices.Sorted(maps.Keys(count)) {
		if _, ok := population[name]; ok {
			r.Declared += count[name]
		} else {
			r.Undeclared = append(r.Undeclared, GroupCount{name, count[name]})
			r.UndeclaredRows += count[name]
		}
	}
	for _, name := range names {
		if count[name] == 0 {
			r.Missing = append(r.Missing, name)
		}
		r.Groups = append(r.Groups, represented(name, count[name], r.Declared, population[name]/sum, len(names), level))
	}
	r.fit()
	return r, nil
}

func represented(name string, n, rows int, declared float64, groups int, level float64) RepresentationGroup {
	g := RepresentationGroup{Group: name, N: n, Declared: declared, Word: Undecided, Observed: shareOf(n, rows, groups, level, "no rows of declared groups")}
	if declared >= leastDeclared && g.Observed.Defined() {
		g.Ratio = g.Observed
		g.Ratio.Value, g.Ratio.Low, g.Ratio.High = g.Ratio.Value/declared, g.Ratio.Low/declared, g.Ratio.High/declared
	} else {
		g.Ratio = stats.NoValue(level, rows, "the declared share is zero or all but zero, or there are no rows of declared groups")
	}
	switch o := g.Observed; {
	case !o.Defined():
	case o.High < declared:
		g.Word = Under
	case o.Low > declared:
		g.Word = Over
	case o.Low >= 0.8*declared && o.High <= 1.25*declared:
		g.Word = AsDeclared
	}
	return g
}

// fit tests that the rows are drawn from the declared population.
func (r *RepresentationReport) fit() {
	expectedFew, impossible, tested := 0, false, 0
	for _, g := range r.Groups {
		expected := g.Declared * float64(r.Declared)
		if g.Declared < leastDeclared {
			impossible = impossible || g.N > 0
			continue
		}
		tested++
		if expected > 0 {
			r.ChiSquared += (float64(g.N) - expected) * (float64(g.N) - expected) / expected
		}
		if expected < 5 {
			expectedFew++
		}
	}
	switch {
	case r.Declared == 0:
		r.Note = "No row is of a declared group, so nothing can be compared."
	case impossible:
		r.ChiSquared, r.P = 0, 0
		r.Note = "There are rows of a group whose declared share is zero or all but zero, so the rows cannot be drawn from the declared population."
	case tested < 2:
		r.Note = "The population is one group, so there is nothing to test."
	default:
		r.Freedom = tested - 1
		r.P = distuv.ChiSquared{K: float64(r.Freedom)}.Survival(r.ChiSquared)
		if expectedFew > 0 {
			r.Note = fmt.Sprintf("%d groups would have fewer than 5 rows if all were as declared, which makes the p-value rough.", expectedFew)
		}
	}
}

// shareOf is a share with an interval that holds together with those of the other groups.
func shareOf(successes, n, groups int, level float64, none string) stats.Estimate {
	if n == 0 {
		return stats.NoValue(level, 0, none)
	}
	e := stats.Estimate{Value: float64(successes) / float64(n), Level: level, Method: MethodWilsonTogether, N: n}
	e.Low, e.High = stats.WilsonTail(successes, n, (1-level)/2/float64(max(groups, 1)))
	return e
}

func levelOf(level float64) (float64, error) {
	if level == 0 {
		return stats.DefaultLevel, nil
	}
	if !(level > 0 && level < 1) {
		return 0, fmt.Errorf("the level is %g; expected a number between 0 and 1, such as 0.95", level)
	}
	return level, nil
}

// LabelDistributionReport is how often each label occurs in each group.
type LabelDistributionReport struct {
	Rows       int           `json:"rows"`
	Level      float64       `json:"level"`  // that the intervals of all labels of one group hold at together
	Labels     []string      `json:"labels"` // by name
	Groups     []GroupLabels `json:"groups"` // by name
	ChiSquared float64       `json:"chi_squared"`
	Freedom    int           `json:"degrees_of_freedom"`
	P          float64       `json:"p"`              // of Pearson's test that groups have the same labels; 1 when there is nothing to test
	Note       string        `json:"note,omitempty"` // what makes the test rough, or leaves nothing to test
}

// GroupLabels is the labels of one group.
type GroupLabels struct {
	Group  string       `json:"group"`
	N      int          `json:"n"`
	Labels []LabelShare `json:"labels"` // in the order of LabelDistributionReport.Labels
}

// LabelShare is a label with its share of a group's rows.
type LabelShare struct {
	Label string         `json:"label"`
	N     int            `json:"n"`
	Share stats.Estimate `json:"share"`
}

// LabelDistribution counts the labels of each group, for two classes or many. Intervals have MethodWilsonTogether over the labels of
// a group, at the level, in (0, 1); 0 means 0.95. P is that of Pearson's (1900) test of independence.
//
// Errors: no rows, lengths that differ, a level out of range, too many groups and labels.
func LabelDistribution(labels, groups []string, level float64) (LabelDistributionReport, error) {
	level, err := levelOf(level)
	switch {
	case err != nil:
	case len(labels) == 0:
		err = errors.New("found no rows; expected some: check the part of the data that was read")
	case len(labels) != len(groups):
		err = fmt.Errorf("found %d labels and %d groups; expected one of each per row", len(labels), len(groups))
	}
	if err != nil {
		return LabelDistributionReport{}, fmt.Errorf("count labels by group: %w", err)
	}
	labelNames, label := positions(labels)
	groupNames, group := positions(groups)
	if cells := len(labelNames) * len(groupNames); cells > mostBiasCells {
		return LabelDistributionReport{}, fmt.Errorf("count labels by group: found %d labels in %d groups; expected labels times groups to be at most %d: take coarser groups, or a target of fewer classes",
			len(labelNames), len(groupNames), mostBiasCells)
	}
	count, ofLabel, ofGroup := make([][]int, len(groupNames)), make([]int, len(labelNames)), make([]int, len(groupNames))
	for k := range count {
		count[k] = make([]int, len(labelNames))
	}
	for i := range labels {
		count[group[i]][label[i]]++
		ofLabel[label[i]]++
		ofGroup[group[i]]++
	}
	r := LabelDistributionReport{
		Rows: len(labels), Level: level, Labels: labelNames, P: 1, Freedom: (len(labelNames) - 1) * (len(groupNames) - 1),
	}
	few := 0
	for k, name := range groupNames {
		g := GroupLabels{Group: name, N: ofGroup[k]}
		for l, n := range count[k] {
			g.Labels = append(g.Labels, LabelShare{labelNames[l], n, shareOf(n, g.N, len(labelNames), level, "no rows")})
			expected := float64(g.N) * float64(ofLabel[l]) / float64(r.Rows)
			r.ChiSquared += (float64(n) - expected) * (float64(n) - expected) / expected
			if expected < 5 {
				few++
			}
		}
		r.Groups = append(r.Groups, g)
	}
	switch {
	case r.Freedom == 0:
		r.ChiSquared, r.Note = 0, "There is one label or one group, so there is nothing to test."
	default:
		r.P = distuv.ChiSquared{K: float64(r.Freedom)}.Survival(r.ChiSquared)
		if few > 0 {
			r.Note = fmt.Sprintf("%d of the groups' labels would have fewer than 5 rows if all groups were alike, which makes the p-value rough.", few)
		}
	}
	return r, nil
}

// MissingColumn is a column of the data, and in which rows it has no value.
type MissingColumn struct {
	Name    string
	Missing []bool
}

// MissingnessReport is how often values are missing in each group of a protected column. What is filled in for missing values is guessed,
// so that the group with more of them is described less well.
type MissingnessReport struct {
	Rows    int                 `json:"rows"`
	Level   float64             `json:"level"`   // that all intervals of shares hold at together, and all of gaps
	Groups  []GroupCount        `json:"groups"`  // by name
	Columns []ColumnMissingness `json:"columns"` // in the order given
}

// ColumnMissingness is one column.
type ColumnMissingness struct {
	Column  string         `json:"column"`
	Missing int            `json:"missing"` // rows without a value
	Groups  []MissingShare `json:"groups"`  // by name
	Gap     stats.Estimate `json:"gap"`     // largest share less smallest, 0 to 1
	Highest string         `json:"highest,omitempty"`
	Lowest  string         `json:"lowest,omitempty"`
}

// MissingShare is a group's share of rows in which the column has no value.
type MissingShare struct {
	Group   string         `json:"group"`
	Missing int            `json:"missing"`
	Share   stats.Estimate `json:"share"`
}

// mostMissingPairs keeps the comparison of all pairs of groups, in every column, within seconds.
const mostMissingPairs = 4_000_000

// Missingness compares the shares of missing values of each column between the groups. The shares' intervals have MethodExactSidak
// over the groups, and the gaps' MethodPairs, each at 1 - (1 - level)/c for c columns (Bonferroni), so that a gap above 0 in any of many
// columns is not one that chance makes. The level is in (0, 1); 0 means 0.95. With one group the gap is undefined.
//
// Errors: no rows, no columns, a column of another length, a level out of range, too many groups and columns.
func Missingness(columns []MissingColumn, groups []string, level float64) (MissingnessReport, error) {
	level, err := levelOf(level)
	switch {
	case err != nil:
	case len(groups) == 0:
		err = errors.New("found no rows; expected some: check the part of the data that was read")
	case len(columns) == 0:
		err = errors.New("found no columns; expected at least one whose values may be missing")
	}
	for _, c := range columns {
		if err == nil && len(c.Missing) != len(groups) {
			err = fmt.Errorf("column %q has %d rows and there are %d groups; expected one of each per row", c.Name, len(c.Missing), len(groups))
		}
	}
	if err != nil {
		return MissingnessReport{}, fmt.Errorf("compare missing values between groups: %w", err)
	}
	names, member := positions(groups)
	if len(names)*len(names)*len(columns) > mostMissingPairs {
		return MissingnessReport{}, fmt.Errorf("compare missing values between groups: found %d groups and %d columns; expected groups times groups times columns to be at most %d: take coarser groups, or fewer columns",
			len(names), len(columns), mostMissingPairs)
	}
	rows := make([]int, len(names))
	for _, k := range member {
		rows[k]++
	}
	r := MissingnessReport{Rows: len(groups), Level: level, Columns: make([]ColumnMissingness, len(columns))}
	for k, name := range names {
		r.Groups = append(r.Groups, GroupCount{name, rows[k]})
	}
	columnLevel := 1 - (1-level)/float64(len(columns))
	inParallel(len(columns), func(at int) {
		missing := make([]int, len(names))
		for i, none := range columns[at].Missing {
			if none {
				missing[member[i]]++
			}
		}
		c := ColumnMissingness{Column: columns[at].Name}
		for k, name := range names {
			c.Missing += missing[k]
			share := shareTogether(missing[k], rows[k], len(names), columnLevel, "no rows")
			share.Level = level
			c.Groups = append(c.Groups, MissingShare{name, missing[k], share})
		}
		value, low, high, lowest, highest, ok := GapOfShares(missing, rows, false, (1-columnLevel)/2)
		c.Gap = stats.NoValue(level, len(groups), "there is only one group")
		if ok {
			c.Gap = stats.Estimate{Value: value, Low: low, High: high, Level: level, Method: MethodPairs, N: len(groups)}
			c.Highest, c.Lowest = names[highest], names[lowest]
		}
		r.Columns[at] = c
	})
	return r, nil
}
