package gate

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

// Evidence is what was measured of a candidate; its Lookup serves DecideAll.
type Evidence struct {
	Evaluation stats.Report
	Slices     []stats.Slice
	Fairness   fairness.Report
	Privacy    privacy.Report
}

// Lookup finds the estimate a condition is about. An error names the slice or attribute that was not measured and
// those that were.
func (e Evidence) Lookup(c Condition) (stats.Estimate, error) {
	m, ok := findMetric(c.Metric)
	if !ok || m.scope != ScopeGate {
		return stats.Estimate{}, fmt.Errorf("%s is not measured on a candidate; expected one of %s",
			c.Metric, strings.Join(MetricNames(ScopeGate), ", "))
	}
	switch {
	case m.subject == ofAttribute:
		return e.gap(c)
	case m.subject == ofTable:
		return measured(c, e.Privacy.Metric)
	case c.Slice.HasGroup:
		return e.group(c)
	default:
		return measured(c, e.Evaluation.Metric)
	}
}

func measured(c Condition, metric func(string) (stats.Estimate, bool)) (stats.Estimate, error) {
	found, ok := metric(c.Metric)
	if !ok {
		return stats.Estimate{}, fmt.Errorf("%s was not measured", c.Metric)
	}
	return found, nil
}

func (e Evidence) gap(c Condition) (stats.Estimate, error) {
	if found, ok := e.Fairness.Metric(c.Metric, c.Slice.Attribute); ok {
		return found, nil
	}
	var names []string
	for _, a := range e.Fairness.Attributes {
		names = append(names, Slice{Attribute: a.Name}.String())
	}
	return stats.Estimate{}, notMeasured("attribute", c.Slice, names, "add the column to data.protected")
}

func (e Evidence) group(c Condition) (stats.Estimate, error) {
	var names, inAttribute []string
	for _, s := range e.Slices {
		at := Slice{Attribute: s.Attribute, Group: s.Group, HasGroup: true}
		if at == c.Slice {
			return measured(c, s.Report.Metric)
		}
		names = append(names, at.String())
		if s.Attribute == c.Slice.Attribute {
			inAttribute = append(inAttribute, at.String())
		}
	}
	if len(inAttribute) > 0 {
		names = inAttribute
	}
	return stats.Estimate{}, notMeasured("slice", c.Slice, names, "add the column to data.protected or evaluate.slices")
}

// notMeasured lists what there is, up to a number that a person reads.
func notMeasured(what string, wanted Slice, names []string, remedy string) error {
	const most = 20
	if len(names) == 0 {
		return fmt.Errorf("no %s %s: none was measured; %s", what, wanted, remedy)
	}
	listed := names[:min(len(names), most)]
	suggestion := ""
	if name, ok := nearest(wanted.String(), names); ok {
		suggestion = fmt.Sprintf("; did you mean %s?", name)
	}
	more := ""
	if left := len(names) - len(listed); left > 0 {
		more = fmt.Sprintf(" and %d more", left)
	}
	return fmt.Errorf("no %s %s among those measured: %s%s%s", what, wanted, strings.Join(listed, ", "), more, suggestion)
}
