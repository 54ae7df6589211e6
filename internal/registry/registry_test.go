package registry_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/registry"
)

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	dossier = artifact.Ref{Digest: artifact.Sum([]byte("dossier")), Size: 7, MediaType: artifact.MediaJSON}
)

func openStore(t *testing.T) *artifact.Dir {
	t.Helper()
	d, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	return d
}

func manifest(model, lifecycle string) registry.Manifest {
	return registry.Manifest{
		Model: model, Lifecycle: lifecycle, RunID: "run", Created: noon, Requester: "ana", Owner: "people-analytics",
		Trigger: "manual", Dossier: dossier, Verdict: "pass",
		Decisions:  []registry.Decision{{Reviewer: "ben", Role: "risk", Decision: "approve", Reason: "fine", Time: noon, Dossier: dossier.Digest}},
		Parameters: map[string]string{"l2": "1"}, Metrics: map[string]float64{"auc": 0.9},
	}
}

func register(t *testing.T, s artifact.Store, model string, versions int) {
	t.Helper()
	for i := range versions {
		m, _, err := registry.Register(t.Context(), s, manifest(model, "lifecycle/"+model+"/"+strconv.Itoa(i)))
		require.NoError(t, err)
		require.Equal(t, i+1, m.Version)
	}
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "adult-income", "credit2", strings.Repeat("x", 63)} {
		require.NoError(t, registry.CheckName(good), good)
	}
	for _, bad := range []string{"", "Adult", "adult_income", "a/b", "..", "a b", "é", strings.Repeat("x", 64)} {
		require.ErrorContains(t, registry.CheckName(bad), "lower-case letters, digits and hyphens", bad)
	}
}

func TestRegisterNumbersVersionsAndKeepsThem(t *testing.T) {
	s := openStore(t)
	want := manifest("credit", "lifecycle/credit/1")
	first, digest, err := registry.Register(t.Context(), s, want)
	require.NoError(t, err)
	want.Version = 1
	require.Empty(t, cmp.Diff(want, first, cmp.Comparer(func(a, b artifact.Digest) bool { return a == b })))

	second, _, err := registry.Register(t.Context(), s, manifest("credit", "lifecycle/credit/2"))
	require.NoError(t, err)
	require.Equal(t, 2, second.Version)

	data, _, err := s.Get(t.Context(), "models/credit/versions/000001.json")
	require.NoError(t, err)
	require.Equal(t, artifact.Sum(data), digest)
	got, gotDigest, err := registry.Get(t.Context(), s, "credit", 1)
	require.NoError(t, err)
	require.Equal(t, first, got)
	require.Equal(t, digest, gotDigest)
	all, err := registry.Versions(t.Context(), s, "credit")
	require.NoError(t, err)
	require.Equal(t, []registry.Manifest{first, second}, all)
}

func TestLifecycleRegistersOnce(t *testing.T) {
	s := openStore(t)
	first, digest, err := registry.Register(t.Context(), s, manifest("credit", "lifecycle/credit/1"))
	require.NoError(t, err)
	retry := manifest("credit", "lifecycle/credit/1")
	retry.Created = noon.Add(time.Hour)
	again, againDigest, err := registry.Register(t.Context(), s, retry)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, digest, againDigest)
}

func TestRacingAttemptsRegisterOnceEach(t *testing.T) {
	const lifecycles, attempts = 4, 4
	s := openStore(t)
	versions := make([][]int, lifecycles)
	var wg sync.WaitGroup
	for i := range lifecycles {
		versions[i] = make([]int, attempts)
		for j := range attempts {
			wg.Go(func() {
				m, _, err := registry.Register(t.Context(), s, manifest("credit", "lifecycle/credit/"+strconv.Itoa(i)))
				if err == nil {
					versions[i][j] = m.Version
				}
			})
		}
	}
	wg.Wait()
	all, err := registry.Versions(t.Context(), s, "credit")
	require.NoError(t, err)
	require.Len(t, all, lifecycles)
	for i := range lifecycles {
		for j := range attempts {
			require.NotZero(t, versions[i][j])
			require.Equal(t, versions[i][0], versions[i][j], "attempts of one lifecycle agree")
		}
	}
}

func TestLifecycleKeepsTheEvidenceItRegistered(t *testing.T) {
	s := openStore(t)
	m := manifest("credit", "lifecycle/credit/1")
	_, _, err := registry.Register(t.Context(), s, m)
	require.NoError(t, err)
	m.Dossier.Digest = artifact.Sum([]byte("after a reset"))
	m.Decisions[0].Dossier = m.Dossier.Digest
	_, _, err = registry.Register(t.Context(), s, m)
	require.ErrorContains(t, err, "has registered version 1")
}

func TestRegisterRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*registry.Manifest)
		want   string
	}{
		"a bad model name":               {func(m *registry.Manifest) { m.Model = "Credit" }, "model name"},
		"no lifecycle":                   {func(m *registry.Manifest) { m.Lifecycle = "" }, "names no lifecycle"},
		"a version of its own":           {func(m *registry.Manifest) { m.Version = 3 }, "the registry numbers versions"},
		"a decision on another dossier":  {func(m *registry.Manifest) { m.Decisions[0].Dossier = artifact.Sum(nil) }, "decision of ben (risk) was taken on dossier"},
		"a decision without any dossier": {func(m *registry.Manifest) { m.Decisions[0].Dossier = artifact.Digest{} }, "decision of ben (risk) was taken on dossier"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			m := manifest("credit", "lifecycle/credit/1")
			c.change(&m)
			_, _, err := registry.Register(t.Context(), s, m)
			require.ErrorContains(t, err, c.want)
			models, err := registry.Models(t.Context(), s)
			require.NoError(t, err)
			require.Empty(t, models)
		})
	}
}

func TestWhatIsMissingIsNamedWithWhatIsThere(t *testing.T) {
	s := openStore(t)
	_, _, err := registry.Get(t.Context(), s, "credit", 1)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, "no registered model yet")

	register(t, s, "credit", 2)
	register(t, s, "adult-income", 1)
	models, err := registry.Models(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, []string{"adult-income", "credit"}, models)

	_, _, err = registry.Get(t.Context(), s, "credit", 3)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, "versions 1 to 2")
	_, err = registry.Versions(t.Context(), s, "credti")
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, "adult-income, credit")
	_, err = registry.GetServing(t.Context(), s, "credti")
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, "adult-income, credit")
	_, err = registry.GetChampion(t.Context(), s, "credit")
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, "none was promoted yet")
}

func TestDamagedManifestsAreNamed(t *testing.T) {
	s := openStore(t)
	register(t, s, "credit", 3)
	file := func(n int) string { return filepath.Join(s.String(), registry.VersionName("credit", n)) }
	second, err := os.ReadFile(file(2))
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(file(3), second, 0o644))
	_, _, err = registry.Get(t.Context(), s, "credit", 3)
	require.ErrorContains(t, err, "000003.json")
	require.ErrorContains(t, err, "found \"credit\" version 2")

	require.NoError(t, os.WriteFile(file(3), second[:10], 0o644))
	_, err = registry.Versions(t.Context(), s, "credit")
	require.ErrorContains(t, err, "000003.json")

	require.NoError(t, os.Remove(file(2)))
	_, _, err = registry.Register(t.Context(), s, manifest("credit", "new"))
	require.ErrorContains(t, err, "000002.json\" is missing")
}

func TestPromote(t *testing.T) {
	s := openStore(t)
	register(t, s, "credit", 3)
	promote := func(version int, by string) registry.Champion {
		c, err := registry.Promote(t.Context(), s, "credit", version, by, noon)
		require.NoError(t, err)
		got, err := registry.GetChampion(t.Context(), s, "credit")
		require.NoError(t, err)
		require.Equal(t, got, c)
		return c
	}
	require.Equal(t, registry.Champion{Version: 1, Since: noon, By: "rollout-1"}, promote(1, "rollout-1"))
	second := promote(2, "rollout-2")
	require.Equal(t, 1, second.Previous)
	require.Equal(t, second, promote(2, "rollout-2"), "a retry changes nothing")
	require.Equal(t, second, promote(1, "rollout-1"), "a late retry does not bring the old version back")
	require.Equal(t, 1, promote(1, "withdraw-2").Version, "another decision does")
	require.Equal(t, 3, promote(3, "rollout-3").Version)

	_, err := registry.Promote(t.Context(), s, "credit", 4, "rollout-4", noon)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	_, err = registry.Promote(t.Context(), s, "credit", 1, "", noon)
	require.ErrorContains(t, err, "id of the rollout")
}

func TestRacingPromotionsAllTakeTheirTurn(t *testing.T) {
	const versions = 6
	s := openStore(t)
	register(t, s, "credit", versions)
	var wg sync.WaitGroup
	errs := make([]error, versions)
	for i := range versions {
		wg.Go(func() {
			_, errs[i] = registry.Promote(t.Context(), s, "credit", i+1, "rollout-"+strconv.Itoa(i+1), noon)
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	c, err := registry.GetChampion(t.Context(), s, "credit")
	require.NoError(t, err)
	require.Len(t, c.Earlier, versions-1, "no promotion was lost")
	require.Equal(t, c.Previous, c.Earlier[0].Version)
}

func TestServingFollowsARollout(t *testing.T) {
	s := openStore(t)
	register(t, s, "credit", 2)
	serving := func() registry.Serving {
		got, err := registry.GetServing(t.Context(), s, "credit")
		require.NoError(t, err)
		return got
	}
	canary := func(version int, traffic float64) error {
		return registry.SetCandidate(t.Context(), s, "credit", registry.Candidate{Version: version, Traffic: traffic, Rollout: "rollout-" + strconv.Itoa(version), State: "canary"})
	}
	require.NoError(t, canary(1, 5))
	require.Equal(t, registry.Serving{Candidate: 1, Traffic: 5}, serving(), "a first version has no champion beside it")

	_, err := registry.Promote(t.Context(), s, "credit", 1, "rollout-1", noon)
	require.NoError(t, err)
	require.Equal(t, registry.Serving{Champion: 1}, serving(), "a champion is no candidate, before it is cleared")
	require.NoError(t, registry.ClearCandidate(t.Context(), s, "credit", "rollout-1", "promoted"))

	require.NoError(t, canary(2, 5))
	require.NoError(t, canary(2, 25))
	require.Equal(t, registry.Serving{Champion: 1, Candidate: 2, Traffic: 25}, serving())
	err = canary(1, 5)
	require.ErrorIs(t, err, artifact.ErrConflict, "one rollout ends before the next begins")
	require.ErrorContains(t, err, "rollout-2 has version 2 as candidate")
	require.NoError(t, registry.ClearCandidate(t.Context(), s, "credit", "rollout-1", "promoted"))
	require.Equal(t, 2, serving().Candidate, "a late retry of another rollout ends nothing")
	require.NoError(t, registry.ClearCandidate(t.Context(), s, "credit", "rollout-2", "rolled back"))
	require.Equal(t, registry.Serving{Champion: 1}, serving())

	left, err := registry.GetCandidate(t.Context(), s, "credit")
	require.NoError(t, err)
	require.Equal(t, registry.Candidate{Rollout: "rollout-2", State: "rolled back"}, left)

	require.ErrorContains(t, canary(2, 101), "from 0 to 100 percent")
	require.ErrorContains(t, canary(2, -1), "from 0 to 100 percent")
	require.ErrorIs(t, canary(3, 5), artifact.ErrNotFound)
}
