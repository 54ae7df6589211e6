package activities

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/drift"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

// trainedOn is a snapshot and its parts, of rows whose age has a mean and of which a share bought. The class is a number.
type trainedOn struct {
	spec     *spec.Spec
	snapshot table.Snapshot
	parts    table.Prepared
}

func prepared(t *testing.T, store artifact.Store, header string, row func(r *rand.Rand) string, rows int, seed uint64) trainedOn {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString(header + "\n")
	for range rows {
		b.WriteString(row(r) + "\n")
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	local, err := table.Fetch(t.Context(), spec.Source{URI: path}, t.TempDir())
	require.NoError(t, err)
	out := trainedOn{spec: &spec.Spec{}}
	out.snapshot, err = table.Ingest(t.Context(), store, local, spec.Source{URI: path}, table.Limits{}, nil)
	require.NoError(t, err)
	out.spec.Data.Target = spec.Target{Column: "bought", Positive: "1"}
	out.spec.Data.Split = spec.Split{By: "hash", Train: 1, Seed: 7}
	out.parts, err = table.Prepare(t.Context(), store, out.snapshot, nil, out.spec.Data, table.Limits{})
	require.NoError(t, err)
	return out
}

func customer(age, bought float64, city string) func(r *rand.Rand) string {
	return func(r *rand.Rand) string {
		y := 0
		if r.Float64() < bought {
			y = 1
		}
		return fmt.Sprintf("%.0f,%s%d,%d,%d", age+10*r.NormFloat64(), city, r.IntN(3), r.IntN(9), y)
	}
}

const customers = "age,city,visits,bought"

func TestDriftSinceTheServingVersionWasTrained(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	a := &Audit{Store: store}
	before := prepared(t, store, customers, customer(40, 0.3, "c"), 4000, 1)
	registered := 0
	serving := func(m registry.Manifest) int {
		registered++
		m.Model, m.Lifecycle, m.Created = "shop", fmt.Sprint("lifecycle/", registered), time.Unix(0, 0)
		_, _, err := registry.Register(t.Context(), store, m)
		require.NoError(t, err)
		return registered
	}
	compared := func(now trainedOn, version int) *report.Drift {
		t.Helper()
		found, err := a.drifted(t.Context(), now.spec, now.snapshot, now.parts, "shop", version)
		require.NoError(t, err)
		again, err := a.drifted(t.Context(), now.spec, now.snapshot, now.parts, "shop", version)
		require.NoError(t, err)
		one, err := artifact.EncodeJSON(found)
		require.NoError(t, err)
		other, err := artifact.EncodeJSON(again)
		require.NoError(t, err)
		require.Equal(t, string(one), string(other), "a repeated attempt gives the same bytes")
		return found
	}
	first := serving(registry.Manifest{Data: before.snapshot.Data, TrainData: before.parts.Train, Profile: before.parts.Profile})

	moved := compared(prepared(t, store, customers, customer(45, 0.4, "c"), 3000, 2), first)
	require.Equal(t, drift.Drift, moved.Check.Verdict)
	require.Equal(t, []int64{3000, 4000}, []int64{moved.Rows, moved.ServingRows})
	require.Equal(t, []string{"age", "bought"}, []string{moved.Distributions[0].Name, moved.Distributions[1].Name})
	require.Equal(t, 0.01, moved.Check.Alpha)
	require.NotEmpty(t, moved.Distributions[2].Cells)
	require.Empty(t, moved.Distributions[3].Cells)
	require.False(t, moved.Check.Columns[1].Drifted, "cities did not change")
	require.Equal(t, drift.ChiSquare, moved.Check.Columns[3].Test, "classes are names, also as numbers")

	alike := prepared(t, store, customers, customer(40, 0.3, "c"), 3000, 3)
	require.Equal(t, drift.None, compared(alike, first).Check.Verdict)
	alike.spec.Monitor.Drift = spec.Drift{FalseAlarms: 0.05, Correction: drift.BenjaminiHochberg}
	require.Equal(t, 0.05, compared(alike, first).Check.Alpha, "the rate of the monitor")

	same := compared(before, first)
	require.True(t, same.Same)
	require.Nil(t, same.Check)
	fewer := before
	fewer.spec = &spec.Spec{}
	fewer.spec.Data = before.spec.Data
	fewer.spec.Data.Transform = "select * from data where age > 35"
	fewer.parts, err = table.Prepare(t.Context(), store, before.snapshot, nil, fewer.spec.Data, table.Limits{})
	require.NoError(t, err)
	part := compared(fewer, first)
	require.True(t, part.SameData)
	require.True(t, part.Check.Drifted)

	other := compared(prepared(t, store, "age,visits,shop,bought", func(r *rand.Rand) string {
		return fmt.Sprintf("%d,often%d,s%d,%d", 20+r.IntN(50), r.IntN(2), r.IntN(2), r.IntN(2))
	}, 1000, 4), first)
	require.Equal(t, [][]string{{"shop"}, {"city"}, {"visits"}}, [][]string{other.Added, other.Removed, other.Retyped})
	require.Len(t, other.Check.Columns, 2)
	none := compared(prepared(t, store, "shop,bought", func(r *rand.Rand) string { return fmt.Sprintf("s%d,%s", r.IntN(2), []string{"1", "no"}[r.IntN(2)]) }, 200, 5), first)
	require.Contains(t, none.NotCompared, "no column of the same name and kind")

	few := compared(prepared(t, store, customers, customer(40, 0.3, "c"), 40, 6), first)
	require.Equal(t, drift.Insufficient, few.Check.Verdict)
}

func TestDriftIsNotComparedWithWhatIsGone(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	now := prepared(t, store, customers, customer(40, 0.3, "c"), 300, 1)
	text, err := store.Put(t.Context(), strings.NewReader("no profile"), artifact.MediaJSON)
	require.NoError(t, err)
	broken, err := artifact.PutJSON(t.Context(), store, artifact.MediaJSON, table.Profile{Rows: 10, Columns: []table.ColumnProfile{
		{Name: "age", Kind: table.Numeric, ECDF: &table.ECDF{Values: []float64{1}}},
	}})
	require.NoError(t, err)
	for i, c := range []struct {
		profile artifact.Ref
		says    string
	}{
		{artifact.Ref{}, "does not say what it was trained on"},
		{artifact.Ref{Digest: artifact.Sum([]byte("collected")), Size: 9, MediaType: artifact.MediaJSON}, "is no longer stored"},
		{text, "cannot be read"},
		{broken, "expected a profile that Ingest or Prepare wrote"},
	} {
		_, _, err := registry.Register(t.Context(), store, registry.Manifest{Model: "shop", Lifecycle: fmt.Sprint(i), Created: time.Unix(0, 0), Profile: c.profile})
		require.NoError(t, err)
		found, err := (&Audit{Store: store}).drifted(t.Context(), now.spec, now.snapshot, now.parts, "shop", i+1)
		require.NoError(t, err)
		require.Contains(t, found.NotCompared, c.says)
		require.Nil(t, found.Check)
		require.False(t, found.Same)
	}
}
