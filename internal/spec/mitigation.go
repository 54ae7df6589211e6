package spec

import (
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/spelling"
	"github.com/assay-ml/assay/internal/stats"
)

// Mitigation is what is done against differences between groups; nothing is unless it is asked for here.
type Mitigation struct {
	Reweighing []string         `json:"reweighing,omitempty" yaml:"reweighing,omitempty"` // protected columns whose groups and label are made independent in training
	Thresholds *GroupThresholds `json:"thresholds,omitempty" yaml:"thresholds,omitempty"` // nil: one threshold for all
}

// Constraints that thresholds by group can be chosen under.
const (
	ConstraintDemographicParity = "demographic_parity" // equal shares predicted positive
	ConstraintEqualOpportunity  = "equal_opportunity"  // equal shares of the positive found
	ConstraintEqualizedOdds     = "equalized_odds"     // these and the shares of the negative taken for positive as equal as can be
)

// GroupThresholds asks for a threshold for each group of a column, chosen on the validation part.
type GroupThresholds struct {
	Column     string `json:"column" yaml:"column"`
	Constraint string `json:"constraint" yaml:"constraint"`
}

// IsZero reports whether nothing is done.
func (m Mitigation) IsZero() bool { return len(m.Reweighing) == 0 && m.Thresholds == nil }

// checkMitigation compares what is to be mitigated with what is predicted and protected.
func (d *decoder) checkMitigation(s *Spec) {
	if task := s.Data.Target.TaskOf(); !s.Mitigation.IsZero() && task != stats.Binary {
		d.complain("mitigation", fmt.Sprintf("found a mitigation with task: %s", task), "leave it out: it is for a target of two values")
		return
	}
	if len(s.Mitigation.Reweighing) > 0 && s.Data.Weight != "" {
		d.complain("mitigation.reweighing", "found it beside data.weight", "leave one out: reweighing gives every row its weight")
	}
	d.checkProtected(s, s.Mitigation.Reweighing, "mitigation.reweighing")
	t := s.Mitigation.Thresholds
	if t == nil {
		return
	}
	if s.Data.Split.Validation == 0 {
		d.complain("mitigation.thresholds", "found it without validation rows", "give data.split.validation a share, such as 0.1: the thresholds are chosen on those rows")
	}
	if t.Column != "" && !slices.Contains(s.Data.Protected, t.Column) {
		d.complainUnprotected(s, t.Column, "mitigation.thresholds.column")
	}
}

// checkProtected refuses columns that are not protected.
func (d *decoder) checkProtected(s *Spec, columns []string, path string) {
	for i, column := range columns {
		if slices.Contains(s.Data.Protected, column) {
			continue
		}
		d.complainUnprotected(s, column, index(path, i))
	}
}

func (d *decoder) complainUnprotected(s *Spec, column, path string) {
	advice := "expected a column of data.protected; add it there"
	if near, ok := spelling.Nearest(column, s.Data.Protected); ok {
		advice += fmt.Sprintf(", or did you mean %q?", near)
	}
	d.complain(path, fmt.Sprintf("found %q, which is not protected", column), advice)
}
