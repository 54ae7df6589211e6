package spec

import (
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/stats"
)

// WithDefaults is the spec with every default of the reference filled in. Parse applies it; applying it twice changes
// nothing. What is filled in is copied before, so that s stays as it was; the rest is shared with it.
func (s *Spec) WithDefaults() Spec {
	out := *s
	if out.Data.Split.By == "" {
		out.Data.Split.By = "hash"
	}
	out.Train = out.Train.withDefaults()
	out.Data.Target = out.Data.Target.withDefaults()
	binary := out.Data.Target.TaskOf() == stats.Binary
	if out.Serve != nil {
		out.Serve = new(out.Serve.withDefaults(binary))
	}
	if out.Evaluate.Threshold == nil && binary {
		out.Evaluate.Threshold = new(0.5)
	}
	out.Evaluate.Metrics = slices.Clone(out.Evaluate.Metrics)
	for i := range out.Evaluate.Metrics {
		orElse(&out.Evaluate.Metrics[i].TimeLimit, Duration(10*time.Minute))
	}
	out.Gates = out.Gates.withDefaults(out.Review)
	if out.Rollout.Target == "" {
		out.Rollout.Target = "gateway"
	}
	out.Monitor = out.Monitor.withDefaults()
	return out
}

// orElse gives a field its default where it has no value.
func orElse[T comparable](field *T, standard T) {
	var none T
	if *field == none {
		*field = standard
	}
}

func (t Train) withDefaults() Train {
	orElse(&t.Queue, "cpu")
	if t.Queue == "gpu" {
		orElse(&t.GPUs, 1)
	}
	if t.Trainer == TrainerLogistic {
		t.Parameters = t.Parameters.withLogisticDefaults()
	}
	if t.Command != nil {
		t.Command = new(t.Command.withDefaults())
	}
	if t.Sweep != nil {
		t.Sweep = new(t.Sweep.withDefaults())
	}
	return t
}

func (c Command) withDefaults() Command {
	orElse(&c.Data, "csv")
	orElse(&c.TimeLimit, Duration(12*time.Hour))
	orElse(&c.Silence, min(Duration(10*time.Minute), c.TimeLimit/2))
	orElse(&c.Grace, Duration(8*time.Second))
	orElse(&c.Retry.Attempts, 3)
	if c.Retry.On == nil {
		c.Retry.On = []string{RetrySignal, RetrySilence}
	}
	return c
}

func (s Serve) withDefaults(binary bool) Serve {
	orElse(&s.Format, ServeCSV)
	if s.PositiveIndex == nil && binary {
		s.PositiveIndex = new(1)
	}
	orElse(&s.BatchRows, 1000)
	orElse(&s.InFlight, 2)
	orElse(&s.ReadyWithin, Duration(2*time.Minute))
	orElse(&s.TimeLimit, Duration(time.Minute))
	return s
}

func (w Sweep) withDefaults() Sweep {
	orElse(&w.Goal, SweepMaximize)
	orElse(&w.Parallel, 2)
	if w.Method == SweepGrid {
		orElse(&w.Trials, int(min(w.combinations(), mostTrials)))
	}
	if w.Method == SweepASHA && w.EarlyStop == nil {
		w.EarlyStop = &EarlyStop{}
	}
	if w.EarlyStop != nil {
		stop := *w.EarlyStop
		orElse(&stop.First, 1)
		orElse(&stop.Factor, 3)
		w.EarlyStop = &stop
	}
	return w
}

func (g Gates) withDefaults(r Review) Gates {
	orElse(&g.Inconclusive, "review")
	if g.TestSet != nil && g.TestSet.ShowTo == nil {
		set := *g.TestSet
		for _, seat := range r.Quorum {
			set.ShowTo = append(set.ShowTo, seat.Role)
		}
		g.TestSet = &set
	}
	return g
}

func (m Monitor) withDefaults() Monitor {
	orElse(&m.Every, Duration(time.Hour))
	orElse(&m.Drift.FalseAlarms, 0.01)
	orElse(&m.Drift.MinRows, 50)
	orElse(&m.Drift.Correction, "holm")
	return m
}
