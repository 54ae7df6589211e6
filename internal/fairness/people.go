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
	if declared > 0 && g.Observed.Defined() {
		g.Ratio = g.Observed
		g.Ratio.Value, g.Ratio.Low, g.Ratio.High = g.Ratio.Value/declared, g.Ratio.Low/declared, g.Ratio.High/declared
	} else {
		g.Ratio = stats.NoValue(level, rows, "the declared share is zero, or there are no rows of declared groups")
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
		if g.Declared == 0 {
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
		r.Note = "There are rows of a group whose declared share is zero, so the rows cannot be drawn from the declared population."
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
