// Package trainer turns a table into a model. It computes and nothing else: no files, no clock, no network. Equal input
// gives equal model bytes on machines of the same architecture and instruction set (math.Exp uses fused multiply-add
// where the processor has it), whatever the number of processors.
package trainer

import (
	"context"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// Names of trainers a spec may choose.
const (
	NameLogistic = "logistic"
	nameCommand  = "command"
)

// Input is everything a trainer uses. What only the manifest records says so.
type Input struct {
	Frame    *table.Frame // training rows: the features, the target, the weights
	Features []string     // columns the model may use, in the order its schema lists them
	Target   string       // column with exactly two values and none missing
	Positive string       // the target's value whose probability is learnt
	Weight   string       // column of non-negative sample weights; "" weighs all rows 1
	Settings Settings     // of the logistic trainer; zero fields take the defaults

	Seed           int64          // of all randomness; the logistic trainer uses none
	Device         *device.Device // accelerator held for this training; nil on a CPU worker
	Training       artifact.Ref   // recorded: where Frame comes from
	Validation     artifact.Ref   // recorded: the validation rows, zero when there are none
	ValidationRows int            // recorded
}

// Output is a trained model as bytes (media type artifact.MediaModel), as a predictor, and its manifest.
type Output struct {
	Model     []byte
	Predictor model.Predictor
	Manifest  model.Manifest
}

// Progress is one finished iteration.
type Progress struct {
	Iteration    int     `json:"iteration"`     // from 0, the starting point
	Objective    float64 `json:"objective"`     // divided by the sum of weights
	GradientNorm float64 `json:"gradient_norm"` // largest absolute entry
}

// Trainer trains models of one kind. Implementations are safe for concurrent use.
type Trainer interface {
	// Train calls progress, unless it is nil, after each iteration and from one goroutine at a time. It returns an
	// *InputError when the data or parameters cannot be trained on, however often it is tried, and an error that
	// wraps ctx's within one iteration of ctx ending. Stopping short of convergence is no error: the manifest says so.
	Train(ctx context.Context, in Input, progress func(Progress)) (Output, error)
}

// New finds a trainer by the name a spec uses.
func New(name string) (Trainer, error) {
	switch name {
	case NameLogistic:
		return logistic{}, nil
	case nameCommand:
		return nil, &InputError{Problem: "train.trainer: command is not available yet", Advice: "use " + NameLogistic}
	default:
		return nil, &InputError{Problem: fmt.Sprintf("train.trainer: unknown trainer %q", name), Advice: "use " + NameLogistic}
	}
}

// InputError says that the data or the parameters cannot be trained on. Trying again gives the same answer. Its text
// holds column names, row numbers and counts, never a feature's values.
type InputError struct {
	Column  string // "" when the problem is not one column's
	Problem string
	Advice  string // what to do next
}

// Error names the column, the problem and the way out.
func (e *InputError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("%s; %s", e.Problem, e.Advice)
	}
	return fmt.Sprintf("column %q: %s; %s", e.Column, e.Problem, e.Advice)
}
