package activities

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Columns of the stored predictions, beside those of the slices. The underscore keeps them apart from a user's.
const (
	columnRow   = "_row"
	columnLabel = "_label" // binary: 1 positive, 0 negative; multiclass: index of the class; regression: the number; missing: not known
	columnScore = "_score" // multiclass: _score_0, _score_1, ... in the order of the classes
	columnKnown = "_known" // an evaluation.Knowledge, where labels may be missing
	columnCut   = "_cut"   // where thresholds differ by group: the score from which the row is predicted positive
	columnOwn   = "_own_"  // and the name of a user's own metric
)

// missingGroup names the rows whose group is not known: they are compared like any other group.
const missingGroup = "(missing)"

// predictions gives the test part's predictions as they are stored: row, label, scores, with gates.labels what is known, a
// user's own metrics and the columns that make groups.
func (a *Audit) predictions(ctx context.Context, s *spec.Spec, in stage.AuditInput) (*table.Frame, stage.Usage, error) {
	base, groups, used, err := a.scoredRows(ctx, s, in)
	if err != nil {
		return nil, used, err
	}
	for _, m := range s.Evaluate.Metrics {
		values, err := a.ownValues(ctx, s, m, in, in.Model)
		if err != nil {
			return nil, used, err
		}
		used = used.Plus(values.Usage)
		column, err := a.ownColumn(ctx, values, m.Name, base)
		if err != nil {
			return nil, used, err
		}
		base.Columns = append(base.Columns, column)
	}
	if s.Mitigation.Thresholds != nil {
		cut, err := a.cutColumn(ctx, in.Thresholds, &table.Frame{Rows: base.Rows, Columns: groups})
		if err != nil {
			return nil, used, err
		}
		base.Columns = append(base.Columns, cut)
	}
	base.Columns = append(base.Columns, groups...)
	return base, used, nil
}

// scoredRows has the candidate answer the test part: row, label, scores and what is known, and apart from these the columns
// that make groups.
func (a *Audit) scoredRows(ctx context.Context, s *spec.Spec, in stage.AuditInput) (base *table.Frame, groups []table.Column, used stage.Usage, err error) {
	scored, err := a.scores(ctx, in.Prepared, in.Model)
	if err != nil {
		return nil, nil, used, err
	}
	schema, err := model.ReadSchema(ctx, a.Store, in.Model)
	if err != nil {
		return nil, nil, used, err
	}
	scores, err := a.scoreFrame(ctx, scored.Scores, schema.Width())
	if err != nil {
		return nil, nil, used, err
	}
	truth, err := a.truth(ctx, s, in)
	if err != nil {
		return nil, nil, used, err
	}
	if err := sameRows(scores, truth); err != nil {
		return nil, nil, used, err
	}
	described := 2 // columns of truth before the groups
	if s.Gates.Labels != nil {
		described = 3
	}
	columns := append([]table.Column{scores.Columns[0], truth.Columns[1]}, scores.Columns[1:]...)
	columns = append(columns, truth.Columns[2:described]...)
	return &table.Frame{Rows: scores.Rows, Columns: columns}, truth.Columns[described:], scored.Usage, nil
}

// scoreFrame reads stored answers of a model, so many numbers a row: _row and its scores.
func (a *Audit) scoreFrame(ctx context.Context, scores artifact.Ref, width int) (*table.Frame, error) {
	return table.ReadFrame(ctx, a.Store, scores, numeric(append([]string{columnRow}, scoreColumns(width)...)), a.Limits)
}

func numeric(names []string) []table.Wanted {
	wanted := make([]table.Wanted, len(names))
	for i, name := range names {
		wanted[i] = table.Wanted{Name: name, Kind: table.Numeric}
	}
	return wanted
}

// truth reads the test part's rows, labels and groups: _row, _label, with gates.labels _known, and the columns of slices.
func (a *Audit) truth(ctx context.Context, s *spec.Spec, in stage.AuditInput) (*table.Frame, error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return nil, err
	}
	target := table.Wanted{Name: s.Data.Target.Column, Kind: table.Categorical}
	if s.Data.Target.TaskOf() == stats.Regression {
		target.Kind = table.Numeric
	}
	columns := []table.Wanted{{Name: columnRow, Kind: table.Numeric}, target}
	columns = append(columns, groupsWanted(s, groupColumns(s))...)
	test, err := table.ReadFrame(ctx, a.Store, parts.Test, columns, a.Limits)
	if err != nil {
		return nil, err
	}
	code := labelCode(s, parts.Classes)
	labels := make([]float64, test.Rows)
	for i := range labels {
		if labels[i], err = code.of(&test.Columns[1], i); err != nil {
			return nil, fmt.Errorf("read labels of the test part: row %d: %w", i+1, err)
		}
	}
	out := &table.Frame{Rows: test.Rows, Columns: []table.Column{test.Columns[0], {Name: columnLabel, Kind: table.Numeric, Numbers: labels}}}
	if s.Gates.Labels != nil {
		known, err := a.withBought(ctx, in.Labels, code, test.Columns[0].Numbers, labels)
		if err != nil {
			return nil, err
		}
		out.Columns = append(out.Columns, known)
	}
	out.Columns = append(out.Columns, grouped(s, test.Columns[2:], test.Rows)...)
	return out, nil
}

// coding turns labels into numbers as evaluation.Predictions holds them.
type coding struct {
	task     stats.Task
	positive string
	classes  map[string]int
}

func labelCode(s *spec.Spec, classes []string) coding {
	c := coding{task: s.Data.Target.TaskOf(), positive: s.Data.Target.Positive, classes: map[string]int{}}
	for i, class := range classes {
		c.classes[class] = i
	}
	return c
}

// of is the label in a row of the target's column; NaN where it is missing.
func (c coding) of(column *table.Column, row int) (float64, error) {
	if c.task == stats.Regression {
		return column.Numbers[row], nil
	}
	text, present := column.Text(row)
	if !present {
		return math.NaN(), nil
	}
	return c.number(text)
}

// number is a label given as text.
func (c coding) number(text string) (float64, error) {
	switch c.task {
	case stats.Regression:
		return parseNumber(text)
	case stats.Multiclass:
		i, ok := c.classes[text]
		if !ok {
			return 0, fmt.Errorf("the label is none of the %d classes found when the data was prepared", len(c.classes))
		}
		return float64(i), nil
	default:
		if text == c.positive {
			return 1, nil
		}
		return 0, nil
	}
}

// sameRows makes sure that two tables of the same part have the same rows in the same order.
func sameRows(f, g *table.Frame) error {
	if f.Rows != g.Rows {
		return fmt.Errorf("compare rows of the test part: %d and %d rows; expected the same rows: prepare the data again", f.Rows, g.Rows)
	}
	for i, row := range f.Columns[0].Numbers {
		if g.Columns[0].Numbers[i] != row {
			return fmt.Errorf("compare rows of the test part: at place %d stand rows %.0f and %.0f; expected the same rows in the same order: prepare the data again", i+1, row, g.Columns[0].Numbers[i])
		}
	}
	return nil
}

// readPredictions reads stored predictions, as the audits and the gate take them.
func (a *Audit) readPredictions(ctx context.Context, s *spec.Spec, ref, prepared artifact.Ref) (evaluation.Predictions, error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, prepared, &parts); err != nil {
		return evaluation.Predictions{}, err
	}
	columns := numeric(append([]string{columnRow, columnLabel}, scoreColumns(widthOf(s, parts))...))
	if s.Gates.Labels != nil {
		columns = append(columns, table.Wanted{Name: columnKnown, Kind: table.Numeric})
	}
	if s.Mitigation.Thresholds != nil {
		columns = append(columns, table.Wanted{Name: columnCut, Kind: table.Numeric})
	}
	for _, m := range s.Evaluate.Metrics {
		columns = append(columns, table.Wanted{Name: columnOwn + m.Name, Kind: table.Numeric})
	}
	for _, name := range groupColumns(s) {
		columns = append(columns, table.Wanted{Name: name, Kind: table.Categorical})
	}
	f, err := table.ReadFrame(ctx, a.Store, ref, columns, a.Limits)
	if err != nil {
		return evaluation.Predictions{}, err
	}
	return predictionsOf(s, parts, f)
}

// widthOf is how many numbers a model of the spec's task answers for a row.
func widthOf(s *spec.Spec, parts table.Prepared) int {
	if s.Data.Target.TaskOf() == stats.Multiclass {
		return len(parts.Classes)
	}
	return 1
}

// predictionsOf takes predictions out of a table that has them by name.
func predictionsOf(s *spec.Spec, parts table.Prepared, f *table.Frame) (evaluation.Predictions, error) {
	p := evaluation.Predictions{Task: s.Data.Target.TaskOf(), Groups: map[string][]string{}}
	switch p.Task {
	case stats.Binary:
		p.Threshold = *s.Evaluate.Threshold
	case stats.Multiclass:
		p.Classes = parts.Classes
	}
	var missing error
	numbers := func(name string) []float64 {
		c, err := f.Column(name)
		if err != nil {
			missing = err
			return nil
		}
		return c.Numbers
	}
	p.Row, p.Y = wholes(numbers(columnRow)), numbers(columnLabel)
	var scores [][]float64
	for _, name := range scoreColumns(widthOf(s, parts)) {
		scores = append(scores, numbers(name))
	}
	if s.Gates.Labels != nil {
		for _, known := range numbers(columnKnown) {
			p.Known = append(p.Known, evaluation.Knowledge(known))
		}
	}
	if s.Mitigation.Thresholds != nil {
		p.Cut = numbers(columnCut)
	}
	if missing != nil {
		return p, missing
	}
	p.Score = rowMajor(scores, f.Rows)
	for _, c := range f.Columns {
		if name, own := strings.CutPrefix(c.Name, columnOwn); own {
			if p.Own == nil {
				p.Own = map[string][]float64{}
			}
			p.Own[name] = c.Numbers
		}
	}
	for _, name := range groupColumns(s) {
		c, err := f.Column(name)
		if err != nil {
			return p, err
		}
		p.Groups[name] = texts(c, f.Rows)
	}
	return p, nil
}

func wholes(numbers []float64) []int64 {
	out := make([]int64, len(numbers))
	for i, v := range numbers {
		out[i] = int64(v)
	}
	return out
}

func rowMajor(columns [][]float64, rows int) []float64 {
	if len(columns) == 1 {
		return columns[0]
	}
	out := make([]float64, 0, rows*len(columns))
	for i := range rows {
		for _, c := range columns {
			out = append(out, c[i])
		}
	}
	return out
}

// withChampion adds the champion's answers on the same rows, when there are any.
func (a *Audit) withChampion(ctx context.Context, p evaluation.Predictions, champion stage.Rival) (evaluation.Predictions, error) {
	if champion.Scores.IsZero() {
		return p, nil
	}
	f, err := a.scoreFrame(ctx, champion.Scores, p.Width())
	if err != nil {
		return p, err
	}
	p.OldThreshold = champion.Threshold
	if p.OldCut, err = a.championCut(ctx, p, champion); err != nil {
		return p, err
	}
	columns := make([][]float64, p.Width())
	for k := range columns {
		columns[k] = f.Columns[1+k].Numbers
	}
	return p.WithChampion(wholes(f.Columns[0].Numbers), rowMajor(columns, f.Rows))
}
