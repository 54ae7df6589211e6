package report

import (
	"fmt"

	"github.com/assay-ml/assay/internal/fairness"
)

// classGaps shows for each class how much more often one group is given it, or found in it, than another.
func classGaps(d Dossier) map[string]*grid {
	c := d.Fairness.Classes
	if c == nil {
		return nil
	}
	out := map[string]*grid{}
	for _, class := range c.Classes {
		for _, division := range class.Examination.Divisions {
			if len(division.Columns) != 1 {
				continue
			}
			g := out[division.Name]
			if g == nil {
				g = &grid{
					Caption: "Gaps between the groups of " + division.Name + ", by class", Class: "stack gaps",
					Note: "One point is one percentage point. The intervals hold for all pairs of groups together, for one class.",
					Head: []cell{{Text: "Class"}, {Text: "How often it is answered", Number: true}, {Text: "How often it is found", Number: true}},
				}
				out[division.Name] = g
			}
			g.Rows = append(g.Rows, []cell{{Text: or(class.Class, "(empty)")},
				gapCell(division.Gaps, fairness.DemographicParityDifference, asPoints), gapCell(division.Gaps, fairness.EqualOpportunityDifference, asPoints)})
		}
	}
	return out
}

// numberGaps shows how far apart the groups are in what is predicted and in how wrong it is.
func numberGaps(d Dossier) map[string]*grid {
	n := d.Fairness.Numbers
	if n == nil {
		return nil
	}
	out := map[string]*grid{}
	for _, division := range n.Divisions {
		if len(division.Columns) != 1 {
			continue
		}
		g := &grid{
			Caption: "Gaps between the groups of " + division.Name, Class: "stack gaps",
			Note: "In the units of the target. The intervals hold for all pairs of groups together.",
			Head: []cell{{Text: "Mean of"}, {Text: "Largest gap", Number: true}},
		}
		for _, name := range fairness.NumberNames() {
			g.Rows = append(g.Rows, []cell{{Text: numberWords[name]}, gapCell(division.Gaps, name+"_difference", asAmount)})
		}
		out[division.Name] = g
	}
	return out
}

var numberWords = map[string]string{
	fairness.MeanTruth: "the truth", fairness.MeanPrediction: "the prediction", fairness.MeanError: "prediction less truth", fairness.MAE: "the error’s size",
	fairness.RMSE: "the squared error, its root",
}

// gapCell is a gap with its groups.
func gapCell(gaps []fairness.Gap, name string, form form) cell {
	for _, g := range gaps {
		if g.Name != name {
			continue
		}
		c := cell{Text: form.figure(g.Estimate), Note: form.interval(g.Estimate), Number: true}
		if g.Defined() && g.Highest != g.Lowest {
			c.Note += fmt.Sprintf("; %s highest, %s lowest", or(g.Highest, "(empty)"), or(g.Lowest, "(empty)"))
		}
		return c
	}
	return cell{Text: notAvailable, Number: true}
}
