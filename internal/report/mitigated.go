package report

import (
	"fmt"

	"github.com/assay-ml/assay/internal/mitigation"
)

// mitigated is what was done against differences between groups.
type mitigated struct {
	Paragraphs []string
	Weights    *grid
	Thresholds *grid
	Warning    string
}

func mitigatedOf(d Dossier, w words) *mitigated {
	if d.Reweighing == nil && d.Thresholds == nil {
		return nil
	}
	m := &mitigated{}
	if r := d.Reweighing; r != nil {
		m.Paragraphs = append(m.Paragraphs, fmt.Sprintf("The rows the model learnt from were weighed, so that %s and the outcome are independent among the weighted rows (Kamiran and Calders, 2012).", list(r.Columns)))
		g := &grid{Caption: "Weights in training", Head: []cell{{Text: "Group"}, {Text: "Outcome"}, {Text: "Rows", Number: true}, {Text: "Weight", Number: true}}}
		for _, c := range r.Cells {
			outcome := "not " + w.outcome
			if c.Positive {
				outcome = w.outcome
			}
			weight := decimal(c.Weight)
			if c.Rows == 0 {
				weight = notAvailable
			}
			g.Rows = append(g.Rows, []cell{{Text: or(c.Group, "(empty)")}, {Text: outcome}, {Text: count(c.Rows), Number: true}, {Text: weight, Number: true}})
		}
		m.Weights = g
	}
	if r := d.Thresholds; r != nil {
		m.Paragraphs = append(m.Paragraphs, fmt.Sprintf("Each group of %s has a threshold of its own, chosen on the validation data for %s (Hardt, Price and Srebro, 2016). Everything on this page is measured with these thresholds. "+
			"The model’s score stays what it was: whoever acts on scores must apply them.", r.Column, constraintWords[r.Constraint]))
		g := &grid{Caption: "Thresholds by " + r.Column, Note: "On the validation data, on which they were chosen.", Head: []cell{
			{Text: "Group"}, {Text: "Threshold", Number: true}, {Text: "Rows", Number: true}, {Text: "Selected", Number: true}, {Text: "Recall", Number: true}, {Text: "False alarms", Number: true},
		}}
		for _, t := range r.Thresholds {
			g.Rows = append(g.Rows, []cell{
				{Text: or(t.Group, "(empty)")}, {Text: decimal(t.Threshold), Number: true}, {Text: count(t.Rows), Number: true},
				{Text: percent(t.Selected), Number: true}, {Text: percent(t.TPR), Number: true}, {Text: percent(t.FPR), Number: true},
			})
		}
		if len(r.Small) > 0 {
			g.Note += fmt.Sprintf(" %s had too few rows and the threshold of all, %s.", list(r.Small), decimal(r.Fallback))
		}
		m.Thresholds, m.Warning = g, mitigation.LegalWarning
	}
	return m
}

var constraintWords = map[string]string{
	mitigation.DemographicParity: "equal shares selected",
	mitigation.EqualOpportunity:  "equal shares found of those truly so",
	mitigation.EqualizedOdds:     "equal shares found of those truly so, and equal shares of false alarms",
}
