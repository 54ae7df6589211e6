package report

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/privacy"
)

// personalSection says which columns seem to hold personal data.
type personalSection struct {
	Lead  string
	Found *grid
	Note  string
}

// mostFindings keeps the table of findings readable; the dossier's JSON holds all.
const mostFindings = 40

func personalOf(d Dossier) *personalSection {
	r := d.Validation.Personal
	if r == nil {
		return &personalSection{Lead: "The data was not searched for personal data."}
	}
	looked := fmt.Sprintf("%s searched in %s", countOf(r.Columns, "column was", "columns were"), countOf(r.RowsScanned, "row", "rows"))
	if r.RowsScanned < r.Rows {
		looked += fmt.Sprintf(", drawn from %s", count(r.Rows))
	}
	s := &personalSection{Note: looked + ". Names of people and addresses have no form: they are found by the name of a column alone. " +
		"What was not found can still be there, and columns that look harmless one by one can identify people together."}
	switch sure, any := r.Counting(privacy.Likely), r.Counting(privacy.Possible); {
	case len(r.Findings) == 0:
		s.Lead = "No column seems to hold personal data."
		return s
	case len(any) == 0:
		s.Lead = "Columns seem to hold personal data; people have declared them fine, or the model is not given them."
	case len(sure) == 0:
		s.Lead = fmt.Sprintf("There are hints of personal data in %s that the model is given.", countOf(len(any), "column", "columns"))
	default:
		s.Lead = r.Warning()
	}
	s.Found = &grid{
		Caption: "Signs of personal data", Class: "stack",
		Head: []cell{{Text: "Column"}, {Text: "Seems to hold"}, {Text: "How sure, and why"}, {Text: "Rows", Number: true}, {Text: "What happens with it"}},
	}
	for _, f := range r.Findings[:min(len(r.Findings), mostFindings)] {
		s.Found.Rows = append(s.Found.Rows, findingRow(f))
	}
	if left := len(r.Findings) - len(s.Found.Rows); left > 0 {
		s.Found.Note = countOf(left, "further one is", "further ones are") + " not shown; the dossier’s JSON holds all."
	}
	return s
}

func findingRow(f privacy.Finding) []cell {
	holds := f.Kind.Words()
	if f.Country != "" {
		holds += " (" + f.Country + ")"
	}
	why := capital(f.Rule)
	if f.Source != "" {
		why += "; " + f.Source
	}
	rows := cell{Text: count(f.Rows), Number: true}
	if f.Share.Defined() {
		rows.Note = percent(f.Share.Value)
	}
	return []cell{{Text: f.Column}, {Text: holds}, {Text: string(f.Certainty), Note: why}, rows, {Text: handling(f)}}
}

func handling(f privacy.Finding) string {
	switch {
	case f.Unread && f.Allowed:
		return "not given to the model, and declared fine"
	case f.Unread:
		return "not given to the model"
	case f.Allowed:
		return "declared fine by the spec"
	}
	return "given to the model"
}

// personalWords is the sentence of the first screen; empty where nothing points at personal data.
func personalWords(d Dossier) string {
	if r := d.Validation.Personal; r != nil && r.Warning() != "" {
		return " " + r.Warning()
	}
	return ""
}

// secretsSection says what is learnt about someone whose values in the identifying columns are known.
type secretsSection struct {
	Paragraphs []string
	Learnt     *grid
	Risky      *grid
	Sizes      *grid
}

func secretsOf(d Dossier) *secretsSection {
	r := d.Privacy
	if len(r.Diversity) == 0 {
		return nil
	}
	s := &secretsSection{Learnt: &grid{
		Caption: "What is learnt about someone whose combination is known", Class: "stack",
		Note: "Fewest values: how many different values the least varied combination has (l-diversity), and as many equally frequent ones as it is worth. Distance: how far a combination’s values are from those of all rows, at most (t-closeness, 0 to 1).",
		Head: []cell{{Text: "Column"}, {Text: "Fewest values", Number: true}, {Text: "Rows with one value only", Number: true}, {Text: "Guessed rightly", Number: true}, {Text: "Distance", Number: true}},
	}}
	for _, v := range r.Diversity {
		if v.Note != "" {
			s.Learnt.Rows = append(s.Learnt.Rows, []cell{{Text: v.Sensitive, Note: v.Note}, {Text: notAvailable, Number: true}, {Text: notAvailable, Number: true}, {Text: notAvailable, Number: true}, {Text: notAvailable, Number: true}})
			continue
		}
		s.Learnt.Rows = append(s.Learnt.Rows, []cell{
			{Text: v.Sensitive, Note: missingNote(v.Missing)},
			{Text: count(v.DistinctL), Note: "worth " + general(v.EntropyL), Number: true},
			{Text: count(v.RowsAtOne), Note: shareOf(v.RowsAtOne, v.Rows-v.Missing), Number: true},
			{Text: percent(v.MostCertain), Note: "instead of " + percent(v.TableCertain), Number: true},
			{Text: decimal(v.T), Note: decimal(v.MeanT) + " on average", Number: true},
		})
	}
	if e := r.Exact; e != nil {
		s.Paragraphs = append(s.Paragraphs, fmt.Sprintf("%s counted by the spec’s bands. Someone who knows the exact numbers can narrow a person down to %s, in the worst case, and %s alone.",
			capital(list(e.Columns))+" "+plural(len(e.Columns), "is", "are"), countOf(e.KMin, "row", "rows"), countOf(e.UniqueRows, "row stands", "rows stand")))
	}
	s.Risky, s.Sizes = riskyGrid(r), sizesGrid(r)
	if r.RiskSize > 0 && r.RiskSize < min(3, len(r.QuasiIdentifiers)) {
		s.Paragraphs = append(s.Paragraphs, fmt.Sprintf("Combinations of more than %s were not ranked: there are too many of them for so many rows.", countOf(r.RiskSize, "column", "columns")))
	}
	if r.RiskSize == 0 {
		s.Paragraphs = append(s.Paragraphs, "Combinations of columns were not ranked: there are too many columns.")
	}
	return s
}

func missingNote(rows int) string {
	if rows == 0 {
		return ""
	}
	return countOf(rows, "row has no value", "rows have no value")
}

// mostRisky combinations are shown, the riskiest first.
const mostRisky = 12

func riskyGrid(r privacy.Report) *grid {
	g := &grid{
		Caption: "Columns that find people together", Class: "stack", Note: "The combinations that leave most rows alone. Counts only: no value of a row is shown.",
		Head: []cell{{Text: "Columns"}, {Text: "Combinations", Number: true}, {Text: "Smallest", Number: true}, {Text: "Rows alone", Number: true}, {Text: fmt.Sprintf("Rows among fewer than %d", privacy.SmallClass), Number: true}},
	}
	for _, c := range r.Riskiest {
		if len(g.Rows) == mostRisky {
			break
		}
		alone := cell{Text: count(c.UniqueRows), Note: percent(c.UniqueShare), Number: true}
		if c.Gain > 0 && len(c.Columns) > 1 {
			alone.Note += ", " + count(c.Gain) + " only by all of these"
		}
		g.Rows = append(g.Rows, []cell{{Text: strings.Join(c.Columns, " × ")}, {Text: count(c.Classes), Number: true}, {Text: count(c.KMin), Number: true}, alone, {Text: count(c.RowsBelowK), Number: true}})
	}
	if len(g.Rows) == 0 {
		return nil
	}
	return g
}

func sizesGrid(r privacy.Report) *grid {
	g := &grid{
		Caption: "How many rows share a combination", Class: "pair",
		Head: []cell{{Text: "Rows in a combination"}, {Text: "Combinations", Number: true}, {Text: "Rows in all", Number: true}},
	}
	for _, b := range r.Sizes {
		size := count(b.From)
		switch {
		case b.To == 0:
			size += " or more"
		case b.To > b.From:
			size += " to " + count(b.To)
		}
		g.Rows = append(g.Rows, []cell{{Text: size}, {Text: count(b.Classes), Number: true}, {Text: count(b.Rows), Note: shareOf(b.Rows, r.Rows), Number: true}})
	}
	if len(g.Rows) == 0 {
		return nil
	}
	return g
}

// personalMethods are how personal data was found, and what is learnt of it measured.
func personalMethods(d Dossier) []methodNote {
	var notes []methodNote
	if len(d.Privacy.Diversity) > 0 {
		notes = append(notes,
			methodNote{"l-diversity and t-closeness", "How many different values people who share their values in the identifying columns have in another one, and how far those are from the values of everyone.",
				"A. Machanavajjhala, J. Gehrke, D. Kifer and M. Venkitasubramaniam: l-diversity: privacy beyond k-anonymity. ACM TKDD 1, 2007; N. Li, T. Li and S. Venkatasubramanian: t-closeness: privacy beyond k-anonymity and l-diversity. ICDE, 2007."},
			methodNote{"Columns that find people together", "Counts the rows that stand alone for each set of up to three identifying columns.",
				"M. J. Elliot, A. M. Manning and R. W. Ford: A computational algorithm for handling the special uniques problem. International Journal of Uncertainty, Fuzziness and Knowledge-Based Systems 10, 2002."})
	}
	if d.Validation.Personal != nil {
		notes = append(notes, methodNote{"Search for personal data", "Looks at the form of values, at check digits, at the names of columns and at how values are spread. Numbers with a check digit count only where more of them pass than chance explains, with an error of one in a million.",
			"H. P. Luhn, US patent 2,950,048, 1960, and ISO/IEC 7812-1 for payment cards; ISO 13616-1 for bank accounts; Clopper and Pearson, 1934, for the limit of chance. The standards of other forms stand beside the findings."})
	}
	return notes
}
