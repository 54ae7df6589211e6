package activities

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/labelling"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
	"go.temporal.io/sdk/activity"
)

// mediaCSV is of the sheets that people look at while they label.
const mediaCSV = "text/csv; charset=utf-8"

// missingNumber stands for a number that is not known.
var missingNumber = math.NaN()

// boughtLabel is a label that a person gave to a test row.
type boughtLabel struct {
	Row            int64  `json:"row"`
	Label          string `json:"label"`
	Representative bool   `json:"representative"` // the row was picked without looking at the models' answers
}

// AskLabels finds out which labels of test rows the conditions need and nobody has given yet, and asks people for exactly these.
// When none is missing it hands on those that were given.
func (a *Audit) AskLabels(ctx context.Context, in stage.AuditInput) (stage.LabelsAsked, error) {
	defer attend(ctx)()
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.LabelsAsked{}, err
	}
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return stage.LabelsAsked{}, err
	}
	given, _, err := labelling.Answers(ctx, a.Store, s.Model, parts.Test.Digest)
	if err != nil {
		return stage.LabelsAsked{}, err
	}
	bought := make([]boughtLabel, 0, len(given))
	for _, label := range given {
		bought = append(bought, boughtLabel{Row: label.Row, Label: label.Value})
	}
	slices.SortFunc(bought, func(a, b boughtLabel) int { return int(a.Row - b.Row) })
	p, err := a.partlyLabelled(ctx, s, parts, in, bought)
	if err != nil {
		return stage.LabelsAsked{}, err
	}
	wanted, err := rowsWanted(s, p)
	if err != nil {
		return stage.LabelsAsked{}, err
	}
	if len(wanted.Ask) > 0 {
		return a.ask(ctx, s, parts, wanted, p.N())
	}
	for i := range bought {
		_, bought[i].Representative = slices.BinarySearch(wanted.Representative, bought[i].Row)
	}
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, bought)
	return stage.LabelsAsked{Answer: stage.Answer{Summary: fmt.Sprintf("%d labels were given", len(bought))}, Labels: ref}, err
}

// partlyLabelled is the predictions with the labels that are known so far.
func (a *Audit) partlyLabelled(ctx context.Context, s *spec.Spec, parts table.Prepared, in stage.AuditInput, bought []boughtLabel) (evaluation.Predictions, error) {
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, bought)
	if err != nil {
		return evaluation.Predictions{}, err
	}
	in.Labels = ref
	base, groups, _, err := a.scoredRows(ctx, s, in)
	if err != nil {
		return evaluation.Predictions{}, err
	}
	base.Columns = append(base.Columns, groups...)
	p, err := predictionsOf(s, parts, base)
	if err != nil {
		return p, err
	}
	return a.withChampion(ctx, p, in.Champion)
}

// rowsWanted are the rows that the conditions need labels of.
func rowsWanted(s *spec.Spec, p evaluation.Predictions) (evaluation.Labels, error) {
	formulas, err := s.Formulas()
	if err != nil {
		return evaluation.Labels{}, err
	}
	needs, err := planOf(s).Needs(formulas)
	if err != nil {
		return evaluation.Labels{}, err
	}
	return evaluation.RowsToLabel(p, needs, uint64(s.Data.Split.Seed))
}

// ask puts the request before people.
func (a *Audit) ask(ctx context.Context, s *spec.Spec, parts table.Prepared, wanted evaluation.Labels, rows int) (stage.LabelsAsked, error) {
	sheet, err := a.sheet(ctx, s, parts, wanted.Ask)
	if err != nil {
		return stage.LabelsAsked{}, err
	}
	info := activity.GetInfo(ctx)
	r := labelling.Request{
		Model: s.Model, Lifecycle: info.WorkflowExecution.ID, TestSet: parts.Test.Digest, Column: s.Data.Target.Column, Rows: wanted.Ask,
		Representative: both(wanted.Representative, wanted.Ask), Chosen: both(wanted.Chosen, wanted.Ask), Sheet: sheet, Created: time.Now().UTC(),
		Reason: fmt.Sprintf("%d of %d test rows need their label for the conditions: %s", len(wanted.Ask), rows, strings.Join(s.Gates.Conditions, "; ")),
	}
	switch s.Data.Target.TaskOf() {
	case stats.Regression:
		r.Numeric = true
	case stats.Multiclass:
		r.Classes = parts.Classes
	default:
		schema, err := a.binaryValues(ctx, s, parts)
		if err != nil {
			return stage.LabelsAsked{}, err
		}
		r.Classes = schema
	}
	standing, err := labelling.Ask(ctx, a.Store, r)
	if err != nil {
		return stage.LabelsAsked{}, err
	}
	return stage.LabelsAsked{
		Answer:  stage.Answer{Summary: fmt.Sprintf("%d labels are asked for", len(standing.Rows))},
		Request: standing.ID, Rows: len(standing.Rows), Missing: len(wanted.Ask),
	}, nil
}

// binaryValues are the two values of the target.
func (a *Audit) binaryValues(ctx context.Context, s *spec.Spec, parts table.Prepared) ([]string, error) {
	f, err := table.ReadFrame(ctx, a.Store, parts.Train, []table.Wanted{{Name: s.Data.Target.Column, Kind: table.Categorical}}, a.Limits)
	if err != nil {
		return nil, err
	}
	return f.Columns[0].Levels, nil
}

// both are the rows of a sorted list that stand in another.
func both(rows, in []int64) []int64 {
	var out []int64
	for _, row := range rows {
		if _, found := slices.BinarySearch(in, row); found {
			out = append(out, row)
		}
	}
	return out
}

// sheet writes the rows to label as CSV: their number and every column but the target.
func (a *Audit) sheet(ctx context.Context, s *spec.Spec, parts table.Prepared, rows []int64) (artifact.Ref, error) {
	columns := []table.Wanted{{Name: columnRow, Kind: table.Numeric}}
	header := []string{"row", "label"}
	for _, name := range parts.Columns {
		if name != s.Data.Target.Column {
			columns = append(columns, table.Wanted{Name: name, Kind: table.Categorical})
			header = append(header, name)
		}
	}
	f, err := table.ReadFrame(ctx, a.Store, parts.Test, columns, a.Limits)
	if err != nil {
		return artifact.Ref{}, err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	lines := [][]string{header}
	for i, row := range f.Columns[0].Numbers {
		if _, asked := slices.BinarySearch(rows, int64(row)); !asked {
			continue
		}
		line := []string{strconv.FormatInt(int64(row), 10), ""}
		for k := range f.Columns[1:] {
			text, _ := f.Columns[1+k].Text(i)
			line = append(line, text)
		}
		lines = append(lines, line)
	}
	if err := w.WriteAll(lines); err != nil {
		return artifact.Ref{}, err
	}
	return a.Store.Put(ctx, &b, mediaCSV)
}

// withBought fills in labels that people gave, and says of every row what is known of it.
func (a *Audit) withBought(ctx context.Context, ref artifact.Ref, code coding, rows, labels []float64) (table.Column, error) {
	known := table.Column{Name: columnKnown, Kind: table.Numeric, Numbers: make([]float64, len(rows))}
	place := make(map[int64]int, len(rows))
	for i, row := range rows {
		place[int64(row)] = i
		if labels[i] == labels[i] {
			known.Numbers[i] = float64(evaluation.Representative)
		}
	}
	if ref.IsZero() {
		return known, nil
	}
	var bought []boughtLabel
	if err := artifact.ReadJSON(ctx, a.Store, ref, &bought); err != nil {
		return known, err
	}
	for _, b := range bought {
		i, ok := place[b.Row]
		if !ok || labels[i] == labels[i] {
			continue // the data has brought the label since
		}
		var err error
		if labels[i], err = code.number(b.Label); err != nil {
			return known, fmt.Errorf("label of row %d: %w", b.Row, err)
		}
		known.Numbers[i] = float64(evaluation.Chosen)
		if b.Representative {
			known.Numbers[i] = float64(evaluation.Representative)
		}
	}
	return known, nil
}

func parseNumber(text string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, fmt.Errorf("expected a number")
	}
	return v, nil
}

// labelsGiven counts labels that people gave.
func (a *Audit) labelsGiven(ctx context.Context, ref artifact.Ref) (*report.LabelsGiven, error) {
	var bought []boughtLabel
	if err := artifact.ReadJSON(ctx, a.Store, ref, &bought); err != nil {
		return nil, err
	}
	given := &report.LabelsGiven{Given: len(bought)}
	for _, b := range bought {
		if b.Representative {
			given.Representative++
		} else {
			given.Chosen++
		}
	}
	return given, nil
}
