package report

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/table"
)

// dataSection is the section on the rows the candidate was made from.
type dataSection struct {
	Lead   string
	Facts  []fact
	Checks *grid
	Groups []barTable
}

func dataOf(d Dossier) dataSection {
	s := dataSection{Lead: dataLead(d.Validation.Results), Facts: dataFacts(d), Checks: checkGrid(d.Validation.Results)}
	w := wordsOf(d.Target)
	for _, g := range d.Validation.Groups {
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
	if v := d.Validation; v.Rows > 0 {
		facts = append(facts, fact{Term: "Outcome", Detail: fmt.Sprintf("%s of the rows are %s.", percent(float64(v.Positives)/float64(v.Rows)), wordsOf(d.Target).outcome)})
	}
	r := d.Prepared.Rows
	return append(facts,
		fact{Term: "Parts", Detail: fmt.Sprintf("%s to train on, %s to validate, %s to test.", count(r.Train), count(r.Validation), count(r.Test))},
		fact{Term: "Duplicates", Detail: duplicates(d.Prepared.Duplicates)},
		fact{Term: "Unknown values", Detail: unknowns(d.Data)},
		fact{Term: "Digest", Detail: or(d.Data.Digest.String(), notAvailable), Code: true},
	)
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

// groupTable shows who is in the data. A group of few rows is marked as the audit marks it, since little can be said of it.
func groupTable(g table.GroupReport, w words) barTable {
	t := barTable{
		Caption: "Who is in the data, by " + g.Column, NameHead: "Group", BarHead: "Share of the rows", FigureHead: "Share",
		Ends: []string{"0%", "50%", "100%"},
	}
	for _, group := range g.Groups {
		name := or(group.Value, "(empty)")
		if group.Missing {
			name = "(unknown)"
		}
		row := barRow{
			Name: name, Figure: percent(group.Share), Interval: countOf(group.Rows, "row", "rows"),
			Note: fmt.Sprintf("%s of them %s", percent(group.PositiveShare), w.outcome),
			Bar:  shareBar(name+": "+percent(group.Share), group.Share),
		}
		if group.Rows < fairness.SmallGroup {
			row.Tags = []string{"small group"}
		}
		t.Rows = append(t.Rows, row)
	}
	if g.Omitted > 0 {
		t.Note = countOf(g.Omitted, "smaller group is", "smaller groups are") + " not shown."
	}
	return t
}
