package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// quality is the section on how right the model is.
type quality struct {
	Lead      string
	Confusion grid
	Charts    []picture
	Note      string
	Groups    []metricGroup
	Slices    []grid
}

type picture struct {
	Title, Caption string
	Picture        template.HTML
}

type metricGroup struct {
	Title string
	Rows  []metricRow
}

type metricRow struct{ Name, Meaning, Figure, Interval string }

// The metrics as a reviewer asks for them, rather than in the order they were computed.
var metricGroups = []struct {
	title   string
	metrics []string
}{
	{"How often is it right?", []string{stats.Accuracy, stats.BalancedAccuracy, stats.F1, stats.MCC}},
	{"Which mistakes does it make?", []string{stats.Precision, stats.Recall, stats.FNR, stats.Specificity, stats.FPR}},
	{"Does it put cases in the right order?", []string{stats.AreaUnderROC}},
	{"Do its scores mean what they say?", []string{stats.ECE, stats.Brier, stats.LogLoss}},
	{"How often does it say yes?", []string{stats.SelectionRate, stats.BaseRate}},
}

func qualityOf(d Dossier, w words) quality {
	r := d.Evaluation.Overall
	return quality{
		Lead:      qualityLead(d, w),
		Confusion: confusionGrid(r, w),
		Charts:    charts(r, w),
		Note: fmt.Sprintf("On %s. The model calls a case %s when its score is at least %s. %s",
			countOf(r.N, "case", "cases"), w.outcome, general(r.Threshold), intervalNote(r)),
		Groups: metricRows(r, w),
		Slices: sliceGrids(d.Evaluation.Slices),
	}
}

// qualityLead compares the model with the best answer that needs no model, since accuracy alone says little when one
// outcome is common.
func qualityLead(d Dossier, w words) string {
	r := d.Evaluation.Overall
	accuracy, ok := r.Metric(stats.Accuracy)
	if !ok || !accuracy.Defined() || r.N == 0 {
		return "There were no test cases to measure the model on."
	}
	constant := float64(max(r.Positives, r.N-r.Positives)) / float64(r.N)
	not := "not "
	if 2*r.Positives > r.N {
		not = ""
	}
	lead := fmt.Sprintf("On %s kept out of training, the model was right in %s. Calling every case %s%s would have been right in %s.",
		countOf(r.N, "test case", "test cases"), asPercent.write(accuracy.Value), not, w.outcome, percent(constant))
	if n := d.Prepared.Duplicates.TestInTrain; n > 0 {
		lead += fmt.Sprintf(" %s also in the training part, which flatters these figures.", countOf(n, "test row stands", "test rows stand"))
	}
	return lead
}

func intervalNote(r stats.Report) string {
	for _, m := range r.Metrics {
		if m.Defined() && m.Level > 0 && m.Level < 1 {
			return fmt.Sprintf("The second figures are %s intervals: what other test data of the same kind and size could well have given.", level(m.Level))
		}
	}
	return ""
}

func confusionGrid(r stats.Report, w words) grid {
	c := r.Confusion
	row := func(name string, yes, no int) []cell {
		share := func(n int) string {
			if yes+no == 0 {
				return ""
			}
			return percent(float64(n) / float64(yes+no))
		}
		return []cell{{Text: name}, {Text: count(yes), Note: share(yes), Number: true}, {Text: count(no), Note: share(no), Number: true}}
	}
	return grid{
		Caption: "What it said, and what was true", Note: "Test cases, and their share of the row.",
		Head: []cell{{Text: "In truth"}, {Text: "Model says " + w.outcome, Number: true}, {Text: "Model says not so", Number: true}},
		Rows: [][]cell{row(w.outcome, c.TP, c.FN), row("not "+w.outcome, c.FP, c.TN)},
	}
}

func charts(r stats.Report, w words) []picture {
	var all []picture
	if len(r.ROC) > 1 {
		all = append(all, rocPicture(r, w))
	}
	if slices.ContainsFunc(r.Calibration, func(b stats.Bin) bool { return b.N > 0 }) {
		all = append(all, calibrationPicture(r, w))
	}
	return all
}

func rocPicture(r stats.Report, w words) picture {
	curve := make([]point, len(r.ROC))
	for i, p := range r.ROC {
		curve[i] = point{p.FPR, p.TPR}
	}
	auc := "no AUC"
	if e, ok := r.Metric(stats.AreaUnderROC); ok && e.Defined() {
		auc = "AUC " + decimal(e.Value)
	}
	desc := fmt.Sprintf("A curve from the lower left to the upper right corner, %s; the straight diagonal would be guessing.", auc)
	var at *point
	c := r.Confusion
	if c.Positives() > 0 && c.Negatives() > 0 {
		at = &point{float64(c.FP) / float64(c.Negatives()), float64(c.TP) / float64(c.Positives())}
		desc += fmt.Sprintf(" The threshold in use finds %s of the true positives and wrongly marks %s of the true negatives.", percent(at.Y), percent(at.X))
	}
	return picture{
		Title: "Telling cases apart (ROC)",
		Caption: fmt.Sprintf("Every threshold buys hits with false alarms. The further the curve bends to the upper left, the better it tells %s from the rest. %s.",
			w.outcome, auc),
		Picture: rocChart("roc", "ROC curve", desc, curve, at),
	}
}

func calibrationPicture(r stats.Report, w words) picture {
	bins := make([]bin, 0, len(r.Calibration))
	worst, at := 0.0, bin{}
	for _, b := range r.Calibration {
		next := bin{Score: b.MeanScore, Rate: b.MeanY.Value, Low: b.MeanY.Low, High: b.MeanY.High, Cases: b.N}
		bins = append(bins, next)
		if distance := math.Abs(next.Rate - next.Score); b.N >= smallBin && distance > worst {
			worst, at = distance, next
		}
	}
	caption := "If scores mean what they say, the dots lie on the diagonal: of the cases scored near 70 %, 70 % turn out " + w.outcome + "."
	desc := fmt.Sprintf("%d groups of cases by score; the diagonal is perfect agreement.", len(bins))
	if worst > 0 {
		far := fmt.Sprintf("Furthest off: cases scored %s on average turned out so in %s.", percent(at.Score), percent(at.Rate))
		caption, desc = caption+" "+far, desc+" "+far
	}
	return picture{
		Title:   "Meaning what it says (calibration)",
		Caption: caption,
		Picture: calibrationChart("calibration", "Calibration", desc, bins),
	}
}

// smallBin is the fewest cases a bin needs before its distance from the diagonal is worth a sentence.
const smallBin = 30

func metricRows(r stats.Report, w words) []metricGroup {
	var groups []metricGroup
	for _, g := range metricGroups {
		var rows []metricRow
		for _, name := range g.metrics {
			if e, ok := r.Metric(name); ok {
				t := termOf(name)
				rows = append(rows, metricRow{t.Name, w.meaning(name), t.Form.figure(e), t.Form.interval(e)})
			}
		}
		if len(rows) > 0 {
			groups = append(groups, metricGroup{g.title, rows})
		}
	}
	return groups
}

// sliceGrids give one table per attribute, so that groups stand under each other where they can be compared.
func sliceGrids(all []stats.Slice) []grid {
	var grids []grid
	shown := []string{stats.Accuracy, stats.AreaUnderROC, stats.Precision, stats.Recall}
	for _, s := range all {
		if len(grids) == 0 || grids[len(grids)-1].Class != s.Attribute {
			g := grid{Caption: "The same by " + s.Attribute, Class: s.Attribute, Head: []cell{{Text: s.Attribute}, {Text: "Cases", Number: true}}}
			for _, name := range shown {
				g.Head = append(g.Head, cell{Text: termOf(name).Name, Number: true})
			}
			grids = append(grids, g)
		}
		g := &grids[len(grids)-1]
		row := []cell{{Text: or(s.Group, "(empty)")}, {Text: count(s.N), Number: true}}
		for _, name := range shown {
			row = append(row, metricCell(s.Report, name))
		}
		g.Rows = append(g.Rows, row)
	}
	for i := range grids {
		grids[i].Class = "wide"
	}
	return grids
}

func metricCell(r stats.Report, name string) cell {
	e, ok := r.Metric(name)
	if !ok {
		return cell{Text: notAvailable, Number: true}
	}
	f := termOf(name).Form
	return cell{Text: f.figure(e), Note: f.interval(e), Number: true}
}
