package search

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/spec"
)

// Bounds of a search. They keep a snapshot small enough to be a Temporal payload.
const (
	MostTrials     = 100_000 // of one search; also the bound where a sweep gives only hours
	MostParallel   = 64
	MostParameters = 20
	mostValues     = 10_000 // of one parameter, listed or on a grid
	mostWhole      = 1e15   // integers up to here are written without an exponent, and float64 holds them all
)

// What a sweep may leave out.
const (
	defaultParallel = 2
	defaultFirst    = 1
	defaultFactor   = 3
)

var methods = []string{spec.SweepGrid, spec.SweepRandom, spec.SweepSobol, spec.SweepLatinHypercube, spec.SweepTPE, spec.SweepASHA}

// Problem is why a sweep cannot be searched.
type Problem struct {
	Field    string // e.g. train.sweep.parameters.lr
	Found    string // what stands there
	Expected string // what should stand there, or what to do
}

// Error is the problem on one line.
func (p *Problem) Error() string { return p.Field + ": " + p.Found + "; " + p.Expected }

// Check finds the first thing in a sweep that New refuses: a *Problem, or nil.
func Check(s spec.Sweep) error {
	for _, check := range []func(spec.Sweep) *Problem{checkMethod, checkBudget, checkParameters, checkEarlyStop, checkGrid} {
		if p := check(s); p != nil {
			return p
		}
	}
	return nil
}

func problem(field, found, expected string) *Problem {
	if field != "" {
		field = "." + field
	}
	return &Problem{Field: "train.sweep" + field, Found: found, Expected: expected}
}

func checkMethod(s spec.Sweep) *Problem {
	switch {
	case s.Method == "":
		return problem("method", "found no method", "expected one of "+strings.Join(methods, ", "))
	case !slices.Contains(methods, s.Method):
		return problem("method", fmt.Sprintf("found %q", s.Method), "expected one of "+strings.Join(methods, ", "))
	case s.Goal != "" && s.Goal != spec.SweepMaximize && s.Goal != spec.SweepMinimize:
		return problem("goal", fmt.Sprintf("found %q", s.Goal), "expected maximize or minimize")
	}
	return nil
}

func checkBudget(s spec.Sweep) *Problem {
	switch {
	case s.Trials < 0 || s.Trials > MostTrials:
		return problem("trials", fmt.Sprintf("found %d", s.Trials), fmt.Sprintf("expected a number from 1 to %d", MostTrials))
	case !amount(s.Hours):
		return problem("hours", fmt.Sprintf("found %v", s.Hours), "expected a number of hours above 0")
	case !amount(s.GPUHours):
		return problem("gpu_hours", fmt.Sprintf("found %v", s.GPUHours), "expected a number of hours above 0")
	case s.Parallel < 0 || s.Parallel > MostParallel:
		return problem("parallel", fmt.Sprintf("found %d", s.Parallel), fmt.Sprintf("expected a number from 1 to %d", MostParallel))
	case s.Method == spec.SweepLatinHypercube && s.Trials == 0:
		return problem("trials", "found no number of trials with method: latin_hypercube", "give trials: the hypercube has as many strata; or write method: sobol, which can end anywhere")
	case s.Method != spec.SweepGrid && s.Trials == 0 && s.Hours == 0 && s.GPUHours == 0:
		return problem("", "found no budget", "give trials, hours or gpu_hours: something must end the search")
	}
	return nil
}

// amount accepts 0, which stands for a field left out.
func amount(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }

func checkParameters(s spec.Sweep) *Problem {
	switch {
	case len(s.Parameters) == 0:
		return problem("parameters", "found no parameters", "name at least one, as in lr: {min: 0.0001, max: 0.1, scale: log}")
	case len(s.Parameters) > MostParameters:
		return problem("parameters", fmt.Sprintf("found %d parameters", len(s.Parameters)), fmt.Sprintf("expected at most %d: fix the others under train.parameters", MostParameters))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		if strings.TrimSpace(name) == "" {
			return problem("parameters", "found a parameter without a name", "name it as the trainer does")
		}
		found, expected := checkRange(s.Parameters[name], s.Method == spec.SweepGrid)
		if found != "" {
			return problem("parameters."+name, found, expected)
		}
	}
	return nil
}

func checkRange(r spec.SweepRange, isGrid bool) (found, expected string) {
	switch {
	case len(r.Values) > 0 && (r.Min != nil || r.Max != nil):
		return "found values beside min or max", "give one or the other"
	case len(r.Values) > 0:
		return checkValues(r)
	case r.Min == nil && r.Max == nil:
		return "found no values", "give values: [...], or min and max"
	case r.Min == nil:
		return "found max without min", "give both"
	case r.Max == nil:
		return "found min without max", "give both"
	case !finite(*r.Min) || !finite(*r.Max) || !finite(*r.Max-*r.Min):
		return fmt.Sprintf("found a range from %v to %v", *r.Min, *r.Max), "expected finite numbers whose difference is finite"
	case r.Scale != "" && r.Scale != spec.ScaleLinear && r.Scale != spec.ScaleLog:
		return fmt.Sprintf("found scale %q", r.Scale), "expected linear or log"
	case *r.Min > *r.Max:
		return fmt.Sprintf("found min %s above max %s", number(*r.Min), number(*r.Max)), "exchange them"
	case *r.Min == *r.Max:
		return "found min and max both " + number(*r.Min), "give a wider range, or set the value under train.parameters"
	case r.Scale == spec.ScaleLog && *r.Min <= 0:
		return "found scale log with min " + number(*r.Min), "expected min above 0, or scale: linear"
	}
	if found, expected = checkInteger(r, isGrid); found != "" {
		return found, expected
	}
	return checkPoints(r, isGrid)
}

func checkValues(r spec.SweepRange) (found, expected string) {
	switch {
	case r.Scale != "":
		return "found a scale beside values", "leave it out: it is for min and max"
	case r.Integer:
		return "found integer beside values", "leave it out: it is for min and max"
	case r.Points != 0:
		return "found points beside values", "leave it out: it is for min and max"
	case len(r.Values) > mostValues:
		return fmt.Sprintf("found %d values", len(r.Values)), fmt.Sprintf("expected at most %d", mostValues)
	}
	seen := make(map[spec.Value]bool, len(r.Values))
	for _, v := range r.Values {
		if seen[v] {
			return fmt.Sprintf("found the value %q twice", v), "expected different values"
		}
		seen[v] = true
	}
	return "", ""
}

func checkInteger(r spec.SweepRange, isGrid bool) (found, expected string) {
	if !r.Integer {
		return "", ""
	}
	low, high := math.Ceil(*r.Min), math.Floor(*r.Max)
	switch {
	case low < -mostWhole || high > mostWhole:
		return fmt.Sprintf("found integers from %s to %s", number(*r.Min), number(*r.Max)), "expected whole numbers from -1e15 to 1e15"
	case low > high:
		return fmt.Sprintf("found no whole number between %s and %s", number(*r.Min), number(*r.Max)), "give a wider range, or leave integer out"
	case isGrid && r.Points == 0 && high-low >= mostValues:
		return fmt.Sprintf("found %.0f integers on a grid", high-low+1), fmt.Sprintf("give points: how many of them to try, at most %d", mostValues)
	}
	return "", ""
}

func checkPoints(r spec.SweepRange, isGrid bool) (found, expected string) {
	switch {
	case !isGrid && r.Points != 0:
		return "found points with another method than grid", "leave points out, or write method: grid"
	case isGrid && !r.Integer && r.Points == 0:
		return "found a continuous range without points on a grid", "give points: how many values between min and max; or values: [...]"
	case r.Points < 0 || r.Points > mostValues:
		return fmt.Sprintf("found %d points", r.Points), fmt.Sprintf("expected a number from 1 to %d", mostValues)
	}
	return "", ""
}

func checkEarlyStop(s spec.Sweep) *Problem {
	e := s.EarlyStop
	switch {
	case e == nil:
		return nil
	case s.Method == spec.SweepGrid:
		return problem("early_stop", "found early_stop with method: grid", "leave it out, or write method: random or sobol: neighbours on a grid follow each other, so that a trial cannot be compared with those before it")
	case e.First < 0 || e.First > maxFirst:
		return problem("early_stop.first", fmt.Sprintf("found %d", e.First), fmt.Sprintf("expected a whole number from 1 to %d", maxFirst))
	case e.Factor < 0 || e.Factor == 1 || e.Factor > maxFactor:
		return problem("early_stop.factor", fmt.Sprintf("found %d", e.Factor), fmt.Sprintf("expected a whole number from 2 to %d", maxFactor))
	}
	return nil
}

const (
	maxFirst  = 1_000_000_000
	maxFactor = 1000
)

// checkGrid comes last: a grid can be laid out only over sound ranges.
func checkGrid(s spec.Sweep) *Problem {
	if s.Method != spec.SweepGrid || s.Trials > 0 {
		return nil
	}
	if newGrid(newSpace(s.Parameters), s.Parameters).size(MostTrials+1) > MostTrials {
		return problem("parameters", fmt.Sprintf("found a grid of more than %d points", MostTrials), "give fewer points or values, or method: sobol with trials")
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// withDefaults needs a sweep that Check accepts.
func withDefaults(s spec.Sweep) spec.Sweep {
	if s.Goal == "" {
		s.Goal = spec.SweepMaximize
	}
	if s.Parallel == 0 {
		s.Parallel = defaultParallel
	}
	if s.EarlyStop == nil && s.Method != spec.SweepASHA {
		return s
	}
	var e spec.EarlyStop
	if s.EarlyStop != nil {
		e = *s.EarlyStop
	}
	if e.First == 0 {
		e.First = defaultFirst
	}
	if e.Factor == 0 {
		e.Factor = defaultFactor
	}
	s.EarlyStop = &e
	return s
}
