package activities

import (
	"context"
	"time"

	"github.com/assay-ml/assay/internal/stage"
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
)

// Interceptor goes around every activity of a worker: it turns domain errors into Temporal errors and measures.
type Interceptor struct {
	interceptor.WorkerInterceptorBase
	seconds *prometheus.HistogramVec
	spent   *prometheus.CounterVec
	books   *accountant
}

// NewInterceptor registers its metrics with r.
func NewInterceptor(r prometheus.Registerer) *Interceptor {
	i := &Interceptor{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "assay_activity_seconds", Help: "Time of one attempt of an activity, by name and end.",
		Buckets: []float64{.005, .02, .1, .5, 2, 10, 60, 300, 1800, 7200},
	}, []string{"activity", "end"}), books: newAccountant()}
	i.spent = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "assay_activity_used_seconds_total", Help: "Processor and device time that activities took, by name; of those answered from the store none.",
	}, []string{"activity", "resource"})
	r.MustRegister(i.seconds, i.spent)
	return i
}

// InterceptActivity is called by the SDK for each activity.
func (i *Interceptor) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	a := &activityInterceptor{owner: i}
	a.Next = next
	return a
}

type activityInterceptor struct {
	interceptor.ActivityInboundInterceptorBase
	owner *Interceptor
}

// brief is the longest time limit of activities that only read or write documents (package workflows).
const brief = time.Minute

func (a *activityInterceptor) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	start := time.Now()
	account := a.owner.books.open()
	defer account.close()
	ctx = context.WithValue(ctx, accountKey{}, account)
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
	name := activity.GetInfo(ctx).ActivityType.Name
	if answer, ok := result.(interface{ Spent() stage.Usage }); ok && err == nil {
		a.owner.spent.WithLabelValues(name, "cpu").Add(answer.Spent().CPUSeconds)
		a.owner.spent.WithLabelValues(name, "gpu").Add(answer.Spent().GPUSeconds)
	}
	a.owner.seconds.WithLabelValues(name, end).Observe(time.Since(start).Seconds())
	return result, err
}
