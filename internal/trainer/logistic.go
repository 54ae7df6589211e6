package trainer

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// logisticVersion changes whenever equal input may give other bytes.
const logisticVersion = "1"

// logistic fits a model.Logistic by minimising an objective; see that type for the formula. Numbers are standardised
// with the weighted mean and standard deviation of the training rows; a row of weight k counts as k equal rows, one of
// weight 0 as none.
type logistic struct{}

func (logistic) Train(ctx context.Context, in Input, progress func(Progress)) (Output, error) {
	in.Settings = in.Settings.withDefaults()
	if err := check(in); err != nil {
		return Output{}, err
	}
	l, err := readLabels(in)
	if err != nil {
		return Output{}, err
	}
	d, err := newDesign(in, l)
	if err != nil {
		return Output{}, err
	}
	o := newObjective(d, l, *in.Settings.L2)
	m, err := minimise(ctx, o, in.Settings.MaxIterations, in.Settings.Tolerance, progress)
	if err != nil {
		return Output{}, err
	}
	if *in.Settings.L2 == 0 && o.separates(m.x) {
		d.warn("the features tell the classes apart without error, so that without a penalty the coefficients have no best value; set l2 above 0")
	}
	fitted := assemble(in, l, d, m.x)
	b, err := fitted.Encode()
	if err != nil {
		return Output{}, fmt.Errorf("train: %w", err)
	}
	return Output{Model: b, Predictor: fitted, Manifest: manifest(in, l, d, m, b)}, nil
}

func check(in Input) error {
	p := in.Settings
	switch {
	case *p.L2 < 0 || math.IsNaN(*p.L2) || math.IsInf(*p.L2, 0):
		return &InputError{Problem: fmt.Sprintf("train.parameters.l2 is %g", *p.L2), Advice: "give a finite number of 0 or more"}
	case p.MaxIterations < 1:
		return &InputError{Problem: fmt.Sprintf("train.parameters.max_iterations is %d", p.MaxIterations), Advice: "give 1 or more"}
	case !(p.Tolerance > 0) || math.IsInf(p.Tolerance, 0):
		return &InputError{Problem: fmt.Sprintf("train.parameters.tolerance is %g", p.Tolerance), Advice: "give a finite number above 0"}
	case len(in.Features) == 0:
		return &InputError{Problem: "there is no feature to learn from", Advice: "exclude fewer columns"}
	}
	for j, name := range in.Features {
		switch {
		case name == in.Target:
			return &InputError{name, "the target is listed as a feature", "leave it out of the features"}
		case name == in.Weight:
			return &InputError{name, "the weight is listed as a feature", "leave it out of the features"}
		case slices.Contains(in.Features[:j], name):
			return &InputError{name, "it is listed twice as a feature", "list it once"}
		}
	}
	return nil
}

// assemble turns the parameter vector into a model.
func assemble(in Input, l labels, d *design, x []float64) *model.Logistic {
	fitted := &model.Logistic{
		Kind:      model.KindLogistic,
		Format:    model.LogisticFormat,
		Inputs:    model.Schema{Target: in.Target, Positive: in.Positive, Negative: l.negative},
		Intercept: x[d.intercept],
	}
	at := func(parameter int) float64 {
		if parameter < 0 {
			return 0
		}
		return x[parameter]
	}
	for _, e := range d.features {
		term := model.Term{}
		if e.feature.Kind == table.Numeric {
			term.Numeric = &model.NumericTerm{Mean: e.mean, SD: e.sd, Coefficient: at(e.number), Missing: at(e.missing)}
		} else {
			term.Categorical = categoricalTerm(e, l, d, x)
		}
		fitted.Inputs.Features = append(fitted.Inputs.Features, e.feature)
		fitted.Terms = append(fitted.Terms, term)
	}
	return fitted
}

func categoricalTerm(e encoding, l labels, d *design, x []float64) *model.CategoricalTerm {
	t := &model.CategoricalTerm{Coefficients: make([]float64, len(e.feature.Levels))}
	if e.levels == nil { // it does not vary, and has no effect
		return t
	}
	for k, parameter := range e.levels {
		t.Coefficients[k] = x[parameter]
	}
	for r := range d.rows {
		t.Unseen += l.weight[r] * x[d.on[r*d.slots+e.slot]]
	}
	t.Unseen /= l.total
	t.Missing = t.Unseen
	if e.missing >= 0 {
		t.Missing = x[e.missing]
	}
	return t
}

func manifest(in Input, l labels, d *design, m minimum, b []byte) model.Manifest {
	out := model.Manifest{
		Kind:           model.KindLogistic,
		Trainer:        NameLogistic,
		TrainerVersion: logisticVersion,
		Model:          artifact.Ref{Digest: artifact.Sum(b), Size: int64(len(b)), MediaType: artifact.MediaModel},
		Target:         in.Target,
		Positive:       in.Positive,
		Features:       in.Features,
		Parameters:     in.Settings.parameters(),
		Seed:           in.Seed,
		Training:       model.Data{Ref: in.Training, Rows: in.Frame.Rows},
		Fit:            model.Fit{Iterations: m.iterations, Objective: m.objective, GradientNorm: m.gradientNorm, Converged: m.converged},
		Device:         in.Device,
		Environment:    model.CurrentEnvironment(),
		Warnings:       d.warnings,
	}
	if !in.Validation.IsZero() {
		out.Validation = &model.Data{Ref: in.Validation, Rows: in.ValidationRows}
	}
	if ignored := in.Frame.Rows - len(l.rows); ignored > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d of %d training rows have weight 0 and do not count", ignored, in.Frame.Rows))
	}
	if !m.converged {
		out.Warnings = append(out.Warnings, fmt.Sprintf(
			"training did not converge: %s with the gradient at %.3g, above the tolerance %.3g; raise max_iterations, l2 or the tolerance",
			m.why, m.gradientNorm, in.Settings.Tolerance))
	}
	if in.Device != nil {
		out.Warnings = append(out.Warnings, "the logistic trainer computes on the CPU; the device was held and not used")
	}
	return out
}
