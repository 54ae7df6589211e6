package trainer

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/accountant"
	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
)

// privateVersion changes whenever equal input and equal randomness may give other bytes.
const privateVersion = "private-1"

// Range is what is known of a number without looking at the data: from Low to High, Low below High, both finite.
type Range struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Private is what a differentially private training needs. Everything the model may show of the data passes through
// noise; whatever else it uses is declared here, before anybody looks.
type Private struct {
	Epsilon float64 // nats, above 0: what the training may cost at most
	Delta   float64 // above 0, below 1; it should be well below one over the number of rows
	Clip    float64 // largest length of one row's gradient; 0 is 1
	Steps   int     // 0 is 500
	Rate    float64 // chance of a row to take part in a step, above 0 to 1; 0 is 0.05

	// LearningRate multiplies the noisy mean gradient; 0 is 2. It costs no privacy, trying several values does.
	LearningRate float64

	Bounds map[string]Range    // of every numeric feature; a value outside counts as the nearest end
	Levels map[string][]string // of every categorical feature; a value that is not among them counts as unseen

	// Random is the source of the noise; nil is the operating system's. Whoever knows what it gives can take the noise
	// off: another source is for tests, and the manifest says so.
	Random io.Reader
}

// Defaults of Private, and what Randomness in a manifest says.
const (
	defaultClip         = 1.0
	defaultSteps        = 500
	defaultRate         = 0.05
	defaultLearningRate = 2.0
	mostPrivateSteps    = 1_000_000

	RandomnessSystem = "secret, from the operating system"
	RandomnessGiven  = "given by the caller: the guarantee holds only if nobody knows it"
)

// notCovered is what a reader of the guarantee must know that it leaves out.
var notCovered = []string{
	"The use of validation and test rows: metrics, intervals and verdicts are computed on them without noise.",
	"A search for hyper-parameters: every further training on the same rows costs privacy again, which only the ledger adds up.",
	"The number of training rows, the names of the columns and the two values of the target, which count as public.",
	"Several rows of the same person: the guarantee is for one row.",
}

func (p Private) withDefaults() Private {
	if p.Clip == 0 {
		p.Clip = defaultClip
	}
	if p.Steps == 0 {
		p.Steps = defaultSteps
	}
	if p.Rate == 0 {
		p.Rate = defaultRate
	}
	if p.LearningRate == 0 {
		p.LearningRate = defaultLearningRate
	}
	return p
}

// Mechanism is what a training with these parameters does, defaults filled in, with the least noise that keeps Epsilon;
// it is what a privacy ledger is asked to pay for. It reads no data. Its error is an *InputError.
func (p Private) Mechanism() (accountant.Mechanism, error) {
	p = p.withDefaults()
	if err := p.check(); err != nil {
		return accountant.Mechanism{}, err
	}
	noise, err := accountant.Noise(p.Epsilon, p.Delta, p.Rate, p.Steps)
	if err != nil {
		return accountant.Mechanism{}, &InputError{Problem: "no noise gives the privacy asked for: " + err.Error(), Advice: "ask for a larger epsilon or delta, or take fewer steps"}
	}
	return accountant.Mechanism{NoiseMultiplier: noise, SampleRate: p.Rate, Steps: p.Steps}, nil
}

func (p Private) check() error {
	refuse := func(name string, value any, advice string) error {
		return &InputError{Problem: fmt.Sprintf("private training: %s is %v", name, value), Advice: advice}
	}
	switch {
	case !(p.Epsilon > 0) || math.IsInf(p.Epsilon, 0):
		return refuse("epsilon", p.Epsilon, "give a finite number above 0, such as 1")
	case !(p.Delta > 0 && p.Delta < 1):
		return refuse("delta", p.Delta, "give a number above 0 and below 1, well below one over the number of rows")
	case !(p.Clip > 0) || math.IsInf(p.Clip, 0):
		return refuse("clip", p.Clip, "give a finite number above 0, such as 1")
	case p.Steps < 1 || p.Steps > mostPrivateSteps:
		return refuse("steps", p.Steps, fmt.Sprintf("give 1 to %d", mostPrivateSteps))
	case !(p.Rate >= accountant.MinRate && p.Rate <= 1):
		return refuse("the sample rate", p.Rate, fmt.Sprintf("give a number from %v to 1", accountant.MinRate))
	case !(p.LearningRate > 0) || math.IsInf(p.LearningRate, 0):
		return refuse("the learning rate", p.LearningRate, "give a finite number above 0, such as 2")
	}
	return nil
}

// TrainPrivate fits a model.Logistic by differentially private stochastic gradient descent (Abadi et al.: Deep Learning
// with Differential Privacy, CCS 2016, Algorithm 1), and gives the mean of the second half of the iterates (Polyak,
// Juditsky 1992), which is made of what was released already and costs nothing. Neighbours differ in one row added or
// removed. The penalty in.Settings.L2 applies; MaxIterations and Tolerance do not.
//
// Two trainings draw different noise, and each costs the full epsilon: store the output under the key of its inputs and
// never train again for the same key. progress is told the largest entry of the noisy gradient, and no objective, which
// would show the data.
//
// It returns an *InputError for what cannot be trained on, as Train does, and when a feature is not declared or rows are
// weighted.
func TrainPrivate(ctx context.Context, in Input, p Private, progress func(Progress)) (Output, error) {
	in.Settings = in.Settings.withDefaults()
	if err := check(in); err != nil {
		return Output{}, err
	}
	if in.Weight != "" {
		return Output{}, &InputError{in.Weight, "private training does not take weights: the share of one row would have no bound", "leave out data.weight and the mitigation by weights, or train without privacy"}
	}
	p = p.withDefaults()
	mechanism, err := p.Mechanism()
	if err != nil {
		return Output{}, err
	}
	l, err := readLabels(in)
	if err != nil {
		return Output{}, err
	}
	d, err := newPrivateDesign(in, p, l)
	if err != nil {
		return Output{}, err
	}
	source, err := newNoise(p.Random)
	if err != nil {
		return Output{}, err
	}
	weights, err := descendPrivately(ctx, d, p, mechanism, *in.Settings.L2, source, progress)
	if err != nil {
		return Output{}, err
	}
	fitted := d.model(in, l, weights)
	b, err := fitted.Encode()
	if err != nil {
		return Output{}, fmt.Errorf("train privately: %w", err)
	}
	m, err := privateManifest(in, p, mechanism, b)
	if err != nil {
		return Output{}, err
	}
	return Output{Model: b, Predictor: fitted, Manifest: m}, nil
}

// privateManifest holds nothing that was measured on the data.
func privateManifest(in Input, p Private, m accountant.Mechanism, b []byte) (model.Manifest, error) {
	spent, err := accountant.Epsilon(p.Delta, m)
	if err != nil {
		return model.Manifest{}, fmt.Errorf("train privately: %w", err)
	}
	out := model.Manifest{
		Kind:           model.KindLogistic,
		Trainer:        NameLogistic,
		TrainerVersion: privateVersion,
		Model:          artifact.Ref{Digest: artifact.Sum(b), Size: int64(len(b)), MediaType: artifact.MediaModel},
		Target:         in.Target,
		Positive:       in.Positive,
		Features:       in.Features,
		Parameters:     in.Settings.parameters(),
		Seed:           in.Seed,
		Training:       model.Data{Ref: in.Training, Rows: in.Frame.Rows},
		Fit:            model.Fit{Iterations: p.Steps},
		Device:         in.Device,
		Environment:    model.CurrentEnvironment(),
		Privacy: &model.Privacy{
			Mechanism: "dp-sgd: Poisson-subsampled Gaussian", Epsilon: spent.Epsilon, Delta: p.Delta,
			NoiseMultiplier: m.NoiseMultiplier, SampleRate: m.SampleRate, Steps: m.Steps, Clip: p.Clip, LearningRate: p.LearningRate,
			Order: spent.Order, Neighbours: "add or remove one row", Randomness: RandomnessSystem, NotCovered: slices.Clone(notCovered),
		},
	}
	if p.Random != nil {
		out.Privacy.Randomness = RandomnessGiven
	}
	if !in.Validation.IsZero() {
		out.Validation = &model.Data{Ref: in.Validation, Rows: in.ValidationRows}
	}
	n := float64(in.Frame.Rows)
	if p.Delta > 1/n {
		out.Warnings = append(out.Warnings, fmt.Sprintf(
			"delta %v is above one over the %d training rows: publishing a few rows outright would satisfy it; choose one well below %.2g", p.Delta, in.Frame.Rows, 1/n))
	}
	if p.Rate*n < 1 {
		out.Warnings = append(out.Warnings, fmt.Sprintf(
			"at a sample rate of %v most steps see none of the %d rows; raise it", p.Rate, in.Frame.Rows))
	}
	if in.Device != nil {
		out.Warnings = append(out.Warnings, "the logistic trainer computes on the CPU; the device was held and not used")
	}
	return out, nil
}
