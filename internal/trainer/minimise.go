package trainer

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// minimum is where the optimiser stopped.
type minimum struct {
	x            []float64
	objective    float64
	gradientNorm float64
	iterations   int
	converged    bool
	why          string // when not converged
}

// minimise runs L-BFGS (Nocedal & Wright, Numerical Optimization, 2nd ed., section 7.2) until the gradient's largest
// entry is below tolerance. Rounding can make a line search fail near the minimum; the method then starts
// again from there with a fresh memory, as long as that still lowers the objective.
func minimise(ctx context.Context, o *objective, maxIterations int, tolerance float64, progress func(Progress)) (minimum, error) {
	m := minimum{x: o.start()}
	o.evaluate(m.x)
	m.objective, m.gradientNorm = o.value, floats.Norm(o.slope, math.Inf(1))
	report(progress, m)
	for m.gradientNorm >= tolerance && m.iterations < maxIterations {
		next, err := descend(ctx, o, m, maxIterations, tolerance, progress)
		if err != nil {
			return minimum{}, err
		}
		stuck := next.objective >= m.objective
		if next.objective <= m.objective {
			m = next
		}
		if stuck {
			break
		}
	}
	m.converged = m.gradientNorm < tolerance
	switch {
	case m.converged:
	case m.iterations >= maxIterations:
		m.why = fmt.Sprintf("the limit of %d iterations was reached", maxIterations)
	default:
		m.why = "the objective could not be lowered further in double precision"
	}
	return m, nil
}

// descend is one run of L-BFGS from m.
func descend(ctx context.Context, o *objective, m minimum, maxIterations int, tolerance float64, progress func(Progress)) (minimum, error) {
	problem := optimize.Problem{
		Func: func(x []float64) float64 { o.evaluate(x); return o.value },
		Grad: func(grad, x []float64) { o.evaluate(x); copy(grad, o.slope) },
		Status: func() (optimize.Status, error) {
			if err := ctx.Err(); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}
	settings := &optimize.Settings{
		GradientThreshold: tolerance,
		MajorIterations:   maxIterations - m.iterations + 1, // gonum counts the starting point
		Converger:         optimize.NeverTerminate{},
		Recorder:          &recorder{from: m, progress: progress},
	}
	result, err := optimize.Minimize(problem, m.x, settings, &optimize.LBFGS{
		Linesearcher:      &optimize.MoreThuente{},
		GradStopThreshold: math.NaN(),
	})
	if ctx.Err() != nil {
		return minimum{}, fmt.Errorf("train: stopped: %w", ctx.Err())
	}
	if result == nil {
		return minimum{}, fmt.Errorf("train: %w", err)
	}
	// A failed line search comes as err with the best point so far; its gradient decides whether that is good enough.
	next := minimum{x: result.X, iterations: m.iterations + result.Stats.MajorIterations - 1}
	o.evaluate(next.x)
	next.objective, next.gradientNorm = o.value, floats.Norm(o.slope, math.Inf(1))
	if result.Status != optimize.Failure {
		report(progress, next) // the recorder does not see the last iteration
	}
	return next, nil
}

// recorder passes iterations on while the optimiser runs.
type recorder struct {
	from     minimum
	progress func(Progress)
	count    int
}

func (r *recorder) Init() error { return nil }

func (r *recorder) Record(at *optimize.Location, op optimize.Operation, _ *optimize.Stats) error {
	if op != optimize.MajorIteration {
		return nil
	}
	if r.count > 0 { // the first is the starting point, reported already
		report(r.progress, minimum{
			iterations:   r.from.iterations + r.count,
			objective:    at.F,
			gradientNorm: floats.Norm(at.Gradient, math.Inf(1)),
		})
	}
	r.count++
	return nil
}

func report(progress func(Progress), m minimum) {
	if progress != nil {
		progress(Progress{Iteration: m.iterations, Objective: m.objective, GradientNorm: m.gradientNorm})
	}
}
