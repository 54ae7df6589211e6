package activities

import (
	"context"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/stretchr/testify/require"
)

func TestOneRolloutOfAModelAtATime(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	for _, lifecycle := range []string{"first", "second"} {
		_, _, err := registry.Register(t.Context(), store, registry.Manifest{Model: "credit", Lifecycle: lifecycle, Created: time.Unix(0, 0)})
		require.NoError(t, err)
	}
	running := map[string]bool{"rollout/credit/1": true}
	r := &Registry{Store: store, Running: func(_ context.Context, id string) (bool, error) { return running[id], nil }}
	first := stage.TrafficInput{Model: "credit", Version: 1, Percent: 5, Rollout: "rollout/credit/1"}
	second := stage.TrafficInput{Model: "credit", Version: 2, Percent: 5, Rollout: "rollout/credit/2"}
	serves := func(version int) {
		c, err := registry.GetCandidate(t.Context(), store, "credit")
		require.NoError(t, err)
		require.Equal(t, version, c.Version)
	}

	require.NoError(t, r.SetTraffic(t.Context(), first))
	err = r.SetTraffic(t.Context(), second)
	require.ErrorContains(t, err, "rollout/credit/1 has version 1 as candidate")
	require.NotEmpty(t, transient(err), "it is tried again until the other has ended")
	serves(1)

	running["rollout/credit/1"] = false // terminated: it has not cleaned up
	require.NoError(t, r.SetTraffic(t.Context(), second))
	serves(2)
}
