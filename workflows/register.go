package workflows

import (
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register makes the workflow types known to a worker or a replayer.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(Lifecycle, workflow.RegisterOptions{Name: LifecycleType})
	r.RegisterWorkflowWithOptions(Rollout, workflow.RegisterOptions{Name: RolloutType})
	r.RegisterWorkflowWithOptions(Sweep, workflow.RegisterOptions{Name: SweepType})
	r.RegisterWorkflowWithOptions(Monitor, workflow.RegisterOptions{Name: MonitorType})
}

// SearchAttributes names the typed search attributes that workflows set, for servers and the starter's setup.
func SearchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		AttributeModel.GetName():     enums.INDEXED_VALUE_TYPE_KEYWORD,
		AttributeStage.GetName():     enums.INDEXED_VALUE_TYPE_KEYWORD,
		AttributeOutcome.GetName():   enums.INDEXED_VALUE_TYPE_KEYWORD,
		AttributeRequester.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD,
		AttributeVersion.GetName():   enums.INDEXED_VALUE_TYPE_INT,
	}
}
