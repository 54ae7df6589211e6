package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/review"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/workflows"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// server is a Temporal server with Assay's workers, and how lifecycles are driven on it.
type server struct {
	ctx    context.Context
	client client.Client
}

func (s server) begin(model, id string, spec map[string]any) (string, error) {
	full := workflows.LifecycleID(model, id)
	encoded, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	_, err = s.client.ExecuteWorkflow(s.ctx, client.StartWorkflowOptions{ID: full, TaskQueue: workflows.TaskQueue}, workflows.LifecycleType,
		workflows.LifecycleInput{Spec: bytes.TrimSpace(encoded), Requester: "bench", Trigger: stage.Trigger{Kind: "manual"}})
	return full, err
}

func (s server) status(id string) (workflows.Status, error) {
	var st workflows.Status
	value, err := s.client.QueryWorkflow(s.ctx, id, "", workflows.QueryStatus)
	if err != nil {
		return st, err
	}
	return st, value.Get(&st)
}

// await asks until ok. Seldom, where that is enough: what is measured runs on the same processors.
func await(ctx context.Context, what string, limit, every time.Duration, ok func() (bool, error)) error {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
	return fmt.Errorf("this did not come to pass within %s: %s", limit, what)
}

// reviewable starts a lifecycle on small generated data and waits until it is under review.
func (s server) reviewable(model, id string) (string, error) {
	full, err := s.begin(model, id, creditSpec(model))
	if err != nil {
		return "", err
	}
	return full, s.reachReview(full)
}

func (s server) reachReview(id string) error {
	return await(s.ctx, id+" is under review", 2*time.Minute, 150*time.Millisecond, func() (bool, error) {
		st, err := s.status(id)
		if err != nil {
			return false, err
		}
		if st.Result != nil {
			return false, fmt.Errorf("%s ended before its review: %s", id, st.Result.Reason)
		}
		return st.Stage == stage.Review && st.Review != nil && st.Review.Outcome == review.Open, nil
	})
}

// trained waits until the training of a lifecycle has ended and cancels what would follow. It gives the stage's line, and
// returns when nothing of the lifecycle runs any more.
func (s server) trained(id string, limit, every time.Duration) (workflows.StageStatus, error) {
	var line workflows.StageStatus
	err := await(s.ctx, id+" is trained", limit, every, func() (bool, error) {
		st, err := s.status(id)
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(st.Stages, func(l workflows.StageStatus) bool { return l.Stage == stage.Train })
		if i >= 0 && st.Stages[i].State == workflows.Done {
			line = st.Stages[i]
			return true, nil
		}
		if st.Result != nil {
			return false, fmt.Errorf("%s ended before it was trained: %s", id, st.Result.Reason)
		}
		return false, nil
	})
	if err != nil {
		return line, err
	}
	if line.Cached {
		return line, fmt.Errorf("the training of %s was answered from the store, which is not to be measured", id)
	}
	if err := s.client.CancelWorkflow(s.ctx, id, ""); err != nil {
		return line, err
	}
	_ = s.client.GetWorkflow(s.ctx, id, "").Get(s.ctx, nil) // how it ends does not matter here
	return line, s.ctx.Err()
}

func (s server) approve(id string) error {
	st, err := s.status(id)
	if err != nil {
		return err
	}
	handle, err := s.client.UpdateWorkflow(s.ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: workflows.UpdateDecision, WaitForStage: client.WorkflowUpdateStageAccepted,
		Args: []any{review.Vote{Reviewer: "ada", Role: "ethics", Decision: review.Approve, Reason: "bench", Dossier: st.Review.Dossier.String()}},
	})
	if err != nil {
		return err
	}
	return handle.Get(s.ctx, nil)
}

// history reads the latest run of a workflow.
func (s server) history(id string) (*history.History, error) { return s.historyOf(id, "") }

func (s server) historyOf(id, run string) (*history.History, error) {
	h := &history.History{}
	events := s.client.GetWorkflowHistory(s.ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return nil, err
		}
		h.Events = append(h.Events, e)
	}
	return h, nil
}

// training reads from a lifecycle's history what its training was asked and what it answered.
func (s server) training(id string) (in stage.TrainInput, out stage.Trained, err error) {
	h, err := s.history(id)
	if err != nil {
		return in, out, err
	}
	asked := int64(0)
	for _, e := range h.Events {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil && a.ActivityType.Name == stage.ActivityTrain {
			asked = e.EventId
			err = errors.Join(err, decode(a.Input, &in))
		}
		if a := e.GetActivityTaskCompletedEventAttributes(); a != nil && asked > 0 && a.ScheduledEventId == asked {
			return in, out, errors.Join(err, decode(a.Result, &out))
		}
	}
	return in, out, errors.Join(err, fmt.Errorf("the history of %s shows no training that was completed", id))
}

func decode(p *common.Payloads, into any) error {
	return converter.GetDefaultDataConverter().FromPayloads(p, into)
}

func creditSpec(model string) map[string]any {
	return map[string]any{
		"apiVersion": "assay/v1", "kind": "Lifecycle", "model": model, "owner": "bench", "purpose": "measurement",
		"data": map[string]any{
			"source": map[string]any{"uri": "synthetic://credit?rows=2000&seed=7"}, "target": map[string]any{"column": "approved", "positive": "yes"},
			"protected": []string{"sex"}, "exclude": []string{"application_id"},
			"split": map[string]any{"by": "hash", "train": 0.6, "test": 0.4, "seed": 7},
		},
		"train":  map[string]any{"trainer": "logistic"},
		"gates":  map[string]any{"conditions": []string{"auc > 0.5"}},
		"review": map[string]any{"deadline": "1h", "quorum": []any{map[string]any{"role": "ethics", "approvals": 1}}},
	}
}

// creditOf is creditSpec on so many rows with a validation part.
func creditOf(model string, rows int) map[string]any {
	s := creditSpec(model)
	data := s["data"].(map[string]any)
	data["source"] = map[string]any{"uri": fmt.Sprintf("synthetic://credit?rows=%d&seed=7", rows)}
	data["split"] = map[string]any{"by": "hash", "train": 0.6, "validation": 0.2, "test": 0.2, "seed": 7}
	return s
}

func adultSpec(folder string) map[string]any {
	s := creditSpec("bench-adult")
	s["data"] = map[string]any{
		"source": map[string]any{"uri": filepath.Join(folder, "adult_train.csv")}, "target": map[string]any{"column": "income", "positive": ">50K"},
		"protected": []string{"sex", "race"}, "exclude": []string{"fnlwgt"},
		"split": map[string]any{"by": "hash", "train": 1.0, "test_source": map[string]any{"uri": filepath.Join(folder, "adult_test.csv")}},
	}
	return s
}
