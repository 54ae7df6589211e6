package report

import (
	"fmt"

	"github.com/assay-ml/assay/internal/privacy"
)

// promiseOf says what private training promises, and what it means for whoever attacks the model.
func promiseOf(d Dossier) []string {
	p := d.Training.Privacy
	if p == nil {
		return []string{"The model was not trained privately: nothing bounds what its answers give away about a person in the training data beyond what the attacks below found."}
	}
	bound := privacy.Bound(p.Epsilon, p.Delta)
	text := fmt.Sprintf("The model was trained with differential privacy (%s): epsilon %s at delta %s, for two data sets that differ in this: %s. "+
		"No attack, known or not, can accuse more of the trained rows than of others by more than %s.",
		p.Mechanism, decimal(p.Epsilon), general(p.Delta), p.Neighbours, points(bound))
	for _, a := range d.Privacy.Membership {
		if a.Advantage.Defined() {
			text += fmt.Sprintf(" The attack %s led by %s.", or(attackWords[a.Attack], a.Attack), points(a.Advantage.Value))
		}
	}
	out := []string{text, "The noise is " + p.Randomness + "."}
	for _, open := range p.NotCovered {
		out = append(out, "Not covered: "+open)
	}
	return out
}
