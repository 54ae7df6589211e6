package report

import (
	"fmt"

	"github.com/assay-ml/assay/internal/privacy"
)

// privacySection says which personal data there is, and how well the training data hides the people in it.
type privacySection struct {
	Personal   *personalSection
	Secrets    *secretsSection // nil: no columns identify anybody
	Lead       string
	Paragraphs []string
	Facts      []fact
	Promise    []string // of private training
	Attacked   []string
	Attacks    *barTable
}

func privacyOf(d Dossier) privacySection {
	r := d.Privacy
	if r.Note != "" || r.Rows == 0 {
		s := privacySection{Lead: "It was not measured how well the data hides people: " + or(r.Note, "no rows were looked at") + ".", Personal: personalOf(d)}
		if r.Rows > 0 {
			s.Promise = promiseOf(d)
			s.Attacked, s.Attacks = attacksOf(r)
		}
		return s
	}
	columns := list(r.QuasiIdentifiers)
	s := privacySection{
		Personal: personalOf(d), Secrets: secretsOf(d),
		Lead: fmt.Sprintf("Someone who knows a person’s %s can narrow that person down to %s in the data, in the worst case.",
			columns, countOf(r.KMin, "row", "rows")),
		Paragraphs: []string{fmt.Sprintf("This is k-anonymity with k = %s over %s.", count(r.KMin), columns), uniqueness(r)},
		Facts: []fact{
			{Term: "Rows looked at", Detail: count(r.Rows)},
			{Term: "Combinations", Detail: fmt.Sprintf("%s, of %s rows on average", count(r.Classes), general(r.MeanClassSize))},
			{Term: fmt.Sprintf("Fewer than %d together", privacy.SmallClass), Detail: countOf(r.RowsInSmallClasses, "row", "rows")},
		},
	}
	if r.HomogeneousClasses > 0 {
		s.Paragraphs = append(s.Paragraphs, fmt.Sprintf("In %s every row has the same outcome: whoever knows that one of these %s belongs to a person knows the person’s outcome too, without finding the row.",
			countOf(r.HomogeneousClasses, "combination", "combinations"), countOf(r.RowsInHomogeneous, "row", "rows")))
	}
	s.Promise = promiseOf(d)
	s.Attacked, s.Attacks = attacksOf(r)
	return s
}

func uniqueness(r privacy.Report) string {
	if r.UniqueRows == 0 {
		return "No row stands alone with its combination of these values."
	}
	return fmt.Sprintf("%s a combination of these values that no other row has (%s of all rows). Whoever knows the combination has found the row.",
		countOf(r.UniqueRows, "row has", "rows have"), percent(r.UniqueShare))
}
