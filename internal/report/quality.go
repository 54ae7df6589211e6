package report

import (
	"fmt"
	"html/template"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
)

// quality is the section on how right the model is.
type quality struct {
	Lead      string
	Labelled  string // on how many of the test rows the figures rest, where not on all
	Confusion *grid
	Confused  *grid // classes taken for another, where the matrix is too large or its greatest entries are worth a list
	Charts    []picture
	Note      string
	Groups    []metricGroup
	Classes   *grid
	Residuals *grid
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

// metricNames are metrics under a question that they answer.
type metricNames struct {
	title   string
	metrics []string
}

// The metrics as a reviewer asks for them, rather than in the order they were computed.
var metricGroups = map[stats.Task][]metricNames{
	stats.Binary: {
		{"How often is it right?", []string{stats.Accuracy, stats.BalancedAccuracy, stats.F1, stats.MCC}},
		{"Which mistakes does it make?", []string{stats.Precision, stats.Recall, stats.FNR, stats.Specificity, stats.FPR}},
		{"Does it put cases in the right order?", []string{stats.AreaUnderROC}},
		{"Do its scores mean what they say?", []string{stats.ECE, stats.Brier, stats.LogLoss}},
		{"How often does it say yes?", []string{stats.SelectionRate, stats.BaseRate}},
	},
	stats.Multiclass: {
		{"How often is it right?", []string{stats.Accuracy, stats.Top2Accuracy, stats.MCC, stats.Kappa}},
		{"Is it right about every class?", []string{stats.BalancedAccuracy, stats.PrecisionMacro, stats.RecallMacro, stats.F1Macro, stats.F1Weighted}},
		{"Does it put cases in the right order?", []string{stats.AUCMacro}},
		{"Do its scores mean what they say?", []string{stats.ECE, stats.Brier, stats.LogLoss}},
	},
	stats.Regression: {
		{"How far off is it?", []string{stats.MAE, stats.RMSE}},
		{"Does it lean to one side?", []string{stats.MeanError}},
		{"How much does it explain?", []string{stats.R2}},
	},
}

// taskOf is what the candidate predicts.
func taskOf(d Dossier) stats.Task {
	if d.Evaluation.Task != "" {
		return d.Evaluation.Task
	}
	return d.Target.TaskOf()
}

func qualityOf(d Dossier, w words) quality {
	r := d.Evaluation.Overall
	w.own = ownThresholds(d)
	q := quality{Lead: "There were no test cases to measure the model on.", Labelled: labelledNote(d)}
	switch {
	case r.Binary != nil && r.Binary.N > 0:
		q.addBinary(*r.Binary, w)
	case r.Multiclass != nil && r.Multiclass.N > 0:
		q.addMulticlass(*r.Multiclass, w)
	case r.Regression != nil && r.Regression.N > 0:
		q.addRegression(*r.Regression, w)
	}
	if n := d.Prepared.Duplicates.TestInTrain; n > 0 && casesOf(r) > 0 {
		q.Lead += fmt.Sprintf(" %s also in the training part, which flatters these figures.", countOf(n, "test row stands", "test rows stand"))
	}
	q.Groups = metricRows(r.Metrics(), w)
	q.Slices = sliceGrids(d)
	return q
}

// casesOf is how many rows figures rest on.
func casesOf(r evaluation.Result) int {
	switch {
	case r.Binary != nil:
		return r.Binary.N
	case r.Multiclass != nil:
		return r.Multiclass.N
	case r.Regression != nil:
		return r.Regression.N
	}
	return 0
}

// labelledNote says on which test rows the figures rest when not on all.
func labelledNote(d Dossier) string {
	e := d.Evaluation
	if e.Labelled >= e.Rows {
		return ""
	}
	text := fmt.Sprintf("The label is known of some test rows only: these figures rest on %s of %s, picked without looking at the model’s answers.", count(e.Labelled), countOf(e.Rows, "row", "rows"))
	if e.Chosen > 0 {
		text += fmt.Sprintf(" %s labelled for what they are, such as those on which the models differ, and left out here, because they do not stand for all.", countOf(e.Chosen, "further row was", "further rows were"))
	}
	return text
}

func intervalNote(metrics []stats.Metric) string {
	for _, m := range metrics {
		if m.Defined() && m.Level > 0 && m.Level < 1 {
			return fmt.Sprintf("The second figures are %s intervals: what other test data of the same kind and size could well have given.", level(m.Level))
		}
	}
	return ""
}

func metricRows(metrics []stats.Metric, w words) []metricGroup {
	of := stats.Report{Metrics: metrics}
	var groups []metricGroup
	for _, g := range metricGroups[w.task] {
		var rows []metricRow
		for _, name := range g.metrics {
			if e, ok := of.Metric(name); ok {
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

func metricCell(metrics []stats.Metric, name string) cell {
	e, ok := stats.Report{Metrics: metrics}.Metric(name)
	if !ok {
		return cell{Text: notAvailable, Number: true}
	}
	f := termOf(name).Form
	return cell{Text: f.figure(e), Note: f.interval(e), Number: true}
}
