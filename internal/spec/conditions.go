package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/gate"
)

// checkConditions reads every condition, and makes sure that what it slices by is reported at all.
func (d *decoder) checkConditions(s *Spec) {
	for i, text := range s.Gates.Conditions {
		d.checkCondition(s, text, index("gates.conditions", i), gate.ScopeGate)
	}
	for i, a := range s.Rollout.Abort {
		d.checkCondition(s, a.Condition, index("rollout.abort", i)+".condition", gate.ScopeRollout)
	}
}

func (d *decoder) checkCondition(s *Spec, text, path string, scope gate.Scope) {
	if text == "" {
		return // a problem already
	}
	c, err := gate.Parse(text)
	if err == nil {
		err = c.Require(scope)
	}
	if err != nil {
		d.condition(path, err)
		return
	}
	// A metric of one group is reported for every slice, a gap between groups for the protected columns alone.
	sliced, where := append(slices.Clone(s.Data.Protected), s.Evaluate.Slices...), "data.protected or evaluate.slices"
	if !c.Slice.HasGroup {
		sliced, where = s.Data.Protected, "data.protected"
	}
	if a := c.Slice.Attribute; a != "" && !slices.Contains(sliced, a) {
		expected := "expected a column of " + where + "; add it there"
		if near, ok := nearest(a, sliced); ok {
			expected += fmt.Sprintf("; did you mean %q?", near)
		}
		d.complain(path, fmt.Sprintf("found a condition on the slice %q", clip(a)), expected)
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
