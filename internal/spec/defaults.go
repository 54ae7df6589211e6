package spec

import "time"

// WithDefaults is the spec with every default of the reference filled in. Parse applies it; applying it twice changes
// nothing. Shared slices are not copied.
func (s *Spec) WithDefaults() Spec {
	out := *s
	if out.Data.Split.By == "" {
		out.Data.Split.By = "hash"
	}
	out.Train = out.Train.withDefaults()
	if out.Evaluate.Threshold == nil {
		out.Evaluate.Threshold = new(0.5)
	}
	if out.Gates.Inconclusive == "" {
		out.Gates.Inconclusive = "review"
	}
	if out.Rollout.Target == "" {
		out.Rollout.Target = "gateway"
	}
	out.Monitor = out.Monitor.withDefaults()
	return out
}

func (t Train) withDefaults() Train {
	if t.Queue == "" {
		t.Queue = "cpu"
	}
	if t.Queue == "gpu" && t.GPUs == 0 {
		t.GPUs = 1
	}
	if t.Parameters.L2 == nil {
		t.Parameters.L2 = new(1.0)
	}
	if t.Parameters.MaxIterations == 0 {
		t.Parameters.MaxIterations = 1000
	}
	if t.Parameters.Tolerance == 0 {
		t.Parameters.Tolerance = 1e-7
	}
	return t
}

func (m Monitor) withDefaults() Monitor {
	if m.Every == 0 {
		m.Every = Duration(time.Hour)
	}
	if m.Drift.FalseAlarms == 0 {
		m.Drift.FalseAlarms = 0.01
	}
	if m.Drift.MinRows == 0 {
		m.Drift.MinRows = 50
	}
	if m.Drift.Correction == "" {
		m.Drift.Correction = "holm"
	}
	return m
}
