// Package outcomes looks at what came of a model's answers: those that a version gave in a stretch of time, with what later
// turned out to be true. It computes on them the evidence that reviewers had before, so that a model which treats groups
// differently out in the world is found out.
package outcomes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Window is the answers that are looked at, and the columns that are kept of what was asked. Labels count whenever they came, since the
// truth comes late.
type Window struct {
	Model        string
	Version      int
	Columns      []string
	Since, Until time.Time // of the answer; the zero time is no bound
}

// Outcomes are the answers of a window whose truth is known.
type Outcomes struct {
	Window   Window
	Answered int                    // answers of the version in the window
	Records  []predictionlog.Record // those with a label, in the log's order, with the window's columns alone
	Labels   []string               // the latest of each
}

// Read joins the answers of a window with their labels. Of several labels the one that came last counts. Requests that the
// version failed are no answers.
func Read(ctx context.Context, store artifact.Store, w Window) (Outcomes, error) {
	type label struct {
		at   time.Time
		text string
	}
	labels := map[string]label{}
	err := predictionlog.ReadLabels(ctx, store, w.Model, w.Since, time.Time{}, func(l predictionlog.Label) error {
		if known, ok := labels[l.ID]; !ok || !l.Time.Before(known.at) {
			labels[l.ID] = label{l.Time, l.Label}
		}
		return nil
	})
	if err != nil {
		return Outcomes{}, fmt.Errorf("read the labels of %s: %w", w.Model, err)
	}
	o := Outcomes{Window: w}
	err = predictionlog.Read(ctx, store, w.Model, w.Since, w.Until, func(r predictionlog.Record) error {
		if r.Version != w.Version || r.Failed() || r.Score == nil {
			return nil
		}
		o.Answered++
		if known, ok := labels[r.ID]; ok {
			maps.DeleteFunc(r.Features, func(name string, _ any) bool { return !slices.Contains(w.Columns, name) })
			o.Records, o.Labels = append(o.Records, r), append(o.Labels, known.text)
		}
		return nil
	})
	if err != nil {
		return Outcomes{}, fmt.Errorf("read the answers of %s: %w", w.Model, err)
	}
	return o, nil
}

// unknownGroup is the group of those whose value is not known.
const unknownGroup = "(missing)"

// Groups are the values of a column in what was asked; numbers by the bands that begin at from, when there are any. It fails where no
// request held the column.
func (o Outcomes) Groups(column string, from []float64) ([]string, error) {
	out := make([]string, len(o.Records))
	held := false
	for i, r := range o.Records {
		value, ok := r.Features[column]
		held = held || ok
		switch v := value.(type) {
		case nil:
			out[i] = unknownGroup
		case string:
			out[i] = v
		case float64:
			if out[i] = table.NumberText(v); from != nil {
				out[i] = spec.Band(v, from)
			}
		default:
			return nil, fmt.Errorf("prediction %q: column %q holds a %T; expected a text or a number", r.ID, column, v)
		}
	}
	if !held && len(o.Records) > 0 {
		return nil, fmt.Errorf("no answer was logged with the column %q, which the model is not given: who belongs to which group cannot be told from the log; give the column to the model, or judge by the dossier", column)
	}
	return out, nil
}

// ErrNoOutcomes is when no answer of the window has a label.
var ErrNoOutcomes = errors.New("no answer of this time has a label")

// Fairness compares the groups of the spec's protected columns as the audit before approval did, on the outcomes. rule is the
// version's thresholds by group, nil for one threshold. Models of several classes are refused: the log keeps the probability of
// their most probable class only.
func (o Outcomes) Fairness(s *spec.Spec, rule *mitigation.Rule) (fairness.Report, error) {
	if len(o.Records) == 0 {
		return fairness.Report{}, fmt.Errorf("version %d of %s: %w: %d answers were given; send labels to the gateway, POST /v2/models/%s/labels, or look at a longer time",
			o.Window.Version, o.Window.Model, ErrNoOutcomes, o.Answered, o.Window.Model)
	}
	task := s.Data.Target.TaskOf()
	if task == stats.Multiclass {
		return fairness.Report{}, fmt.Errorf("version %d of %s answers with several classes: the log keeps the most probable one only, which does not suffice to compare groups", o.Window.Version, o.Window.Model)
	}
	if len(s.Data.Protected) == 0 {
		return fairness.Report{}, fmt.Errorf("the spec of version %d of %s names no protected columns; name them in data.protected and run a lifecycle", o.Window.Version, o.Window.Model)
	}
	q := fairness.Question{MinGroup: s.Evaluate.SmallestGroup(), Seed: uint64(s.Data.Split.Seed), Reference: map[string]string{}}
	groups := map[string][]string{}
	for _, column := range s.Data.Protected {
		names, err := o.Groups(column, s.Fairness.BandsOf(column))
		if err != nil {
			return fairness.Report{}, err
		}
		groups[column] = names
		if r := s.Fairness.ReferenceOf(column); r != "" && slices.Contains(names, r) {
			q.Reference[column] = r
		}
		q.Columns = append(q.Columns, fairness.Column{Name: column, Groups: names})
	}
	scores := make([]float64, len(o.Records))
	for i, r := range o.Records {
		scores[i] = *r.Score
	}
	if task == stats.Regression {
		truth, err := o.numbers()
		if err != nil {
			return fairness.Report{}, err
		}
		found, err := fairness.ExamineNumbers(truth, scores, q)
		return fairness.Report{Numbers: &found}, err
	}
	sample := stats.Sample{Y: make([]bool, len(scores)), Score: scores}
	for i, label := range o.Labels {
		sample.Y[i] = label == s.Data.Target.Positive
	}
	if s.Evaluate.Threshold != nil {
		q.Threshold = *s.Evaluate.Threshold
	}
	if rule != nil {
		by, ok := groups[rule.Column]
		if !ok {
			return fairness.Report{}, fmt.Errorf("the thresholds of version %d of %s are by %q, which its spec does not protect; run a lifecycle anew", o.Window.Version, o.Window.Model, rule.Column)
		}
		sample.Cut = make([]float64, len(by))
		for i, group := range by {
			sample.Cut[i] = rule.Cut(group)
		}
	}
	found, err := fairness.Examine(sample, q)
	return fairness.Report{Examination: &found}, err
}

func (o Outcomes) numbers() ([]float64, error) {
	out := make([]float64, len(o.Labels))
	for i, label := range o.Labels {
		v, err := strconv.ParseFloat(label, 64)
		if err != nil {
			return nil, fmt.Errorf("the label of prediction %q is no number; send it again", o.Records[i].ID)
		}
		out[i] = v
	}
	return out, nil
}
