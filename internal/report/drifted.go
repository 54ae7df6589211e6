package report

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/drift"
)

// Drift is how the rows the candidate was trained on differ from those the version that serves was trained on: in the columns
// that models are given, and in the target. Test rows have no part in it.
type Drift struct {
	Version     int    `json:"version"`                // that serves
	Rows        int64  `json:"rows"`                   // of the candidate's training part
	ServingRows int64  `json:"serving_rows,omitempty"` // of that version's; 0 when it is not known
	Same        bool   `json:"same,omitempty"`         // both parts hold the same rows, and nothing was compared
	SameData    bool   `json:"same_data,omitempty"`    // both were taken from the same data, in another way
	NotCompared string `json:"not_compared,omitempty"` // why nothing was compared, in a sentence

	Added   []string `json:"added,omitempty"`   // columns of the candidate alone
	Removed []string `json:"removed,omitempty"` // columns of that version alone
	Retyped []string `json:"retyped,omitempty"` // columns of numbers in one and of names in the other

	// Check compares the columns of both, with that version's training part as the reference; nil when nothing was compared.
	// Distributions are of its columns, the most changed first; the first few have their cells.
	Check         *drift.Report        `json:"check,omitempty"`
	Distributions []drift.Distribution `json:"distributions,omitempty"`
}

// driftSection is how the data changed since the last training.
type driftSection struct {
	Title, Lead string
	Paragraphs  []string
	Changes     *barTable
	Shapes      []barTable // of the most changed columns
	Note        string
}

const (
	mostChanges      = 20 // columns with a bar
	mostColumnsNamed = 12 // in a sentence
)

func driftOf(d Dossier) *driftSection {
	c := d.Drift
	if c == nil {
		return nil
	}
	version := fmt.Sprintf("version %d", c.Version)
	s := &driftSection{Title: "How the data changed since " + version + " was trained"}
	switch {
	case c.Same:
		s.Lead = fmt.Sprintf("It did not: the candidate was trained on the same %s as %s.", countOf(c.Rows, "row", "rows"), version)
		return s
	case c.Check == nil:
		s.Lead = or(c.NotCompared, "It was not compared.")
		s.Paragraphs = comings(*c, version)
		return s
	}
	s.Lead = changedWords(*c)
	s.Paragraphs = append([]string{comparedRows(*c, version)}, comings(*c, version)...)
	if c.Check.Verdict == drift.Insufficient {
		return s
	}
	if text := targetChange(d, *c); text != "" {
		s.Paragraphs = append(s.Paragraphs, text)
	}
	s.Changes = changeTable(d, *c, version)
	for _, one := range c.Distributions {
		if len(one.Cells) > 0 && c.drifted(one.Name) {
			s.Shapes = append(s.Shapes, shapeTable(one, version))
		}
	}
	if len(s.Shapes) > 0 {
		s.Note = fmt.Sprintf("In the pictures the stroke is the share now, the dashed line that of %s, and the thick line between them is what changed.", version)
	}
	return s
}

// column is what the check found in a column; nil when it did not compare it.
func (c Drift) column(name string) *drift.Column {
	for i := range c.Check.Columns {
		if c.Check.Columns[i].Name == name {
			return &c.Check.Columns[i]
		}
	}
	return nil
}

func (c Drift) drifted(name string) bool {
	found := c.column(name)
	return found != nil && found.Drifted
}

// changedWords say how many columns changed, which most, and how often that would be said of data that did not change.
func changedWords(c Drift) string {
	if c.Check.Verdict == drift.Insufficient {
		return "Nothing can be said about changes: " + c.Check.Summary
	}
	var changed []string
	for _, one := range c.Distributions {
		if c.drifted(one.Name) {
			changed = append(changed, one.Name)
		}
	}
	all, chance := 0, percent(c.Check.Alpha)
	for _, one := range c.Check.Columns {
		if tested(one) {
			all++
		}
	}
	if len(changed) == 0 {
		text := fmt.Sprintf("None of %s changed by more than chance makes. Had nothing changed, at most %s of such comparisons would name a column.", countOf(all, "column", "columns"), chance)
		if least := leastSeen(*c.Check); least > 0 && least < 1 {
			text += fmt.Sprintf(" In a column of numbers, a change would be seen in at least 80%s%% of comparisons when the share of rows up to some number moved by %s.", nbsp, points(least))
		}
		return text
	}
	most := changed[0]
	if len(changed) > 1 {
		most += ", then " + list(changed[1:min(len(changed), 3)])
	}
	return fmt.Sprintf("%s of %s changed by more than chance makes; most of all %s. Had nothing changed, at most %s of such comparisons would name a column.",
		count(len(changed)), countOf(all, "column", "columns"), most, chance)
}

// tested reports whether there was anything to compare in a column.
func tested(c drift.Column) bool { return c.Test != "" || c.Missing != nil || c.Rare != nil }

// leastSeen is the least change that the tests of all columns of numbers would show; 0 when there is none.
func leastSeen(r drift.Report) float64 {
	least := 0.0
	for _, c := range r.Columns {
		if c.Test == drift.KolmogorovSmirnov {
			least = math.Max(least, c.DetectableEffect)
		}
	}
	return least
}

func comparedRows(c Drift, version string) string {
	text := fmt.Sprintf("The candidate was trained on %s, %s on %s.", countOf(c.Rows, "row", "rows"), version, count(c.ServingRows))
	if n := int64(c.Check.Rows); n < c.Rows {
		text += fmt.Sprintf(" %s of the candidate’s, picked by lot, were compared with a description of all those of %s.", count(n), version)
	}
	text += " Rows that both were trained on make a change look smaller than it is in the rows that are new."
	if c.SameData {
		text += " Both were taken from the same data: what differs comes from dividing or transforming it in another way."
	}
	return text
}

// comings say which columns came and went.
func comings(c Drift, version string) []string {
	var all []string
	for _, one := range []struct {
		names []string
		text  string
	}{
		{c.Added, "Columns that only the candidate has: %s."}, {c.Removed, "Columns that only " + version + " has: %s."},
		{c.Retyped, "Columns of numbers for one and of names for the other, and not compared: %s."},
	} {
		if len(one.names) > 0 {
			all = append(all, fmt.Sprintf(one.text, fewNames(one.names)))
		}
	}
	return all
}

func fewNames(names []string) string {
	if left := len(names) - mostColumnsNamed; left > 0 {
		return list(append(slices.Clone(names[:mostColumnsNamed]), countOf(left, "further column", "further columns")))
	}
	return list(names)
}

// targetChange says whether what the model predicts has changed, whatever place it has among the columns.
func targetChange(d Dossier, c Drift) string {
	switch found := c.column(d.Target.Column); {
	case found == nil:
		return ""
	case found.Drifted:
		return fmt.Sprintf("What is predicted, %s, has changed as well.", d.Target.Column)
	}
	return fmt.Sprintf("What is predicted, %s, did not change by more than chance makes.", d.Target.Column)
}

func changeTable(d Dossier, c Drift, version string) *barTable {
	shown := c.Distributions[:min(len(c.Distributions), mostChanges)]
	var distances []float64
	for _, one := range shown {
		distances = append(distances, one.Distance)
	}
	s := spanning(scale{0, 1}, append(distances, 0)...)
	if s.High <= 0 {
		s.High = 1
	}
	t := &barTable{
		Caption: "Change of each column since " + version, NameHead: "Column", BarHead: "Share of rows that moved", FigureHead: "Share that moved",
		Note: "At least this share of rows would have to hold another value for the column to be as it was. Two draws from one source differ a little as well.",
		Ends: []string{asPercent.exactly(s.Low), asPercent.exactly(s.High)},
	}
	for _, one := range shown {
		row := barRow{Name: or(one.Name, "(empty)"), Figure: percent(one.Distance), Note: "no more than chance makes"}
		if found := c.column(one.Name); found != nil {
			row.Interval = "p " + pValue(leastP(*found))
			if found.Drifted {
				row.Tags, row.Note = []string{"changed"}, sharesMoved(*found, c.Check.Alpha)
			} else if !tested(*found) {
				row.Note, row.Interval = or(found.Note, "nothing to compare"), ""
			}
		}
		if one.Name == d.Target.Column {
			row.Tags = append(row.Tags, "predicted")
		}
		if slices.Contains(d.Protected, one.Name) {
			row.Tags = append(row.Tags, "protected")
		}
		row.Bar = shareBar(row.Name+": "+row.Figure, one.Distance/s.High)
		t.Rows = append(t.Rows, row)
	}
	if left := len(c.Distributions) - len(shown); left > 0 {
		t.Note += fmt.Sprintf(" %s that changed less not shown.", countOf(left, "column", "columns"))
	}
	return t
}

// leastP is the least of the adjusted p-values of a column, by which it is decided.
func leastP(c drift.Column) float64 {
	p := c.AdjustedP
	for _, s := range []*drift.Share{c.Missing, c.Rare} {
		if s != nil {
			p = math.Min(p, s.AdjustedP)
		}
	}
	return p
}

// sharesMoved says whether missing or rare values are what changed.
func sharesMoved(c drift.Column, alpha float64) string {
	var all []string
	for _, one := range []struct {
		name  string
		share *drift.Share
	}{{"missing", c.Missing}, {"rare and new values", c.Rare}} {
		if s := one.share; s != nil && s.AdjustedP <= alpha {
			all = append(all, fmt.Sprintf("%s: %s, before %s", one.name, percent(s.Current), percent(s.Reference)))
		}
	}
	return list(all)
}

// shapeTable shows how the rows spread over a column's values, now and then.
func shapeTable(one drift.Distribution, version string) barTable {
	values := []float64{0}
	for _, c := range one.Cells {
		values = append(values, c.Reference, c.Current)
	}
	s := spanning(scale{0, 1}, values...)
	t := barTable{
		Caption: "What changed in " + or(one.Name, "(empty)"), NameHead: "Value", BarHead: "Share of the rows, now and before", FigureHead: "Share now, and before",
		Ends: []string{asPercent.exactly(s.Low), asPercent.exactly(s.High)},
	}
	for _, c := range one.Cells {
		row := barRow{Name: cellName(c), Figure: percent(c.Current), Interval: "before: " + percent(c.Reference)}
		row.Bar = intervalBar(s, fmt.Sprintf("%s: %s now, %s before", row.Name, row.Figure, percent(c.Reference)),
			c.Current, math.Min(c.Reference, c.Current), math.Max(c.Reference, c.Current), c.Reference)
		t.Rows = append(t.Rows, row)
	}
	return t
}

func cellName(c drift.Cell) string {
	switch {
	case c.Missing:
		return "(unknown)"
	case c.Other:
		return "rare and new values"
	case c.Above != nil && c.UpTo != nil:
		return fmt.Sprintf("above %s, up to %s", measured(*c.Above), measured(*c.UpTo))
	case c.Above != nil:
		return "above " + measured(*c.Above)
	case c.UpTo != nil:
		return "up to " + measured(*c.UpTo)
	}
	return or(c.Value, "(empty)")
}

// driftMethods say how the data of both trainings were compared.
func driftMethods(d Dossier) []methodNote {
	if d.Drift == nil || d.Drift.Check == nil || d.Drift.Check.Tests == 0 {
		return nil
	}
	return []methodNote{{
		"Change since the last training", "Numbers are compared by the Kolmogorov-Smirnov test, names by Pearson’s test, missing and rare values by an exact test, with the false alarms of all of them bounded together. " +
			"It takes rows for independent of each other. Rows that both trainings hold make a change look smaller and an alarm rarer. " +
			"What is drawn is the total variation distance, of numbers over ranges that each held about a tenth of the rows before.",
		"N. Smirnov: Table for estimating the goodness of fit of empirical distributions. Annals of Mathematical Statistics 19, 1948; K. Pearson, Philosophical Magazine 50, 1900; " +
			"S. Holm: A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, 1979, or Y. Benjamini and Y. Hochberg: Controlling the false discovery rate. JRSS B 57, 1995, as the spec says; " +
			"D. A. Levin, Y. Peres and E. L. Wilmer: Markov chains and mixing times, section 4.1. AMS, 2009.",
	}}
}
