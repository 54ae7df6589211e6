package gate

import (
	"fmt"
	"strconv"
	"strings"
)

// Op compares an estimate with a bound.
type Op string

const (
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
)

// Holds reports whether value stands in the relation to bound.
func (o Op) Holds(value, bound float64) bool {
	switch o {
	case Less:
		return value < bound
	case LessOrEqual:
		return value <= bound
	case Greater:
		return value > bound
	case GreaterOrEqual:
		return value >= bound
	default:
		return false
	}
}

// words say what a condition asks for.
func (o Op) words() string {
	switch o {
	case Less:
		return "less than"
	case LessOrEqual:
		return "at most"
	case Greater:
		return "more than"
	default:
		return "at least"
	}
}

// Slice is the part of the rows a metric is taken on: the zero value is all of them, an attribute alone is all of its
// groups compared, an attribute with a group is that group's rows.
type Slice struct {
	Attribute string `json:"attribute,omitempty"`
	Group     string `json:"group,omitempty"`
	HasGroup  bool   `json:"has_group,omitempty"` // a group's name may be empty
}

// Condition is a condition understood: metric, slice, comparison, bound. Conditions come from Parse only.
type Condition struct {
	Text   string  `json:"text"` // as written by the user
	Metric string  `json:"metric"`
	Slice  Slice   `json:"slice,omitzero"`
	Op     Op      `json:"op"`
	Bound  float64 `json:"bound"`
}

// String is the canonical form; parsing it gives the same condition.
func (c Condition) String() string {
	return fmt.Sprintf("%s %s %s", c.Subject(), c.Op, formatNumber(c.Bound))
}

// Subject is the metric with its slice, as in recall[sex=Female].
func (c Condition) Subject() string { return c.Metric + c.Slice.String() }

// Scope is where the condition's metric can be measured.
func (c Condition) Scope() Scope {
	m, _ := findMetric(c.Metric)
	return m.scope
}

// Require refuses a condition that stands in another scope than its metric's.
func (c Condition) Require(scope Scope) error {
	if c.Scope() == scope {
		return nil
	}
	return fmt.Errorf("condition %q: %s cannot be measured here; expected one of %s",
		c.Text, c.Metric, strings.Join(MetricNames(scope), ", "))
}

// String is the slice in its brackets, empty for all rows.
func (s Slice) String() string {
	switch {
	case s.Attribute == "":
		return ""
	case s.HasGroup:
		return "[" + quoteName(s.Attribute, "]=") + "=" + quoteName(s.Group, "]") + "]"
	default:
		return "[" + quoteName(s.Attribute, "]=") + "]"
	}
}

// quoteName writes a name bare when it reads back as it is, and in quotes otherwise.
func quoteName(name, ends string) string {
	bare := name != "" && name == strings.TrimSpace(name) &&
		name[0] != '"' && name[0] != '\'' && !strings.ContainsAny(name, ends)
	if bare {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

func formatNumber(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
