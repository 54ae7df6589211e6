package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// peopleSection is who the model learnt from, by a protected column.
type peopleSection struct {
	Title, Lead string
	Table       *barTable // groups with their shares
	Labels      *grid     // how labels differ between them, folded up
	Missing     *grid     // whose values are missing
	Notes       []string
}

// mostMissing columns are listed one by one.
const mostMissing = 10

func peopleOf(d Dossier, w words) []peopleSection {
	var all []peopleSection
	for _, p := range d.Fairness.People {
		s := peopleSection{Title: "Who it learnt from, by " + p.Column, Notes: p.Notes}
		s.Lead = populationWords(p)
		if p.Labels != nil {
			s.Table = peopleTable(p, w, d.Target.Positive)
			if p.Labels.Freedom > 0 {
				s.Lead += fmt.Sprintf(" Were labels alike in all groups, chance would make them differ as much with probability %s (Pearson’s test).", pValue(p.Labels.P))
			}
		}
		if p.Bias != nil {
			s.Labels = biasGrid(*p.Bias, p.Column)
		}
		if p.Missing != nil {
			s.Missing = missingGrid(*p.Missing, p.Column, &s)
		}
		all = append(all, s)
	}
	return all
}

func pValue(p float64) string {
	if p < 0.001 {
		return "under 0.001"
	}
	return decimal(p)
}

// populationWords say who is under-represented, where a population is declared.
func populationWords(p People) string {
	if p.Population == nil {
		return "No population is declared to compare with."
	}
	r := p.Population
	var under, over, undecided []string
	for _, g := range r.Groups {
		switch g.Word {
		case fairness.Under:
			under = append(under, g.Group)
		case fairness.Over:
			over = append(over, g.Group)
		case fairness.Undecided:
			undecided = append(undecided, g.Group)
		}
	}
	text := "Compared with the declared population "
	switch {
	case len(under) == 0 && len(over) == 0:
		text += "no group is told to have another share of the rows."
	default:
		var parts []string
		if len(under) > 0 {
			parts = append(parts, list(under)+" "+plural(len(under), "has", "have")+" a smaller share of the rows")
		}
		if len(over) > 0 {
			parts = append(parts, list(over)+" "+plural(len(over), "has", "have")+" a larger one")
		}
		text += list(parts) + "."
	}
	if len(undecided) > 0 {
		text += " Too few rows to tell of " + list(undecided) + "."
	}
	if len(r.Missing) > 0 {
		text += " Without any row: " + list(r.Missing) + "."
	}
	if r.UndeclaredRows > 0 {
		text += fmt.Sprintf(" %s of groups that the population does not name.", countOf(r.UndeclaredRows, "row is", "rows are"))
	}
	return text
}

func peopleTable(p People, w words, label string) *barTable {
	t := &barTable{
		Caption: "Rows it learnt from, by " + p.Column, NameHead: "Group", BarHead: "Share of the rows", FigureHead: "Share", IntervalHead: "Rows", Ends: []string{"0%", "50%", "100%"},
		Note: "Intervals are of the share with each label; they hold for all labels of a group together.",
	}
	positive := slices.Index(p.Labels.Labels, label)
	shown := largest(p.Labels.Groups, func(g fairness.GroupLabels) int { return g.N })
	for _, g := range shown {
		share := float64(g.N) / float64(p.Labels.Rows)
		row := barRow{Name: or(g.Group, "(empty)"), Figure: percent(share), Interval: countOf(g.N, "row", "rows"), Bar: shareBar(g.Group+": "+percent(share), share)}
		if positive >= 0 {
			e := g.Labels[positive].Share
			row.Note = fmt.Sprintf("%s of them %s (%s)", asPercent.figure(e), w.outcome, asPercent.interval(e))
		}
		if declared, ok := declaredShare(p.Population, g.Group); ok {
			row.Note += fmt.Sprintf("; %s of the population", percent(declared))
		}
		if g.N < fairness.DefaultMinGroup {
			row.Tags = []string{"small group"}
		}
		t.Rows = append(t.Rows, row)
	}
	if left := leftOut(len(p.Labels.Groups) - len(shown)); left != "" {
		t.Note += " " + left
	}
	return t
}

func declaredShare(r *fairness.RepresentationReport, group string) (float64, bool) {
	if r == nil {
		return 0, false
	}
	for _, g := range r.Groups {
		if g.Group == group {
			return g.Declared, true
		}
	}
	return 0, false
}

// biasShown are the metrics of label bias with a column in the table, that within strata last; the JSON has all.
var biasShown = []struct {
	name, head string
	form       form
}{
	{fairness.ClassImbalance, "Class imbalance", asDecimal},
	{fairness.LabelProportions, "Others’ share positive less its own", asPoints},
	{fairness.JensenShannon, "Jensen-Shannon divergence", asDecimal},
	{fairness.KullbackLeibler, "Kullback-Leibler divergence", asDecimal},
	{fairness.TotalVariation, "Total variation distance", asPoints},
	{fairness.ConditionalDisparity, "Disparity within strata", asPoints},
}

func biasGrid(r fairness.BiasReport, column string) *grid {
	g := &grid{
		Caption: "Labels of each group against all others, by " + column, Class: "dense", Note: "Before training. " + r.Note,
		Head: []cell{{Text: "Group"}},
	}
	shown := biasShown
	if !conditioned(r) {
		shown = shown[:len(shown)-1]
	}
	for _, m := range shown {
		g.Head = append(g.Head, cell{Text: m.head, Number: true})
	}
	for _, group := range largest(r.Groups, func(b fairness.GroupBias) int { return b.N }) {
		row := []cell{{Text: or(group.Group, "(empty)")}}
		for _, m := range shown {
			e := stats.Estimate{}
			for _, found := range group.Rest.Metrics {
				if found.Name == m.name {
					e = found.Estimate
				}
			}
			row = append(row, cell{Text: m.form.figure(e), Note: m.form.interval(e), Number: true})
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

// conditioned reports whether any group was compared within strata.
func conditioned(r fairness.BiasReport) bool {
	return slices.ContainsFunc(r.Groups, func(g fairness.GroupBias) bool {
		return slices.ContainsFunc(g.Rest.Metrics, func(m stats.Metric) bool { return m.Name == fairness.ConditionalDisparity && m.Defined() })
	})
}

// missingGrid lists the columns whose values are missing more in one group than in another, and says so in words where there are none.
func missingGrid(r fairness.MissingnessReport, column string, s *peopleSection) *grid {
	var apart []fairness.ColumnMissingness
	holes := 0
	for _, c := range r.Columns {
		if c.Missing > 0 {
			holes++
		}
		if c.Gap.Defined() && c.Gap.Low > 0 {
			apart = append(apart, c)
		}
	}
	switch {
	case holes == 0:
		s.Notes = append(s.Notes, "No column the model is given has a value missing.")
		return nil
	case len(apart) == 0:
		s.Notes = append(s.Notes, fmt.Sprintf("%s missing, in no group of %s more often than in another by more than chance makes.",
			countOf(holes, "column has values", "columns have values"), column))
		return nil
	}
	slices.SortStableFunc(apart, func(a, b fairness.ColumnMissingness) int { return cmp.Compare(b.Gap.Value, a.Gap.Value) })
	g := &grid{
		Caption: "Missing values, by " + column, Note: "Columns in which one group lacks values more often than another. What is filled in for them is guessed.",
		Head: []cell{{Text: "Column"}, {Text: "Most often missing"}, {Text: "Least often"}, {Text: "Gap", Number: true}},
	}
	for _, c := range apart[:min(len(apart), mostMissing)] {
		g.Rows = append(g.Rows, []cell{
			{Text: c.Column}, {Text: missingOf(c, c.Highest)}, {Text: missingOf(c, c.Lowest)},
			{Text: asPoints.figure(c.Gap), Note: asPoints.interval(c.Gap), Number: true},
		})
	}
	if left := len(apart) - mostMissing; left > 0 {
		g.Note += fmt.Sprintf(" %s not shown.", countOf(left, "further one is", "further ones are"))
	}
	return g
}

func missingOf(c fairness.ColumnMissingness, group string) string {
	for _, g := range c.Groups {
		if g.Group == group {
			return fmt.Sprintf("%s (%s)", or(group, "(empty)"), asPercent.figure(g.Share))
		}
	}
	return or(group, "(empty)")
}

// unequal says how unequally decisions serve people, and whether people who are alike are treated alike.
func unequal(d Dossier) []string {
	var all []string
	for i, q := range d.Fairness.Inequality {
		if len(q.Indices) == 0 {
			continue
		}
		index := q.Indices[0]
		if i == 0 && index.Total.Defined() {
			theil := ""
			for _, other := range q.Indices {
				if other.Alpha == 1 && other.Total.Defined() {
					theil = fmt.Sprintf(", Theil’s index %s (interval %s)", decimal(other.Total.Value), asDecimal.interval(other.Total))
				}
			}
			all = append(all, fmt.Sprintf("How unequally decisions serve people, whoever they are: generalised entropy %s (interval %s)%s; 0 is all alike. A wrong no counts as no benefit, a right answer as one, a wrong yes as two.",
				decimal(index.Total.Value), asDecimal.interval(index.Total), theil))
		}
		if index.BetweenShare.Defined() {
			all = append(all, fmt.Sprintf("Of that, %s lies between the groups of %s (interval %s), the rest within them.", percent(index.BetweenShare.Value), q.Column, asPercent.interval(index.BetweenShare)))
		}
	}
	if c := d.Fairness.Consistency; c != nil && c.Consistency.Defined() {
		all = append(all, fmt.Sprintf("Cases that are alike are decided alike in %s (interval %s): each of %s against the %d that are most like it in the columns the model is given.",
			percent(c.Consistency.Value), asPercent.interval(c.Consistency), countOf(c.Sampled, "case", "cases"), c.Neighbours))
	}
	return all
}
