package workers

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/workflows"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// newRegistry holds the process's metrics: Go's, the SDK's and Assay's.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// sdkMetrics sends the SDK's metrics to the registry.
func sdkMetrics(r *prometheus.Registry, log *slog.Logger) (client.MetricsHandler, error) {
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(r), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("export the SDK's metrics: %w", err)
	}
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)).Meter("temporal-sdk-go")
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: meter, UseMonotonicCounters: true,
		OnError: func(err error) { log.Error("a metric of the SDK was lost", "error", err) },
	}), nil
}

// registerDevices shows how many devices the process owns and has given out.
func registerDevices(r prometheus.Registerer, pool *device.Pool) {
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "assay_device_slots", Help: "Devices this worker owns."}, func() float64 { return float64(pool.Size()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "assay_device_slots_used", Help: "Devices in use by training."}, func() float64 { return float64(pool.InUse()) }),
	)
}

// registerWaiting shows how many lifecycles wait for people. It asks Temporal when scraped: the count must be right
// also after this process was restarted.
func registerWaiting(r prometheus.Registerer, t client.Client, log *slog.Logger) {
	query := fmt.Sprintf("WorkflowType = '%s' AND %s = 'review' AND ExecutionStatus = 'Running'", workflows.LifecycleType, workflows.AttributeStage.GetName())
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "assay_reviews_waiting", Help: "Lifecycles that wait for decisions; -1 when Temporal does not answer."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		answer, err := t.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err != nil {
			log.Warn("waiting reviews were not counted", "error", err)
			return -1
		}
		return float64(answer.Count)
	}))
}

// serveMetrics serves the registry until ctx ends.
func serveMetrics(ctx context.Context, l net.Listener, r *prometheus.Registry) error {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{Registry: r}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); err != http.ErrServerClosed {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
