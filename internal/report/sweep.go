package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/spec"
)

// sweep is the part on how the candidate was chosen among trials.
type sweep struct {
	Title      string
	Paragraphs []string
	Meaning    string // for a reviewer
	Trials     *gallery
	Best       *grid
	Others     *fold
	Unlisted   string
}

// fold is a table that a reader opens.
type fold struct {
	Summary string
	Grid    grid
}

// Bounds on what is shown of a sweep; its report in the artifact store holds every trial.
const (
	bestTrials   = 10
	listedTrials = 50
)

func sweepOf(d Dossier) *sweep {
	r := d.Sweep
	if r == nil {
		return nil
	}
	names := searchedNames(r.Trials)
	ranked := rankedTrials(*r)
	s := &sweep{
		Title:      "How the parameters were chosen",
		Paragraphs: []string{sweepLead(*r, names), sweepChoice(*r, names)},
		Meaning:    sweepMeaning(d),
		Trials:     sweepPictures(*r, names),
	}
	if text := failures(r.Trials); text != "" {
		s.Paragraphs = append(s.Paragraphs, text)
	}
	best := ranked[:min(bestTrials, finishedOf(ranked))]
	if len(best) > 0 {
		g := trialGrid(*r, names, best)
		g.Caption = plural(len(best), "The best trial", fmt.Sprintf("The best %d trials", len(best)))
		s.Best = &g
	}
	others := ranked[len(best):min(len(ranked), listedTrials)]
	if len(others) > 0 {
		g := trialGrid(*r, names, others)
		g.Caption = "Further trials"
		s.Others = &fold{Summary: "Show " + countOf(len(others), "further trial", "further trials") + ", the better ones first, then those stopped early and those that failed", Grid: g}
	}
	if left := begun(*r) - len(best) - len(others); left > 0 {
		s.Unlisted = countOf(left, "trial is", "trials are") + " not listed here. The sweep’s report in the artifact store holds all of them."
	}
	return s
}

// methodWords say how a method picks parameters.
var methodWords = map[string]string{
	spec.SweepGrid:           "the combinations of a grid",
	spec.SweepRandom:         "combinations drawn at random",
	spec.SweepSobol:          "combinations spread evenly over the ranges (a Sobol sequence)",
	spec.SweepLatinHypercube: "combinations that cover every stretch of every range (a Latin hypercube)",
	spec.SweepTPE:            "combinations near those that had done well so far (a tree-structured Parzen estimator)",
	spec.SweepASHA:           "combinations drawn at random, of which the worse ones were stopped early (ASHA)",
}

func sweepLead(r search.Report, names []string) string {
	what := "the parameters"
	if len(names) > 0 {
		what = named(names, func(s string) string { return s })
	}
	how := methodWords[r.Method]
	if how == "" {
		how = "the method " + brief(or(r.Method, "(unnamed)"), nameLetters)
	}
	aim := "highest"
	if r.Goal == spec.SweepMinimize {
		aim = "lowest"
	}
	text := fmt.Sprintf("For the %s %s a sweep searched %s. It tried %s, each in a training of its own. %s begun%s.",
		aim, brief(r.Metric, nameLetters), what, how, countOf(begun(r), "trial was", "trials were"), endings(r))
	if budget := sentence(r.Budget); budget != "" {
		text += " Budget: " + budget
	}
	if reason := sentence(r.Reason); reason != "" {
		text += " Why it ended: " + reason
	}
	return text
}

// begun is how many trials there were, listed in the dossier or not.
func begun(r search.Report) int { return max(r.Started, len(r.Trials)) }

// endings counts the trials by how they ended.
func endings(r search.Report) string {
	var parts []string
	if r.Finished > 0 {
		parts = append(parts, count(r.Finished)+" finished")
	}
	if r.Stopped > 0 {
		parts = append(parts, countOf(r.Stopped, "was", "were")+" stopped early because others did better at the same point")
	}
	if r.Failed > 0 {
		parts = append(parts, count(r.Failed)+" failed")
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + list(parts)
}

// sentence is a text from outside as one sentence, cut when long; an empty one stays empty.
func sentence(s string) string {
	s = strings.TrimRight(brief(strings.TrimSpace(s), sentenceLetters), ".")
	if s == "" || strings.HasSuffix(s, "…") {
		return s
	}
	return s + "."
}

func sweepChoice(r search.Report, names []string) string {
	if r.Chosen == 0 {
		return "No trial was chosen."
	}
	text := fmt.Sprintf("Trial %d was chosen and is the candidate", r.Chosen)
	chosen, ok := chosenOf(r)
	if !ok {
		return text + "."
	}
	if chosen.Value != nil {
		text += fmt.Sprintf(": its %s is %s", brief(r.Metric, nameLetters), measured(*chosen.Value))
	}
	if settings := settingsOf(chosen, names); settings != "" {
		text += ", with " + settings
	}
	return text + "."
}

func chosenOf(r search.Report) (search.TrialRecord, bool) {
	for _, t := range r.Trials {
		if t.Trial == r.Chosen && r.Chosen != 0 {
			return t, true
		}
	}
	return search.TrialRecord{}, false
}

func sweepMeaning(d Dossier) string {
	text := ""
	if begun(*d.Sweep) > 1 {
		text = "The best of many trials looks better on the validation part than it will be on new cases, because luck took part in the choice; the more trials, the more luck. "
	}
	text += "The test part was not used for the choice: the measurements of quality and fairness on this page are made on it."
	if d.Training.Program != nil {
		text += fmt.Sprintf(" The values of %s are what the program reported; Assay did not compute them again.", brief(d.Sweep.Metric, nameLetters))
	}
	return text
}

// searchedNames are the parameters that differ among the trials, sorted.
func searchedNames(trials []search.TrialRecord) []string {
	first, differs := map[string]spec.Value{}, map[string]bool{}
	set := map[string]int{} // in how many trials
	for _, t := range trials {
		for name, v := range t.Parameters {
			if seen, ok := first[name]; ok && seen != v {
				differs[name] = true
			} else if !ok {
				first[name] = v
			}
			set[name]++
		}
	}
	var names []string
	for name := range first {
		if differs[name] || set[name] < len(trials) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// rankedTrials are the trials as a reader wants them: finished ones from best to worst, then stopped and failed ones.
func rankedTrials(r search.Report) []search.TrialRecord {
	sign := 1.0
	if r.Goal == spec.SweepMinimize {
		sign = -1
	}
	ranked := slices.Clone(r.Trials)
	slices.SortStableFunc(ranked, func(a, b search.TrialRecord) int {
		if c := cmp.Compare(outcomeOf(a), outcomeOf(b)); c != 0 {
			return c
		}
		x, xOK := trialValue(a)
		y, yOK := trialValue(b)
		if xOK != yOK || !xOK {
			return cmp.Compare(truth(yOK), truth(xOK))
		}
		return cmp.Compare(sign*y, sign*x)
	})
	return ranked
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// finishedOf counts the finished trials, which stand first in ranked.
func finishedOf(ranked []search.TrialRecord) int {
	n := 0
	for n < len(ranked) && outcomeOf(ranked[n]) == ended {
		n++
	}
	return n
}

func outcomeOf(t search.TrialRecord) outcome {
	switch t.Outcome {
	case search.OutcomeFinished:
		return ended
	case search.OutcomeStopped:
		return stopped
	}
	return failed
}

// trialValue is the value of the metric and whether there is one.
func trialValue(t search.TrialRecord) (float64, bool) {
	if t.Value == nil || !isFinite(*t.Value) {
		return 0, false
	}
	return *t.Value, true
}

// mostReasons is the most kinds of failure a sentence names.
const mostReasons = 3

// failures says why trials failed, the commonest reasons first.
func failures(trials []search.TrialRecord) string {
	times := map[string]int{}
	for _, t := range trials {
		if outcomeOf(t) == failed {
			times[or(strings.TrimSpace(t.Reason), "no reason given")]++
		}
	}
	if len(times) == 0 {
		return ""
	}
	reasons := make([]string, 0, len(times))
	for reason := range times {
		reasons = append(reasons, reason)
	}
	slices.SortFunc(reasons, func(a, b string) int { return cmp.Or(cmp.Compare(times[b], times[a]), cmp.Compare(a, b)) })
	text := "Why trials failed:"
	for i, reason := range reasons[:min(len(reasons), mostReasons)] {
		if i > 0 {
			text += ";"
		}
		text += fmt.Sprintf(" %s (%s)", strings.TrimRight(brief(reason, sentenceLetters), "."), countOf(times[reason], "trial", "trials"))
	}
	if left := len(reasons) - mostReasons; left > 0 {
		text += "; and " + countOf(left, "other reason", "other reasons")
	}
	return text + "."
}

// columnsOfParameters is the most parameters that get a column each; more are written into one. headLetters is the most
// of a name at the head of a column.
const (
	columnsOfParameters = 4
	headLetters         = 30
)

func trialGrid(r search.Report, names []string, trials []search.TrialRecord) grid {
	g := grid{Head: []cell{{Text: "Trial"}, {Text: brief(r.Metric, headLetters), Number: true}}}
	apart := len(names) <= columnsOfParameters
	for _, name := range names {
		if apart {
			g.Head = append(g.Head, cell{Text: brief(name, headLetters), Number: true})
		}
	}
	if !apart {
		g.Head = append(g.Head, cell{Text: "Parameters"})
	}
	g.Head = append(g.Head, cell{Text: "Took", Number: true})
	if len(g.Head) > 4 {
		g.Class = "wide"
	}
	for _, t := range trials {
		row := []cell{{Text: fmt.Sprint(int(t.Trial)), Note: trialNote(t, r.Chosen)}, {Text: "none", Number: true}}
		if v, ok := trialValue(t); ok {
			row[1].Text = measured(v)
		}
		if t.Resource > 0 && outcomeOf(t) != ended {
			row[1].Note = "at " + count(t.Resource)
		}
		for _, name := range names {
			if apart {
				row = append(row, settingCell(t, name))
			}
		}
		if !apart {
			row = append(row, cell{Text: settingsOf(t, names)})
		}
		took := cell{Text: elapsed(t.Seconds), Number: true}
		if t.GPUSeconds > 0 {
			took.Note = "device " + elapsed(t.GPUSeconds)
		}
		g.Rows = append(g.Rows, append(row, took))
	}
	return g
}

func trialNote(t search.TrialRecord, chosen search.Trial) string {
	switch o := outcomeOf(t); {
	case t.Trial == chosen && chosen != 0:
		return "chosen"
	case o == stopped:
		return "stopped early"
	case o == failed:
		return brief("failed: "+or(t.Reason, "no reason given"), parameterLetters)
	}
	return ""
}

func settingCell(t search.TrialRecord, name string) cell {
	v, ok := t.Parameters[name]
	if !ok {
		return cell{Text: "not set", Number: true}
	}
	return cell{Text: value(v), Number: true}
}

// settingsOf writes the named parameters of a trial: "depth 6, lr 0.003".
func settingsOf(t search.TrialRecord, names []string) string {
	var parts []string
	for _, name := range names {
		if v, ok := t.Parameters[name]; ok {
			parts = append(parts, brief(name, headLetters)+" "+value(v))
		}
	}
	return brief(strings.Join(parts, ", "), sentenceLetters)
}

// fence is the axis of the values without those so much worse than most that they would press the rest together: by
// more than three times the distance of the quartiles (Tukey 1977, "Exploratory Data Analysis", values far out). beyond
// counts what it leaves out; better values are never left out.
func fence(values []float64, minimize bool) (a axis, beyond int) {
	a = axisOver(values)
	a.Whole = false
	if len(values) < 8 {
		return a, 0
	}
	sorted := slices.Sorted(slices.Values(values))
	q1, q3 := sorted[len(sorted)/4], sorted[3*len(sorted)/4]
	reach := 3 * (q3 - q1)
	if reach <= 0 || math.IsInf(reach, 0) {
		return a, 0
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range sorted {
		if minimize && v > q3+reach || !minimize && v < q1-reach {
			beyond++
			continue
		}
		low, high = math.Min(low, v), math.Max(high, v)
	}
	a.Low, a.High = low, high
	return a, beyond
}
