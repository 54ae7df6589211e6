package functional

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// events is the history of the newest run of a workflow.
func events(t *testing.T, id string) []*history.HistoryEvent {
	t.Helper()
	var all []*history.HistoryEvent
	for pages := local.Client.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); pages.HasNext(); {
		e, err := pages.Next()
		require.NoError(t, err)
		all = append(all, e)
	}
	require.NotEmpty(t, all)
	return all
}

// The bounds are the design's: what a lifecycle of days costs a Temporal cluster.
func TestHistoryStaysSmall(t *testing.T) {
	t.Parallel()
	l := start(t, credit("small-history"))
	dossier := l.underReview()
	for _, v := range []document{vote("eva", "ethics", "approve", dossier), vote("emil", "ethics", "approve", dossier), vote("ron", "risk", "approve", dossier)} {
		l.signal(v)
	}
	require.Equal(t, "deployed", l.ends().Outcome)

	d, err := local.Client.DescribeWorkflowExecution(t.Context(), l.id, "")
	require.NoError(t, err)
	info := d.GetWorkflowExecutionInfo()
	t.Logf("history: %d events, %d bytes", info.GetHistoryLength(), info.GetHistorySizeBytes())
	require.LessOrEqual(t, info.GetHistoryLength(), int64(200))
	require.LessOrEqual(t, info.GetHistorySizeBytes(), int64(200<<10))
	for _, id := range []string{l.id, "rollout/small-history/1", "monitor/small-history"} {
		for _, e := range events(t, id) {
			requireSmallPayloads(t, e)
		}
	}
}

// requireSmallPayloads checks every payload of an event, wherever in the event it stands.
func requireSmallPayloads(t *testing.T, e *history.HistoryEvent) {
	t.Helper()
	err := protorange.Range(e.ProtoReflect(), func(at protopath.Values) error {
		m, isMessage := at.Index(-1).Value.Interface().(protoreflect.Message)
		if !isMessage || m.Descriptor().FullName() != "temporal.api.common.v1.Payload" {
			return nil
		}
		if size := proto.Size(m.Interface()); size > 16<<10 {
			return fmt.Errorf("event %d (%s): the payload at %s has %d bytes", e.GetEventId(), e.GetEventType(), at.Path, size)
		}
		return nil
	})
	require.NoError(t, err)
}
