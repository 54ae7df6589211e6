package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/spelling"
)

// Own are the user's own metrics as conditions know them.
func (e Evaluate) Own() []gate.Own {
	own := make([]gate.Own, len(e.Metrics))
	for i, m := range e.Metrics {
		own[i] = gate.Own{Name: m.Name, Least: m.Least, Most: m.Most}
	}
	return own
}

// Formulas are the gate's conditions, understood.
func (s *Spec) Formulas() ([]gate.Formula, error) {
	formulas := make([]gate.Formula, len(s.Gates.Conditions))
	for i, text := range s.Gates.Conditions {
		f, err := gate.Parse(text, s.Evaluate.Own()...)
		if err != nil {
			return nil, err
		}
		formulas[i] = f
	}
	return formulas, nil
}

// checkConditions reads every condition, and makes sure that what it slices by is reported at all.
func (d *decoder) checkConditions(s *Spec) {
	for i, text := range s.Gates.Conditions {
		d.checkCondition(s, text, index("gates.conditions", i))
	}
	for i, a := range s.Rollout.Abort {
		path := index("rollout.abort", i) + ".condition"
		if a.Condition == "" || d.known(path) {
			continue
		}
		if _, err := ParseAbort(a.Condition); err != nil {
			d.condition(path, err)
		}
	}
}

func (d *decoder) checkCondition(s *Spec, text, path string) {
	if text == "" || d.known(path) {
		return // a problem already
	}
	var own []gate.Own
	for _, o := range s.Evaluate.Own() {
		if o.Check() == nil { // one that is wrong has its own problem
			own = append(own, o)
		}
	}
	f, err := gate.Parse(text, own...)
	if err == nil {
		err = f.Require(gate.ScopeGate)
	}
	if err == nil {
		err = f.For(s.Data.Target.TaskOf())
	}
	if err != nil {
		d.condition(path, err)
		return
	}
	for _, q := range f.Quantities() {
		d.checkSlice(s, path, q.Slice)
	}
}

// checkSlice wants every column of a slice to be one that predictions are stored with. Metrics of rows are reported for every
// slice, gaps between groups for the protected columns alone.
func (d *decoder) checkSlice(s *Spec, path string, slice gate.Slice) {
	for _, part := range slice.Parts {
		columns, where := append(slices.Clone(s.Data.Protected), s.Evaluate.Slices...), "data.protected or evaluate.slices"
		if !part.HasValue {
			columns, where = s.Data.Protected, "data.protected"
		}
		if slices.Contains(columns, part.Column) {
			continue
		}
		expected := "expected a column of " + where + "; add it there"
		if near, ok := spelling.Nearest(part.Column, columns); ok {
			expected += fmt.Sprintf("; did you mean %q?", near)
		}
		d.complain(path, fmt.Sprintf("found a condition on the slice %q", clip(part.Column)), expected)
	}
}

// condition reports what gate says of a condition. Its message repeats the text, which must not be shown when it came
// from the environment.
func (d *decoder) condition(path string, err error) {
	var syntax *gate.SyntaxError
	message := err.Error()
	if errors.As(err, &syntax) {
		message = fmt.Sprintf("at character %d of it: %s", syntax.Column, syntax.Message)
	} else if _, after, ok := strings.Cut(message, `": `); ok {
		message = after
	}
	n := d.nodes[path]
	if n.written != "" {
		message = "expected a condition such as auc > 0.8 once the variables are filled in"
	}
	d.complain(path, n.describe(), message)
}
