package activities

import (
	"context"

	"github.com/assay-ml/assay/internal/stage"
)

// Announce tells people by the log, where an operator's alerting picks it up.
func (r *Reviewers) Announce(_ context.Context, a stage.Announcement) error {
	r.Logger.Info("review "+a.Kind, "lifecycle", a.Lifecycle, "model", a.Model, "dossier", a.Dossier.String(), "to", a.To, "text", a.Text)
	return nil
}
