package spec

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Bounds of a sweep, within which its state stays small.
const (
	mostTrials     = 100_000 // a grid counts all its combinations
	mostParameters = 20
	mostValues     = 10_000 // of one parameter, listed or on a grid
	mostWhole      = 1e15   // whole numbers below have 15 digits, which every program keeps
)

// checkSweep finds contradictions within a search, and between it and the trainer.
func (d *decoder) checkSweep(s *Spec) {
	const path = "train.sweep"
	w := s.Train.Sweep
	grid := w.Method == SweepGrid
	if ends := d.given(path+".trials") || d.given(path+".hours") || d.given(path+".gpu_hours"); !ends && !grid {
		d.complain(path+".trials", "found a sweep without an end", "give trials, hours or gpu_hours, as in trials: 50")
	}
	if w.GPUHours > 0 && s.Train.Queue != "gpu" {
		d.complain(path+".gpu_hours", "found gpu_hours without queue: gpu", "write queue: gpu, or give hours in their place")
	}
	if w.EarlyStop != nil && grid {
		d.complain(path+".early_stop", "found early_stop with method: grid", "leave it out, since a grid tries everything; or write method: asha")
	}
	if early := w.EarlyStop != nil || w.Method == SweepASHA; early && s.Train.Trainer == TrainerLogistic {
		at, found := path+".early_stop", "found early_stop with trainer: logistic"
		if w.EarlyStop == nil {
			at, found = path+".method", "found method: asha with trainer: logistic"
		}
		d.complain(at, found, "the logistic trainer reports its metric once, at its end, so that there is nothing to stop: write method: random, sobol or tpe without early_stop")
	}
	if w.Method == SweepLatinHypercube {
		if ends := d.given(path+".hours") || d.given(path+".gpu_hours"); ends && !d.given(path+".trials") {
			d.complain(path+".trials", "found method: latin_hypercube without trials", "give trials, since a hypercube has as many strata; or write method: sobol, which can end anywhere")
		}
	}
	if n := len(w.Parameters); n > mostParameters {
		d.complain(path+".parameters", fmt.Sprintf("found %d parameters", n), fmt.Sprintf("expected at most %d: keep the others in train.parameters", mostParameters))
		return
	}
	for _, name := range slices.Sorted(maps.Keys(w.Parameters)) {
		d.checkRangeOf(w.Parameters[name], join(path+".parameters", name), w.Method)
	}
	if size := w.combinations(); grid && size > mostTrials {
		d.complain(path+".parameters", fmt.Sprintf("found a grid of %.6g combinations", size), fmt.Sprintf("expected at most %d; give fewer points or values, or write method: sobol", mostTrials))
	}
	if s.Train.Trainer == TrainerLogistic {
		d.checkLogisticSweep(s)
	}
}

// checkRangeOf checks what one parameter of a sweep may be.
func (d *decoder) checkRangeOf(r SweepRange, path, method string) {
	if d.known(path) {
		return
	}
	switch ends := r.Min != nil || r.Max != nil; {
	case !ends && r.Values == nil:
		d.complain(path, "found neither min and max nor values", "expected {min: 0.001, max: 0.1} or {values: [16, 32]}")
	case ends && r.Values != nil:
		d.complain(path, "found values beside min or max", "expected one or the other")
	case r.Values != nil:
		d.checkValues(r, path)
	case r.Max == nil:
		d.complain(path, "found min without max", "expected both ends of the range")
	case r.Min == nil:
		d.complain(path, "found max without min", "expected both ends of the range")
	default:
		d.checkEnds(r, path, method)
	}
}

func (d *decoder) checkValues(r SweepRange, path string) {
	for _, misplaced := range []struct {
		key   string
		given bool
	}{{"scale", r.Scale != ""}, {"integer", r.Integer}, {"points", r.Points != 0}} {
		if misplaced.given {
			d.complain(join(path, misplaced.key), fmt.Sprintf("found %s beside values", misplaced.key), "leave it out: the values stand as they are")
		}
	}
	if n := len(r.Values); n > mostValues {
		d.complain(join(path, "values"), fmt.Sprintf("found %d values", n), fmt.Sprintf("expected at most %d", mostValues))
		return
	}
	seen := map[string]bool{} // as arguments, since the program is given nothing else
	for i, v := range r.Values {
		if at := index(join(path, "values"), i); seen[v.String()] {
			d.complain(at, d.nodes[at].describe()+" a second time", "expected every value once")
		}
		seen[v.String()] = true
	}
}

func (d *decoder) checkEnds(r SweepRange, path, method string) {
	low, high := *r.Min, *r.Max
	switch {
	case low > high:
		d.complain(path, fmt.Sprintf("found a reversed range: min %.15g above max %.15g", low, high), "expected min below max")
	case low == high:
		d.complain(path, fmt.Sprintf("found min and max both %.15g", low), "expected min below max; a parameter that does not change belongs in train.parameters")
	case math.IsInf(high-low, 0):
		d.complain(path, fmt.Sprintf("found a range from %.6g to %.6g", low, high), "expected a width below 1.8e308")
	}
	if r.Scale == ScaleLog && low <= 0 {
		d.complain(join(path, "min"), fmt.Sprintf("found min %.15g with scale: log", low), "expected min above 0, or scale: linear")
	}
	for _, end := range []struct {
		key   string
		value float64
	}{{"min", low}, {"max", high}} {
		if r.Integer && (end.value != math.Trunc(end.value) || math.Abs(end.value) >= mostWhole) {
			d.complain(join(path, end.key), fmt.Sprintf("found %s %.15g with integer: true", end.key, end.value), "expected a whole number of at most 15 digits")
		}
	}
	switch {
	case method == "": // a problem already
	case method == SweepGrid && !r.Integer && r.Points == 0:
		d.complain(path, "found a range without points with method: grid", "give points, how many values to try from min to max, or values")
	case method == SweepGrid && r.Points == 0 && high-low >= mostValues:
		d.complain(path, fmt.Sprintf("found %.6g whole numbers with method: grid", high-low+1), fmt.Sprintf("give points, how many of them to try, at most %d", mostValues))
	case method != SweepGrid && r.Points != 0:
		d.complain(join(path, "points"), "found points with method: "+method, "leave it out: only a grid has points")
	}
}

// combinations is how many trials a grid has at most.
func (w *Sweep) combinations() float64 {
	size := 1.0
	for _, r := range w.Parameters {
		size *= r.count()
	}
	return size
}

func (r SweepRange) count() float64 {
	switch {
	case r.Values != nil:
		return float64(len(r.Values))
	case r.Points > 0:
		return float64(r.Points)
	case r.Integer && r.Min != nil && r.Max != nil:
		return max(*r.Max-*r.Min+1, 1)
	}
	return 1
}
