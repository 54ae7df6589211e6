package activities

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"

	"github.com/assay-ml/assay/internal/artifact"
	privacyledger "github.com/assay-ml/assay/internal/ledger/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/trainer"
	"go.temporal.io/sdk/activity"
)

// trainPrivately pays for a private training from the data set's budget and trains. Whoever trains again with the same inputs, after
// a kill or in another lifecycle, pays nothing and draws the same noise.
func (t *Training) trainPrivately(ctx context.Context, s *spec.Spec, in stage.TrainInput, input trainer.Input, progress func(trainer.Progress)) (trainer.Output, error) {
	p := privateOf(s)
	mechanism, err := p.Mechanism()
	if err != nil {
		return trainer.Output{}, err
	}
	key, err := artifact.NewStageKey(string(stage.Train), versionTrain, trainParamsOf(s, in, s.Train.Parameters))
	if err != nil {
		return trainer.Output{}, err
	}
	if b := s.Privacy.Budget; b != nil {
		info := activity.GetInfo(ctx)
		state, err := privacyledger.Spend(ctx, t.Store, b.Dataset, privacyledger.Budget{Epsilon: b.Epsilon, Delta: b.Delta}, privacyledger.Request{
			Key: key.Hex(), Lifecycle: info.WorkflowExecution.ID, Mechanism: mechanism, Time: info.StartedTime.UTC(),
		})
		if err != nil {
			return trainer.Output{}, err
		}
		activity.GetLogger(ctx).Info("private training was paid for", "dataset", b.Dataset, "spent", state.Spent, "left", state.Left, "again", state.Again)
	}
	p.Random = t.noise(key.Hex())
	out, err := trainer.TrainPrivate(ctx, input, p, progress)
	if err == nil && p.Random != nil {
		out.Manifest.Privacy.Randomness = "secret, drawn from the worker\u2019s signing key and the training\u2019s inputs, so that an attempt after a failure draws the same"
	}
	return out, err
}

// privateOf reads from the spec what is declared of the columns: nothing of it may come from the data.
func privateOf(s *spec.Spec) trainer.Private {
	w := s.Train.Private
	p := trainer.Private{
		Epsilon: w.Epsilon, Delta: w.Delta, Clip: w.Clip, Steps: w.Steps, Rate: w.Rate, LearningRate: w.LearningRate,
		Bounds: map[string]trainer.Range{}, Levels: map[string][]string{},
	}
	for _, e := range s.Data.Expect {
		if e.Column == "" {
			continue
		}
		if e.Min != nil && e.Max != nil {
			p.Bounds[e.Column] = trainer.Range{Low: *e.Min, High: *e.Max}
		}
		if len(e.In) > 0 {
			p.Levels[e.Column] = e.In
		}
	}
	return p
}

// noise is a stream of random bytes that nobody can tell without the worker's signing key, the same for the same training. A
// worker without a key draws from the operating system, other noise at each attempt.
func (t *Training) noise(key string) io.Reader {
	if t.Signer == nil {
		return nil
	}
	return rand.NewChaCha8(t.Signer.Secret("noise of private training " + key))
}

// budgetRefused reports whether a data set's account does not allow a training.
func budgetRefused(err error) bool {
	return errors.As(err, new(*privacyledger.BudgetError)) || errors.As(err, new(*privacyledger.DeclarationError)) ||
		errors.As(err, new(*privacyledger.ParametersError)) || errors.As(err, new(*privacyledger.LostError))
}
