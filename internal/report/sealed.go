package report

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/privacy"
)

// Seal says whose eyes the figures of a test set are for. Whoever asks for candidates and sees how each of them did on the
// test rows will fit the next one to these rows, and the stated reliability would no longer hold.
type Seal struct {
	ShowTo  []string // roles
	Verdict bool     // the verdict is sealed as well, not only the figures it rests on
}

// sealedSection stands in the place of every section with figures of the test set.
type sealedSection struct {
	Lead       string
	Conditions []sealedCondition
	Command    command
}

// sealedCondition is a condition in words, and as the spec has it.
type sealedCondition struct{ Statement, Source string }

// measuredRefs name the artifacts that were made from a model's answers on the test rows. They are left out of a sealed page
// because sizes and digests can be compared with those of guesses.
var measuredRefs = []string{"predictions", "evaluation", "fairness", "explain", "verdicts", "champion_scores", "comparison", "labels"}

// RenderSealed makes the page for everyone else: what the model is, how it was made and what was asked of it, without
// anything that was measured on the test rows. Dossiers that differ in nothing but that have the same sealed page for the same
// digest, but for the verdict where it is not sealed: of that the page shows what it counts as, and not which conditions it is
// of. The digest is that of the full dossier, on which people decide.
func RenderSealed(d Dossier, digest artifact.Digest, seal Seal) ([]byte, error) {
	if digest.IsZero() {
		return nil, fmt.Errorf("render the sealed dossier of %s: it has no digest; expected the one Encode gave", d.Lifecycle)
	}
	p := sealedPageOf(d, digest, seal)
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page.html.tmpl", p); err != nil {
		return nil, fmt.Errorf("render the sealed dossier of %s: %w", d.Lifecycle, err)
	}
	return b.Bytes(), nil
}

// sealedPageOf is the page without anything that was measured on the test rows.
func sealedPageOf(d Dossier, digest artifact.Digest, seal Seal) page {
	p := pageOf(unmeasured(d), digest)
	p.Contents = sealedContents
	p.Verdict = sealedVerdict(d.Gate.Decision, seal)
	p.Sealed = &sealedSection{
		Lead: fmt.Sprintf("The test rows are a budget: they can tell good candidates from bad ones only while nobody fits candidates to them. "+
			"What was measured on them is therefore shown to %s alone, until the test set is used up and a new one takes its place.", readers(seal)),
		Conditions: asked(d.Gate.Decision),
		Command:    command{"Those who may see it:", []string{"starter", "dossier", shellWord(d.Lifecycle), "--as NAME", "--role ROLE"}},
	}
	p.Limits = sealedLimits(d, seal)
	p.Summary = sealedSummary(d, seal)
	p.Card = cardOf(unmeasured(d), sealedContents)
	return p
}

// sealedSummary is the first screen without figures: which version serves and what was asked is no secret, how it came out is.
func sealedSummary(d Dossier, seal Seal) summary {
	s := summaryOf(unmeasured(d))
	s.Changed = "Shown to " + readers(seal) + " only."
	if d.Champion == nil {
		s.Changed = "No version serves yet, so there is nothing to compare the candidate with."
	}
	if n := len(d.Gate.Results); n > 0 {
		s.Passed = fmt.Sprintf("%s asked for; how each came out is shown to %s only.", countOf(n, "condition was", "conditions were"), readers(seal))
	}
	return s
}

// unmeasured is the dossier without what was measured on the test rows, so that no section can show it. Warnings of the dossier
// itself go as well: some speak of verdicts.
func unmeasured(d Dossier) Dossier {
	return Dossier{
		Format: d.Format, Model: d.Model, Lifecycle: d.Lifecycle, Purpose: d.Purpose, Owner: d.Owner, Requester: d.Requester,
		Trigger: d.Trigger, Created: d.Created, Spec: d.Spec, Target: d.Target, Protected: d.Protected, Data: d.Data,
		Validation: d.Validation, Prepared: d.Prepared, Training: d.Training, Curves: d.Curves, Sweep: d.Sweep, Usage: d.Usage,
		Privacy: unattacked(d.Privacy), Champion: d.Champion, Drift: d.Drift, Reweighing: d.Reweighing, Thresholds: d.Thresholds, Review: d.Review, Rollout: d.Rollout,
		Refs: slices.DeleteFunc(slices.Clone(d.Refs), func(r NamedRef) bool { return slices.Contains(measuredRefs, r.Name) }),
	}
}

// unattacked is the report without the attacks, which look at test rows.
func unattacked(r privacy.Report) privacy.Report {
	r.Membership, r.Notes = nil, nil
	return r
}

// readers are the roles that may see what is sealed.
func readers(seal Seal) string {
	if len(seal.ShowTo) == 0 {
		return "the reviewers"
	}
	return "the " + plural(len(seal.ShowTo), "role ", "roles ") + list(seal.ShowTo)
}

// sealedVerdict shows what the verdict counts as. A requester may be given two answers only, pass and fail, and the division of
// the error probability then rests on it.
func sealedVerdict(d gate.Decision, seal Seal) verdict {
	shown := d.Verdict
	if d.Settled != "" {
		shown = d.Settled
	}
	switch {
	case seal.Verdict:
		return verdict{
			Class: markClass(""), Mark: mark("", "Sealed."), Headline: "The verdict is sealed",
			Explanation: "It is shown to " + readers(seal) + " only.",
		}
	case len(d.Results) == 0:
		return verdict{Class: markClass(""), Mark: mark("", "No verdict"), Headline: "No conditions were set", Explanation: "Nothing was tested against a bound."}
	}
	v := verdict{
		Class: markClass(string(shown)), Mark: mark(string(shown), or(verdictWords[shown], "No verdict")),
		Explanation: "The figures behind it are shown to " + readers(seal) + " only.",
	}
	switch shown {
	case gate.Pass:
		v.Headline = "The gate lets the candidate pass"
	case gate.Fail:
		v.Headline = "The gate does not let the candidate pass"
	case gate.Inconclusive:
		v.Headline = "The gate cannot tell from the test data"
	default:
		v.Headline = "There is no verdict"
	}
	return v
}

// asked are the conditions without their answers.
func asked(d gate.Decision) []sealedCondition {
	var all []sealedCondition
	for _, r := range d.Results {
		next := sealedCondition{Statement: r.Condition}
		if clause, ok := understood(r.Condition); ok {
			next = sealedCondition{statement(clause), r.Condition}
		}
		all = append(all, next)
	}
	return all
}

// sealedLimits are what a reader could take the sealed page to say.
func sealedLimits(d Dossier, seal Seal) []string {
	limits := []string{"It says nothing of how well the candidate does on the test data, of whom it treats differently, or of what it relies on."}
	if !seal.Verdict && len(d.Gate.Results) > 0 {
		limits = append(limits, "The verdict is of all conditions together. Which of them it is of, and how near it was, is sealed.")
	}
	if t := d.TestSet; t != nil {
		limits = append(limits, fmt.Sprintf("This is decision %d of %d on the test data. The stated reliability holds as long as what is sealed stays so.", t.Step, t.Of))
	}
	limits = append(limits, "What training reported of itself was not measured on the test data.",
		"k-anonymity is about the rows of the data, and attacks show what they found, not what better ones could: only private training bounds what the model reveals about the people it was trained on.")
	limits = append(limits, programLimit(d)...)
	return append(limits, "It does not say whether the purpose is right, lawful or wanted.")
}
