package workflows

import (
	"fmt"
	"strings"
)

// LifecycleID is the workflow id of a lifecycle of a model.
func LifecycleID(model, id string) string { return fmt.Sprintf("lifecycle/%s/%s", model, id) }

// RolloutID is the workflow id of the rollout of a version.
func RolloutID(model string, version int) string { return fmt.Sprintf("rollout/%s/%d", model, version) }

// MonitorID is the workflow id of a model's monitor.
func MonitorID(model string) string { return "monitor/" + model }

// ScheduleID is the id of a model's retraining schedule.
func ScheduleID(model string) string { return "schedule/" + model }

// SweepID is the workflow id of the sweep of a lifecycle.
func SweepID(lifecycle string) string { return "sweep/" + strings.TrimPrefix(lifecycle, "lifecycle/") }
