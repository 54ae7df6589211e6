package activities

import (
	"context"
	"errors"
	"fmt"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
)

// stageScores names the answers of models on a test part, which several stages need.
const (
	stageScores   stage.Name = "scores"
	versionScores int        = 1
)

// answered is a model's answers on a test part, stored: _row and _score, or _score_0, _score_1, ... for each class.
type answered struct {
	stage.Answer
	Scores artifact.Ref `json:"scores"`
	Rows   int          `json:"rows"`
}

func (a answered) Refs() []artifact.Ref { return []artifact.Ref{a.Scores} }

// scores has a model answer every row of a test part, once for the same model and rows.
func (a *Audit) scores(ctx context.Context, prepared, asked artifact.Ref) (answered, error) {
	params := struct {
		Prepared artifact.Ref `json:"prepared"`
		Model    artifact.Ref `json:"model"`
	}{prepared, asked}
	return stored(ctx, a.Store, stageScores, versionScores, params, func() (answered, error) {
		defer attend(ctx)()
		var parts table.Prepared
		if err := artifact.ReadJSON(ctx, a.Store, prepared, &parts); err != nil {
			return answered{}, err
		}
		var frame *table.Frame
		used, err := a.asking(ctx, asked, func(p model.Predictor) (err error) {
			frame, err = a.score(ctx, p, parts)
			return err
		})
		if err != nil {
			return answered{}, fmt.Errorf("score the test part: %w", err)
		}
		ref, err := table.WriteFrame(ctx, a.Store, frame, a.Limits)
		return answered{Answer: stage.Answer{Usage: used}, Scores: ref, Rows: frame.Rows}, err
	})
}

func (a *Audit) score(ctx context.Context, p model.Predictor, parts table.Prepared) (*table.Frame, error) {
	schema := p.Schema()
	wanted := []table.Wanted{{Name: columnRow, Kind: table.Numeric}}
	for _, f := range schema.Features {
		wanted = append(wanted, table.Wanted{Name: f.Name, Kind: f.Kind})
	}
	test, err := table.ReadFrame(ctx, a.Store, parts.Test, wanted, a.Limits)
	if err != nil {
		return nil, err
	}
	scores, err := p.Predict(ctx, test)
	if err != nil {
		return nil, err
	}
	rows, err := test.Column(columnRow)
	if err != nil {
		return nil, err
	}
	out := &table.Frame{Rows: test.Rows, Columns: []table.Column{*rows}}
	for k, name := range scoreColumns(schema.Width()) {
		c := table.Column{Name: name, Kind: table.Numeric, Numbers: make([]float64, test.Rows)}
		for i := range c.Numbers {
			c.Numbers[i] = scores[i*schema.Width()+k]
		}
		out.Columns = append(out.Columns, c)
	}
	return out, nil
}

// scoreColumns names the columns of a model that answers so many numbers a row.
func scoreColumns(width int) []string {
	if width == 1 {
		return []string{columnScore}
	}
	names := make([]string, width)
	for k := range names {
		names[k] = fmt.Sprintf("%s_%d", columnScore, k)
	}
	return names
}

// ScoreChampion has the version that serves answer the candidate's test rows. A champion that cannot be asked, such as one
// that wants columns which are gone, is no reason to fail: what needs it is then left undecided, for the reason given.
func (a *Audit) ScoreChampion(ctx context.Context, in stage.AuditInput) (stage.Compared, error) {
	s, err := loadSpec(ctx, a.Store, in.Spec)
	if err != nil {
		return stage.Compared{}, err
	}
	champion, err := registry.GetChampion(ctx, a.Store, s.Model)
	if errors.Is(err, artifact.ErrNotFound) {
		return stage.Compared{Answer: stage.Answer{Summary: "no version serves"}}, nil
	}
	if err != nil {
		return stage.Compared{}, err
	}
	manifest, _, err := registry.Get(ctx, a.Store, s.Model, champion.Version)
	if err != nil {
		return stage.Compared{}, err
	}
	compared := stage.Compared{Rival: stage.Rival{Version: champion.Version}}
	if compared.Note, err = a.comparable(ctx, in, manifest); err != nil || compared.Note != "" {
		return compared, err
	}
	its, err := loadSpec(ctx, a.Store, manifest.Spec)
	if err != nil {
		return stage.Compared{}, err
	}
	compared.Threshold, compared.Rule = its.Evaluate.Threshold, manifest.Thresholds
	scored, err := a.scores(ctx, in.Prepared, manifest.ModelArtifact)
	if err != nil {
		if ctx.Err() != nil || transient(err) != "" || passes(err) {
			return stage.Compared{}, err
		}
		compared.Note = shortened(fmt.Sprintf("version %d could not be asked: %v", champion.Version, err))
		return compared, nil
	}
	compared.Scores, compared.Usage = scored.Scores, scored.Usage
	compared.Summary = fmt.Sprintf("version %d on the same %d rows", champion.Version, scored.Rows)
	return compared, nil
}

// passes reports whether a model's own program failed in a way that trying again may mend.
func passes(err error) bool {
	serving, again := serveFailure(err)
	return serving && again
}

// comparable says why a champion's answers mean something else than the candidate's, or nothing.
func (a *Audit) comparable(ctx context.Context, in stage.AuditInput, champion registry.Manifest) (string, error) {
	old, err := model.ReadSchema(ctx, a.Store, champion.ModelArtifact)
	if err != nil {
		return "", err
	}
	candidate, err := model.ReadSchema(ctx, a.Store, in.Model)
	if err != nil {
		return "", err
	}
	if !old.SameAnswers(candidate) {
		return fmt.Sprintf("version %d predicts something else than the candidate: another column, other classes or another kind of answer", champion.Version), nil
	}
	return "", nil
}
