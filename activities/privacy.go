package activities

import (
	"context"
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
)

// Privacy measures how well the rows of the training part hide the people in it.
func (a *Audit) Privacy(ctx context.Context, in stage.AuditInput) (stage.Audited, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Audited{}, err
	}
	quasi := s.Privacy.QuasiIdentifiers
	if len(quasi) == 0 {
		quasi = s.Data.Protected
	}
	params := struct {
		Prepared artifact.Ref `json:"prepared"`
		Quasi    []string     `json:"quasi_identifiers"`
		Target   string       `json:"target"`

		Model     artifact.Ref `json:"model"`
		Attack    spec.Attack  `json:"attack,omitzero"`
		Protected []string     `json:"protected"`
		Bands     []spec.Bands `json:"bands,omitempty"`
		MinGroup  int          `json:"min_group"`
		Seed      int64        `json:"seed"`
	}{in.Prepared, quasi, s.Data.Target.Column, in.Model, s.Privacy.Attack, s.Data.Protected, s.Fairness.Bands, s.Evaluate.SmallestGroup(), s.Data.Split.Seed}
	audited, err := stored(ctx, a.Store, stage.Privacy, versionPrivacy, params, func() (stage.Audited, error) {
		stop := attend(ctx)
		defer stop()
		var parts table.Prepared
		if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
			return stage.Audited{}, err
		}
		columns := []table.Wanted{{Name: s.Data.Target.Column, Kind: table.Categorical}}
		for _, name := range quasi {
			columns = append(columns, table.Wanted{Name: name, Kind: table.Categorical})
		}
		f, err := table.ReadFrame(ctx, a.Store, parts.Train, columns, a.Limits)
		if err != nil {
			return stage.Audited{}, err
		}
		var identifying []privacy.Column
		for i := range f.Columns[1:] {
			c := &f.Columns[1+i]
			identifying = append(identifying, privacy.Column{Name: c.Name, Values: texts(c, f.Rows)})
		}
		found, err := privacy.KAnonymity(identifying, texts(&f.Columns[0], f.Rows))
		if err != nil {
			return stage.Audited{}, err
		}
		summary := found.Note
		if summary == "" {
			summary = fmt.Sprintf("k = %d over %d columns, %d of %d rows unique", found.KMin, len(quasi), found.UniqueRows, found.Rows)
		}
		stop()
		used, err := a.members(ctx, s, in, parts, &found)
		if err != nil {
			return stage.Audited{}, err
		}
		for _, attack := range found.Membership {
			summary += fmt.Sprintf(", %s attack %s (AUC %.3f)", strings.ReplaceAll(attack.Attack, "_", " "), attack.Verdict, attack.AUC.Value)
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
