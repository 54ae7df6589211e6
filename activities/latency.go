package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
)

// stageLatency names how long a model takes for one row.
const (
	stageLatency   stage.Name = "latency"
	versionLatency int        = 1

	warmingRequests = 20  // not counted: programs load and compile on their first requests
	timedRequests   = 500 // enough for an interval of the 99th percentile at usual reliabilities
)

// latency is times of single requests, in milliseconds.
type latency struct {
	stage.Answer
	Milliseconds []float64 `json:"milliseconds"`
}

// latencies measures how long a model takes to answer one row, asked from this machine and one at a time. It is measured once
// for a model and its test part: a retry must not find another number.
func (a *Audit) latencies(ctx context.Context, prepared, asked artifact.Ref) ([]float64, error) {
	params := struct {
		Prepared artifact.Ref `json:"prepared"`
		Model    artifact.Ref `json:"model"`
	}{prepared, asked}
	measured, err := stored(ctx, a.Store, stageLatency, versionLatency, params, func() (latency, error) {
		defer attend(ctx)()
		var parts table.Prepared
		if err := artifact.ReadJSON(ctx, a.Store, prepared, &parts); err != nil {
			return latency{}, err
		}
		var found latency
		_, err := a.asking(ctx, asked, func(p model.Predictor) (err error) {
			found.Milliseconds, err = a.time(ctx, p, parts)
			return err
		})
		if err != nil {
			return latency{}, fmt.Errorf("time single requests: %w", err)
		}
		found.Summary = fmt.Sprintf("%d single requests", len(found.Milliseconds))
		return found, nil
	})
	return measured.Milliseconds, err
}

func (a *Audit) time(ctx context.Context, p model.Predictor, parts table.Prepared) ([]float64, error) {
	var wanted []table.Wanted
	for _, f := range p.Schema().Features {
		wanted = append(wanted, table.Wanted{Name: f.Name, Kind: f.Kind})
	}
	test, err := table.ReadFrame(ctx, a.Store, parts.Test, wanted, a.Limits)
	if err != nil {
		return nil, err
	}
	var times []float64
	for k := range warmingRequests + timedRequests {
		one := rowOf(test, k%test.Rows)
		began := time.Now()
		if _, err := p.Predict(ctx, one); err != nil {
			return nil, err
		}
		if k >= warmingRequests {
			times = append(times, float64(time.Since(began).Nanoseconds())/1e6)
		}
	}
	return times, nil
}

// rowOf is a table of one row.
func rowOf(f *table.Frame, row int) *table.Frame {
	one := &table.Frame{Rows: 1}
	for _, c := range f.Columns {
		cut := table.Column{Name: c.Name, Kind: c.Kind, Levels: c.Levels}
		if c.Kind == table.Numeric {
			cut.Numbers = c.Numbers[row : row+1]
		} else {
			cut.Codes = c.Codes[row : row+1]
		}
		one.Columns = append(one.Columns, cut)
	}
	return one
}
