package command

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/spec"
)

// Bounds on what is kept of the output, whatever a program prints.
const (
	mostMetrics = 100  // names
	mostPoints  = 1000 // of one curve
	mostName    = 100  // bytes of a name
	headBytes   = 256 << 10
	tailBytes   = 768 << 10
)

// reading is what has been read of a program's output. It is not safe for concurrent use.
type reading struct {
	definitions []definition
	watch       Watch
	metrics     map[string]*metric
	step        float64
	counted     bool    // the program says at which step it is
	total       float64 // the last step, by the program
	reports     int     // lines that held a metric
	resource    int
	watched     *float64 // last value of the watched metric
	notFinite   map[string]int
	dropped     int // metrics beyond mostMetrics
	malformed   int // lines that begin like a JSON object and are none
	transcript  transcript
}

type definition struct {
	name  string
	regex *regexp.Regexp
}

type metric struct {
	model.Metric
	points []model.Point
	latest model.Point
	every  int // each so many reports become a point
}

// newReading compiles the spec's metric definitions, which the reader of specs has checked.
func newReading(definitions []spec.MetricDefinition, watch Watch) (*reading, error) {
	r := &reading{watch: watch, metrics: map[string]*metric{}, notFinite: map[string]int{}}
	for _, d := range definitions {
		regex, err := regexp.Compile(d.Regex)
		if err != nil {
			return nil, fmt.Errorf("train.command.metric_definitions: %s: %w", d.Name, err)
		}
		r.definitions = append(r.definitions, definition{d.Name, regex})
	}
	return r, nil
}

// found is what one line of output said.
type found struct {
	metrics    bool
	checkpoint string // the name of a checkpoint that is complete
	reached    bool   // the watched metric was reported
}

// line reads one line.
func (r *reading) line(line []byte, truncated bool) found {
	r.transcript.add(line, truncated)
	var f found
	trimmed := bytes.TrimSpace(line)
	if len(trimmed) > 0 && trimmed[0] == '{' {
		f = r.object(trimmed, truncated)
	}
	for _, d := range r.definitions {
		groups := d.regex.FindSubmatch(line)
		if len(groups) < 2 {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(string(groups[1])), 64)
		if err != nil {
			continue
		}
		f.metrics = true
		f.reached = r.report(d.name, value, nil) || f.reached
	}
	if f.metrics {
		r.reports++
	}
	return f
}

// object reads a JSON line: numbers are metrics, except those that say where training stands.
func (r *reading) object(line []byte, truncated bool) found {
	var fields map[string]json.RawMessage
	if truncated || json.Unmarshal(quoteNonFinite(line), &fields) != nil {
		r.malformed++
		return found{}
	}
	var f found
	counted := map[string]float64{}
	for _, name := range []string{"iteration", "epoch", "step"} { // the finest of them comes last and is shown
		if v, ok := number(fields[name]); ok && finite(v) {
			counted[name] = v
			r.step, r.counted = v, true
		}
	}
	if v, ok := number(fields["total"]); ok && finite(v) {
		counted["total"], r.total = v, v
	}
	_ = json.Unmarshal(fields["checkpoint"], &f.checkpoint)
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names) // so that which metrics are kept does not depend on the order of a map
	for _, name := range names {
		v, ok := number(fields[name])
		if _, isCount := counted[name]; !ok || isCount {
			continue
		}
		f.metrics = true
		by, hasBy := number(fields[r.watch.By])
		var at *float64
		if r.watch.By != "" && hasBy && finite(by) {
			at = &by
		}
		f.reached = r.report(name, v, at) || f.reached
	}
	return f
}

// nonFinite are the numbers that Python's json module writes and JSON does not have.
var nonFinite = [][]byte{[]byte("NaN"), []byte("Infinity"), []byte("-Infinity")}

// quoteNonFinite turns NaN and infinities into texts that number knows, and leaves texts as they are.
func quoteNonFinite(line []byte) []byte {
	if !bytes.Contains(line, nonFinite[0]) && !bytes.Contains(line, nonFinite[1]) {
		return line
	}
	out := make([]byte, 0, len(line)+32)
	quoted := false
	for len(line) > 0 {
		n := 1
		switch {
		case quoted && line[0] == '\\':
			n = min(2, len(line))
		case line[0] == '"':
			quoted = !quoted
		case !quoted:
			if i := slices.IndexFunc(nonFinite, func(word []byte) bool { return bytes.HasPrefix(line, word) }); i >= 0 {
				out = append(append(append(out, '"'), nonFinite[i]...), '"')
				line = line[len(nonFinite[i]):]
				continue
			}
		}
		out, line = append(out, line[:n]...), line[n:]
	}
	return out
}

// number reads a JSON number, or NaN and infinities.
func number(raw json.RawMessage) (float64, bool) {
	if len(raw) == 0 {
		return 0, false
	}
	switch string(raw) {
	case `"NaN"`:
		return math.NaN(), true
	case `"Infinity"`:
		return math.Inf(1), true
	case `"-Infinity"`:
		return math.Inf(-1), true
	}
	if c := raw[0]; c != '-' && (c < '0' || c > '9') {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(raw), 64)
	return v, err == nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// report notes a metric's value and tells whether it was the watched one.
func (r *reading) report(name string, value float64, by *float64) bool {
	if len(name) > mostName {
		name = strings.ToValidUTF8(name[:mostName], "")
	}
	if !finite(value) {
		if len(r.notFinite) < mostMetrics || r.notFinite[name] > 0 {
			r.notFinite[name]++
		}
		if !r.watches(name) {
			return false
		}
		r.advance(by)
		r.watched = &value
		return true
	}
	m := r.metrics[name]
	if m == nil {
		if len(r.metrics) >= mostMetrics && !r.watches(name) {
			r.dropped++
			return false
		}
		m = &metric{Metric: model.Metric{Name: name, Least: value, Most: value}, every: 1}
		r.metrics[name] = m
	}
	m.Last, m.Least, m.Most = value, min(m.Least, value), max(m.Most, value)
	m.Count++
	m.latest = model.Point{Step: float64(m.Count), Value: value}
	if r.counted {
		m.latest.Step = r.step
	}
	m.add(m.latest)
	if !r.watches(name) {
		return false
	}
	r.advance(by)
	r.watched = &value
	return true
}

func (r *reading) watches(name string) bool { return name != "" && name == r.watch.Metric }

// advance counts the resource of the watched metric.
func (r *reading) advance(by *float64) {
	if by != nil && *by >= 0 && *by < math.MaxInt32 {
		r.resource = max(r.resource, int(*by))
		return
	}
	if r.watch.By == "" {
		r.resource++
	}
}

// add keeps every so many points, so that a curve of any length stays within its bound and even over its length.
func (m *metric) add(p model.Point) {
	if (m.Count-1)%m.every != 0 {
		return
	}
	if len(m.points) == mostPoints {
		kept := m.points[:0]
		for i := 0; i < mostPoints; i += 2 {
			kept = append(kept, m.points[i])
		}
		m.points, m.every = kept, 2*m.every
		if (m.Count-1)%m.every != 0 {
			return
		}
	}
	m.points = append(m.points, p)
}

// summary gives the metrics and their curves, sorted by name. A curve ends with the last value reported.
func (r *reading) summary() ([]model.Metric, []model.Curve) {
	var metrics []model.Metric
	var curves []model.Curve
	for _, m := range r.sorted() {
		metrics = append(metrics, m.Metric)
		points := slices.Clone(m.points)
		if (m.Count-1)%m.every != 0 {
			points = append(points, m.latest)
		}
		curves = append(curves, model.Curve{Name: m.Name, Points: points})
	}
	return metrics, curves
}

func (r *reading) sorted() []*metric {
	all := make([]*metric, 0, len(r.metrics))
	for _, m := range r.metrics {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *metric) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// mostShown bounds the metrics of one line of progress.
const mostShown = 8

// values are the last values, for a line of progress.
func (r *reading) values() map[string]float64 {
	values := map[string]float64{}
	for _, m := range r.sorted() {
		if len(values) == mostShown && m.Name != r.watch.Metric {
			continue
		}
		values[m.Name] = m.Last
	}
	return values
}

// sentence is progress in a line: "step 120, loss 0.31, validation_auc 0.87".
func (r *reading) sentence() string {
	var parts []string
	if r.counted {
		parts = append(parts, "step "+spec.Number(r.step).String())
	}
	for _, m := range r.sorted() {
		if len(parts) > 4 {
			break
		}
		parts = append(parts, fmt.Sprintf("%s %.4g", m.Name, m.Last))
	}
	return strings.Join(parts, ", ")
}

// warnings say what a reviewer should know of the output.
func (r *reading) warnings() []string {
	var out []string
	names := make([]string, 0, len(r.notFinite))
	for name := range r.notFinite {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		out = append(out, fmt.Sprintf("the program reported %s as NaN or infinite %d times; these reports are not in its curve", name, r.notFinite[name]))
	}
	if r.dropped > 0 {
		out = append(out, fmt.Sprintf("the program reported more than %d different metrics; %d reports of others were left out", mostMetrics, r.dropped))
	}
	if r.malformed > 0 {
		out = append(out, fmt.Sprintf("%d lines of the program's output begin like JSON objects and are none; they are in its output, their metrics are not read", r.malformed))
	}
	return out
}

// transcript keeps the beginning and the end of the output.
type transcript struct {
	head, tail []byte
	left       int64 // bytes between them that are gone
}

func (t *transcript) add(line []byte, truncated bool) {
	if truncated {
		line = append(slices.Clone(line), " [...]"...)
	}
	line = append(slices.Clone(line), '\n')
	if t.left == 0 && len(t.tail) == 0 && len(t.head)+len(line) <= headBytes {
		t.head = append(t.head, line...)
		return
	}
	t.tail = append(t.tail, line...)
	if extra := len(t.tail) - tailBytes; extra > tailBytes { // seldom, so that it costs little
		t.drop(extra)
	}
}

func (t *transcript) drop(n int) {
	t.tail = append(t.tail[:0], t.tail[n:]...)
	t.left += int64(n)
}

// bytes is the output with a note where its middle is missing.
func (t *transcript) bytes() []byte {
	if extra := len(t.tail) - tailBytes; extra > 0 {
		t.drop(extra)
	}
	out := slices.Clone(t.head)
	if t.left > 0 {
		out = append(out, fmt.Sprintf("[... %d bytes are left out here ...]\n", t.left)...)
	}
	return append(out, t.tail...)
}
