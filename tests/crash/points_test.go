//go:build crash

package crash_test

import (
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/rollout"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/synthetic"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflow/v1"
)

// Kills fall within milliseconds of what is looked for: the store is asked all the time, the server more seldom, since
// it works on the same processors.
const (
	onStore  = 200 * time.Microsecond
	onServer = 2 * time.Millisecond
)

// Documents of the store that appear once in a life.
const (
	firstVersion    = "models/credit/versions/000001.json"
	champion        = "models/credit/champion.json"
	secondDecision  = "models/credit/chain/000000000003.json" // the record after the dossier's and the first decision's
	promotionRecord = "models/credit/chain/000000000006.json" // after another decision's and the version's
	driftRecord     = "models/credit/chain/000000000007.json"
)

// point is a moment of a life at which the stack is killed.
type point struct {
	name string
	lead func()        // what people and callers do to bring the moment about; nil: nothing
	now  func() bool   // is the moment there, or gone?
	look time.Duration // between two times that is asked
	// The kill fell where it was meant to when hit, asked of the store of the dead stack, says so; or when Temporal,
	// asked by the stack that came back, shows that the workflow waits for an answer of the activity, which a worker had begun before the kill.
	hit                func() bool
	workflow, activity string
}

// points are the moments in the order in which a life comes to them.
func (l *life) points(c *callers) []point {
	var stopFlow func()
	var answered int // requests, when the canary was cut off
	during := func(name, activity string, now func() bool) point {
		return point{name: name, workflow: l.lifecycle, activity: activity, now: now, look: onServer}
	}
	return []point{
		during("ingest, while rows are being converted", stage.ActivityIngest, l.working(stage.Ingest, stage.ActivityIngest, "assay-table-*/data.parquet")),
		during("prepare, with the first of three parts stored", stage.ActivityPrepare, l.working(stage.Prepare, stage.ActivityPrepare, "assay-table-*/part-1.parquet")),
		during("training, between iterations", stage.ActivityTrain, l.progressing(stage.Train, stage.ActivityTrain)),
		during("an audit, between shuffles of its columns", stage.ActivityExplain, l.progressing(stage.Explain, stage.ActivityExplain)),
		{
			name: "review, with the second of three votes just recorded",
			lead: func() {
				l.approve("eva", "ethics")
				l.approveBySignal("emil", "ethics")
			},
			now:      func() bool { return l.has(secondDecision) },
			look:     onStore,
			workflow: l.lifecycle, activity: stage.ActivityRecord,
		},
		{
			name: "registering, with the version written and nothing promoted",
			lead: func() {
				s := l.status("both votes are in", func(s workflows.Status) bool { return s.Review != nil && len(s.Review.Decisions) == 2 })
				require.Equal(l.t, []review.Seat{{Role: "risk", Approvals: 1}}, s.Review.Missing)
				l.approve("rob", "risk")
			},
			now:  func() bool { return l.has(firstVersion) },
			look: onStore,
			hit:  func() bool { return !l.has(champion) },
		},
		{
			name: "canary, with requests on their way",
			lead: func() {
				s := l.status("a version is registered", func(s workflows.Status) bool { return s.Version > 0 })
				require.Equal(l.t, 1, s.Version, "registering again finds the version that was written")
				stopFlow = c.flow("canary")
			},
			now: func() bool {
				var s rollout.Status
				return c.count() > 100 && l.ask(l.rollout(), &s) && s.State != rollout.Pending
			},
			look: onServer,
			hit: func() bool {
				answered = c.count()
				return !l.has(champion)
			},
		},
		{
			name: "promotion, with the pointer moved and nothing on record",
			lead: func() { await(l.t, "the gateway answers again", calm, func() bool { return c.count() > answered+100 }) },
			now:  func() bool { return l.has(champion) },
			look: onStore,
			hit:  func() bool { return !l.has(promotionRecord) },
		},
		{
			name: "a drift check",
			lead: func() {
				require.Equal(l.t, workflows.Deployed, l.result(l.lifecycle).Outcome)
				stopFlow()
				l.check(c, "drifted", synthetic.Options{Rows: 1000, Seed: 3003, Drift: 0.8})
			},
			now:      func() bool { return l.taken(l.monitor(), stage.ActivityCheckDrift) != nil || l.has(driftRecord) },
			look:     onServer,
			workflow: l.monitor(), activity: stage.ActivityCheckDrift,
		},
	}
}

// working waits for an activity that a worker has taken and that has come as far as a temporary file of that pattern.
func (l *life) working(name stage.Name, activity, file string) func() bool {
	return func() bool {
		return l.scratch(file) && l.taken(l.lifecycle, activity) != nil || l.answered(name)
	}
}

// progressing waits for an activity to tell of its progress.
func (l *life) progressing(name stage.Name, activity string) func() bool {
	return func() bool {
		return l.taken(l.lifecycle, activity).GetHeartbeatDetails() != nil || l.answered(name)
	}
}

// strike kills the stack at a point and starts it again. It reports whether the kill fell where it was meant to.
func (l *life) strike(p point) bool {
	l.t.Helper()
	if p.lead != nil {
		p.lead()
	}
	await(l.t, "the moment to kill: "+p.name, p.look, p.now)
	killed := time.Now()
	l.kill()
	files := l.immutable()
	hit := p.hit != nil && p.hit()
	l.start()
	if p.activity != "" {
		hit = slices.ContainsFunc(l.pending(p.workflow), func(a *workflow.PendingActivityInfo) bool {
			return a.GetActivityType().GetName() == p.activity && a.GetLastStartedTime() != nil && a.GetLastStartedTime().AsTime().Before(killed)
		})
	}
	l.t.Logf("killed during %s: hit %t, pending then: %s; %d files stored; back after %s",
		p.name, hit, l.waiting(), len(files), l.starts[len(l.starts)-1].Round(time.Millisecond))
	requireUntouched(l.t, files, l.immutable())
	return hit
}
