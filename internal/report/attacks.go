package report

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/privacy"
)

var attackWords = map[string]string{
	privacy.AttackLossThreshold: "by how well the model answers each row",
	privacy.AttackLiRA:          "with models trained on purpose, some with a row and some without",
}

// attacksOf says whether it can be told from the model's answers whose rows it was trained on.
func attacksOf(r privacy.Report) (paragraphs []string, table *barTable) {
	if len(r.Membership) == 0 {
		return nil, nil
	}
	t := &barTable{
		Caption: "Telling rows of the training data from others", NameHead: "Attack", BarHead: "How often it ranks a trained row higher (AUC), with its interval", FigureHead: "AUC",
		Note: "The dashed line is guessing, 0.5. The nearer to 1, the more the model gives away about who was in its training data.", Ends: []string{"0.4", "1"},
	}
	s := scale{0.4, 1}
	for _, a := range r.Membership {
		name := or(attackWords[a.Attack], strings.ReplaceAll(a.Attack, "_", " "))
		text := fmt.Sprintf("An attack %s is %s", name, a.Verdict)
		if a.Verdict == privacy.VerdictLeaks || a.Verdict == privacy.VerdictUndecided || a.Verdict == privacy.VerdictUnmeasured {
			text = fmt.Sprintf("An attack %s %s", name, map[string]string{
				privacy.VerdictLeaks: "tells rows of the training data from others", privacy.VerdictUndecided: "could not be judged on this sample", privacy.VerdictUnmeasured: "was not measured",
			}[a.Verdict])
		}
		for _, at := range a.TPRAtFPR {
			if at.TPR.Defined() {
				text += fmt.Sprintf("; of %s wrongly accused, it finds %s of the trained rows (%s)", asPercent.exactly(at.Limit), percent(at.TPR.Value), asPercent.interval(at.TPR))
			}
		}
		paragraphs = append(paragraphs, text+".")
		row := barRow{Name: opening(name), Note: fmt.Sprintf("%s trained, %s other rows", count(a.Members), count(a.Others)), Figure: asDecimal.figure(a.AUC), Interval: asDecimal.interval(a.AUC)}
		if a.AUC.Defined() {
			row.Bar = intervalBar(s, fmt.Sprintf("%s: %s, %s", row.Name, row.Figure, row.Interval), a.AUC.Value, a.AUC.Low, a.AUC.High, 0.5)
		}
		t.Rows = append(t.Rows, row)
		for _, g := range a.Groups {
			if g.Verdict == privacy.VerdictLeaks {
				paragraphs = append(paragraphs, fmt.Sprintf("In the group %s this attack tells trained rows from others (AUC %s).", or(g.Group, "(empty)"), asDecimal.figure(g.AUC)))
			}
		}
	}
	return append(paragraphs, r.Notes...), t
}
