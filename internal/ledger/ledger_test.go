package ledger_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/ledger"
)

const model = "credit"

var (
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	rows  = ref("rows")
	three = ledger.Rules{Adaptivity: ledger.Full, Steps: 3, Reliability: 0.999, Answers: 3}
)

func ref(content string) artifact.Ref {
	return artifact.Ref{Digest: artifact.Sum([]byte(content)), Size: int64(len(content)), MediaType: artifact.MediaParquet}
}

func key(decision string) string { return artifact.Sum([]byte(decision)).Hex() }

func openStore(t *testing.T) *artifact.Dir {
	t.Helper()
	d, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	return d
}

func request(rules ledger.Rules, decision string) ledger.Request {
	return ledger.Request{Model: model, Data: rows, Rows: 400, Rules: rules,
		Use: ledger.Use{Key: key(decision), Lifecycle: "lifecycle/credit/" + decision, Requester: "ana", Time: noon}}
}

func take(t *testing.T, s artifact.Store, r ledger.Request) ledger.Taken {
	t.Helper()
	taken, err := ledger.Take(t.Context(), s, r)
	require.NoError(t, err)
	return taken
}

func settle(t *testing.T, s artifact.Store, decision string, v gate.Verdict) {
	t.Helper()
	require.NoError(t, ledger.Settle(t.Context(), s, model, rows.Digest, key(decision), v, noon.Add(time.Hour)))
}

func find(t *testing.T, s artifact.Store) ledger.TestSet {
	t.Helper()
	set, err := ledger.Find(t.Context(), s, model, rows.Digest)
	require.NoError(t, err)
	return set
}

func requireEnded(t *testing.T, s artifact.Store, r ledger.Request, why ledger.Why) *ledger.EndedError {
	t.Helper()
	_, err := ledger.Take(t.Context(), s, r)
	var ended *ledger.EndedError
	require.ErrorAs(t, err, &ended)
	require.Equal(t, why, ended.End.Why)
	require.Regexp(t, `^new test set needed: `, err.Error())
	require.ErrorContains(t, err, fmt.Sprintf("after %d of %d uses", ended.Uses, ended.Steps))
	require.ErrorContains(t, err, "released as validation data: "+rows.Digest.String())
	require.ErrorContains(t, err, ended.End.Reason)
	return ended
}

func TestStepsAreTakenUpToTheLastAndNoFurther(t *testing.T) {
	s := openStore(t)
	require.Equal(t, ledger.Taken{Step: 1, Left: 2}, take(t, s, request(three, "a")))
	require.Equal(t, ledger.Taken{Step: 2, Left: 1}, take(t, s, request(three, "b")))
	settle(t, s, "a", gate.Fail)
	require.Equal(t, ledger.Taken{Step: 3}, take(t, s, request(three, "c")))
	set := find(t, s)
	require.Equal(t, ledger.Open, set.State)
	require.Zero(t, set.Left())
	_, released := set.Released()
	require.False(t, released, "a decision is still open")

	settle(t, s, "c", gate.Pass)
	require.Equal(t, ledger.Open, find(t, s).State)
	settle(t, s, "b", gate.Inconclusive)
	set = find(t, s)
	require.Equal(t, ledger.Ended, set.State)
	require.Equal(t, &ledger.End{Time: noon.Add(time.Hour), Why: ledger.Exhausted, Reason: "All 3 steps it is good for were taken."}, set.Ended)
	data, released := set.Released()
	require.True(t, released)
	require.Equal(t, rows, data)

	ended := requireEnded(t, s, request(three, "d"), ledger.Exhausted)
	require.Equal(t, &ledger.EndedError{Model: model, TestSet: rows.Digest, Data: rows, Uses: 3, Steps: 3, End: *set.Ended}, ended)
	require.Equal(t, set, find(t, s), "a refusal changes nothing")
}

func TestLedgerHoldsWhatWasAsked(t *testing.T) {
	s := openStore(t)
	r := request(three, "a")
	r.TestSet = artifact.Sum([]byte("the rows without their labels"))
	r.Use.Time = noon.In(time.FixedZone("CET", 3600))
	take(t, s, r)
	settled := noon.Add(time.Minute)
	require.NoError(t, ledger.Settle(t.Context(), s, model, r.TestSet, key("a"), gate.Fail, settled))
	set, err := ledger.Find(t.Context(), s, model, r.TestSet)
	require.NoError(t, err)
	require.Equal(t, ledger.TestSet{
		Format: "assay/test-set/v1", Model: model, TestSet: r.TestSet, Data: rows, Rows: 400, Rules: three, Opened: noon, State: ledger.Open,
		Uses: []ledger.Use{{Step: 1, Key: key("a"), Lifecycle: "lifecycle/credit/a", Requester: "ana", Time: noon, Verdict: gate.Fail}},
	}, set)
	names, err := s.List(t.Context(), "ledgers")
	require.NoError(t, err)
	require.Equal(t, []string{"ledgers/test-set/credit/" + r.TestSet.Hex() + ".json"}, names)
}

func TestRepetitionConsumesNothing(t *testing.T) {
	s := openStore(t)
	take(t, s, request(three, "a"))
	take(t, s, request(three, "b"))
	again := request(three, "a")
	again.Use.Lifecycle, again.Use.Time, again.Recorded = "lifecycle/credit/repetition", noon.Add(time.Hour), 2
	require.Equal(t, ledger.Taken{Step: 1, Again: true, Left: 1}, take(t, s, again))
	require.Equal(t, "lifecycle/credit/a", find(t, s).Uses[0].Lifecycle)

	_, err := ledger.Invalidate(t.Context(), s, model, rows.Digest, "Income has drifted.", noon)
	require.NoError(t, err)
	require.Equal(t, ledger.Taken{Step: 2, Again: true}, take(t, s, request(three, "b")), "also after the set has ended")
	settle(t, s, "b", gate.Pass)
	require.Equal(t, gate.Pass, find(t, s).Uses[1].Verdict)
}

func TestUseThatIsNeverSettledDoesNotKeepTheSetOpen(t *testing.T) {
	s := openStore(t)
	rules := ledger.Rules{Adaptivity: ledger.None, Steps: 1, Reliability: 0.9, Answers: 2}
	take(t, s, request(rules, "a"))
	late := request(rules, "b")
	late.Use.Time = noon.Add(48 * time.Hour)
	requireEnded(t, s, late, ledger.Exhausted)
	set := find(t, s)
	require.Equal(t, ledger.Ended, set.State)
	require.Equal(t, late.Use.Time, set.Ended.Time)
	require.Len(t, set.Uses, 1)
	require.Equal(t, ledger.Taken{Step: 1, Again: true}, take(t, s, request(rules, "a")))
	settle(t, s, "a", gate.Pass)
	require.Equal(t, set.Ended, find(t, s).Ended)
}

func TestFirstPassEndsTheSetUnderFirstChangeOnly(t *testing.T) {
	for _, adaptivity := range []ledger.Adaptivity{ledger.None, ledger.FirstChange, ledger.Full} {
		t.Run(string(adaptivity), func(t *testing.T) {
			s := openStore(t)
			rules := three
			rules.Adaptivity = adaptivity
			rules.Steps = 4
			take(t, s, request(rules, "a"))
			take(t, s, request(rules, "b"))
			settle(t, s, "a", gate.Fail)
			require.Equal(t, ledger.Open, find(t, s).State)
			settle(t, s, "b", gate.Pass)
			if adaptivity != ledger.FirstChange {
				require.Equal(t, ledger.Taken{Step: 3, Left: 1}, take(t, s, request(rules, "c")))
				return
			}
			requireEnded(t, s, request(rules, "c"), ledger.Passed)
			require.Equal(t, "The candidate of lifecycle/credit/b passed at step 2, and the adaptivity is firstChange.", find(t, s).Ended.Reason)
		})
	}
}

func TestAnAnswerOfDoubtEndsTheSetUnderFirstChange(t *testing.T) {
	s := openStore(t)
	rules := three
	rules.Adaptivity, rules.Answers = ledger.FirstChange, 3
	take(t, s, request(rules, "a"))
	settle(t, s, "a", gate.Inconclusive)
	requireEnded(t, s, request(rules, "b"), ledger.Undecided)
}

func TestSettlingIsIdempotentAndFinal(t *testing.T) {
	s := openStore(t)
	take(t, s, request(three, "a"))
	settle(t, s, "a", gate.Inconclusive)
	before := find(t, s)
	require.NoError(t, ledger.Settle(t.Context(), s, model, rows.Digest, key("a"), gate.Inconclusive, noon.Add(time.Hour)))
	err := ledger.Settle(t.Context(), s, model, rows.Digest, key("a"), gate.Pass, noon)
	var settled *ledger.SettledError
	require.ErrorAs(t, err, &settled)
	require.ErrorContains(t, err, `use 1 of test set `+rows.Digest.Short()+` of model "credit" was settled as inconclusive, and is now said to be pass`)
	require.Equal(t, before, find(t, s))
}

func TestSettlingWhatWasNotTakenIsNotFound(t *testing.T) {
	s := openStore(t)
	err := ledger.Settle(t.Context(), s, model, rows.Digest, key("a"), gate.Pass, noon)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, ledger.Name(model, rows.Digest))
	take(t, s, request(three, "a"))
	err = ledger.Settle(t.Context(), s, model, rows.Digest, key("b"), gate.Pass, noon)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, key("b")[:12])
}

func TestInvalidationEndsAnOpenSet(t *testing.T) {
	s := openStore(t)
	invalidate := func(reason string) bool {
		done, err := ledger.Invalidate(t.Context(), s, model, rows.Digest, reason, noon.Add(time.Hour))
		require.NoError(t, err)
		return done
	}
	require.False(t, invalidate("Income has drifted."), "there is no ledger")
	_, err := ledger.Find(t.Context(), s, model, rows.Digest)
	require.ErrorIs(t, err, artifact.ErrNotFound)

	take(t, s, request(three, "a"))
	require.True(t, invalidate("Income has drifted."))
	require.True(t, invalidate("Age has drifted as well."), "a retry is told the same")
	require.Equal(t, &ledger.End{Time: noon.Add(time.Hour), Why: ledger.Invalidated, Reason: "Income has drifted."}, find(t, s).Ended)
	requireEnded(t, s, request(three, "b"), ledger.Invalidated)
}

func TestInvalidationLeavesAnEndedSetAsItIs(t *testing.T) {
	s := openStore(t)
	rules := three
	rules.Steps = 1
	take(t, s, request(rules, "a"))
	settle(t, s, "a", gate.Fail)
	before := find(t, s)
	done, err := ledger.Invalidate(t.Context(), s, model, rows.Digest, "Income has drifted.", noon)
	require.NoError(t, err)
	require.False(t, done)
	require.Equal(t, before, find(t, s))
}

func TestListSortsByModelAndOpening(t *testing.T) {
	s := openStore(t)
	none, err := ledger.List(t.Context(), s, "")
	require.NoError(t, err)
	require.Empty(t, none)
	for i, c := range []struct{ model, rows string }{{"credit", "x"}, {"adult", "y"}, {"credit", "z"}, {"credit", "w"}} {
		r := request(three, "a")
		r.Model, r.Data, r.Use.Time = c.model, ref(c.rows), noon.Add(-time.Duration(i)*time.Hour)
		take(t, s, r)
	}
	list := func(model string) []string {
		sets, err := ledger.List(t.Context(), s, model)
		require.NoError(t, err)
		var all []string
		for _, set := range sets {
			for _, rows := range []string{"w", "x", "y", "z"} {
				if set.TestSet == ref(rows).Digest {
					all = append(all, set.Model+" "+rows)
				}
			}
		}
		return all
	}
	require.Equal(t, []string{"adult y", "credit w", "credit z", "credit x"}, list(""))
	require.Equal(t, []string{"credit w", "credit z", "credit x"}, list("credit"))
	require.Empty(t, list("nothing"))
}

func TestConcurrentDecisionsShareNoStep(t *testing.T) {
	const decisions, attempts, steps = 24, 3, 16
	s := openStore(t)
	rules := ledger.Rules{Adaptivity: ledger.None, Steps: steps, Reliability: 0.99, Answers: 2}
	got := make([][]ledger.Taken, decisions)
	errs := make([][]error, decisions)
	var wg sync.WaitGroup
	for i := range decisions {
		got[i], errs[i] = make([]ledger.Taken, attempts), make([]error, attempts)
		for j := range attempts {
			wg.Go(func() {
				got[i][j], errs[i][j] = ledger.Take(t.Context(), s, request(rules, fmt.Sprint(i)))
			})
		}
	}
	wg.Wait()
	owner := map[int]int{}
	for i := range decisions {
		for j := range attempts {
			if errs[i][j] != nil {
				require.ErrorAs(t, errs[i][j], new(*ledger.EndedError))
				require.Error(t, errs[i][0], "attempts of one decision agree")
				continue
			}
			require.NoError(t, errs[i][0], "attempts of one decision agree")
			step := got[i][j].Step
			first, taken := owner[step]
			require.True(t, !taken || first == i, "step %d", step)
			owner[step] = i
		}
	}
	require.Len(t, owner, steps)
	set := find(t, s)
	require.Len(t, set.Uses, steps)
	for _, u := range set.Uses {
		require.Equal(t, key(fmt.Sprint(owner[u.Step])), u.Key)
	}
}

func TestConcurrentSettlementsAndAlarmEndTheSetOnce(t *testing.T) {
	const decisions = 8
	s := openStore(t)
	rules := ledger.Rules{Adaptivity: ledger.FirstChange, Steps: decisions, Reliability: 0.99, Answers: 2}
	for i := range decisions {
		take(t, s, request(rules, fmt.Sprint(i)))
	}
	errs := make([]error, decisions+1)
	var wg sync.WaitGroup
	for i := range decisions {
		wg.Go(func() {
			errs[i] = ledger.Settle(t.Context(), s, model, rows.Digest, key(fmt.Sprint(i)), gate.Pass, noon.Add(time.Duration(i)))
		})
	}
	wg.Go(func() {
		_, errs[decisions] = ledger.Invalidate(t.Context(), s, model, rows.Digest, "Income has drifted.", noon)
	})
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	set := find(t, s)
	require.Equal(t, ledger.Ended, set.State)
	require.Contains(t, []ledger.Why{ledger.Passed, ledger.Invalidated}, set.Ended.Why)
	for _, u := range set.Uses {
		require.Equal(t, gate.Pass, u.Verdict)
	}
}
