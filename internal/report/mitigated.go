package report

import (
	"fmt"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/stats"
)

// mitigated is what was done against differences between groups.
type mitigated struct {
	Paragraphs []string
	Weights    *grid
	Thresholds *grid
	Price      *grid
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
	if p := d.Fairness.Price; p != nil {
		m.Paragraphs = append(m.Paragraphs, priceInWords(p, w))
		m.Price = priceGrid(p)
	}
	if why := d.Fairness.NotPriced; why != "" {
		m.Paragraphs = append(m.Paragraphs, why)
	}
	return m
}

// priceInWords says what accuracy was paid, and what was gained for it.
func priceInWords(p *mitigation.Priced, w words) string {
	c := p.Cost
	without := "with one threshold for all"
	switch {
	case p.Weights && p.Thresholds:
		without = "without the weights and with one threshold for all"
	case p.Weights:
		without = "without the weights"
	}
	text := fmt.Sprintf("On the same test rows accuracy is %s with it and %s %s (%s, interval %s).",
		asPercent.figure(c.After.Accuracy), asPercent.figure(c.Before.Accuracy), without, asPoints.signedFigure(c.Change), asPoints.interval(c.Change))
	for _, g := range c.Gaps {
		if g.Name == fairness.DemographicParityDifference && g.Before.Defined() && g.After.Defined() {
			text += fmt.Sprintf(" The gap in how often the model says %s by %s was %s and is %s.", w.outcome, list(p.Columns), points(g.Before.Value), points(g.After.Value))
		}
	}
	return text + fmt.Sprintf(" %s got a yes only because of it, and %s a no.", countOf(c.Gained, "case", "cases"), countOf(c.Lost, "case", "cases"))
}

func priceGrid(p *mitigation.Priced) *grid {
	c := p.Cost
	g := &grid{Caption: "What it costs and gains", Head: []cell{{Text: "Figure and its change"}, {Text: "Without", Number: true}, {Text: "With", Number: true}}}
	row := func(name string, form, change form, before, after, by stats.Estimate) {
		what := cell{Text: name}
		if by.Defined() {
			what.Note = fmt.Sprintf("%s (%s)", change.signedFigure(by), change.interval(by))
		}
		g.Rows = append(g.Rows, []cell{
			what, {Text: form.figure(before), Note: form.interval(before), Number: true}, {Text: form.figure(after), Note: form.interval(after), Number: true},
		})
	}
	row("Accuracy", asPercent, asPoints, c.Before.Accuracy, c.After.Accuracy, c.Change)
	row("Balanced accuracy", asPercent, asPoints, c.Before.BalancedAccuracy, c.After.BalancedAccuracy, c.BalancedChange)
	for _, gap := range c.Gaps {
		row(termOf(gap.Name).Name, asPoints, asPoints, gap.Before, gap.After, gap.Change)
	}
	for _, group := range largest(c.Groups, func(g mitigation.GroupCost) int { return g.N }) {
		row("Accuracy of "+or(group.Group, "(empty)"), asPercent, asPoints, group.Before.Accuracy, group.After.Accuracy, group.Change)
	}
	return g
}

var constraintWords = map[string]string{
	mitigation.DemographicParity: "equal shares selected",
	mitigation.EqualOpportunity:  "equal shares found of those truly so",
	mitigation.EqualizedOdds:     "equal shares found of those truly so, and equal shares of false alarms",
}
