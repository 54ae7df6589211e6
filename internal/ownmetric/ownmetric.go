// Package ownmetric measures with a user's own metric: a program that gives one number for every test row. The metric is
// the mean of these numbers, and conditions are on the mean.
//
// # The program
//
// It runs in a fresh copy of its code folder, under the worker's policy (package program), and finds two paths in its
// environment:
//
//   - ASSAY_ROWS, the rows: a CSV file with a header line. The column "row" numbers them; the others are those of the
//     frame, in its order. A missing value is an empty cell, an empty text is "". Numbers have the fewest digits that read
//     back as the same number, whole ones no point.
//   - ASSAY_VALUES, where it leaves its numbers: a CSV file with the header row,value and every row exactly once, in any
//     order. Cells may be quoted, and blank lines are skipped.
//
// It sees no accelerator: those of the machine are given to trainings. The folder and all in it are removed when the
// program has ended.
package ownmetric

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

// grace is between SIGTERM and SIGKILL: time to remove what the program keeps elsewhere. It has nothing to save.
const grace = 5 * time.Second

// Runner is what a worker measures with.
type Runner struct {
	Store   artifact.Store
	Policy  program.Policy // what programs may do; the zero Policy refuses all
	Scratch string         // folder for working folders; "" is the system's for temporary files
	Logger  *slog.Logger   // default slog.Default(); programs' output goes to it at level debug, as it may hold values of rows
}

// Measure runs m's program over rows and returns its numbers, finite and in [m.Least, m.Most] where these are given: one
// for each row of the frame, in the frame's order. code is the stored folder of the program. The frame has the numeric
// column table.RowColumn, whole and different numbers that name the rows, and whatever the program is to see. Without
// rows no program runs.
//
// When ctx ends, the program gets SIGTERM, then SIGKILL, and the error wraps ctx's cause. What is wrong with the program,
// its answer or the names of the columns gives an *Error. Every other error is one of the store, of the machine or of a
// frame that is none of the above. Usage is what the program took, also when it failed.
func Measure(ctx context.Context, r Runner, m spec.OwnMetric, code artifact.Ref, rows *table.Frame) ([]float64, program.Usage, error) {
	values, usage, err := r.measure(ctx, m, code, rows)
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) && !errors.Is(err, cause) {
		err = cause // stores say only that the context has ended
	}
	if err != nil {
		return nil, usage, fmt.Errorf("measure %q: %w", m.Name, err)
	}
	return values, usage, nil
}

func (r Runner) measure(ctx context.Context, m spec.OwnMetric, code artifact.Ref, rows *table.Frame) ([]float64, program.Usage, error) {
	var none program.Usage
	allowed, err := rangeOf(m)
	if err != nil {
		return nil, none, err
	}
	if len(m.Run) == 0 {
		return nil, none, errors.New("it names no program; expected one in run")
	}
	g, err := gridOf(rows)
	if err != nil {
		return nil, none, err
	}
	if rows.Rows == 0 {
		return []float64{}, none, nil
	}
	l, err := newLayout(r.Scratch)
	if err != nil {
		return nil, none, err
	}
	defer r.remove(l)
	if _, err := artifact.GetFolder(ctx, r.Store, code, l.code); err != nil {
		return nil, none, fmt.Errorf("fetch its code: %w", err)
	}
	path, err := r.Policy.Resolve(m.Run[0], l.code)
	if err != nil {
		return nil, none, refused(err)
	}
	if err := g.writeFile(ctx, l.rows); err != nil {
		return nil, none, fmt.Errorf("write the rows for its program: %w", err)
	}
	usage, err := r.run(ctx, m, path, l)
	if err != nil {
		return nil, usage, err
	}
	values, err := readValues(l.values, g.numbers, allowed)
	return values, usage, err
}

// run runs the program to its end.
func (r Runner) run(ctx context.Context, m spec.OwnMetric, path string, l layout) (program.Usage, error) {
	logger := r.logger().With("metric", m.Name)
	p, err := program.Start(ctx, program.Command{
		Path: path, Args: m.Run[1:], Dir: l.code, Folder: l.root, Policy: r.Policy,
		Env:       program.Environment(r.Policy, l.root, path, environment(m, l)),
		TimeLimit: time.Duration(m.TimeLimit), Grace: grace,
		Output: func(line []byte, truncated bool) {
			if logger.Enabled(ctx, slog.LevelDebug) {
				logger.Debug("metric program: "+strings.ToValidUTF8(string(line), "\uFFFD"), "truncated", truncated)
			}
		},
	})
	if err != nil {
		return program.Usage{}, refused(err)
	}
	usage, err := p.Wait()
	var end *program.End
	switch {
	case err == nil:
		return usage, nil
	case errors.As(err, &end) && end.Kind == program.Stopped && ctx.Err() != nil:
		return usage, fmt.Errorf("its program was stopped: %w", context.Cause(ctx))
	}
	return usage, &Error{Kind: Ended, Err: err}
}

// environment is what the program finds besides the clean environment of package program.
func environment(m spec.OwnMetric, l layout) map[string]string {
	env := map[string]string{"PYTHONUNBUFFERED": "1"} // or the last lines of one that is killed would be lost
	maps.Copy(env, m.Environment)
	env["ASSAY_ROWS"], env["ASSAY_VALUES"], env["CUDA_VISIBLE_DEVICES"] = l.rows, l.values, ""
	return env
}

func (r Runner) logger() *slog.Logger {
	if r.Logger == nil {
		return slog.Default()
	}
	return r.Logger
}

// layout is the working folder of one run.
type layout struct{ root, code, rows, values string }

// newLayout makes the root. The rest is made when it is filled.
func newLayout(scratch string) (layout, error) {
	root, err := filepath.Abs(cmp.Or(scratch, os.TempDir()))
	if err == nil {
		root, err = os.MkdirTemp(root, "assay-metric-")
	}
	if err != nil {
		return layout{}, fmt.Errorf("make a working folder for its program: %w; choose another with --scratch", err)
	}
	return layout{
		root: root, code: filepath.Join(root, "code"),
		rows: filepath.Join(root, "rows.csv"), values: filepath.Join(root, "values.csv"),
	}, nil
}

// remove removes the working folder.
func (r Runner) remove(l layout) {
	if err := program.RemoveFolder(l.root); err != nil {
		r.logger().Warn("the working folder of a metric's program, which holds rows, could not be removed", "folder", l.root, "error", err)
	}
}
