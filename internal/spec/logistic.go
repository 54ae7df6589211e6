package spec

import (
	"fmt"
	"github.com/assay-ml/assay/internal/spelling"
	"maps"
	"math"
	"slices"
	"strings"
)

// Parameters of the logistic trainer.
const (
	ParameterL2            = "l2"             // penalty strength, at least 0
	ParameterMaxIterations = "max_iterations" // whole number, at least 1
	ParameterTolerance     = "tolerance"      // of the gradient's largest entry per example, above 0
)

// parameterRule is what a built-in trainer takes under one name.
type parameterRule struct {
	name  string
	whole bool
	rule
}

// logisticRules holds a row for every parameter of the logistic trainer, with its default.
var logisticRules = []parameterRule{
	{name: ParameterL2, rule: number("", "Strength of the L2 penalty on standardised features; 0 for none.", 0, infinity).otherwise(1.0)},
	{name: ParameterMaxIterations, whole: true, rule: number("", "Most iterations of L-BFGS.", 1, 1e6).otherwise(1000.0)},
	{name: ParameterTolerance, rule: aboveZero("", "Stop when the largest entry of the gradient, per example, is below this.", 1).otherwise(1e-7)},
}

// logisticMetrics are what a sweep of the logistic trainer can go by, all measured on the validation rows.
var logisticMetrics = []string{"validation_auc", "validation_accuracy", "validation_log_loss", "validation_brier"}

// logisticLosses are those of which less is better.
var logisticLosses = logisticMetrics[2:]

// withLogisticDefaults is a copy of p in which every parameter of the logistic trainer has a value.
func (p Parameters) withLogisticDefaults() Parameters {
	out := Parameters{}
	for _, r := range logisticRules {
		out[r.name] = Number(r.standard.(float64))
	}
	maps.Copy(out, p)
	return out
}

func logisticRule(name string) (parameterRule, bool) {
	i := slices.IndexFunc(logisticRules, func(r parameterRule) bool { return r.name == name })
	if i < 0 {
		return parameterRule{}, false
	}
	return logisticRules[i], true
}

// takes reports whether v may be the parameter's value.
func (r parameterRule) takes(v Value) bool {
	f, ok := v.Float()
	return ok && f >= r.least && f <= r.most && (!r.above || f > r.least) && (!r.whole || f == math.Trunc(f))
}

func (r parameterRule) expected() string {
	if r.whole {
		return "expected " + r.accepts("a whole number")
	}
	return "expected " + r.accepts("a number")
}

// checkLogistic compares the parameters with what the logistic trainer takes.
func (d *decoder) checkLogistic(p Parameters) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		path := join("train.parameters", name)
		if r, ok := logisticRule(name); !ok {
			d.noParameter(path, name)
		} else if !r.takes(p[name]) {
			d.complain(path, d.nodes[path].describe(), r.expected())
		}
	}
}

// noParameter explains a name that the logistic trainer has no parameter for.
func (d *decoder) noParameter(path, name string) {
	if len(d.problems) >= maxProblems || d.known(path) {
		return
	}
	names := make([]string, len(logisticRules))
	for i, r := range logisticRules {
		names[i] = r.name
	}
	expected := "expected one of " + strings.Join(names, ", ")
	if near, ok := spelling.Nearest(name, names); ok {
		expected = fmt.Sprintf("did you mean %q?", near)
	}
	d.complainAlways(path, d.names[path], fmt.Sprintf("the logistic trainer has no parameter %q", name), expected)
}

// checkLogisticSweep compares a search with what the logistic trainer takes and reports.
func (d *decoder) checkLogisticSweep(s *Spec) {
	w := s.Train.Sweep
	for _, name := range slices.Sorted(maps.Keys(w.Parameters)) {
		path := join("train.sweep.parameters", name)
		r, ok := logisticRule(name)
		if !ok {
			d.noParameter(path, name)
			continue
		}
		d.checkLogisticRange(r, w.Parameters[name], path)
	}
	switch losing := slices.Contains(logisticLosses, w.Metric); {
	case w.Metric == "": // a problem already
	case !slices.Contains(logisticMetrics, w.Metric):
		expected := "expected one of " + strings.Join(logisticMetrics, ", ")
		if near, ok := spelling.Nearest(w.Metric, logisticMetrics); ok {
			expected += fmt.Sprintf("; did you mean %q?", near)
		}
		d.complain("train.sweep.metric", d.nodes["train.sweep.metric"].describe()+", which the logistic trainer does not report", expected)
	case losing && w.Goal != SweepMinimize:
		d.complain("train.sweep.goal", "found the goal to maximize "+w.Metric, "write goal: minimize: of a loss, less is better")
	case !losing && w.Goal == SweepMinimize:
		d.complain("train.sweep.goal", "found the goal to minimize "+w.Metric, "write goal: maximize: more of it is better")
	}
	if s.Data.Split.Validation == 0 {
		d.complain("data.split.validation", "found no validation rows, by which a sweep compares its trials", "give a validation share above 0, such as 0.2")
	}
}

func (d *decoder) checkLogisticRange(p parameterRule, r SweepRange, path string) {
	for i, v := range r.Values {
		if at := index(path+".values", i); !p.takes(v) {
			d.complain(at, d.nodes[at].describe(), p.expected())
		}
	}
	if p.whole && !r.Integer && (r.Min != nil || r.Max != nil) {
		d.complain(path, "found a range with fractions", "add integer: true: "+p.name+" is a whole number")
	}
	for _, end := range []struct {
		key   string
		value *float64
	}{{"min", r.Min}, {"max", r.Max}} {
		if at := join(path, end.key); end.value != nil && !p.takes(Number(*end.value)) {
			d.complain(at, d.nodes[at].describe(), p.expected())
		}
	}
}
