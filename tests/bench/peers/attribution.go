package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/bench/lattice"
)

// attributionComparison is that of sampled Shapley values, with SHAP's sampling explainer.
type attributionComparison struct {
	peer
	rows int // explained
}

// Sizes of what is explained.
const (
	explainedFeatures = 100
	explainedBehind   = 200 // background rows
	explanations      = 11  // how often Assay's values are timed
	seedsOfError      = 5   // of which Assay's error is the mean
	mostPermutations  = 1 << 16
)

// attributionAnswer is what the peer prints.
type attributionAnswer struct {
	took
	Values [][]float64 `json:"values"`
	Linear [][]float64 `json:"linear"` // exact, in log-odds
}

// asked is a model that shows nothing of itself but its answers.
type asked struct{ model.Predictor }

func (c *attributionComparison) run(ctx context.Context, folder string, out *figures.Table) error {
	if c.rows < 1 {
		return fmt.Errorf("%d rows are to be explained; expected at least 1", c.rows)
	}
	m, f := lattice.Draw(explainedFeatures, explainedBehind+c.rows, 1)
	e := explained{m: m, f: f, background: lattice.First(f, explainedBehind)}
	for i := range c.rows {
		e.rows = append(e.rows, explainedBehind+i)
	}
	if err := e.write(folder); err != nil {
		return fmt.Errorf("write the rows for the peer: %w", err)
	}
	if err := e.solve(); err != nil {
		return err
	}
	for _, way := range []struct {
		scale   explain.Scale
		samples string
	}{{explain.Probability, "auto"}, {explain.Probability, "20000"}, {explain.Probability, "2000"}, {explain.LogOdds, "auto"}} {
		fmt.Fprintln(os.Stderr, "measuring: peer SHAP", way.scale, way.samples)
		var theirs attributionAnswer
		if err := c.ask(ctx, &theirs, "peer_attribution.py", folder, string(way.scale), way.samples); err != nil {
			return err
		}
		if err := e.agree(theirs); err != nil {
			return err
		}
		exact := e.exact[way.scale]
		wrong, perRow := lattice.MeanError(theirs.Values, exact), 1000/float64(c.rows)
		samples := way.samples
		if samples == "auto" {
			samples = fmt.Sprintf("%s (its own choice)", figures.Grouped(1000*explainedFeatures))
		}
		out.Add(fmt.Sprintf("SHAP's SamplingExplainer, %d columns, %s, %s samples", explainedFeatures, way.scale, way.samples), fmt.Sprintf("%.1f ms a row", theirs.Seconds*perRow), "",
			fmt.Sprintf("%d rows, %d background rows, %s samples a row, NumPy model; %s; %.1f ms a row of processor time", c.rows, explainedBehind, samples, theirs.versions(), theirs.CPU*perRow))
		out.Add("  its mean absolute error", fmt.Sprintf("%.2e", wrong), "", fmt.Sprintf("against exact values, whose mean size is %.2e", lattice.MeanSize(exact)))
		for _, walked := range []struct {
			what string
			p    model.Predictor
		}{{"by its terms", m}, {"only asked, as SHAP does", asked{m}}} {
			ours, err := e.within(ctx, walked.p, way.scale, wrong)
			if err != nil {
				return err
			}
			out.Add("  Assay, the model "+walked.what+", at no more error, median", fmt.Sprintf("%.3f ms a row", ours.seconds*perRow), "",
				fmt.Sprintf("%d permutations, mean absolute error %.2e; %.3f ms a row of processor time; %d times", ours.permutations, ours.wrong, ours.cpu*perRow, explanations))
			out.Add("    ratio", fmt.Sprintf("%.0f", theirs.Seconds/ours.seconds), ">= 10", fmt.Sprintf("of processor time %.0f", theirs.CPU/ours.cpu))
		}
	}
	return nil
}

// explained is a model, and rows of f that are explained against background.
type explained struct {
	m             *model.Logistic
	f, background *table.Frame
	rows          []int
	exact         map[explain.Scale][][]float64
}

// write writes the rows as the peer reads them, see peer_attribution.py.
func (e *explained) write(folder string) error {
	var rows, background []float64
	for _, r := range e.rows {
		rows = appendRow(rows, e.f, r)
	}
	for r := range e.background.Rows {
		background = appendRow(background, e.background, r)
	}
	if err := writeArray(filepath.Join(folder, "rows.npy"), "<f8", rows); err != nil {
		return err
	}
	if err := writeArray(filepath.Join(folder, "background.npy"), "<f8", background); err != nil {
		return err
	}
	coefficients := make([]float64, len(e.m.Terms))
	for j, t := range e.m.Terms {
		coefficients[j] = t.Numeric.Coefficient
	}
	encoded, err := json.Marshal(map[string]any{"intercept": e.m.Intercept, "coefficients": coefficients, "seed": 1})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "model.json"), encoded, 0o600)
}

func appendRow(out []float64, f *table.Frame, row int) []float64 {
	for j := range f.Columns {
		out = append(out, f.Columns[j].Numbers[row])
	}
	return out
}

// solve finds the exact values.
func (e *explained) solve() error {
	linear, err := explain.Linear(e.m, e.f, e.background)
	if err != nil {
		return err
	}
	e.exact = map[explain.Scale][][]float64{}
	for _, r := range e.rows {
		e.exact[explain.LogOdds] = append(e.exact[explain.LogOdds], linear.Phi[r])
		e.exact[explain.Probability] = append(e.exact[explain.Probability], lattice.Exact(e.m, e.f, e.background, r))
	}
	return nil
}

// agree is an error when the exact values in log-odds are not the same in both.
func (e *explained) agree(theirs attributionAnswer) error {
	for _, values := range [][][]float64{theirs.Values, theirs.Linear} {
		if len(values) != len(e.rows) || len(values[0]) != explainedFeatures {
			return fmt.Errorf("the peer explained %d rows; expected %d of %d features", len(values), len(e.rows), explainedFeatures)
		}
	}
	for i, row := range e.exact[explain.LogOdds] {
		for j, want := range row {
			if !(math.Abs(want-theirs.Linear[i][j]) <= equal) {
				return fmt.Errorf("linear SHAP of row %d, feature %d: Assay %.12g, the peer %.12g", i, j, want, theirs.Linear[i][j])
			}
		}
	}
	return nil
}

// reached is how Assay's values came to an error, with the medians of their times for all rows.
type reached struct {
	permutations        int
	wrong, seconds, cpu float64
}

// within takes a quarter more permutations each time, until the error is at most so large, on average over seeds.
func (e *explained) within(ctx context.Context, p model.Predictor, scale explain.Scale, wrong float64) (reached, error) {
	for permutations := explain.LeastShapleyPermutations; permutations <= mostPermutations; permutations = max(permutations+2, permutations*5/8*2) {
		r := reached{permutations: permutations}
		var seconds, cpu []float64
		for k := range explanations {
			var v explain.Values
			took, processor, err := figures.Timed(func() (err error) {
				v, err = explain.Sampled(ctx, p, e.f, e.background, explain.ShapleyOptions{Scale: scale, Rows: e.rows, Permutations: permutations, Seed: uint64(k)})
				return err
			})
			if err != nil {
				return r, err
			}
			if len(v.Rows) != len(e.rows) {
				return r, fmt.Errorf("%d of %d rows were explained", len(v.Rows), len(e.rows))
			}
			if k < seedsOfError {
				r.wrong += lattice.MeanError(v.Phi, e.exact[scale]) / seedsOfError
			}
			if k == seedsOfError-1 && r.wrong > wrong {
				break
			}
			seconds, cpu = append(seconds, took), append(cpu, processor)
		}
		if r.wrong <= wrong {
			r.seconds, r.cpu = figures.Quantile(seconds, 0.5), figures.Quantile(cpu, 0.5)
			return r, nil
		}
	}
	return reached{}, fmt.Errorf("%d permutations do not come within an error of %.2e", mostPermutations, wrong)
}
