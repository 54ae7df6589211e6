package evaluation

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// DefaultReplicates is how many resamples a measurement rests on that has no formula.
const DefaultReplicates = 2000

// SourceOptions are what measurements need beside the predictions.
type SourceOptions struct {
	Seed       uint64           // of resampling
	Replicates int              // resamples, at least 200; 0 means 2,000
	MinGroup   int              // groups with fewer rows take no part in gaps between groups, and are named; 0: all do
	Ranges     map[string]Range // of the user's own metrics that declare both ends
	New        Figures          // of the candidate
	Old        Figures          // of the champion
}

// Figures are what was measured of a model elsewhere.
type Figures struct {
	Counted   map[string]stats.Estimate // by metric: k_anonymity, model_bytes, ...
	LatencyMS []float64                 // of single requests, in milliseconds, in any order
}

// Source measures the units of conditions from stored predictions. What it counts, sorts and resamples for one unit it keeps, so
// that a unit at another tail, or another unit of the same rows, costs little. It may be used by several goroutines, which
// wait for one another.
type Source struct {
	index   *index
	options SourceOptions

	mu       sync.Mutex
	parts    map[string]located
	columns  map[string][][]int32 // see ofColumn
	measures map[string]measure
	gaps     map[string]*groupCells
}

var _ gate.Source = (*Source)(nil)

// NewSource refuses predictions that Validate refuses, and numbers of a user's own metric outside of the range declared for it,
// naming the row.
func NewSource(p Predictions, opt SourceOptions) (*Source, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if opt.Replicates == 0 {
		opt.Replicates = DefaultReplicates
	}
	if opt.Replicates < stats.MinReplicates {
		return nil, fmt.Errorf("measure predictions: %d resamples; expected at least %d", opt.Replicates, stats.MinReplicates)
	}
	for _, name := range sortedNames(opt.Ranges) {
		if err := p.checkRange(name, opt.Ranges[name]); err != nil {
			return nil, fmt.Errorf("measure predictions: %w", err)
		}
	}
	return newSource(newIndex(p), opt), nil
}

func newSource(x *index, opt SourceOptions) *Source {
	return &Source{
		index: x, options: opt,
		parts: map[string]located{}, columns: map[string][][]int32{}, measures: map[string]measure{},
		gaps: map[string]*groupCells{},
	}
}

func (p Predictions) checkRange(name string, within Range) error {
	if !(within.Least < within.Most) || math.IsInf(within.Least, 0) || math.IsInf(within.Most, 0) {
		return fmt.Errorf("the metric %q has the range %g to %g; expected two finite numbers, the smaller one first", name, within.Least, within.Most)
	}
	for _, own := range []map[string][]float64{p.Own, p.OwnOld} {
		for i, v := range own[name] {
			if v < within.Least || v > within.Most {
				return fmt.Errorf("row %d: the metric %q gives a number outside of its range %g to %g; correct its program, or the range", p.Row[i], name, within.Least, within.Most)
			}
		}
	}
	return nil
}

// Measure gives a unit's interval, which misses the true value with at most the probability tail at each end, in (0, 1); above a
// half it is one half.
//
// Guaranteed at every number of rows: a share (Clopper and Pearson); F1 alone (MethodExactJaccard); the difference of a share
// between two models on the same rows (stats.PairedShare); means of rows within a range (stats.EmpiricalBernstein); latencies
// (stats.QuantileInterval). Others say what they rest on in Assumption. A difference for which there is nothing better is
// that of two intervals at half of the tail each.
//
// Errors: a metric that the task does not have, a column that the predictions do not have, gate.ErrNoChampion where a champion
// is spoken of and there is none. A group without rows is an undefined estimate.
func (s *Source) Measure(u gate.Unit, tail float64) (gate.Measurement, error) {
	if !(tail > 0 && tail < 1) {
		return gate.Measurement{}, fmt.Errorf("measure %s: the tail is %g; expected a probability between 0 and 1", u, tail)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.prepared(u)
	if err != nil {
		return gate.Measurement{}, fmt.Errorf("measure %s: %w", u, err)
	}
	return finite(m(min(tail, 0.5))), nil
}

// finite makes a value that is no number no value.
func finite(m gate.Measurement) gate.Measurement {
	if math.IsNaN(m.Value+m.Low+m.High) || math.IsInf(m.Value, 0) {
		m.Estimate = stats.NoValue(m.Level, m.N, "its computation gave no number")
		m.RowsFor = nil
	}
	return m
}

func (s *Source) prepared(u gate.Unit) (measure, error) {
	key, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	if m, ok := s.measures[string(key)]; ok {
		return m, nil
	}
	m, err := s.unit(u)
	if err != nil {
		return nil, err
	}
	s.measures[string(key)] = m
	return m, nil
}

func (s *Source) unit(u gate.Unit) (measure, error) {
	q, err := s.resolve(u.Quantity)
	if err != nil {
		return nil, err
	}
	if u.Minus == nil {
		return s.single(q)
	}
	minus, err := s.resolve(*u.Minus)
	if err != nil {
		return nil, err
	}
	switch {
	case q.sameBut(minus) && q.Which == gate.New && minus.Which == gate.Old:
		return s.paired(q)
	case q.sameBut(minus) && q.Which == gate.Old && minus.Which == gate.New:
		m, err := s.paired(minus)
		if err != nil {
			return nil, err
		}
		return negated(m), nil
	case q.apart(minus):
		return s.apart(q, minus)
	}
	one, err := s.single(q)
	if err != nil {
		return nil, err
	}
	two, err := s.single(minus)
	if err != nil {
		return nil, err
	}
	return difference(one, two), nil
}

// quantity is one understood: its rows found, its class looked up.
type quantity struct {
	gate.Quantity
	kind   kind
	class  int32 // the one it speaks of: the positive one for a binary task
	wilson bool  // a share's interval is Wilson's, not the exact one
	at     located
}

// sameBut reports whether two quantities differ in the model at most.
func (q quantity) sameBut(other quantity) bool {
	return q.Metric == other.Metric && q.HasClass == other.HasClass && q.class == other.class && q.at.key == other.at.key
}

// apart reports whether two quantities are of the same metric and model on groups that share no row.
func (q quantity) apart(other quantity) bool {
	if q.Metric != other.Metric || q.HasClass != other.HasClass || q.class != other.class || q.Which != other.Which {
		return false
	}
	for _, a := range q.Slice.Parts {
		for _, b := range other.Slice.Parts {
			if a.Column == b.Column && a.HasValue && b.HasValue && a.Value != b.Value {
				return true
			}
		}
	}
	return false
}

func (s *Source) apart(q, minus quantity) (measure, error) {
	one, two := q, minus
	if q.kind == ofShare || q.kind == ofDisagreement || q.kind == ofTop2 {
		one.wilson, two.wilson = true, true // square-and-add takes score intervals
	}
	a, err := s.single(one)
	if err != nil {
		return nil, err
	}
	b, err := s.single(two)
	if err != nil {
		return nil, err
	}
	return independent(a, b), nil
}

func (s *Source) resolve(q gate.Quantity) (quantity, error) {
	out := quantity{Quantity: q, class: 1}
	var err error
	if out.kind, err = s.kindOf(q); err != nil {
		return out, err
	}
	if q.Which != gate.New && q.Which != gate.Old && q.Which != gate.Both {
		return out, fmt.Errorf("whose predictions is %q; expected %s, %s or %s", q.Which, gate.New, gate.Old, gate.Both)
	}
	if (q.Metric == stats.Disagreement) != (q.Which == gate.Both) {
		return out, fmt.Errorf("%s of %s; expected %s of %s only", q.Metric, q.Which, stats.Disagreement, gate.Both)
	}
	if q.Which != gate.New && s.index.Old == nil {
		return out, gate.ErrNoChampion
	}
	if out.class, err = s.classOf(q, out.kind); err != nil {
		return out, err
	}
	out.at, err = s.locate(q.Slice, out.kind)
	return out, err
}

func (s *Source) classOf(q gate.Quantity, k kind) (int32, error) {
	switch multiclass := s.index.Task == stats.Multiclass; {
	case !q.HasClass && multiclass && k.perClass(q.Metric):
		return 0, fmt.Errorf("it is a metric of one class here; name the class, as in %s(%s)", q.Metric, s.index.Classes[0])
	case !q.HasClass:
		return 1, nil
	case !multiclass:
		return 0, fmt.Errorf("it names the class %q; only models of several classes have metrics of a class", q.Class)
	case !k.perClass(q.Metric):
		return 0, fmt.Errorf("it names the class %q, but is of all classes together; leave the class out", q.Class)
	}
	class := slices.Index(s.index.Classes, q.Class)
	if class < 0 {
		return 0, fmt.Errorf("no class %q; the classes are %s%s", q.Class, listed(s.index.Classes), suggestion(q.Class, s.index.Classes))
	}
	return int32(class), nil
}

// located is rows found, or the reason why there are none.
type located struct {
	*part
	key    string
	reason string
}

func (s *Source) locate(slice gate.Slice, k kind) (located, error) {
	if k == ofFigure {
		if len(slice.Parts) > 0 {
			return located{}, fmt.Errorf("it is of the whole model; leave out what is in brackets")
		}
		return located{}, nil
	}
	var key strings.Builder
	parts := slices.SortedFunc(slices.Values(slice.Parts), func(a, b gate.Part) int { return strings.Compare(a.Column, b.Column) })
	for _, p := range parts {
		if p.HasValue == (k == ofGroups) {
			if p.HasValue {
				return located{}, fmt.Errorf("it compares the groups of a column; write [%s], without a group", p.Column)
			}
			return located{}, fmt.Errorf("it is of one group's rows; name the group, as in [%s=...]", p.Column)
		}
		if _, err := s.column(p.Column); err != nil {
			return located{}, err
		}
		fmt.Fprintf(&key, "%q=%q,", p.Column, p.Value)
	}
	if k == ofGroups {
		if len(slice.Parts) == 0 {
			return located{}, fmt.Errorf("it compares the groups of a column; name the column, as in [sex]")
		}
		return located{key: key.String()}, nil
	}
	if found, ok := s.parts[key.String()]; ok {
		return found, nil
	}
	rows, reason := s.rows(slice)
	found := located{part: s.index.part(rows), key: key.String(), reason: reason}
	s.parts[key.String()] = found
	return found, nil
}

func (s *Source) column(name string) (column, error) {
	c, ok := s.index.columns[name]
	if ok {
		return c, nil
	}
	names := sortedNames(s.index.columns)
	if len(names) == 0 {
		return c, fmt.Errorf("no column %q: none was stored with the predictions; add it to data.protected or evaluate.slices", name)
	}
	return c, fmt.Errorf("no column %q among those stored with the predictions: %s%s; add it to data.protected or evaluate.slices",
		name, listed(names), suggestion(name, names))
}

// rows are those in all groups of a slice, or the reason why there are none.
func (s *Source) rows(slice gate.Slice) (rows []int32, reason string) {
	if len(slice.Parts) == 0 {
		return s.index.all(), ""
	}
	for k, p := range slice.Parts {
		c := s.index.columns[p.Column]
		code, ok := slices.BinarySearch(c.names, p.Value)
		if !ok {
			return nil, fmt.Sprintf("no row of the test part has %s=%s; groups are %s%s", p.Column, p.Value, listed(c.names), suggestion(p.Value, c.names))
		}
		if k == 0 {
			rows = slices.Clone(s.ofColumn(p.Column)[code])
			continue
		}
		rows = slices.DeleteFunc(rows, func(i int32) bool { return c.code[i] != int32(code) })
	}
	if len(rows) == 0 {
		var both []string
		for _, p := range slice.Parts {
			both = append(both, p.Column+"="+p.Value)
		}
		reason = fmt.Sprintf("no row of the test part has %s together", strings.Join(both, " and "))
	}
	return rows, reason
}

// ofColumn is the rows of every group of a column, in the order of its names; they are found once.
func (s *Source) ofColumn(name string) [][]int32 {
	if groups, ok := s.columns[name]; ok {
		return groups
	}
	c := s.index.columns[name]
	groups := make([][]int32, len(c.names))
	for i, code := range c.code {
		groups[code] = append(groups[code], int32(i))
	}
	s.columns[name] = groups
	return groups
}
