package report

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
)

// lineage is the section on what rests on what.
type lineage struct {
	Lead  string
	Steps []step
}

// step is a link of the chain from the source of the data to the dossier; each rests on those before it.
type step struct {
	Name, Note string
	Digests    []fact // empty: its digest is not recorded here
}

// lineageOf follows the data, the program and the answers to the dossier. What a sealed dossier has no digest of is left out.
func lineageOf(d Dossier, digest artifact.Digest) lineage {
	refs := map[string]artifact.Ref{}
	for _, r := range d.Refs {
		refs[r.Name] = r.Ref
	}
	of := func(names ...string) []fact {
		var found []fact
		for _, name := range names {
			if r, ok := refs[name]; ok {
				found = append(found, fact{Term: strings.ReplaceAll(name, "_", " "), Detail: r.Digest.String(), Code: true})
			}
		}
		return found
	}
	one := func(term string, r artifact.Ref) []fact {
		if r.IsZero() {
			return nil
		}
		return []fact{{Term: term, Detail: r.Digest.String(), Code: true}}
	}
	var steps []step
	add := func(name, note string, facts ...[]fact) {
		var all []fact
		for _, f := range facts {
			all = append(all, f...)
		}
		if len(all) > 0 {
			steps = append(steps, step{name, note, all})
		}
	}
	if d.Data.Source != "" || !d.Data.Digest.IsZero() {
		source := step{Name: "Source", Note: or(d.Data.Source, notAvailable)}
		if !d.Data.Digest.IsZero() {
			source.Digests = []fact{{Term: "bytes as read", Detail: d.Data.Digest.String(), Code: true}}
		}
		steps = append(steps, source)
	}
	add("Snapshot", "The rows as they were read, kept unchanged.", of("snapshot", "test_snapshot"))
	add("Prepared", fmt.Sprintf("Divided into %s to train on, %s to validate and %s to test.", count(d.Prepared.Rows.Train), count(d.Prepared.Rows.Validation), count(d.Prepared.Rows.Test)),
		of("prepared"), one("training part", d.Prepared.Train), one("validation part", d.Prepared.Validation), one("test part", d.Prepared.Test))
	var spec []fact
	if _, listed := refs["spec"]; !listed && !d.Spec.IsZero() {
		spec = []fact{{Term: "spec", Detail: d.Spec.String(), Code: true}}
	}
	add("Spec and code", "What was asked for, and the program that trained.", spec, of("spec", "code", "reweighing"))
	model := of("model", "model_manifest", "sweep", "thresholds")
	if _, listed := refs["model"]; !listed {
		model = append(one("model", d.Training.Model), model...)
	}
	add("Model", "Trained on the training part by the code.", model)
	add("Predictions", "The model’s answers on the test part.", of("predictions", "champion_scores", "labels"))
	add("Reports", "What was found in data, model and answers.", of("validation", "evaluation", "comparison", "fairness", "explain", "privacy", "verdicts"))
	return lineage{
		Lead:  "Each step was made from those before it. The digests let anyone check that the bytes are the same.",
		Steps: append(steps, step{"Dossier", "All reports together: this page.", []fact{{Term: "dossier", Detail: digest.String(), Code: true}}}),
	}
}
