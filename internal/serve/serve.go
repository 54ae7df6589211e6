// Package serve lets a user's own program answer for a model. The program is an HTTP server under the conventions of
// SageMaker containers and of "mlflow models serve": it answers GET /ping with 200 when it is ready, and POST
// /invocations with one prediction for each row it is sent. The same server scores the rows of an evaluation and those of the
// gateway.
//
// # The program
//
// It runs in a copy of the model's code folder, under the worker's policy (package program), and gets a free port of
// 127.0.0.1 in {port} of its arguments and in PORT and SAGEMAKER_BIND_TO_PORT, the folder with the trained files in
// {model_dir} and in SM_MODEL_DIR, SM_NUM_CPUS and CUDA_VISIBLE_DEVICES, and ASSAY_TASK and ASSAY_CLASSES as in training. Both folders are its own: what it changes there
// is seen by nobody else and removed when it ends. It runs for as long as the model is open, so the policy's wall time
// does not apply to it, and the policy's disk quota counts what it writes, not the folders it was given.
//
// When it ends by itself it is started again, after 0.2 s, then twice as long each time, up to 10 s. After five starts without
// one answered batch in between the model has failed for good.
//
// # Requests and answers
//
// Columns come in the order of the model's schema. A missing value is an empty cell in CSV and null in JSON; an empty text
// is an empty cell too, so a model that tells the two apart needs a JSON format. Numbers have the fewest digits that read
// back as the same number, whole ones no point.
//
// Accepted are the forms that the conventions' own servers give: JSON with the list under "predictions" or "outputs" or
// bare, or lines of text, with one element for each row, of the same form for all rows:
//
//   - of a binary model p, [p0, p1, ...], {"score": p}, {"probability": p} or {"probabilities": [...]};
//   - of a multiclass model [p1, p2, ...] or {"probabilities": [...]} with one probability for each class in the schema's
//     order, or {"probabilities": {"class": p, ...}}; they sum to 1 within model.SumTolerance;
//   - of a regression y, [y], {"score": y} or {"prediction": y}.
//
// Everything else is refused with an AnswerError: a score that is no probability must not reach a gate.
package serve

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
)

// Model is an open model.
type Model interface {
	model.Predictor
	// Close waits for predictions at work and stops the program: SIGTERM, then SIGKILL when it does not heed it. From
	// then on Predict returns ErrClosed. It may be called more than once.
	Close() error
	// Usage is what the model's programs have taken that have ended; after Close, all of them.
	Usage() program.Usage
	// Restarts is how often the model's program was started again because it had ended by itself.
	Restarts() int
	// Failed says why no prediction will ever come again, a *StartError; nil while predictions may come.
	Failed() error
}

// Loader opens models of any kind.
type Loader struct {
	Store   artifact.Store
	Policy  program.Policy // what programs may do; the zero Policy refuses models that need one
	Scratch string         // folder for the files of models; "" is one of this user's in that for temporary files
	Logger  *slog.Logger   // default slog.Default(); programs' output goes to it at level debug
	Devices string         // CUDA_VISIBLE_DEVICES of programs; "" shows them none
}

// Open reads a model, verified, and makes it ready to answer. For one of model.KindServed that means to start its
// program and to wait until it is ready; ctx bounds this, not the program's life. A program that is not allowed, ends or
// does not become ready gives a *StartError.
func (l *Loader) Open(ctx context.Context, ref artifact.Ref) (Model, error) {
	m, err := l.open(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("open model %s: %w", ref.Digest.Short(), err)
	}
	return m, nil
}

func (l *Loader) open(ctx context.Context, ref artifact.Ref) (Model, error) {
	if ref.MediaType != artifact.MediaModel {
		return nil, fmt.Errorf("its media type is %q; expected %q", ref.MediaType, artifact.MediaModel)
	}
	b, err := artifact.ReadAll(ctx, l.Store, ref)
	if err != nil {
		return nil, err
	}
	kind, err := model.KindOf(b)
	if err != nil {
		return nil, err
	}
	if kind != model.KindServed {
		p, err := model.Decode(b)
		if err != nil {
			return nil, err
		}
		return inProcess{p}, nil
	}
	served, err := model.DecodeServed(b)
	if err != nil {
		return nil, err
	}
	return l.serve(ctx, ref, served)
}

// inProcess is a model that needs no program.
type inProcess struct{ model.Predictor }

func (inProcess) Close() error         { return nil }
func (inProcess) Usage() program.Usage { return program.Usage{} }
func (inProcess) Restarts() int        { return 0 }
func (inProcess) Failed() error        { return nil }

// Unwrap is the model itself, which some explanations look into.
func (m inProcess) Unwrap() model.Predictor { return m.Predictor }

// settings are those of a spec with its defaults filled in.
type settings struct {
	spec.Serve
	positive    int
	readyWithin time.Duration
	timeLimit   time.Duration
}

func settingsOf(s spec.Serve) (settings, error) {
	s.Format = cmp.Or(s.Format, spec.ServeCSV)
	s.BatchRows = cmp.Or(s.BatchRows, 1000)
	s.InFlight = cmp.Or(s.InFlight, 2)
	set := settings{
		Serve: s, positive: 1,
		readyWithin: cmp.Or(time.Duration(s.ReadyWithin), 2*time.Minute),
		timeLimit:   cmp.Or(time.Duration(s.TimeLimit), time.Minute),
	}
	if s.PositiveIndex != nil {
		set.positive = *s.PositiveIndex
	}
	switch {
	case encoders[s.Format] == nil:
		return set, fmt.Errorf("serve.format is %q; expected csv, csv_no_header, dataframe_split, dataframe_records or instances", s.Format)
	case set.positive < 0 || s.BatchRows < 1 || s.InFlight < 1 || set.readyWithin < 0 || set.timeLimit < 0:
		return set, errors.New("serve: positive_index, batch_rows, in_flight, ready_within and time_limit must not be negative")
	}
	return set, nil
}

func (l *Loader) logger() *slog.Logger {
	if l.Logger == nil {
		return slog.Default()
	}
	return l.Logger
}

func (l *Loader) scratch() (string, error) {
	return filepath.Abs(cmp.Or(l.Scratch, filepath.Join(os.TempDir(), fmt.Sprintf("assay-%d", os.Getuid()))))
}

// firstBytes is what of a body an error may show: at most n bytes of valid UTF-8 on one line.
func firstBytes(b []byte, n int) string {
	if len(b) > n {
		b = b[:n]
	}
	return string(bytes.Join(bytes.Fields(bytes.ToValidUTF8(b, nil)), []byte(" ")))
}
