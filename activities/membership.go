package activities

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer"
)

// attackFalseAlarm is how often the attacks on a model that reveals nothing may say otherwise, all together.
const attackFalseAlarm = 0.05

// members attacks the model: can it be told from its answers which rows it was trained on? The shadow attack trains models, which
// the built-in trainer alone can do here.
func (a *Audit) members(ctx context.Context, s *spec.Spec, in stage.AuditInput, parts table.Prepared, found *privacy.Report) (stage.Usage, error) {
	columns, code := attackedColumns(s, parts), labelCode(s, parts.Classes)
	trained, err := a.attackedRows(ctx, s, parts.Train, columns)
	if err != nil {
		return stage.Usage{}, err
	}
	unseen, err := a.attackedRows(ctx, s, parts.Test, columns)
	if err != nil {
		return stage.Usage{}, err
	}
	attack := &attacked{s: s, trained: trained, unseen: unseen, code: code}
	used, err := a.asking(ctx, in.Model, func(p model.Predictor) error { return attack.ask(ctx, p) })
	if err != nil {
		return used, err
	}
	options := privacy.AttackOptions{MinGroup: s.Evaluate.SmallestGroup(), Seed: uint64(s.Data.Split.Seed)}
	if s.Train.Trainer == spec.TrainerLogistic {
		options.FalseAlarm = attackFalseAlarm / 2 // two attacks are made, and a false alarm of either is one
	}
	report, err := privacy.LossThreshold(attack.losses[0], attack.losses[1], options)
	if err != nil {
		return used, err
	}
	found.Membership = append(found.Membership, report)
	switch {
	case s.Train.Trainer != spec.TrainerLogistic:
		found.Notes = append(found.Notes, "The attack by shadow models was not made: it trains models as the candidate was, which only the built-in trainer can do.")
		return used, nil
	}
	if parts.Weight != "" || s.Data.Weight != "" || s.Train.Private != nil {
		found.Notes = append(found.Notes, "The shadow models were trained without the candidate's weights, and not privately: rows that were not trained on have no weight, and privacy is not paid for attacks. They are less like the candidate for it, and the attack is the weaker.")
	}
	report, err = attack.shadow(ctx, parts, s.Privacy.Attack.MostShadows(), options)
	if err == nil {
		found.Membership = append(found.Membership, report)
	}
	return used, err
}

// attackedColumns are the features, the target, and the columns that make groups.
func attackedColumns(s *spec.Spec, parts table.Prepared) []table.Wanted {
	columns := featureColumns(parts)
	kind := table.Categorical
	if s.Data.Target.TaskOf() == stats.Regression {
		kind = table.Numeric
	}
	return append(columns, table.Wanted{Name: s.Data.Target.Column, Kind: kind})
}

// attackedRows reads a part, or a random sample of it when it is larger than the attack looks at.
func (a *Audit) attackedRows(ctx context.Context, s *spec.Spec, part artifact.Ref, columns []table.Wanted) (rowsWithGroups, error) {
	f, err := table.ReadFrame(ctx, a.Store, part, columns, a.Limits)
	if err != nil {
		return rowsWithGroups{}, err
	}
	var groups []string
	if len(s.Data.Protected) > 0 {
		by, err := table.ReadFrame(ctx, a.Store, part, groupsWanted(s, s.Data.Protected[:1]), a.Limits)
		if err != nil {
			return rowsWithGroups{}, err
		}
		groups = texts(&grouped(s, by.Columns, by.Rows)[0], by.Rows)
	}
	if most := s.Privacy.Attack.MostRows(); f.Rows > most {
		r := rand.New(rand.NewPCG(uint64(s.Data.Split.Seed), 0x6d656d62))
		rows := r.Perm(f.Rows)[:most]
		slices.Sort(rows)
		f = someRows(f, rows)
		if groups != nil {
			groups = pick(groups, rows)
		}
	}
	return rowsWithGroups{f, groups}, nil
}

type rowsWithGroups struct {
	*table.Frame
	groups []string
}

// someRows is the table made of the given rows.
func someRows(f *table.Frame, rows []int) *table.Frame {
	out := &table.Frame{Rows: len(rows)}
	for _, c := range f.Columns {
		picked := table.Column{Name: c.Name, Kind: c.Kind, Levels: c.Levels}
		for _, i := range rows {
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

// attacked is a model's answers on rows it was trained on, and on others.
type attacked struct {
	s               *spec.Spec
	trained, unseen rowsWithGroups
	code            coding
	losses          [2]privacy.Losses // of trained and unseen rows
	right           [2][]float64      // the probability of each row's true class; nil of a regression
}

func (t *attacked) ask(ctx context.Context, p model.Predictor) error {
	for k, part := range []*rowsWithGroups{&t.trained, &t.unseen} {
		y, err := t.labels(part)
		if err != nil {
			return err
		}
		score, err := p.Predict(ctx, part.Frame)
		if err != nil {
			return err
		}
		t.losses[k].Groups = part.groups
		if t.losses[k].Values, err = t.loss(y, score, p.Schema()); err != nil {
			return err
		}
		if t.code.task == stats.Binary {
			t.right[k] = ofTruth(y, score)
		}
	}
	return nil
}

// labels reads the labels, and leaves out rows of the part that have none.
func (t *attacked) labels(part *rowsWithGroups) ([]float64, error) {
	c, err := part.Column(t.s.Data.Target.Column)
	if err != nil {
		return nil, err
	}
	var y []float64
	var known []int
	for i := range part.Rows {
		v, err := t.code.of(c, i)
		if err != nil {
			return nil, fmt.Errorf("read the labels of attacked rows: row %d: %w", i+1, err)
		}
		if v == v {
			y, known = append(y, v), append(known, i)
		}
	}
	if len(known) < part.Rows {
		part.Frame = someRows(part.Frame, known)
		if part.groups != nil {
			part.groups = pick(part.groups, known)
		}
	}
	return y, nil
}

func (t *attacked) loss(y, score []float64, schema model.Schema) ([]float64, error) {
	switch t.code.task {
	case stats.Regression:
		return privacy.SquaredErrors(y, score)
	case stats.Multiclass:
		classes := make([]int32, len(y))
		for i, v := range y {
			classes[i] = int32(v)
		}
		return privacy.ClassLosses(stats.MulticlassSample{Classes: len(schema.Classes), Y: classes, Score: score}, 0)
	}
	positive := make([]bool, len(y))
	for i, v := range y {
		positive[i] = v == 1
	}
	return privacy.LogLosses(positive, score, 0)
}

// ofTruth is the probability that each row's own class was given.
func ofTruth(y, score []float64) []float64 {
	out := make([]float64, len(y))
	for i := range y {
		out[i] = score[i]
		if y[i] != 1 {
			out[i] = 1 - score[i]
		}
	}
	return out
}

// shadow trains models as the candidate was on random halves of the rows of both kinds.
func (t *attacked) shadow(ctx context.Context, parts table.Prepared, shadows int, options privacy.AttackOptions) (privacy.AttackReport, error) {
	all := stacked(t.trained.Frame, t.unseen.Frame)
	member := make([]bool, all.Rows)
	for i := range t.trained.Rows {
		member[i] = true
	}
	right := slices.Concat(t.right[0], t.right[1])
	y := make([]float64, all.Rows)
	c, err := all.Column(t.s.Data.Target.Column)
	if err != nil {
		return privacy.AttackReport{}, err
	}
	for i := range y {
		if y[i], err = t.code.of(c, i); err != nil {
			return privacy.AttackReport{}, err
		}
	}
	run, err := trainer.New(t.s.Train.Trainer)
	if err != nil {
		return privacy.AttackReport{}, err
	}
	settings, err := trainer.SettingsOf(t.s.Train.Parameters)
	if err != nil {
		return privacy.AttackReport{}, err
	}
	beat := newBeat(ctx)
	target := func(rows []int) ([]float64, error) { return at(right, rows), nil }
	train := func(ctx context.Context, rows []int) (privacy.Predictor, error) {
		out, err := run.Train(ctx, trainer.Input{
			Frame: someRows(all, rows), Features: featureNames(parts), Target: t.s.Data.Target.Column, Positive: t.s.Data.Target.Positive, Settings: settings,
		}, nil)
		if err != nil {
			return nil, err
		}
		return func(rows []int) ([]float64, error) {
			score, err := out.Predictor.Predict(ctx, someRows(all, rows))
			if err != nil {
				return nil, err
			}
			return ofTruth(at(y, rows), score), nil
		}, nil
	}
	return privacy.Shadow(ctx, privacy.ShadowOptions{
		AttackOptions: options, Shadows: shadows, Groups: append(slices.Clone(t.trained.groups), t.unseen.groups...),
		Progress: func(done, of int) { beat.progress(fmt.Sprintf("%d of %d shadow models", done, of)) },
	}, member, target, train)
}

func at(values []float64, rows []int) []float64 {
	out := make([]float64, len(rows))
	for k, i := range rows {
		out[k] = values[i]
	}
	return out
}

// stacked is the rows of two tables with the same columns.
func stacked(f, g *table.Frame) *table.Frame {
	out := &table.Frame{Rows: f.Rows + g.Rows}
	for k, c := range f.Columns {
		d := g.Columns[k]
		joined := table.Column{Name: c.Name, Kind: c.Kind, Numbers: slices.Concat(c.Numbers, d.Numbers)}
		if c.Kind == table.Categorical {
			joined.Numbers = nil
			joined.Levels = slices.Compact(slices.Sorted(slices.Values(slices.Concat(c.Levels, d.Levels))))
			for _, from := range []table.Column{c, d} {
				for _, code := range from.Codes {
					if code >= 0 {
						k, _ := slices.BinarySearch(joined.Levels, from.Levels[code])
						code = int32(k)
					}
					joined.Codes = append(joined.Codes, code)
				}
			}
		}
		out.Columns = append(out.Columns, joined)
	}
	return out
}
