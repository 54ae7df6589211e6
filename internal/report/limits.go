package report

import (
	"fmt"

	"github.com/assay-ml/assay/internal/gate"
)

// limitsOf are the things a reviewer could take this page to say, and that it does not.
func limitsOf(d Dossier) []string {
	limits := []string{
		"All figures describe the test data. People and circumstances that are missing from it, or that change later, are not described.",
		"An interval covers the chance in drawing the test cases. It does not cover wrong labels, a biased selection of cases, or a world that has changed.",
	}
	if len(d.Gate.Results) > 0 {
		limits = append(limits, "The reliability is that of the conditions, all together. Every other interval on this page is made by itself: among so many, some miss the truth.")
		if assumes(d.Gate.Decision) {
			limits = append(limits, "Some intervals of the conditions take for granted what stands in the small print beside them. Where that is wrong, so may be the reliability.")
		}
	}
	limits = append(limits, testUse(d), "The labels are taken as the truth. If past decisions were unfair, a model that repeats them looks accurate.")
	if d.Evaluation.Chosen > 0 {
		limits = append(limits, "Rows that were labelled for what they are do not stand for all. They count where that does not matter: in conditions that compare two models on them, and in figures of groups of which every row is labelled.")
	}
	limits = append(limits, groupLimit(d),
		"Importance is not cause. That a column matters little does not show that the model ignores what it stands for.",
		"k-anonymity is about the rows of the data, and attacks show what they found, not what better ones could: only private training bounds what the model reveals about the people it was trained on.",
	)
	limits = append(limits, programLimit(d)...)
	return append(limits, championLimit(d), lastLimit)
}

const lastLimit = "It does not say whether the purpose is right, lawful or wanted. That is what you are asked."

func assumes(d gate.Decision) bool {
	for _, r := range d.Results {
		for _, u := range r.Units {
			if m := u.Measurement; m.Defined() && !m.Guaranteed && m.Assumption != "" {
				return true
			}
		}
	}
	return false
}

// testUse says how often the test data was used.
func testUse(d Dossier) string {
	t := d.TestSet
	switch {
	case t == nil:
		return "The more candidates are measured on the same test data, the less it proves. Uses of this test data are not counted, so the stated reliability holds for its first candidate only."
	case gate.Adaptivity(t.Adaptivity) == gate.AdaptivityFull:
		return fmt.Sprintf("This is decision %d of %d on this test data. The reliability holds for all %d together, even though whoever asks for candidates sees the verdicts; it does not hold if they see the figures.", t.Step, t.Of, t.Of)
	case gate.Adaptivity(t.Adaptivity) == gate.AdaptivityFirstChange:
		return fmt.Sprintf("This is decision %d of %d on this test data, which ends with the first candidate that passes. The reliability holds for all %d together, but not if whoever asks for candidates sees the figures.", t.Step, t.Of, t.Of)
	}
	return fmt.Sprintf("This is decision %d of %d on this test data. The reliability holds for all %d together as long as whoever asks for candidates learns neither verdicts nor figures.", t.Step, t.Of, t.Of)
}

func groupLimit(d Dossier) string {
	if len(d.Evaluation.Intersections) == 0 {
		return "Groups were compared one protected column at a time, not their combinations, and only the columns the spec names."
	}
	return "Groups were compared by one protected column at a time and measured by two together, not by three or more, and only by the columns the spec names."
}

func programLimit(d Dossier) []string {
	if d.Training.Program == nil {
		return nil
	}
	return []string{"The program that trained the model is the requester’s own. What ran is recorded, but Assay did not review what its code does, and what the program reported of its training was not checked."}
}

func championLimit(d Dossier) string {
	switch {
	case d.Comparison != nil:
		return "The candidate and the version that serves were compared on this test data alone. If the version that serves was trained on some of these rows, it looks better here than it is."
	case d.Champion != nil || d.NotCompared != "":
		return "The candidate was not compared with the version that serves, so this page cannot say whether it is better than what is done today."
	}
	return "There was no serving version to compare with, so this page cannot say whether the candidate is better than what is done today."
}
