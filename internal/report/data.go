package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// dataSection is the section on the rows the candidate was made from.
type dataSection struct {
	Lead   string
	Facts  []fact
	Checks *grid
	Groups []barTable
	People []peopleSection
	Drift  *driftSection
}

func dataOf(d Dossier) dataSection {
	s := dataSection{Lead: dataLead(d.Validation.Results), Facts: dataFacts(d), Checks: checkGrid(d.Validation.Results), Drift: driftOf(d)}
	if d.Labels != nil {
		s.Facts = append(s.Facts, fact{Term: "Labels", Detail: labelsGiven(*d.Labels)})
	}
	w := wordsOf(d.Target)
	s.People = peopleOf(d, w)
	for _, g := range d.Validation.Groups {
		if slices.ContainsFunc(d.Fairness.People, func(p People) bool { return p.Column == g.Column && p.Labels != nil }) {
			continue // the rows it learnt from are shown, with more
		}
		s.Groups = append(s.Groups, groupTable(g, w))
	}
	return s
}

func dataLead(results []table.ExpectationResult) string {
	failed := 0
	for _, r := range results {
		if !r.Passed {
			failed++
		}
	}
	switch {
	case len(results) == 0:
		return "The spec sets no checks on the data, so none were made."
	case failed > 0:
		return fmt.Sprintf("%d of %s on the data failed.", failed, countOf(len(results), "check", "checks"))
	case len(results) == 1:
		return "The one check on the data passed."
	}
	return fmt.Sprintf("All %d checks on the data passed.", len(results))
}

func dataFacts(d Dossier) []fact {
	facts := []fact{
		{Term: "Source", Detail: or(d.Data.Source, notAvailable)},
		{Term: "Rows", Detail: rowsOf(d)},
		{Term: "Columns", Detail: count(d.Data.Columns)},
	}
	if outcome := targetMix(d); outcome != "" {
		facts = append(facts, fact{Term: "Outcome", Detail: outcome})
	}
	r := d.Prepared.Rows
	return append(facts,
		fact{Term: "Parts", Detail: fmt.Sprintf("%s to train on, %s to validate, %s to test.", count(r.Train), count(r.Validation), count(r.Test))},
		fact{Term: "Duplicates", Detail: duplicates(d.Prepared.Duplicates)},
		fact{Term: "Unknown values", Detail: unknowns(d.Data)},
		fact{Term: "Digest", Detail: or(d.Data.Digest.String(), notAvailable), Code: true},
	)
}

// targetMix says how the target is distributed.
func targetMix(d Dossier) string {
	v, w := d.Validation, wordsOf(d.Target)
	switch {
	case v.Rows == 0:
		return ""
	case w.task == stats.Binary:
		return fmt.Sprintf("%s of the rows are %s.", percent(float64(v.Positives)/float64(v.Rows)), w.outcome)
	case w.task == stats.Multiclass && len(v.Classes) > 0 && len(v.ClassCounts) == len(v.Classes):
		return fmt.Sprintf("%s of %s: %s.", countOf(len(v.Classes), "class", "classes"), w.outcome, classMix(v.Classes, v.ClassCounts))
	case w.task == stats.Regression && v.Target != nil:
		return fmt.Sprintf("%s is %s on average, with a standard deviation of %s.", w.outcome, measured(v.Target.Mean), measured(v.Target.SD))
	}
	return ""
}

// mostMixed is the most classes whose shares a sentence lists.
const mostMixed = 12

// classMix lists the shares of classes, the largest first.
func classMix(classes []string, counts []int64) string {
	order, all := make([]int, len(classes)), int64(0)
	for i, n := range counts {
		order[i], all = i, all+n
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(counts[b], counts[a]) })
	var parts []string
	for _, i := range order[:min(len(order), mostMixed)] {
		share := notAvailable
		if all > 0 {
			share = percent(float64(counts[i]) / float64(all))
		}
		parts = append(parts, className(classes[i])+" "+share)
	}
	if left := len(order) - len(parts); left > 0 {
		parts = append(parts, countOf(left, "further class", "further classes"))
	}
	return strings.Join(parts, ", ")
}

// labelsGiven says which labels people gave because the gate asked for them.
func labelsGiven(l LabelsGiven) string {
	text := fmt.Sprintf("People labelled %s of the test part for this decision: %s picked by lot", countOf(l.Given, "row", "rows"), count(l.Representative))
	if l.Chosen > 0 {
		text += fmt.Sprintf(", and %s for what they are, such as rows on which candidate and serving version differ", count(l.Chosen))
	}
	return text + "."
}

func rowsOf(d Dossier) string {
	if d.Validation.Rows == 0 || d.Validation.Rows == d.Data.Rows {
		return count(d.Data.Rows)
	}
	return fmt.Sprintf("%s as read, %s after the spec’s transformation", count(d.Data.Rows), count(d.Validation.Rows))
}

func duplicates(d table.Duplicates) string {
	within := d.Within.Train + d.Within.Validation + d.Within.Test
	across := d.ValidationInTrain + d.TestInTrain + d.TestInValidation
	if within+across == 0 {
		return "No row equals another."
	}
	text := countOf(within, "row repeats a row of its own part", "rows repeat a row of their own part") + "."
	if across == 0 {
		return text + " No row stands in two parts."
	}
	return text + fmt.Sprintf(" Standing in two parts: %s of validation in training, %s of test in training, %s of test in validation. "+
		"Such rows make the model look better than it is.", count(d.ValidationInTrain), count(d.TestInTrain), count(d.TestInValidation))
}

// mostUnknown keeps the list of columns with missing values short.
const mostUnknown = 12

func unknowns(d Data) string {
	if len(d.Unknown) == 0 {
		return "None: every row has a value in every column."
	}
	var parts []string
	for _, u := range d.Unknown[:min(len(d.Unknown), mostUnknown)] {
		share := notAvailable
		if d.Rows > 0 {
			share = percent(float64(u.Rows) / float64(d.Rows))
		}
		parts = append(parts, fmt.Sprintf("%s %s (%s)", u.Column, share, countOf(u.Rows, "row", "rows")))
	}
	if left := len(d.Unknown) - len(parts); left > 0 {
		parts = append(parts, countOf(left, "further column", "further columns"))
	}
	return strings.Join(parts, ", ") + "."
}

func checkGrid(results []table.ExpectationResult) *grid {
	if len(results) == 0 {
		return nil
	}
	g := &grid{Caption: "Checks on the data", Head: []cell{{Text: "Check"}, {Text: "Result"}}}
	for _, r := range results {
		verdict, word := "pass", "Passed"
		if !r.Passed {
			verdict, word = "fail", "Failed"
		}
		result := cell{Text: word, Mark: mark(verdict, word), Note: r.Message}
		if r.Offending > 0 {
			result.Text += ": " + countOf(r.Offending, "row", "rows")
		}
		g.Rows = append(g.Rows, []cell{{Text: r.Name}, result})
	}
	return g
}

// groupOutcome says what the target is in a group.
func groupOutcome(g table.Group, w words) string {
	switch {
	case w.task == stats.Binary:
		return fmt.Sprintf("%s of them %s", percent(g.PositiveShare), w.outcome)
	case g.Target != nil && g.Target.Rows > 0:
		return fmt.Sprintf("%s %s on average", w.outcome, measured(g.Target.Mean))
	}
	return ""
}

// groupTable shows who is in the data. A group of few rows is marked as the audit marks it, since little can be said of it.
func groupTable(g table.GroupReport, w words) barTable {
	t := barTable{
		Caption: "Who is in the data, by " + g.Column, NameHead: "Group", BarHead: "Share of the rows", FigureHead: "Share", IntervalHead: "Rows",
		Ends: []string{"0%", "50%", "100%"},
	}
	for _, group := range g.Groups {
		name := or(group.Value, "(empty)")
		if group.Missing {
			name = "(unknown)"
		}
		row := barRow{
			Name: name, Figure: percent(group.Share), Interval: countOf(group.Rows, "row", "rows"),
			Note: groupOutcome(group, w),
			Bar:  shareBar(name+": "+percent(group.Share), group.Share),
		}
		if group.Rows < fairness.DefaultMinGroup {
			row.Tags = []string{"small group"}
		}
		t.Rows = append(t.Rows, row)
	}
	if g.Omitted > 0 {
		t.Note = countOf(g.Omitted, "smaller group is", "smaller groups are") + " not shown."
	}
	return t
}
