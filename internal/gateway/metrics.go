package gateway

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a gateway. Models that do not exist are counted under the empty name, so that callers cannot make
// series of their own.
type metrics struct {
	requests     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	fallbacks    *prometheus.CounterVec
	labels       *prometheus.CounterVec
	sealed       *prometheus.CounterVec
	swaps        *prometheus.CounterVec
	loadFailures *prometheus.CounterVec
	logFailures  *prometheus.CounterVec
	serving      *prometheus.GaugeVec
	traffic      *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "assay", Subsystem: "gateway", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "assay", Subsystem: "gateway", Name: name, Help: help}, labels)
	}
	m := &metrics{
		requests: counter("requests_total", "Inference requests by the version that answered and the HTTP status.", "model", "version", "role", "code"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "assay", Subsystem: "gateway", Name: "request_duration_seconds", Help: "Time from an inference request's arrival to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}, []string{"model", "version"}),
		fallbacks:    counter("fallbacks_total", "Requests the champion answered because the candidate failed.", "model"),
		labels:       counter("labels_total", "Labels recorded.", "model"),
		sealed:       counter("segments_sealed_total", "Log segments put into the store.", "log", "model"),
		swaps:        counter("swaps_total", "Changes of what serves: versions or traffic.", "model"),
		loadFailures: counter("load_failures_total", "Attempts to load a version that failed.", "model"),
		logFailures:  counter("log_failures_total", "Answers and labels withheld because they could not be recorded.", "model"),
		serving:      gauge("serving_version", "Version in the role; 0 for none.", "model", "role"),
		traffic:      gauge("candidate_traffic_percent", "Share of requests meant for the candidate.", "model"),
	}
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.fallbacks, m.labels, m.sealed, m.swaps, m.loadFailures, m.logFailures, m.serving, m.traffic} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) request(c *call, code int, took time.Duration) {
	var model, version, role string
	if c.dep != nil {
		model = c.dep.model
	}
	if c.answered != nil {
		version, role = strconv.Itoa(c.answered.number), c.answered.role
	}
	m.requests.WithLabelValues(model, version, role, strconv.Itoa(code)).Inc()
	m.duration.WithLabelValues(model, version).Observe(took.Seconds())
}

// deployed notes what serves from now on, and whether that is a change. before may be nil.
func (m *metrics) deployed(before, now *deployment) {
	if before == nil {
		before = &deployment{}
	}
	changed := before.champion.numberOrZero() != now.champion.numberOrZero() ||
		before.candidate.numberOrZero() != now.candidate.numberOrZero() || before.share() != now.share()
	if changed {
		m.swaps.WithLabelValues(now.model).Inc()
	}
	m.serving.WithLabelValues(now.model, "champion").Set(float64(now.champion.numberOrZero()))
	m.serving.WithLabelValues(now.model, "candidate").Set(float64(now.candidate.numberOrZero()))
	m.traffic.WithLabelValues(now.model).Set(now.share())
}

func (m *metrics) removed(model string) {
	m.serving.DeletePartialMatch(prometheus.Labels{"model": model})
	m.traffic.DeleteLabelValues(model)
}

// numberOrZero is the version in a role; one that is still being loaded is not in it yet.
func (v *version) numberOrZero() int {
	if v == nil || v.loading() {
		return 0
	}
	return v.number
}

// share is the percentage of requests meant for the candidate, once it is there to take them.
func (d *deployment) share() float64 {
	if d.candidate.loading() {
		return 0
	}
	return d.traffic
}
