package gate

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

// Scope is a place in the spec where conditions stand.
type Scope string

const (
	ScopeGate    Scope = "gate"    // gates.conditions: on a candidate before people are asked
	ScopeRollout Scope = "rollout" // rollout.abort: on live traffic during the canary
)

// Metrics that are measured of the whole model. Latencies are of single requests.
const (
	ErrorRate       = "error_rate"        // ScopeRollout: share of requests the candidate failed to answer during the canary
	LatencyMean     = "latency_mean_ms"   // ScopeRollout: mean time of the candidate's answers, in milliseconds
	LatencyP50      = "latency_p50_ms"    // time within which half of the requests are answered, in milliseconds
	LatencyP95      = "latency_p95_ms"    // likewise of 95 in 100
	LatencyP99      = "latency_p99_ms"    // likewise of 99 in 100
	TrainCPUSeconds = "train_cpu_seconds" // processor time of the training
	TrainGPUSeconds = "train_gpu_seconds" // time accelerators were held by the training, summed over them
	ModelBytes      = "model_bytes"       // size of the model's artifact
)

// Subject is what a metric is computed on, hence what may stand in brackets behind its name.
type Subject string

const (
	OfRows  Subject = "rows"  // all rows, or those that have some values: recall, recall[sex=Female*race=Black]
	OfGaps  Subject = "gaps"  // all groups of columns, compared: demographic_parity_difference[sex]
	OfTable Subject = "table" // a number of the whole: k_anonymity
)

// Kind is the sort of number a metric is, hence which bounds on its error there are.
type Kind string

const (
	Share   Kind = "share"   // of rows: between 0 and 1, each row counting for 0 or 1
	Mean    Kind = "mean"    // over rows of a number each, which lies in the metric's range
	Other   Kind = "other"   // estimated in another way
	Counted Kind = "counted" // of what is at hand: nothing is left to chance
)

// Metric is what the language knows of a metric.
type Metric struct {
	Name     string
	Scope    Scope
	Subject  Subject
	Kind     Kind
	tasks    map[stats.Task]form // whose models have it; nil: all, in the same form
	ranges   map[stats.Task]span // where a task's differs from usual
	usual    span
	newModel bool // of the candidate alone, or of the data: there is no old one
}

// form is how a metric is named for a task.
type form int

const (
	whole   form = 1 << iota // recall
	byClass                  // recall(setosa)
)

// span is a range of values.
type span struct{ least, most float64 }

var (
	unit        = span{0, 1}
	correlation = span{-1, 1}
	positive    = span{0, math.Inf(1)}
	anything    = span{math.Inf(-1), math.Inf(1)}
)

// Range is the least and the greatest value the metric can have for a task, infinite where there is none; for the task "" over
// all tasks.
func (m Metric) Range(task stats.Task) (least, most float64) {
	s := m.usual
	if r, ok := m.ranges[task]; ok {
		s = r
	}
	if task == "" {
		for _, each := range []stats.Task{stats.Binary, stats.Multiclass, stats.Regression} { // in a fixed order: workflows read conditions too
			if r, ok := m.ranges[each]; ok {
				s.least, s.most = min(s.least, r.least), max(s.most, r.most)
			}
		}
	}
	return s.least, s.most
}

// PerClass reports whether the metric has a form for one class of several.
func (m Metric) PerClass() bool { return m.tasks[stats.Multiclass]&byClass != 0 }

// has reports whether models of the task have the metric in the form.
func (m Metric) has(task stats.Task, f form) bool {
	if m.tasks == nil {
		return f == whole
	}
	return m.tasks[task]&f != 0
}

var metrics = catalogue()

var metricNamed = func() map[string]Metric {
	m := make(map[string]Metric, len(metrics))
	for _, metric := range metrics {
		m[metric.Name] = metric
	}
	return m
}()

func catalogue() []Metric {
	var all []Metric
	for _, name := range stats.MetricNames() {
		all = append(all, classification(name))
	}
	several := map[stats.Task]form{stats.Multiclass: whole}
	classes := map[stats.Task]form{stats.Binary: whole, stats.Multiclass: whole}
	number := map[stats.Task]form{stats.Regression: whole}

	all = append(all, Metric{Name: stats.Disagreement, Scope: ScopeGate, Subject: OfRows, Kind: Share, tasks: classes, usual: unit})
	for _, name := range []string{stats.PrecisionMacro, stats.RecallMacro, stats.F1Macro, stats.F1Weighted, stats.AUCMacro} {
		all = append(all, Metric{Name: name, Scope: ScopeGate, Subject: OfRows, Kind: Other, tasks: several, usual: unit})
	}
	all = append(all,
		Metric{Name: stats.Top2Accuracy, Scope: ScopeGate, Subject: OfRows, Kind: Share, tasks: several, usual: unit},
		Metric{Name: stats.Kappa, Scope: ScopeGate, Subject: OfRows, Kind: Other, tasks: several, usual: correlation},
		Metric{Name: stats.RMSE, Scope: ScopeGate, Subject: OfRows, Kind: Other, tasks: number, usual: positive},
		Metric{Name: stats.MAE, Scope: ScopeGate, Subject: OfRows, Kind: Mean, tasks: number, usual: positive},
		Metric{Name: stats.R2, Scope: ScopeGate, Subject: OfRows, Kind: Other, tasks: number, usual: span{math.Inf(-1), 1}},
		Metric{Name: stats.MeanError, Scope: ScopeGate, Subject: OfRows, Kind: Mean, tasks: number, usual: anything},
	)
	for _, name := range fairness.GapNames() {
		all = append(all, Metric{Name: name, Scope: ScopeGate, Subject: OfGaps, Kind: Other, tasks: gapsOf(name), usual: unit})
	}
	for _, name := range append(privacy.ExaminedMetricNames(), privacy.MetricPersonalColumns) {
		m := Metric{Name: name, Scope: ScopeGate, Subject: OfTable, Kind: Counted, usual: positive, newModel: true}
		if name == privacy.MetricUniqueShare || name == privacy.MetricTCloseness {
			m.usual = unit
		}
		all = append(all, m)
	}
	for _, name := range []string{LatencyP50, LatencyP95, LatencyP99} {
		all = append(all, Metric{Name: name, Scope: ScopeGate, Subject: OfTable, Kind: Other, usual: positive})
	}
	for _, name := range []string{TrainCPUSeconds, TrainGPUSeconds, ModelBytes} {
		all = append(all, Metric{Name: name, Scope: ScopeGate, Subject: OfTable, Kind: Counted, usual: positive})
	}
	return append(all,
		Metric{Name: ErrorRate, Scope: ScopeRollout, Subject: OfTable, Kind: Share, usual: unit, newModel: true},
		Metric{Name: LatencyMean, Scope: ScopeRollout, Subject: OfTable, Kind: Mean, usual: positive, newModel: true},
	)
}

// gapsOf says which models have a gap: of a model that tells several classes apart, each class has its own, but for the gap of
// its accuracy.
func gapsOf(name string) map[stats.Task]form {
	if name == fairness.AccuracyDifference || name == fairness.AccuracyRatio {
		return map[stats.Task]form{stats.Binary: whole, stats.Multiclass: whole}
	}
	return map[stats.Task]form{stats.Binary: whole, stats.Multiclass: byClass}
}

// classification is a metric that binary classifiers have.
func classification(name string) Metric {
	m := Metric{Name: name, Scope: ScopeGate, Subject: OfRows, Kind: Other, usual: unit, tasks: map[stats.Task]form{stats.Binary: whole, stats.Multiclass: whole}}
	switch name {
	case stats.Accuracy, stats.Precision, stats.Recall, stats.Specificity, stats.SelectionRate, stats.BaseRate, stats.FPR, stats.FNR:
		m.Kind = Share
	case stats.LogLoss:
		m.Kind, m.usual = Mean, positive
	case stats.Brier:
		m.Kind = Mean
		m.ranges = map[stats.Task]span{stats.Multiclass: {0, stats.MostMulticlassBrier}}
	case stats.MCC:
		m.usual = correlation
	}
	switch name {
	case stats.Precision, stats.Recall, stats.F1, stats.Specificity, stats.AreaUnderROC, stats.SelectionRate, stats.BaseRate, stats.FPR, stats.FNR:
		m.tasks[stats.Multiclass] = byClass
	}
	return m
}

// MetricNames lists the metrics a condition may name in the scope.
func MetricNames(scope Scope) []string {
	var names []string
	for _, m := range metrics {
		if m.Scope == scope {
			names = append(names, m.Name)
		}
	}
	return names
}

// TaskMetricNames lists the metrics of models of the task that a condition may name in the scope; those of one class as
// recall(...) when there are several.
func TaskMetricNames(scope Scope, task stats.Task) []string {
	var names []string
	for _, m := range metrics {
		if m.Scope != scope {
			continue
		}
		if m.has(task, whole) {
			names = append(names, m.Name)
		}
		if m.has(task, byClass) {
			names = append(names, m.Name+"(...)")
		}
	}
	return names
}

// FindMetric finds a metric of the language by its name.
func FindMetric(name string) (Metric, bool) {
	m, ok := metricNamed[name]
	return m, ok
}

// Own is a metric of the user's: the mean over the rows of a number for each. With both ends of its range the mean has a bound
// on its error that holds at every number of rows.
type Own struct {
	Name  string   `json:"name"`
	Least *float64 `json:"least,omitempty"` // least number of a row
	Most  *float64 `json:"most,omitempty"`  // greatest number of a row
}

// Check refuses a name that conditions could not use, and a range without numbers in it.
func (o Own) Check() error {
	if !isOwnName(o.Name) {
		return fmt.Errorf("metric %q: the name is not lower-case letters, digits and _ that begin with a letter", o.Name)
	}
	if _, taken := FindMetric(o.Name); taken || slices.Contains(reserved, o.Name) {
		return fmt.Errorf("metric %q: conditions know this name already; give the metric another one", o.Name)
	}
	for _, end := range []*float64{o.Least, o.Most} {
		if end != nil && (math.IsNaN(*end) || math.IsInf(*end, 0)) {
			return fmt.Errorf("metric %q: its range ends at %g; expected a number, or the end left out", o.Name, *end)
		}
	}
	if o.Least != nil && o.Most != nil && !(*o.Least < *o.Most) {
		return fmt.Errorf("metric %q: its range is %g to %g; expected the smaller number first", o.Name, *o.Least, *o.Most)
	}
	return nil
}

// reserved words mean something else in a condition.
var reserved = []string{"n", "o", "d", "new", "old", "and", "or", "not"}

func isOwnName(name string) bool {
	for i := range len(name) {
		b := name[i]
		if !(b >= 'a' && b <= 'z' || i > 0 && (b == '_' || b >= '0' && b <= '9')) {
			return false
		}
	}
	return name != ""
}

func (o Own) metric() Metric {
	m := Metric{Name: o.Name, Scope: ScopeGate, Subject: OfRows, Kind: Mean, usual: anything}
	if o.Least != nil {
		m.usual.least = *o.Least
	}
	if o.Most != nil {
		m.usual.most = *o.Most
	}
	return m
}
