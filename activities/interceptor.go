package activities

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
)

// Interceptor goes around every activity of a worker: it turns domain errors into Temporal errors and measures.
type Interceptor struct {
	interceptor.WorkerInterceptorBase
	seconds *prometheus.HistogramVec
}

// NewInterceptor registers its metrics with r.
func NewInterceptor(r prometheus.Registerer) *Interceptor {
	i := &Interceptor{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "assay_activity_seconds", Help: "Time of one attempt of an activity, by name and end.",
		Buckets: []float64{.005, .02, .1, .5, 2, 10, 60, 300, 1800, 7200},
	}, []string{"activity", "end"})}
	r.MustRegister(i.seconds)
	return i
}

// InterceptActivity is called by the SDK for each activity.
func (i *Interceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	a := &activityInterceptor{seconds: i.seconds}
	a.Next = next
	return a
}

type activityInterceptor struct {
	interceptor.ActivityInboundInterceptorBase
	seconds *prometheus.HistogramVec
}

// brief is the longest time limit of activities that only read or write documents (package workflows).
const brief = time.Minute

func (a *activityInterceptor) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	start := time.Now()
	if activity.GetInfo(ctx).StartToCloseTimeout <= brief {
		// The time limit ends a brief activity that hangs. Heartbeats say that its process lives: when that was killed,
		// another takes over without waiting for the limit.
		defer attend(ctx)()
	}
	result, err := a.Next.ExecuteActivity(ctx, in)
	err = asTemporal(ctx, err)
	end := "done"
	if answer, ok := result.(interface{ Outline() (string, bool) }); ok && err == nil {
		if _, cached := answer.Outline(); cached {
			end = "stored"
		}
	}
	if err != nil {
		end = "failed"
		activity.GetLogger(ctx).Warn("an attempt failed", "error", err.Error())
	}
	a.seconds.WithLabelValues(activity.GetInfo(ctx).ActivityType.Name, end).Observe(time.Since(start).Seconds())
	return result, err
}
