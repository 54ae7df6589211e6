package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/serve"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Explain measures what the candidate relies on.
func (a *Audit) Explain(ctx context.Context, in stage.AuditInput) (stage.Audited, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Audited{}, err
	}
	params := struct {
		Prepared artifact.Ref `json:"prepared"`
		Model    artifact.Ref `json:"model"`
		Target   spec.Target  `json:"target"`
		Seed     int64        `json:"seed"`
		Labels   artifact.Ref `json:"labels,omitzero"`

		Explain    spec.Explain `json:"explain,omitzero"`
		Protected  []string     `json:"protected"`
		Threshold  *float64     `json:"threshold,omitempty"`
		Thresholds artifact.Ref `json:"thresholds,omitzero"` // by group
	}{in.Prepared, in.Model, s.Data.Target, s.Data.Split.Seed, in.Labels, s.Explain, s.Data.Protected, s.Evaluate.Threshold, in.Thresholds}
	explained, err := stored(ctx, a.Store, stage.Explain, versionExplain, params, func() (stage.Audited, error) {
		stop := attend(ctx)
		test, y, err := a.labelledTest(ctx, s, in)
		stop()
		if err != nil {
			return stage.Audited{}, err
		}
		cuts, err := a.ownCuts(ctx, s, in, test)
		if err != nil {
			return stage.Audited{}, err
		}
		var found explain.Report
		used, err := a.asking(ctx, in.Model, func(p model.Predictor) (err error) {
			found, err = explained(ctx, s, p, test, y, cuts)
			return err
		})
		if err != nil {
			return stage.Audited{}, err
		}
		summary := fmt.Sprintf("%d features", len(found.Features))
		for i, f := range found.Features {
			drop := importance(f, s.Data.Target.TaskOf())
			if i == 3 || !drop.Defined() {
				break
			}
			summary += fmt.Sprintf(", %s %s", f.Feature, digits(drop.Value, 3))
		}
		explained, err := a.file(ctx, found, summary)
		explained.Usage = used
		return explained, err
	})
	if err == nil && s.Gates.TestSet != nil {
		explained.Summary = sealing(s, "importance of features measured")
	}
	return explained, err
}

// labelledTest is the test rows whose label is known, with these labels as evaluation.Predictions holds them.
func (a *Audit) labelledTest(ctx context.Context, s *spec.Spec, in stage.AuditInput) (*table.Frame, []float64, error) {
	test, err := a.testPart(ctx, s, in)
	if err != nil {
		return nil, nil, err
	}
	truth, err := a.truth(ctx, s, in)
	if err != nil {
		return nil, nil, err
	}
	f := labelled(&table.Frame{Rows: test.Rows, Columns: append([]table.Column{test.Columns[0], truth.Columns[1]}, test.Columns[1:]...)})
	return f, f.Columns[1].Numbers, nil
}

// How much of an explanation's budget its parts may take, and on how much they look.
const (
	importanceShare     = 0.5  // of the predictions
	dependenceShare     = 0.15 // over all features shown
	surrogateShare      = 0.02
	mostDependence      = 6  // features whose dependence is shown
	dependenceCurves    = 20 // rows whose own curves are shown with it
	leastRowsNamed      = 10 // rows of a name whose dependence is shown
	mostCounterfactuals = 20 // rows for which it is asked what would have to change
)

// explained asks the model within the spec's budget. The importances come first, since the other parts rest on them; a part for
// which nothing is left is left out and named. cuts are the rows' thresholds where groups have their own, otherwise nil.
func explained(ctx context.Context, s *spec.Spec, p model.Predictor, test *table.Frame, y, cuts []float64) (explain.Report, error) {
	beat := newBeat(ctx)
	budget, features := s.Explain.MostPredictions(), len(p.Schema().Features)
	seed := uint64(s.Data.Split.Seed)
	rows := min(explain.DefaultMaxRows, int(importanceShare*float64(budget))/(1+features*explain.DefaultRepeats))
	if rows < 1 {
		return explain.Report{}, fmt.Errorf("explain the model: %d predictions do not suffice for %d features; raise explain.predictions to %d or more",
			budget, features, int(float64(1+features*explain.DefaultRepeats)*100/importanceShare))
	}
	found, err := permutation(ctx, p, test, y, explain.Options{
		Seed: seed, MaxRows: rows, Progress: func(done, total int) { beat.progress(fmt.Sprintf("%d of %d shuffles", done, total)) },
	})
	switch {
	case err == nil:
		found.Budget = &explain.Budget{Predictions: budget, Used: found.RowsUsed * (1 + features*found.Repeats)}
	case !refusesRows(ctx, p, test, err):
		return found, err
	default:
		// Shuffling makes rows that nobody has seen, and a model may refuse some. What can do without them is done.
		found = unmeasured(p.Schema().TaskOf(), test.Rows, err)
		found.Budget = &explain.Budget{Predictions: budget, Used: rows * (1 + features*explain.DefaultRepeats)}
	}
	shown := found.Features[:min(len(found.Features), mostDependence)]
	for i, f := range shown {
		beat.progress(fmt.Sprintf("dependence on %d of %d features", i+1, len(shown)))
		d, err := explain.PartialDependence(ctx, p, test, f.Feature, explain.DependenceOptions{
			Seed: seed, Curves: dependenceCurves, LeastRows: leastRowsNamed, MaxPredictions: int(dependenceShare * float64(budget) / mostDependence),
		})
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		if err != nil {
			found.Notes = append(found.Notes, notDone("Not shown", err))
			continue
		}
		for o := range d.Outputs {
			for c := range d.Outputs[o].Curves {
				d.Outputs[o].Curves[c].Row = rowNumber(test, d.Outputs[o].Curves[c].Row)
			}
		}
		found.Dependence, found.Budget.Used = append(found.Dependence, d), found.Budget.Used+d.Predictions
	}
	beat.progress("a tree that stands for the model")
	if err := surrogate(ctx, s, p, test, &found); err != nil {
		return found, err
	}
	scores, err := decided(ctx, p, test, &found)
	if err != nil {
		return found, err
	}
	if err := attribute(ctx, s, p, test, y, margins(s, scores, cuts), &found); err != nil {
		return found, err
	}
	beat.progress("what would have to change")
	return found, counterfactuals(ctx, s, p, test, scores, cuts, &found)
}

// decided are the scores of all test rows of a model of two classes; nil for another, and where the budget does not suffice.
func decided(ctx context.Context, p model.Predictor, test *table.Frame, found *explain.Report) ([]float64, error) {
	if p.Schema().TaskOf() != stats.Binary || found.Budget.Used+test.Rows > found.Budget.Predictions {
		return nil, nil
	}
	scores, err := p.Predict(ctx, test)
	if err != nil {
		return nil, err
	}
	found.Budget.Used += test.Rows
	return scores, nil
}

// refusesRows reports whether a model's server refused the rows it was asked about, or was too slow for them, and still answers about
// rows as they are. A server that does not is down, and another attempt may find it up.
func refusesRows(ctx context.Context, p model.Predictor, test *table.Frame, err error) bool {
	var answer *serve.AnswerError
	var request *serve.RequestError
	switch {
	case errors.As(err, &answer):
	case !errors.As(err, &request) || request.Status == 0 && request.Within == 0:
		return false
	case slices.Contains(passing, request.Status):
		return false
	}
	_, down := p.Predict(ctx, firstRows(test))
	return down == nil
}

// passing are the statuses of a server that cannot answer now, whatever it is asked about.
var passing = []int{http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// unmeasured is the report of a model whose importances could not be measured.
func unmeasured(task stats.Task, rows int, err error) explain.Report {
	r := explain.Report{
		Method: "Permutation importance could not be measured.", Rows: rows, Features: []explain.Importance{},
		Notes: []string{notDone("What the model relies on was not measured by shuffling", err)},
	}
	if task != stats.Binary {
		r.Task = task
	}
	return r
}

func surrogate(ctx context.Context, s *spec.Spec, p model.Predictor, test *table.Frame, found *explain.Report) error {
	tree, err := explain.SurrogateTree(ctx, p, test, explain.SurrogateOptions{
		Threshold: threshold(s), Seed: uint64(s.Data.Split.Seed), MaxPredictions: max(explain.LeastSurrogateRows, int(surrogateShare*float64(found.Budget.Predictions))),
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		found.Notes = append(found.Notes, notDone("Not done", err))
	default:
		found.Surrogate, found.Budget.Used = &tree, found.Budget.Used+tree.Predictions
		if s.Mitigation.Thresholds != nil {
			found.Notes = append(found.Notes, fmt.Sprintf("The tree's decisions are those at the threshold %.15g for all; groups have their own.", threshold(s)))
		}
	}
	return nil
}

// threshold is that of the spec where answers are cut at one, above 0.
func threshold(s *spec.Spec) float64 {
	if s.Evaluate.Threshold == nil {
		return 0
	}
	return *s.Evaluate.Threshold
}

// rowNumber is the number that the source gives to row i of the test part.
func rowNumber(test *table.Frame, i int) int {
	c, err := test.Column(columnRow)
	if err != nil {
		return i
	}
	return int(c.Numbers[i])
}

// ownCuts are the thresholds of the rows by their group; nil where all have one.
func (a *Audit) ownCuts(ctx context.Context, s *spec.Spec, in stage.AuditInput, test *table.Frame) ([]float64, error) {
	if in.Thresholds.IsZero() {
		return nil, nil
	}
	var rule mitigation.Rule
	if err := artifact.ReadJSON(ctx, a.Store, in.Thresholds, &rule); err != nil {
		return nil, err
	}
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return nil, err
	}
	f, err := table.ReadFrame(ctx, a.Store, parts.Test, append(groupsWanted(s, []string{rule.Column}), table.Wanted{Name: columnRow, Kind: table.Numeric}), a.Limits)
	if err != nil {
		return nil, err
	}
	// The test rows here are those with a label, which may be fewer.
	cut := map[int]float64{}
	for i, c := range cuts(rule, texts(&grouped(s, f.Columns[:1], f.Rows)[0], f.Rows)) {
		cut[rowNumber(f, i)] = c
	}
	out := make([]float64, test.Rows)
	for i := range out {
		out[i] = cut[rowNumber(test, i)]
	}
	return out, nil
}

// cutOf is the score from which row i is predicted positive.
func cutOf(s *spec.Spec, cuts []float64, i int) float64 {
	if cuts != nil {
		return cuts[i]
	}
	return threshold(s)
}

// margins are how far scores lie above the row's threshold; nil without scores.
func margins(s *spec.Spec, scores, cuts []float64) []float64 {
	var out []float64
	for i, score := range scores {
		out = append(out, score-cutOf(s, cuts, i))
	}
	return out
}

// counterfactuals asks what would have to change for the rows that just miss the positive answer.
func counterfactuals(ctx context.Context, s *spec.Spec, p model.Predictor, test *table.Frame, scores, cuts []float64, found *explain.Report) error {
	if p.Schema().TaskOf() != stats.Binary {
		found.Notes = append(found.Notes, "What would have to change for another answer was not asked: it is for a target of two values.")
		return nil
	}
	margin := margins(s, scores, cuts)
	var short []int
	for i := range margin {
		if margin[i] < 0 {
			short = append(short, i)
		}
	}
	slices.SortStableFunc(short, func(a, b int) int { return cmp.Compare(margin[b], margin[a]) })
	short = short[:min(len(short), mostCounterfactuals)]
	left := found.Budget.Predictions - found.Budget.Used
	if len(short) == 0 || left < len(short) {
		found.Notes = append(found.Notes, "What would have to change for another answer was not asked: no row misses the positive answer, or no predictions were left.")
		return nil
	}
	goal := explain.CounterfactualGoal{Threshold: threshold(s)}
	if cuts != nil {
		goal.Thresholds = at(cuts, short)
	}
	asked, err := explain.Counterfactuals(ctx, p, test, short, goal, explain.CounterfactualOptions{Rules: changeRules(s, p.Schema()), MaxPredictions: left})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		found.Notes = append(found.Notes, notDone("Not done", err))
		return nil
	}
	found.Budget.Used += asked.Predictions
	found.Counterfactuals = withoutValues(s, test, asked)
	return nil
}

// changeRules are the spec's rules for the model's features; protected columns do not change unless the spec says how.
func changeRules(s *spec.Spec, schema model.Schema) []explain.ColumnRule {
	var rules []explain.ColumnRule
	for _, f := range schema.Features {
		at := slices.IndexFunc(s.Explain.Changes, func(c spec.ColumnChange) bool { return c.Column == f.Name })
		switch {
		case at >= 0:
			c := s.Explain.Changes[at]
			rules = append(rules, explain.ColumnRule{Column: f.Name, Immutable: c.Never, Min: c.Min, Max: c.Max, Levels: c.To, Direction: c.Direction})
		case slices.Contains(s.Data.Protected, f.Name):
			rules = append(rules, explain.ColumnRule{Column: f.Name, Immutable: true})
		}
	}
	return rules
}

// withoutValues names the rows as the source numbers them and, unless the spec allows it, leaves out what stands in them: what a row
// would have to hold is said, what it holds is not.
func withoutValues(s *spec.Spec, test *table.Frame, r explain.CounterfactualReport) *explain.CounterfactualReport {
	for i := range r.Results {
		result := &r.Results[i]
		result.Row = rowNumber(test, result.Row)
		if s.Explain.ShowValues {
			continue
		}
		for k := range result.Counterfactuals {
			for c := range result.Counterfactuals[k].Changes {
				result.Counterfactuals[k].Changes[c].From = ""
			}
		}
	}
	return &r
}

func permutation(ctx context.Context, p model.Predictor, f *table.Frame, y []float64, o explain.Options) (explain.Report, error) {
	switch p.Schema().TaskOf() {
	case stats.Multiclass:
		classes := make([]int32, len(y))
		for i, v := range y {
			classes[i] = int32(v)
		}
		return explain.PermutationOfClasses(ctx, p, f, classes, o)
	case stats.Regression:
		return explain.PermutationOfNumbers(ctx, p, f, y, o)
	default:
		positive := make([]bool, len(y))
		for i, v := range y {
			positive[i] = v == 1
		}
		return explain.Permutation(ctx, p, f, positive, o)
	}
}

// importance is the measure of a feature that is shown for the task.
func importance(f explain.Importance, task stats.Task) stats.Estimate {
	switch task {
	case stats.Multiclass:
		return f.AccuracyDrop
	case stats.Regression:
		return f.RMSERise
	default:
		return f.AUCDrop
	}
}
