package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/chain"
	"github.com/assay-ml/assay/internal/drift"
	"github.com/assay-ml/assay/internal/ledger"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/predictionlog"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/table"
	"github.com/prometheus/client_golang/prometheus"
)

// mostRows bounds one drift check; of more rows in a window the newest are taken.
const mostRows = 1_000_000

// WatchMetrics shows what the last drift check of each model found.
type WatchMetrics struct {
	psi     *prometheus.GaugeVec
	p       *prometheus.GaugeVec
	drifted *prometheus.GaugeVec
	checks  *prometheus.CounterVec
}

// NewWatchMetrics registers the metrics with r.
func NewWatchMetrics(r prometheus.Registerer) *WatchMetrics {
	m := &WatchMetrics{
		psi:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "assay_drift_psi", Help: "Population stability index of a column in the last check."}, []string{"model", "column"}),
		p:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "assay_drift_adjusted_p", Help: "Adjusted p-value of a column in the last check."}, []string{"model", "column"}),
		drifted: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "assay_drift_columns", Help: "Columns that had drifted in the last check."}, []string{"model"}),
		checks:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "assay_drift_checks_total", Help: "Drift checks by verdict."}, []string{"model", "verdict"}),
	}
	r.MustRegister(m.psi, m.p, m.drifted, m.checks)
	return m
}

func (m *WatchMetrics) show(name string, r drift.Report) {
	m.checks.WithLabelValues(name, string(r.Verdict)).Inc()
	if r.Verdict == drift.Insufficient {
		return
	}
	drifted := 0
	for _, c := range r.Columns {
		if c.Drifted {
			drifted++
		}
		m.psi.WithLabelValues(name, c.Name).Set(c.PSI)
		m.p.WithLabelValues(name, c.Name).Set(c.AdjustedP)
	}
	m.drifted.WithLabelValues(name).Set(float64(drifted))
}

// Observe counts what a version answered since a time.
func (w *Watching) Observe(ctx context.Context, in stage.ObserveInput) (stage.Observed, error) {
	requests, failed, latency, err := predictionlog.Count(ctx, w.Store, in.Model, in.Version, in.Since)
	return stage.Observed{Requests: requests, Errors: failed, MeanLatencyMillis: float64(latency.Microseconds()) / 1000}, err
}

// CheckDrift compares what was asked of a version in a window with the data it was trained on.
func (w *Watching) CheckDrift(ctx context.Context, in stage.DriftInput) (stage.DriftChecked, error) {
	defer attend(ctx)()
	manifest, digest, err := registry.Get(ctx, w.Store, in.Model, in.Version)
	if err != nil {
		return stage.DriftChecked{}, err
	}
	reference, err := table.ReadProfile(ctx, w.Store, manifest.Profile)
	if err != nil {
		return stage.DriftChecked{}, err
	}
	schema, err := model.ReadSchema(ctx, w.Store, manifest.ModelArtifact)
	if err != nil {
		return stage.DriftChecked{}, err
	}
	current, err := w.window(ctx, in, schema.Features)
	if err != nil {
		return stage.DriftChecked{}, err
	}
	found, err := drift.Check(reference, current, drift.Options{FalseAlarms: in.Drift.FalseAlarms, MinRows: in.Drift.MinRows, Correction: in.Drift.Correction})
	if err != nil {
		return stage.DriftChecked{}, err
	}
	ref, err := artifact.PutJSON(ctx, w.Store, artifact.MediaJSON, found)
	if err != nil {
		return stage.DriftChecked{}, err
	}
	columns := strongest(found, 10)
	w.Metrics.show(in.Model, found)
	answer := stage.DriftChecked{
		Answer: stage.Answer{Summary: found.Summary}, Report: ref, Verdict: string(found.Verdict), Rows: int64(found.Rows), Drifted: columns,
	}
	if found.Verdict != drift.Drift {
		return answer, nil
	}
	// A test set that the model was decided on no longer shows what it meets: the next candidate needs a new one.
	reason := fmt.Sprintf("The drift check of %s raised the alarm: %s.", in.Until.UTC().Format(time.RFC3339), strings.Join(columns, ", "))
	if _, err := ledger.Invalidate(ctx, w.Store, in.Model, manifest.TestData.Digest, reason, in.Until); err != nil {
		return stage.DriftChecked{}, err
	}
	_, err = chain.Append(ctx, w.Store, w.Signer, in.Model, chain.Event{
		Key: in.Key, Type: stage.EventDrift, Time: in.Until, Actor: "monitor/" + in.Model,
		Subjects: []chain.Subject{{Name: registry.VersionName(in.Model, in.Version), Digest: digest}, {Name: "drift-report", Digest: ref.Digest}},
		Detail:   map[string]string{"version": strconv.Itoa(in.Version), "rows": strconv.Itoa(found.Rows), "columns": strings.Join(columns, ", ")},
	})
	return answer, err
}

// window gathers the features of what a version was asked; refused and failed requests are no evidence of drift.
func (w *Watching) window(ctx context.Context, in stage.DriftInput, features []model.Feature) (*table.Frame, error) {
	var records []predictionlog.Record
	err := predictionlog.Read(ctx, w.Store, in.Model, in.Since, in.Until, func(r predictionlog.Record) error {
		if r.Version == in.Version && !r.Failed() {
			records = append(records, r)
		}
		if len(records) >= 2*mostRows {
			records = slices.Clone(records[mostRows:])
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the predictions of %s from %s to %s: %w", in.Model, in.Since, in.Until, err)
	}
	return predictionlog.Frame(records[max(0, len(records)-mostRows):], features)
}

// strongest names the columns that drifted, the clearest first.
func strongest(r drift.Report, most int) []string {
	columns := slices.DeleteFunc(slices.Clone(r.Columns), func(c drift.Column) bool { return !c.Drifted })
	slices.SortStableFunc(columns, func(a, b drift.Column) int {
		return cmp.Or(cmp.Compare(a.AdjustedP, b.AdjustedP), cmp.Compare(b.PSI, a.PSI))
	})
	var names []string
	for _, c := range columns[:min(most, len(columns))] {
		names = append(names, c.Name)
	}
	return names
}
