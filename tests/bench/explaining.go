package main

import (
	"fmt"
	"os"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/bench/lattice"
	"github.com/assay-ml/assay/tests/bench/people"
)

// attribution measures sampled Shapley values of the built-in model, and how far they are from exact ones.
func (b *bench) attribution() error {
	rows, columns, behind, rounds, checked := 1000, 100, 200, 3, 10
	if b.quick {
		rows, rounds, checked = 200, 1, 3
	}
	m, f := lattice.Draw(columns, rows, 1)
	background := lattice.First(f, behind)
	linear, err := explain.Linear(m, f, background)
	if err != nil {
		return err
	}
	for _, scale := range []explain.Scale{explain.Probability, explain.LogOdds} {
		var seconds, cpu []float64
		var v explain.Values
		for range rounds {
			took, processor, err := figures.Timed(func() (err error) {
				v, err = explain.Sampled(b.ctx, m, f, background, explain.ShapleyOptions{Scale: scale, Seed: 1})
				return err
			})
			if err != nil {
				return err
			}
			seconds, cpu = append(seconds, took), append(cpu, processor)
		}
		if len(v.Rows) != rows {
			return fmt.Errorf("%d of %d rows were explained", len(v.Rows), rows)
		}
		b.add(fmt.Sprintf("sampled Shapley values, %s rows x %d columns, %s, median", figures.Grouped(rows), columns, scale),
			fmt.Sprintf("%.2f s", figures.Quantile(seconds, 0.5)), "<= 10 s",
			fmt.Sprintf("built-in model, %d background rows, %d orders and their reverses a row; %.2f s of processor time; %d runs", behind, v.Pairs[0], figures.Quantile(cpu, 0.5), rounds))
		values, exact, by, expected := v.Phi, linear.Phi, "linear SHAP, all rows", "the control variates leave no more than rounding"
		if scale == explain.Probability {
			values, exact, by = nil, nil, fmt.Sprintf("values exact on the model's grid, %d rows", checked)
			expected = fmt.Sprintf("the standard errors let expect %.2e", v.Summary().MeanError)
			for k := range checked {
				row := k * rows / checked
				values, exact = append(values, v.Phi[row]), append(exact, lattice.Exact(m, f, background, row))
			}
		}
		b.add("  mean absolute error", fmt.Sprintf("%.2e", lattice.MeanError(values, exact)), "",
			fmt.Sprintf("against %s, whose mean size is %.2e; %s", by, lattice.MeanSize(exact), expected))
	}
	return nil
}

// writtenDossier is one of a lifecycle with the built-in trainer.
const writtenDossier = "internal/report/testdata/dossier_of_built_in_trainer.json"

// dossier measures making the page from a dossier with three protected columns and a hundred features.
func (b *bench) dossier() error {
	d, err := b.wideDossier()
	if err != nil {
		return err
	}
	encoded, digest, err := report.Encode(d)
	if err != nil {
		return err
	}
	const rounds = 11
	var seconds, cpu []float64
	var page []byte
	for range rounds {
		took, processor, err := figures.Timed(func() error {
			read, err := report.Decode(encoded)
			if err != nil {
				return err
			}
			page, err = report.Render(read, digest)
			return err
		})
		if err != nil {
			return err
		}
		seconds, cpu = append(seconds, took), append(cpu, processor)
	}
	if artifact.Sum(encoded) != digest {
		return fmt.Errorf("the dossier's JSON changed")
	}
	groups := 0
	for _, x := range d.Fairness.Examination.Divisions {
		groups += len(x.Groups)
	}
	what := fmt.Sprintf("%d groups examined, %d features, dependence on %d; read from %.2f MB of JSON", groups, len(d.Explain.Features), len(d.Explain.Dependence), float64(len(encoded))/1e6)
	b.add("dossier's page, size", fmt.Sprintf("%.3f MB", float64(len(page))/1e6), "<= 2 MB", what)
	b.add("  time to render, median", fmt.Sprintf("%.0f ms", 1000*figures.Quantile(seconds, 0.5)), "<= 1000 ms",
		fmt.Sprintf("from its JSON; the slowest %.0f ms; %.0f ms of processor time; %d times", 1000*figures.Quantile(seconds, 1), 1000*figures.Quantile(cpu, 0.5), rounds))
	return nil
}

// wideDossier is a written one with much more in it: figures of groups of three columns and their crossings, a champion, and
// explanations of a model of a hundred features.
func (b *bench) wideDossier() (report.Dossier, error) {
	written, err := os.ReadFile(writtenDossier)
	if err != nil {
		return report.Dossier{}, err
	}
	d, err := report.Decode(written)
	if err != nil {
		return d, err
	}
	p := people.WithChampion(people.Predictions(20_000, 1), 1)
	d.Protected = people.Columns()
	if d.Evaluation, err = evaluation.Evaluate(p, evaluation.Options{Seed: 1, Slices: people.Columns(), Crossed: people.Columns()}); err != nil {
		return d, err
	}
	d.Comparison, d.Evaluation.Comparison = d.Evaluation.Comparison, nil
	sample, columns := protected(p)
	found, err := fairness.Examine(sample, fairness.Question{Columns: columns, Threshold: people.Threshold})
	if err != nil {
		return d, err
	}
	d.Fairness.Examination = &found
	d.Explain, err = b.explained()
	return d, err
}

// explained is what an audit finds out about a model, on few rows.
func (b *bench) explained() (explain.Report, error) {
	m, f := lattice.Draw(100, 1000, 1)
	scores, err := m.Predict(b.ctx, f)
	if err != nil {
		return explain.Report{}, err
	}
	truth := make([]bool, len(scores))
	for i, score := range scores {
		truth[i] = score >= people.Threshold
	}
	r, err := explain.Permutation(b.ctx, m, f, truth, explain.Options{Seed: 1})
	if err != nil {
		return r, err
	}
	for _, leading := range r.Features[:6] {
		d, err := explain.PartialDependence(b.ctx, m, f, leading.Feature, explain.DependenceOptions{Seed: 1, Curves: 20})
		if err != nil {
			return r, err
		}
		r.Dependence = append(r.Dependence, d)
	}
	tree, err := explain.SurrogateTree(b.ctx, m, f, explain.SurrogateOptions{Threshold: people.Threshold, Seed: 1})
	if err != nil {
		return r, err
	}
	background := lattice.First(f, 200)
	values, err := explain.Sampled(b.ctx, m, f, background, explain.ShapleyOptions{Seed: 1, MaxRows: 200})
	if err != nil {
		return r, err
	}
	linear, err := explain.Linear(m, f, background)
	if err != nil {
		return r, err
	}
	local, err := explain.ExplainRows(b.ctx, m, f, background, []int{0, 1, 2, 3, 4, 5}, explain.ShapleyOptions{Seed: 1}, explain.LocalOptions{})
	if err != nil {
		return r, err
	}
	shapley, exact := values.Summary(), linear.Summary()
	r.Surrogate, r.Shapley, r.Exact, r.Local = &tree, &shapley, &exact, &local
	return r, nil
}
