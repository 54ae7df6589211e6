package activities

import (
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/prometheus/client_golang/prometheus"
)

// TrainingMetrics show how training goes while it runs. A nil one shows nothing.
type TrainingMetrics struct {
	progress    *prometheus.GaugeVec
	memory      *prometheus.GaugeVec
	utilisation *prometheus.GaugeVec
}

// NewTrainingMetrics registers the metrics with r.
func NewTrainingMetrics(r prometheus.Registerer) *TrainingMetrics {
	m := &TrainingMetrics{
		progress: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "assay_training_progress", Help: "Last value of a metric that a running training reported; the metric step says where it stands.",
		}, []string{"model", "metric"}),
		memory: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "assay_device_memory_bytes", Help: "Memory in use on a device that training holds.",
		}, []string{"device"}),
		utilisation: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "assay_device_utilisation", Help: "Share of the last second in which a device that training holds computed.",
		}, []string{"device"}),
	}
	r.MustRegister(m.progress, m.memory, m.utilisation)
	return m
}

func (m *TrainingMetrics) training(model string, p stage.TrainingProgress) {
	if m == nil {
		return
	}
	m.progress.WithLabelValues(model, "step").Set(p.Step)
	for name, value := range p.Metrics {
		m.progress.WithLabelValues(model, name).Set(value)
	}
}

// forget drops what a model's training showed: it has ended.
func (m *TrainingMetrics) forget(model string) {
	if m != nil {
		m.progress.DeletePartialMatch(prometheus.Labels{"model": model})
	}
}

func (m *TrainingMetrics) device(l device.Load) {
	if m == nil {
		return
	}
	m.memory.WithLabelValues(l.UUID).Set(float64(l.MemoryBytes))
	m.utilisation.WithLabelValues(l.UUID).Set(l.Utilisation)
}
