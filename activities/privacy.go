package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Privacy measures how well the rows of the training part hide the people in it.
func (a *Audit) Privacy(ctx context.Context, in stage.AuditInput) (stage.Audited, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Audited{}, err
	}
	quasi := s.Identifying()
	params := struct {
		Prepared  artifact.Ref `json:"prepared"`
		Quasi     []string     `json:"quasi_identifiers"`
		Target    spec.Target  `json:"target"`
		Sensitive []string     `json:"sensitive,omitempty"`

		Model     artifact.Ref `json:"model"`
		Attack    spec.Attack  `json:"attack,omitzero"`
		Protected []string     `json:"protected"`
		Bands     []spec.Bands `json:"bands,omitempty"`
		MinGroup  int          `json:"min_group"`
		Seed      int64        `json:"seed"`
	}{in.Prepared, quasi, s.Data.Target, s.Privacy.Sensitive, in.Model, s.Privacy.Attack, s.Data.Protected, s.Fairness.Bands, s.Evaluate.SmallestGroup(), s.Data.Split.Seed}
	audited, err := stored(ctx, a.Store, stage.Privacy, versionPrivacy, params, func() (stage.Audited, error) {
		stop := attend(ctx)
		defer stop()
		var parts table.Prepared
		if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
			return stage.Audited{}, err
		}
		found, err := a.identifiability(ctx, s, parts.Train)
		if err != nil {
			return stage.Audited{}, err
		}
		summary := found.Note
		if summary == "" {
			summary = fmt.Sprintf("k = %d over %s, %d of %d rows unique", found.KMin, counted(len(quasi), "column"), found.UniqueRows, found.Rows)
			if l, ok := found.Metric(privacy.MetricLDiversity); ok && l.Defined() {
				summary += fmt.Sprintf(", l = %.0f", l.Value)
			}
		}
		stop()
		used, err := a.members(ctx, s, in, parts, &found)
		if err != nil {
			return stage.Audited{}, err
		}
		for _, attack := range found.Membership {
			summary += fmt.Sprintf(", %s attack %s (AUC %.3f%s)", strings.ReplaceAll(attack.Attack, "_", " "), attack.Verdict, attack.AUC.Value, foundAtFew(attack))
		}
		audited, err := a.file(ctx, found, shortened(summary))
		audited.Usage = used
		return audited, err
	})
	if err == nil && s.Gates.TestSet != nil {
		audited.Summary = sealing(s, "identifiability and attacks measured")
	}
	return audited, err
}

// foundAtFew is what an attack that succeeds finds when it accuses few wrongly, which the AUC hides.
func foundAtFew(r privacy.AttackReport) string {
	for _, t := range r.TPRAtFPR {
		if r.Verdict == privacy.VerdictLeaks && t.Limit == 0.01 && t.TPR.Defined() {
			return fmt.Sprintf("; finds %.2f %% at 1 %% wrongly accused", 100*t.TPR.Value)
		}
	}
	return ""
}

// identifiability measures the classes of the rows that agree in all columns that could identify a person. Numbers with bands count
// by their bands; what their exact values would give is told besides.
func (a *Audit) identifiability(ctx context.Context, s *spec.Spec, part artifact.Ref) (privacy.Report, error) {
	quasi := s.Identifying()
	wanted := groupsWanted(s, quasi)
	sensitive, err := a.sensitiveWanted(ctx, s, part)
	if err != nil {
		return privacy.Report{}, err
	}
	f, err := table.ReadFrame(ctx, a.Store, part, slices.Concat(wanted, sensitive), a.Limits)
	if err != nil {
		return privacy.Report{}, err
	}
	exact, others := f.Columns[:len(quasi)], f.Columns[len(quasi):]
	hidden := make([]privacy.Sensitive, len(others))
	for i, c := range others {
		hidden[i] = privacy.Sensitive{Name: c.Name, Numbers: c.Numbers}
		if c.Kind != table.Numeric {
			hidden[i].Values = texts(&others[i], f.Rows)
		}
	}
	found, err := privacy.Examine(identifying(grouped(s, exact, f.Rows), f.Rows), hidden)
	if err != nil {
		return privacy.Report{}, err
	}
	banded := slices.DeleteFunc(slices.Clone(quasi), func(name string) bool { return s.Fairness.BandsOf(name) == nil })
	if len(banded) == 0 || found.Note != "" {
		return found, nil
	}
	precise, err := privacy.KAnonymity(identifying(exact, f.Rows), make([]string, f.Rows))
	found.Exact = &privacy.ExactClasses{Columns: banded, KMin: precise.KMin, UniqueRows: precise.UniqueRows}
	return found, err
}

func identifying(columns []table.Column, rows int) []privacy.Column {
	out := make([]privacy.Column, len(columns))
	for i := range columns {
		out[i] = privacy.Column{Name: columns[i].Name, Values: texts(&columns[i], rows)}
	}
	return out
}

// sensitiveWanted asks for the target and the other sensitive columns, each as it is stored; a target that stands for classes is a
// name whatever it is stored as.
func (a *Audit) sensitiveWanted(ctx context.Context, s *spec.Spec, part artifact.Ref) ([]table.Wanted, error) {
	target := table.Wanted{Name: s.Data.Target.Column, Kind: table.Categorical}
	if s.Data.Target.TaskOf() == stats.Regression {
		target.Kind = table.Numeric
	}
	wanted := []table.Wanted{target}
	if len(s.Privacy.Sensitive) == 0 {
		return wanted, nil
	}
	stored, err := table.StoredColumns(ctx, a.Store, part, a.Limits)
	if err != nil {
		return nil, err
	}
	for _, name := range s.Privacy.Sensitive {
		w := table.Wanted{Name: name, Kind: table.Categorical}
		if i := slices.IndexFunc(stored, func(c table.ColumnInfo) bool { return c.Name == name }); i >= 0 && stored[i].Kind == table.Numeric {
			w.Kind = table.Numeric
		}
		wanted = append(wanted, w)
	}
	return wanted, nil
}
