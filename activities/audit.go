package activities

import (
	"context"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/stage"
	"go.temporal.io/sdk/activity"
)

func (a *Audit) file(ctx context.Context, found any, summary string) (stage.Audited, error) {
	ref, err := artifact.PutJSON(ctx, a.Store, artifact.MediaJSON, found)
	if err != nil {
		return stage.Audited{}, err
	}
	activity.GetLogger(ctx).Debug("a report was stored", "digest", ref.Digest.String())
	return stage.Audited{Answer: stage.Answer{Summary: summary}, Report: ref}, nil
}
