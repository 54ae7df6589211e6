package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/ownmetric"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
)

// stageOwn names the values of users' own metrics.
const (
	stageOwn    stage.Name = "own-metric"
	versionOwn  int        = 1
	columnValue string     = "_value"
)

// owned is the values of a user's own metric, stored: _row and _value.
type owned struct {
	stage.Answer
	Values artifact.Ref `json:"values"`
}

func (a owned) Refs() []artifact.Ref { return []artifact.Ref{a.Values} }

// ownValues has the user's program give its number for every test row whose label is known, once for the same scores of the
// model asked.
func (a *Audit) ownValues(ctx context.Context, s *spec.Spec, m spec.OwnMetric, in stage.AuditInput, asked artifact.Ref) (owned, error) {
	code, ok := in.MetricCode[m.Name]
	if !ok {
		return owned{}, fmt.Errorf("measure %s: its code was not stored when the lifecycle began; start a new one", m.Name)
	}
	scored, err := a.scores(ctx, in.Prepared, asked)
	if err != nil {
		return owned{}, err
	}
	scores := scored.Scores
	described := m
	described.Code, described.TimeLimit = "", 0 // the digest names the code
	params := struct {
		Scores   artifact.Ref   `json:"scores"`
		Prepared artifact.Ref   `json:"prepared"`
		Labels   artifact.Ref   `json:"labels,omitzero"`
		Target   spec.Target    `json:"target"`
		Metric   spec.OwnMetric `json:"metric"`
		Code     artifact.Ref   `json:"code"`
	}{scores, in.Prepared, in.Labels, s.Data.Target, described, code}
	return stored(ctx, a.Store, stageOwn, versionOwn, params, func() (owned, error) {
		defer attend(ctx)()
		rows, err := a.rowsForOwn(ctx, s, in, scores)
		if err != nil {
			return owned{}, err
		}
		values, used, err := ownmetric.Measure(ctx, a.Programs, m, code, rows)
		if err != nil {
			return owned{}, err
		}
		number, err := rows.Column(columnRow)
		if err != nil {
			return owned{}, err
		}
		ref, err := table.WriteFrame(ctx, a.Store, &table.Frame{Rows: rows.Rows, Columns: []table.Column{
			*number, {Name: columnValue, Kind: table.Numeric, Numbers: values},
		}}, a.Limits)
		return owned{Answer: stage.Answer{Usage: stage.Usage{CPUSeconds: used.CPU.Seconds(), PeakMemoryBytes: used.PeakMemoryBytes}}, Values: ref}, err
	})
}

// rowsForOwn is what the user's program is given: the columns of the test part, with score and label. Rows without a label
// are left out.
func (a *Audit) rowsForOwn(ctx context.Context, s *spec.Spec, in stage.AuditInput, scores artifact.Ref) (*table.Frame, error) {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return nil, err
	}
	scored, err := table.ReadFrame(ctx, a.Store, scores, numeric(append([]string{columnRow}, scoreColumns(widthOf(s, parts))...)), a.Limits)
	if err != nil {
		return nil, err
	}
	truth, err := a.truth(ctx, s, in)
	if err != nil {
		return nil, err
	}
	if err := sameRows(scored, truth); err != nil {
		return nil, err
	}
	data, err := table.ReadFrame(ctx, a.Store, parts.Test, featureColumns(parts), a.Limits)
	if err != nil {
		return nil, err
	}
	out := &table.Frame{Rows: scored.Rows, Columns: []table.Column{scored.Columns[0], renamed(truth.Columns[1], "label")}}
	for _, c := range scored.Columns[1:] {
		out.Columns = append(out.Columns, renamed(c, c.Name[1:]))
	}
	for _, c := range data.Columns {
		// A feature of the name of one of these is left out: the program knows these by their names.
		if c.Name != "row" && !slices.ContainsFunc(out.Columns, func(taken table.Column) bool { return taken.Name == c.Name }) {
			out.Columns = append(out.Columns, c)
		}
	}
	return labelled(out), nil
}

func renamed(c table.Column, name string) table.Column {
	c.Name = name
	return c
}

// labelled is the rows of a frame that have a label, its second column.
func labelled(f *table.Frame) *table.Frame {
	var keep []int
	for i, y := range f.Columns[1].Numbers {
		if y == y {
			keep = append(keep, i)
		}
	}
	if len(keep) == f.Rows {
		return f
	}
	out := &table.Frame{Rows: len(keep)}
	for _, c := range f.Columns {
		picked := table.Column{Name: c.Name, Kind: c.Kind, Levels: c.Levels}
		for _, i := range keep {
			if c.Kind == table.Numeric {
				picked.Numbers = append(picked.Numbers, c.Numbers[i])
			} else {
				picked.Codes = append(picked.Codes, c.Codes[i])
			}
		}
		out.Columns = append(out.Columns, picked)
	}
	return out
}

// ownColumn reads the values for the rows of a frame; a row without a label has none.
func (a *Audit) ownColumn(ctx context.Context, values owned, name string, rows *table.Frame) (table.Column, error) {
	f, err := table.ReadFrame(ctx, a.Store, values.Values, numeric([]string{columnRow, columnValue}), a.Limits)
	if err != nil {
		return table.Column{}, err
	}
	byRow := maps.Collect(func(yield func(float64, float64) bool) {
		for i, row := range f.Columns[0].Numbers {
			if !yield(row, f.Columns[1].Numbers[i]) {
				return
			}
		}
	})
	out := table.Column{Name: columnOwn + name, Kind: table.Numeric, Numbers: make([]float64, rows.Rows)}
	for i, row := range rows.Columns[0].Numbers {
		v, ok := byRow[row]
		if !ok {
			v = missingNumber
		}
		out.Numbers[i] = v
	}
	return out, nil
}
