package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/rollout"
	"github.com/assay-ml/assay/workflows"
	"go.temporal.io/sdk/client"
)

// Seeds of the generated traffic: none is the training data's.
const (
	canarySeed  = 1001
	steadySeed  = 2002
	driftedSeed = 3003
	oneSeed     = 4004
)

const (
	windowRows  = 1500
	strongDrift = 0.8
	swapTime    = 500 * time.Millisecond // a gateway notices a promotion at its next look at the registry
	settle      = 6 * time.Second        // a check stays a few seconds behind the present, until the gateway has sealed its log
)

// tell shows verdicts, decisions, the version, the rollout, and one prediction.
func (p *player) tell(ctx context.Context) error {
	s := p.status
	stored := 0
	for _, line := range s.Stages {
		if line.Cached {
			stored++
		}
	}
	if stored > 0 {
		p.say("%d stages were answered from the store: nothing they depend on has changed since an earlier run.", stored)
	}
	store, err := artifact.OpenDir(filepath.Join(p.Stack.State, "store"))
	if err != nil {
		return err
	}
	var answered report.Gate
	if err := artifact.ReadJSON(ctx, store, s.Verdicts, &answered); err != nil {
		return err
	}
	p.say("Gate: %s", answered.Verdict)
	for _, r := range answered.Results {
		fmt.Fprintf(p.Out, "  %-12s %s\n               %s\n", r.Verdict, r.Condition, r.Reason)
	}
	p.say("Decisions, bound to dossier %s", s.Dossier.Digest)
	for _, d := range s.Review.Decisions {
		fmt.Fprintf(p.Out, "  %s by %s (%s): %s\n", d.Decision, d.Reviewer, d.Role, d.Reason)
	}
	p.say("Registered version %d of %s. Its rollout:", s.Version, s.Model)
	if err := p.tellRollout(ctx, s.Rollout); err != nil {
		return err
	}
	p.say("One prediction, answered by the gateway:")
	return p.predictOne(ctx)
}

func (p *player) tellRollout(ctx context.Context, id string) error {
	t, err := client.DialContext(ctx, client.Options{HostPort: p.Stack.Temporal, Logger: silent{}})
	if err != nil {
		return err
	}
	defer t.Close()
	value, err := t.QueryWorkflow(ctx, id, "", workflows.QueryStatus)
	if err != nil {
		return err
	}
	var s rollout.Status
	if err := value.Get(&s); err != nil {
		return err
	}
	for i, step := range s.Steps {
		fmt.Fprintf(p.Out, "  step %d: %g %% of traffic for %s: %s\n", i+1, step.Traffic, step.Hold, step.Note)
	}
	fmt.Fprintf(p.Out, "  %s: %s\n", s.State, s.Reason)
	return nil
}

func (p *player) predictOne(ctx context.Context) error {
	body, err := json.MarshalIndent(newTraffic(p.Stack.Gateway, p.model, oneSeed).request("demo-applicant", 1), "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(p.Stack.State, "demo-request.json")
	if err := os.WriteFile(file, body, 0o644); err != nil {
		return err
	}
	return p.starter(ctx, "predict", p.model, "--input", file)
}

// watch has the monitor check two windows: one like the training data, one of later applicants.
func (p *player) watch(ctx context.Context) error {
	for _, window := range []struct {
		what  string
		seed  uint64
		drift float64
		want  string
	}{
		{"applications like those the model was trained on", steadySeed, 0, "none"},
		{fmt.Sprintf("applications of a later time (drift %g: lower incomes, more unemployed, more debt)", strongDrift), driftedSeed, strongDrift, "drift"},
	} {
		p.say("Drift check on %d %s", windowRows, window.what)
		check, err := p.checkWindow(ctx, window.seed, window.drift)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "  %s: %s\n", check.Verdict, check.Summary)
		if check.Retraining != "" {
			fmt.Fprintf(p.Out, "  retraining: %s\n", check.Retraining)
		}
		if strings.HasPrefix(check.Retraining, "lifecycle/") {
			if err := p.starter(ctx, "watch", check.Retraining); err != nil {
				return err
			}
		}
		if check.Verdict != window.want {
			return fmt.Errorf("the drift check answered %q; expected %q", check.Verdict, window.want)
		}
	}
	return nil
}

// checkWindow sends one window of traffic and has it checked.
func (p *player) checkWindow(ctx context.Context, seed uint64, drift float64) (workflows.Check, error) {
	// What was sent before, during the canary, belongs to another window.
	var before workflows.MonitorStatus
	if err := p.ask(ctx, &before, "monitor", p.model); err != nil {
		return workflows.Check{}, err
	}
	t := newTraffic(p.Stack.Gateway, p.model, seed)
	t.drift = drift
	if err := t.send(ctx, windowRows); err != nil {
		return workflows.Check{}, err
	}
	if err := pause(ctx, settle); err != nil {
		return workflows.Check{}, err
	}
	if err := p.starter(ctx, "monitor", p.model, "check"); err != nil {
		return workflows.Check{}, err
	}
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		var now workflows.MonitorStatus
		if err := p.ask(ctx, &now, "monitor", p.model); err != nil {
			return workflows.Check{}, err
		}
		if now.Checks > before.Checks {
			return now.Recent[len(now.Recent)-1], nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return workflows.Check{}, err
		}
	}
	return workflows.Check{}, fmt.Errorf("the monitor of %s did not check within a minute", p.model)
}

// verify walks the chain, as an auditor would.
func (p *player) verify(ctx context.Context) error {
	p.say("The record, verified offline:")
	if err := p.starter(ctx, "verify", p.model); err != nil {
		return err
	}
	p.say("The dossier lies at %s (digest %s).", filepath.Join(p.Stack.State, "demo-dossier.html"), p.status.Dossier.Digest)
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// silent drops the SDK's log lines: the demonstration reports errors itself.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
