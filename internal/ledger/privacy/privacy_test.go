package privacy_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/accountant"
	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/ledger/privacy"
)

const dataset = "adult-2026"

var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	three  = privacy.Budget{Epsilon: 3, Delta: 1e-5}
	medium = accountant.Mechanism{NoiseMultiplier: 2, SampleRate: 0.01, Steps: 3000}
)

func key(name string) string { return artifact.Sum([]byte(name)).Hex() }

func openStore(t *testing.T) *artifact.Dir {
	t.Helper()
	d, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	return d
}

func request(name string, m accountant.Mechanism) privacy.Request {
	return privacy.Request{Key: key(name), Lifecycle: "lifecycle/credit/" + name, Mechanism: m, Time: noon}
}

func cost(t require.TestingT, ms ...accountant.Mechanism) float64 {
	s, err := accountant.Epsilon(three.Delta, ms...)
	require.NoError(t, err)
	return s.Epsilon
}

func path(s *artifact.Dir) string { return filepath.Join(s.String(), privacy.Name(dataset)) }

func TestTrainingsArePaidForByComposition(t *testing.T) {
	s := openStore(t)
	first, err := privacy.Spend(t.Context(), s, dataset, three, request("a", medium))
	require.NoError(t, err)
	alone := cost(t, medium)
	require.Equal(t, privacy.State{Budget: three, Alone: alone, Spent: alone, Left: 3 - alone, Entries: 1}, first)

	second, err := privacy.Spend(t.Context(), s, dataset, three, request("b", medium))
	require.NoError(t, err)
	require.Equal(t, cost(t, medium, medium), second.Spent)
	require.Less(t, second.Spent, 2*alone, "Renyi curves compose to less than the sum")

	a, err := privacy.Read(t.Context(), s, dataset)
	require.NoError(t, err)
	require.Equal(t, three, a.Budget)
	require.Equal(t, noon, a.Opened)
	require.Len(t, a.Entries, 2)
	require.Equal(t, privacy.Entry{Key: key("b"), Lifecycle: "lifecycle/credit/b", Mechanism: medium, Epsilon: alone, Total: second.Spent, Time: noon}, a.Entries[1])
	all, err := privacy.List(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, []privacy.Account{a}, all)
}

func TestRepeatConsumesNothingAlsoWhenTheBudgetIsUsedUp(t *testing.T) {
	s := openStore(t)
	noise, err := accountant.Noise(3, three.Delta, 0.05, 500)
	require.NoError(t, err)
	whole := accountant.Mechanism{NoiseMultiplier: noise, SampleRate: 0.05, Steps: 500}
	first, err := privacy.Spend(t.Context(), s, dataset, three, request("a", whole))
	require.NoError(t, err, "a mechanism made for the budget fits it")
	again := request("a", whole)
	again.Lifecycle, again.Time = "lifecycle/credit/other", noon.Add(time.Hour)
	second, err := privacy.Spend(t.Context(), s, dataset, three, again)
	require.NoError(t, err)
	first.Again = true
	require.Equal(t, first, second)

	before, err := os.ReadFile(path(s))
	require.NoError(t, err)
	_, err = privacy.Spend(t.Context(), s, dataset, three, request("b", medium))
	require.ErrorIs(t, err, privacy.ErrBudget)
	var refused *privacy.BudgetError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, &privacy.BudgetError{Dataset: dataset, Budget: three, Spent: first.Spent, Asked: cost(t, medium),
		Total: cost(t, whole, medium), Left: 3 - first.Spent, Entries: 1}, refused)
	require.ErrorContains(t, err, "train with a smaller epsilon, which takes more noise or fewer steps, or on new data")
	after, err := os.ReadFile(path(s))
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestFirstTrainingThatDoesNotFitLeavesNoLedger(t *testing.T) {
	s := openStore(t)
	_, err := privacy.Spend(t.Context(), s, dataset, privacy.Budget{Epsilon: 0.01, Delta: 1e-5}, request("a", medium))
	require.ErrorIs(t, err, privacy.ErrBudget)
	_, err = privacy.Read(t.Context(), s, dataset)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	all, err := privacy.List(t.Context(), s)
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestBudgetStandsAsDeclared(t *testing.T) {
	s := openStore(t)
	_, err := privacy.Spend(t.Context(), s, dataset, three, request("a", medium))
	require.NoError(t, err)
	for _, name := range []string{"a", "b"} {
		for _, other := range []privacy.Budget{{Epsilon: 8, Delta: 1e-5}, {Epsilon: 3, Delta: 1e-6}} {
			_, err = privacy.Spend(t.Context(), s, dataset, other, request(name, medium))
			var declared *privacy.DeclarationError
			require.ErrorAs(t, err, &declared)
			require.ErrorContains(t, err, "was declared as epsilon 3 at delta 1e-05, and is now asked for as "+other.String())
		}
	}
}

func TestKeyNamesOneTraining(t *testing.T) {
	s := openStore(t)
	_, err := privacy.Spend(t.Context(), s, dataset, three, request("a", medium))
	require.NoError(t, err)
	other := medium
	other.Steps++
	_, err = privacy.Spend(t.Context(), s, dataset, three, request("a", other))
	require.ErrorAs(t, err, new(*privacy.ParametersError))
	require.ErrorContains(t, err, "steps 3000, and is now asked for with noise multiplier 2, sample rate 0.01, steps 3001")
}

func TestLedgerThatLostEntriesIsRefused(t *testing.T) {
	s := openStore(t)
	r := request("a", medium)
	r.Recorded = 1
	_, err := privacy.Spend(t.Context(), s, dataset, three, r)
	var lost *privacy.LostError
	require.ErrorAs(t, err, &lost)
	require.True(t, lost.Absent)
	r.Recorded = 0
	_, err = privacy.Spend(t.Context(), s, dataset, three, r)
	require.NoError(t, err)
	older, err := os.ReadFile(path(s))
	require.NoError(t, err)
	_, err = privacy.Spend(t.Context(), s, dataset, three, request("b", medium))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path(s), older, 0o644))
	r.Recorded = 2
	_, err = privacy.Spend(t.Context(), s, dataset, three, r)
	require.ErrorAs(t, err, &lost)
	require.Equal(t, &privacy.LostError{Dataset: dataset, Recorded: 2, Found: 1, Store: s.String()}, lost)
	require.ErrorContains(t, err, "has only 1; it was deleted or rolled back")
}

func TestRequestsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*string, *privacy.Budget, *privacy.Request)
		want   string
	}{
		"data set":    {func(d *string, _ *privacy.Budget, _ *privacy.Request) { *d = "../x" }, "lower-case letters, digits and hyphens"},
		"no data set": {func(d *string, _ *privacy.Budget, _ *privacy.Request) { *d = "" }, "lower-case letters"},
		"epsilon":     {func(_ *string, b *privacy.Budget, _ *privacy.Request) { b.Epsilon = 0 }, "epsilon 0: expected a number above 0"},
		"epsilon NaN": {func(_ *string, b *privacy.Budget, _ *privacy.Request) { b.Epsilon = math.NaN() }, "epsilon NaN"},
		"delta":       {func(_ *string, b *privacy.Budget, _ *privacy.Request) { b.Delta = 1 }, "delta 1: expected"},
		"key":         {func(_ *string, _ *privacy.Budget, r *privacy.Request) { r.Key = "ab" }, "64 lower-case"},
		"lifecycle":   {func(_ *string, _ *privacy.Budget, r *privacy.Request) { r.Lifecycle = "" }, "names no lifecycle"},
		"text":        {func(_ *string, _ *privacy.Budget, r *privacy.Request) { r.Lifecycle = "\xff" }, "UTF-8"},
		"long":        {func(_ *string, _ *privacy.Budget, r *privacy.Request) { r.Lifecycle = strings.Repeat("x", 1001) }, "at most 1000"},
		"time":        {func(_ *string, _ *privacy.Budget, r *privacy.Request) { r.Time = time.Time{} }, "time of the training"},
		"recorded":    {func(_ *string, _ *privacy.Budget, r *privacy.Request) { r.Recorded = -1 }, "-1 recorded"},
		"no noise":    {func(_ *string, _ *privacy.Budget, r *privacy.Request) { r.Mechanism.NoiseMultiplier = 0 }, "noise multiplier 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			d, b, r := dataset, three, request("a", medium)
			c.change(&d, &b, &r)
			_, err := privacy.Spend(t.Context(), s, d, b, r)
			require.ErrorContains(t, err, c.want)
			names, err := s.List(t.Context(), "ledgers")
			require.NoError(t, err)
			require.Empty(t, names)
		})
	}
	_, err := privacy.Read(t.Context(), openStore(t), "../x")
	require.ErrorContains(t, err, "lower-case letters")
}

func TestEveryChangedByteIsFound(t *testing.T) {
	s := openStore(t)
	for _, name := range []string{"a", "b"} {
		_, err := privacy.Spend(t.Context(), s, dataset, three, request(name, medium))
		require.NoError(t, err)
	}
	good, err := os.ReadFile(path(s))
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		bad := append([]byte(nil), good...)
		i := rapid.IntRange(0, len(bad)-1).Draw(rt, "position")
		bad[i] ^= byte(rapid.IntRange(1, 255).Draw(rt, "bits"))
		require.NoError(rt, os.WriteFile(path(s), bad, 0o644))
		_, err := privacy.Read(t.Context(), s, dataset)
		require.ErrorIs(rt, err, artifact.ErrCorrupt)
		_, err = privacy.Spend(t.Context(), s, dataset, three, request("a", medium))
		require.ErrorIs(rt, err, artifact.ErrCorrupt)
	})
}

// Whoever edits a ledger can give it a digest that fits; what contradicts itself is found all the same.
func TestForgedAccountsAreFound(t *testing.T) {
	for name, forge := range map[string]func(*privacy.Account){
		"another format":   func(a *privacy.Account) { a.Format = "assay/privacy/v2" },
		"another data set": func(a *privacy.Account) { a.Dataset = "other" },
		"no entries":       func(a *privacy.Account) { a.Entries = nil },
		"twice":            func(a *privacy.Account) { a.Entries[1].Key = a.Entries[0].Key },
		"smaller total":    func(a *privacy.Account) { a.Entries[1].Total = a.Entries[0].Total },
		"fewer steps":      func(a *privacy.Account) { a.Entries[0].Mechanism.Steps = 1 },
		"first forgotten":  func(a *privacy.Account) { a.Entries = a.Entries[1:]; a.Opened = a.Entries[0].Time },
		"budget overspent": func(a *privacy.Account) { a.Budget.Epsilon = 0.1 },
		"opened":           func(a *privacy.Account) { a.Opened = noon.Add(1) },
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			for _, name := range []string{"a", "b"} {
				_, err := privacy.Spend(t.Context(), s, dataset, three, request(name, medium))
				require.NoError(t, err)
			}
			a, err := privacy.Read(t.Context(), s, dataset)
			require.NoError(t, err)
			forge(&a)
			content, err := artifact.EncodeJSON(a)
			require.NoError(t, err)
			content = content[:len(content)-1]
			data := []byte(fmt.Sprintf("{\"digest\":%q,\"content\":%s}\n", artifact.Sum(content), content))
			require.NoError(t, os.WriteFile(path(s), data, 0o644))
			_, err = privacy.Read(t.Context(), s, dataset)
			require.ErrorIs(t, err, artifact.ErrCorrupt)
		})
	}
}

func TestManyAtOnceNeverOverspendAndPayOnce(t *testing.T) {
	s := openStore(t)
	var paid, refused, again atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, 100)
	for worker := range 8 {
		wg.Go(func() {
			for i := range 12 {
				// Every training is asked for by two workers.
				state, err := privacy.Spend(t.Context(), s, dataset, three, request(fmt.Sprint(worker/2, "-", i), medium))
				switch {
				case err == nil && state.Again:
					again.Add(1)
				case err == nil:
					paid.Add(1)
				default:
					if _, ok := err.(*privacy.BudgetError); !ok {
						errs <- err
					}
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	a, err := privacy.Read(t.Context(), s, dataset)
	require.NoError(t, err)
	require.Len(t, a.Entries, int(paid.Load()))
	require.LessOrEqual(t, a.Spent(), three.Epsilon)
	require.Positive(t, refused.Load())
	ms := []accountant.Mechanism{medium}
	for range a.Entries {
		ms = append(ms, medium)
	}
	require.Greater(t, cost(t, ms...), three.Epsilon, "the budget is used as far as it goes")
	t.Logf("%d paid, %d again, %d refused, epsilon %.4f spent", paid.Load(), again.Load(), refused.Load(), a.Spent())
}

// The machine keeps a list of what was paid for, and composes it anew.
func TestLedgerAgreesWithAListOfTrainings(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, err := artifact.OpenDir(filepath.Join(t.TempDir(), fmt.Sprint(rapid.Uint64().Draw(rt, "store"))))
		require.NoError(rt, err)
		budget := privacy.Budget{Epsilon: rapid.SampledFrom([]float64{0.5, 1, 3}).Draw(rt, "epsilon"), Delta: three.Delta}
		paid := map[string]accountant.Mechanism{}
		var order []accountant.Mechanism
		rt.Repeat(map[string]func(*rapid.T){
			"spend": func(rt *rapid.T) {
				name := rapid.SampledFrom(strings.Split("abcdefgh", "")).Draw(rt, "training")
				m := accountant.Mechanism{
					NoiseMultiplier: rapid.SampledFrom([]float64{1, 2, 5}).Draw(rt, "noise"),
					SampleRate:      rapid.SampledFrom([]float64{0.01, 0.1}).Draw(rt, "rate"),
					Steps:           rapid.SampledFrom([]int{10, 100}).Draw(rt, "steps"),
				}
				r := request(name, m)
				r.Recorded = rapid.IntRange(0, len(order)).Draw(rt, "recorded")
				state, err := privacy.Spend(t.Context(), s, dataset, budget, r)
				standing, known := paid[name]
				switch {
				case known && standing != m:
					require.ErrorAs(rt, err, new(*privacy.ParametersError))
				case known:
					require.NoError(rt, err)
					require.True(rt, state.Again)
				case cost(rt, append(order, m)...) > budget.Epsilon:
					require.ErrorIs(rt, err, privacy.ErrBudget)
				default:
					require.NoError(rt, err)
					require.False(rt, state.Again)
					paid[name], order = m, append(order, m)
				}
			},
			"": func(rt *rapid.T) {
				a, err := privacy.Read(t.Context(), s, dataset)
				if len(order) == 0 {
					require.ErrorIs(rt, err, artifact.ErrNotFound)
					return
				}
				require.NoError(rt, err)
				require.Len(rt, a.Entries, len(order))
				require.Equal(rt, cost(rt, order...), a.Spent())
				require.LessOrEqual(rt, a.Spent(), budget.Epsilon)
			},
		})
	})
}
