package spec

import (
	"fmt"

	"github.com/assay-ml/assay/internal/stats"
)

// TaskOf is what is predicted; binary where the spec does not say.
func (t Target) TaskOf() stats.Task {
	if t.Task == "" {
		return stats.Binary
	}
	return stats.Task(t.Task)
}

// withDefaults leaves a binary task empty: the digests of specs without the field must not change, and equal specs have
// equal digests.
func (t Target) withDefaults() Target {
	if t.TaskOf() == stats.Binary {
		t.Task = ""
	}
	return t
}

// checkTask compares what is predicted with how it is trained, answered for and evaluated.
func (d *decoder) checkTask(s *Spec) {
	const path = "data.target.task"
	if d.known(path) {
		return
	}
	task := s.Data.Target.TaskOf()
	if task == stats.Binary {
		if s.Data.Target.Positive == "" {
			d.complain("data.target.positive", "this field is missing", "expected the value whose probability the score is; or write task: multiclass or task: regression")
		}
		return
	}
	found := "found task: " + string(task) + " with "
	if d.given("data.target.positive") {
		d.complain("data.target.positive", fmt.Sprintf("found a positive value with task: %s", task), "leave it out: only one of two values is the positive one")
	}
	if s.Train.Trainer == TrainerLogistic {
		d.complain(path, found+"trainer: logistic", "write trainer: command and train with a program of yours: the built-in trainer tells two values apart and nothing else")
	}
	if s.Evaluate.Threshold != nil {
		d.complain("evaluate.threshold", "found a threshold with task: "+string(task), "leave it out: only two values are told apart by a threshold")
	}
	if s.Serve != nil && s.Serve.PositiveIndex != nil {
		d.complain("serve.positive_index", "found positive_index with task: "+string(task), "leave it out: there is no positive value")
	}
}
