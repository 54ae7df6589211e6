package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/drift"
	"github.com/assay-ml/assay/internal/table"
)

// drifted is what is found when incomes rose, more are missing, and a channel is new.
func drifted(t *testing.T) *Drift {
	t.Helper()
	steps := func(n int) *table.ECDF {
		e := &table.ECDF{}
		for i := range n {
			e.Values, e.Cumulative = append(e.Values, float64(100*(i+1))), append(e.Cumulative, int64(20*(i+1)))
		}
		return e
	}
	reference := &table.Profile{Rows: 2000, Columns: []table.ColumnProfile{
		{Name: "age_band", Kind: table.Categorical, Distinct: 2, Frequent: []table.Frequency{{Value: "25-39", Count: 1000}, {Value: "40-64", Count: 1000}}},
		{Name: "income", Kind: table.Numeric, Distinct: 100, ECDF: steps(100)},
		{Name: "channel", Kind: table.Categorical, Distinct: 2, Frequent: []table.Frequency{{Value: "branch", Count: 1500}, {Value: "web <b>", Count: 500}}},
		{Name: "savings", Kind: table.Numeric, Distinct: 99, Nulls: 20, ECDF: steps(99)},
		{Name: "approved", Kind: table.Categorical, Distinct: 2, Frequent: []table.Frequency{{Value: "yes", Count: 1100}, {Value: "no", Count: 900}}},
	}}
	current := &table.Frame{Rows: 1000, Columns: []table.Column{
		{Name: "age_band", Kind: table.Categorical, Levels: []string{"25-39", "40-64"}},
		{Name: "income", Kind: table.Numeric},
		{Name: "channel", Kind: table.Categorical, Levels: []string{"branch", "phone", "web <b>"}},
		{Name: "savings", Kind: table.Numeric},
		{Name: "approved", Kind: table.Categorical, Levels: []string{"no", "yes"}},
	}}
	for i := range 1000 {
		add := func(at int, number float64, code int) {
			c := &current.Columns[at]
			if c.Kind == table.Numeric {
				c.Numbers = append(c.Numbers, number)
			} else {
				c.Codes = append(c.Codes, int32(code))
			}
		}
		add(0, 0, i%2)
		add(1, float64(100*(i%100+1)+3000), 0)
		add(2, 0, min(i%10, 2))
		add(3, float64(100*(i%99+1)), 0)
		add(4, 0, []int{1, 0}[i%20/11])
	}
	for i := range 100 {
		current.Columns[3].Numbers[10*i] = math.NaN()
	}
	check, err := drift.Check(reference, current, drift.Options{})
	require.NoError(t, err)
	all, err := drift.Distributions(reference, current)
	require.NoError(t, err)
	d := &Drift{Version: 3, Rows: 12014, ServingRows: 2000, Check: &check, Distributions: check.Ranked(all), Added: []string{"postcode_area"}, Removed: []string{"fax <b>"}}
	for i := 3; i < len(d.Distributions); i++ {
		d.Distributions[i].Cells = nil
	}
	return d
}

func TestChangesSinceTheLastTrainingAreShown(t *testing.T) {
	d := loan(t)
	d.Champion, d.Drift = &Champion{Version: 3}, drifted(t)
	says(t, d, "data", "How the data changed since version 3 was trained",
		"3 of 5 columns changed by more than chance makes; most of all channel, then income and savings. Had nothing changed, at most 1.0 % of such comparisons would name a column.",
		"The candidate was trained on 12,014 rows, version 3 on 2,000. 1,000 of the candidate’s, picked by lot,",
		"Columns that only the candidate has: postcode_area.", "Columns that only version 3 has: fax <b>.",
		"What is predicted, approved, did not change by more than chance makes.",
		"Change of each column since version 3", "income changed", "approved predicted no more than chance makes", "age_band protected no more than chance makes",
		"savings changed missing: 10.0 %, before 1.0 %", "p under 0.001",
		"What changed in income", "above 9,010: 40.0 % now, 10.0 % before 40.0 % before: 10.0 %", "What changed in channel", "phone: 10.0 % now, 0 % before", "What changed in savings", "(unknown): 10.0 % now, 1.0 % before",
		"the dashed line that of version 3")
	page := string(rendered(t, d))
	require.NotContains(t, page, "<b>", "names and values stay text")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "summary"), "changed by more than chance makes", "the first screen stays short")
	says(t, d, "methods", "Change since the last training", "S. Holm", "Smirnov")
	text := plain(unescaped(markdownFor(t, d)))
	for _, words := range []string{"### How the data changed since version 3 was trained", "3 of 5 columns changed", "income [changed]", "What changed in channel."} {
		require.Contains(t, text, words)
	}
	require.Contains(t, plain(section(t, parse(t, sealed(t, d, true)), "data")), "How the data changed since version 3", "test rows have no part in it")
}

func TestWhatIsNotComparedIsSaid(t *testing.T) {
	d := loan(t)
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "data"), "How the data changed", "no version serves")
	d.Drift = &Drift{Version: 2, Rows: 500, Same: true}
	says(t, d, "data", "How the data changed since version 2 was trained", "It did not: the candidate was trained on the same 500 rows as version 2.")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "methods"), "Change since the last training")
	d.Drift = &Drift{Version: 2, NotCompared: "Nothing was compared: it is no longer stored.", Retyped: []string{"visits"}}
	says(t, d, "data", "Nothing was compared: it is no longer stored.", "names for the other, and not compared: visits.")
	require.Contains(t, markdownFor(t, d), "it is no longer stored")

	found := drifted(t)
	found.SameData = true
	found.Check.Verdict, found.Check.Drifted = drift.None, false
	for i := range found.Check.Columns {
		found.Check.Columns[i].Drifted = false
	}
	d.Drift = found
	says(t, d, "data", "None of 5 columns changed by more than chance makes.", "a change would be seen in at least 80 % of comparisons", "Both were taken from the same data")
	require.NotContains(t, section(t, parse(t, rendered(t, d)), "data"), "What changed in")
	*found.Check = drift.Report{Verdict: drift.Insufficient, Rows: 40, Summary: "There are 40 rows and a check needs at least 50."}
	found.Distributions = nil
	says(t, d, "data", "Nothing can be said about changes: There are 40 rows and a check needs at least 50.")

	found = drifted(t)
	for i := range 30 {
		name := fmt.Sprint("c", i)
		found.Added = append(found.Added, name)
		found.Check.Columns = append(found.Check.Columns, drift.Column{Name: name, Note: "every value is missing in both samples"})
		found.Distributions = append(found.Distributions, drift.Distribution{Name: name})
	}
	d.Drift = found
	says(t, d, "data", "15 columns that changed less not shown.", "c10 and 19 further columns", "c0 every value is missing in both samples")
	require.Equal(t, 20, strings.Count(string(rendered(t, d)), `class="share"`)-strings.Count(string(rendered(t, loan(t))), `class="share"`))
}
