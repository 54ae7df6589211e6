package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// card is the model card as a section.
type card struct {
	Lead  string
	Parts []cardPart
}

// cardPart is a section of the model card, with the sections of the page that have the rest.
type cardPart struct {
	Title string
	Text  string
	Links []link
}

// cardOf is the model card of M. Mitchell and others, "Model cards for model reporting" (FAT* 2019, section 4), in its order.
// It names what the page shows elsewhere instead of repeating it; shown are the sections the page has.
func cardOf(d Dossier, shown []link) card {
	w := wordsOf(d.Target)
	sections := func(ids ...string) []link {
		var found []link
		for _, id := range ids {
			if i := slices.IndexFunc(shown, func(l link) bool { return l.ID == id }); i >= 0 {
				found = append(found, shown[i])
			}
		}
		return found
	}
	m := d.Training
	details := fmt.Sprintf("%s, a %s model, made by %s for %s on %s.", d.Model, or(m.Kind, "(unnamed)"), trainerName(d), or(d.Owner, "an owner not named"), moment(d.Created))
	parts := []cardPart{
		{"Model details", details, sections("making", "lineage")},
		{"Intended use", or(d.Purpose, "The spec states no purpose.") + " Any other use was not examined.", sections("ask")},
		{"Factors", factors(d), sections("treatment", "data")},
		{"Metrics", metricsWords(d, w), sections("conditions", "quality", "methods")},
		{"Evaluation data", evaluationData(d), sections("data")},
		{"Training data", fmt.Sprintf("%s from the same source; %s given to the model.", countOf(d.Prepared.Rows.Train, "row", "rows"), countOf(len(m.Features), "column is", "columns are")), sections("data", "making")},
		{"Quantitative analyses", analyses(d), sections("quality", "compared", "treatment", "sealed")},
		{"Ethical considerations", ethics(d), sections("treatment", "reliance", "privacy")},
		{"Caveats and recommendations", "The figures hold for cases like the test rows. The decision on this dossier rests with people.", sections("limits")},
	}
	return card{
		Lead:  "What this page says, in the order of a model card (M. Mitchell and others: Model cards for model reporting. FAT*, 2019).",
		Parts: parts,
	}
}

func trainerName(d Dossier) string {
	if d.Training.Program != nil {
		return "the requester’s program"
	}
	if d.Training.Trainer == "" {
		return "a trainer not named"
	}
	return strings.TrimSpace("the trainer " + d.Training.Trainer + " " + d.Training.TrainerVersion)
}

func factors(d Dossier) string {
	if len(d.Protected) == 0 {
		return "The spec names no protected columns."
	}
	var columns []string
	for _, column := range d.Protected {
		columns = append(columns, column+groupNames(d, column))
	}
	return "Groups by " + list(columns) + "."
}

// metricsWords name what was measured; where nothing is shown they say so.
func metricsWords(d Dossier, w words) string {
	var names []string
	for _, m := range d.Evaluation.Overall.Metrics() {
		names = append(names, termOf(m.Name).within())
	}
	if len(names) == 0 {
		return "What was measured on the test part is not shown here."
	}
	text := "Measured: " + list(names) + ", each with an interval."
	if r := d.Evaluation.Overall.Binary; r != nil && w.task == stats.Binary {
		text += fmt.Sprintf(" The model says %s when its score is at least %s.", w.outcome, or(ownThresholds(d), general(r.Threshold)))
	}
	return text
}

func evaluationData(d Dossier) string {
	return fmt.Sprintf("%s kept out of training, validation and the search of parameters.", countOf(d.Prepared.Rows.Test, "row", "rows"))
}

func analyses(d Dossier) string {
	switch single, crossed := len(d.Evaluation.Slices), len(d.Evaluation.Intersections); {
	case casesOf(d.Evaluation.Overall) == 0:
		return "Figures of the test part are not shown here."
	case single == 0:
		return "Over all cases; no groups were measured by themselves."
	case crossed == 0:
		return fmt.Sprintf("Over all cases, and for %s by one column each.", countOf(single, "group", "groups"))
	default:
		return fmt.Sprintf("Over all cases, for %s by one column each, and by two columns together.", countOf(single, "group", "groups"))
	}
}

// ethics points at what a reviewer has to weigh.
func ethics(d Dossier) string {
	var parts []string
	if used := protectedFeatures(d); len(used) > 0 {
		parts = append(parts, fmt.Sprintf("The model is given protected columns: %s.", list(used)))
	}
	if r := d.Privacy; r.Note == "" && r.Rows > 0 {
		parts = append(parts, fmt.Sprintf("Whoever knows a person’s %s can narrow that person down to %s of the data, in the worst case.", list(r.QuasiIdentifiers), countOf(r.KMin, "row", "rows")))
	}
	parts = append(parts, "The labels are taken as the truth: a model that repeats unfair decisions of the past looks accurate.")
	return strings.Join(parts, " ")
}
