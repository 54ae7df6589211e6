package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/ledger"
)

// machine uses a ledger, and keeps beside it what the package says in words: a list of decisions and one end.
type machine struct {
	t        *testing.T
	store    artifact.Store
	data     artifact.Ref
	rules    ledger.Rules
	now      time.Time
	uses     []string // decisions in the order of their steps
	verdicts map[string]gate.Verdict
	why      ledger.Why // "" while open
	recorded int        // uses the chain knows of
}

func (m *machine) decision(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "decision")
}

func (m *machine) step(decision string) int {
	for i, d := range m.uses {
		if d == decision {
			return i + 1
		}
	}
	return 0
}

func (m *machine) left() int {
	if m.why != "" {
		return 0
	}
	return m.rules.Steps - len(m.uses)
}

func (m *machine) take(t *rapid.T) {
	d := m.decision(t)
	r := request(m.rules, d)
	r.Data, r.Use.Time, r.Recorded = m.data, m.now, m.recorded
	got, err := ledger.Take(m.t.Context(), m.store, r)
	switch step := m.step(d); {
	case step > 0:
		require.NoError(t, err)
		require.Equal(t, ledger.Taken{Step: step, Again: true, Left: m.left()}, got)
	case m.left() == 0:
		if m.why == "" {
			m.why = ledger.Exhausted
		}
		var ended *ledger.EndedError
		require.ErrorAs(t, err, &ended)
		require.Equal(t, m.why, ended.End.Why)
		require.Equal(t, len(m.uses), ended.Uses)
		require.Equal(t, ledger.Taken{}, got)
	default:
		require.NoError(t, err)
		m.uses = append(m.uses, d)
		require.Equal(t, ledger.Taken{Step: len(m.uses), Left: m.left()}, got)
	}
}

func (m *machine) settle(t *rapid.T) {
	d := m.decision(t)
	v := rapid.SampledFrom([]gate.Verdict{gate.Fail, gate.Pass, gate.Inconclusive}).Draw(t, "verdict")
	err := ledger.Settle(m.t.Context(), m.store, model, m.data.Digest, key(d), v, m.now)
	switch standing := m.verdicts[d]; {
	case len(m.uses) > 0 && v == gate.Inconclusive && m.rules.Answers == 2:
		require.ErrorContains(t, err, "two answers")
	case m.step(d) == 0:
		require.ErrorIs(t, err, artifact.ErrNotFound)
	case standing != "" && standing != v:
		require.ErrorAs(t, err, new(*ledger.SettledError))
	default:
		require.NoError(t, err)
		if standing == "" {
			m.verdicts[d] = v
			m.ended(v)
		}
	}
}

func (m *machine) ended(v gate.Verdict) {
	switch {
	case m.why != "":
	case v == gate.Pass && m.rules.Adaptivity == ledger.FirstChange:
		m.why = ledger.Passed
	case v == gate.Inconclusive && m.rules.Adaptivity == ledger.FirstChange:
		m.why = ledger.Undecided
	case len(m.verdicts) == m.rules.Steps:
		m.why = ledger.Exhausted
	}
}

func (m *machine) invalidate(t *rapid.T) {
	if rapid.IntRange(0, 11).Draw(t, "alarm") > 0 {
		return
	}
	done, err := ledger.Invalidate(m.t.Context(), m.store, model, m.data.Digest, "Income has drifted.", m.now)
	require.NoError(t, err)
	if len(m.uses) > 0 && m.why == "" {
		m.why = ledger.Invalidated
	}
	require.Equal(t, m.why == ledger.Invalidated, done)
}

func (m *machine) record(*rapid.T) { m.recorded = len(m.uses) }

func (m *machine) otherRules(t *rapid.T) {
	r := request(m.rules, m.decision(t))
	r.Data = m.data
	if len(m.uses) == 0 {
		return
	}
	switch rapid.IntRange(0, 2).Draw(t, "rule") {
	case 0:
		r.Rules.Steps++
	case 1:
		r.Rules.Reliability /= 2
	case 2:
		r.Rules.Answers = 5 - r.Rules.Answers
	}
	_, err := ledger.Take(m.t.Context(), m.store, r)
	require.ErrorAs(t, err, new(*ledger.RulesError))
}

func (m *machine) lost(t *rapid.T) {
	r := request(m.rules, m.decision(t))
	r.Data, r.Recorded = m.data, len(m.uses)+1
	_, err := ledger.Take(m.t.Context(), m.store, r)
	require.ErrorAs(t, err, new(*ledger.LostError))
}

func (m *machine) check(t *rapid.T) {
	m.now = m.now.Add(time.Second)
	set, err := ledger.Find(m.t.Context(), m.store, model, m.data.Digest)
	if len(m.uses) == 0 {
		require.ErrorIs(t, err, artifact.ErrNotFound)
		return
	}
	require.NoError(t, err)
	require.Equal(t, m.left(), set.Left())
	require.Equal(t, m.why != "", set.State == ledger.Ended)
	if m.why != "" {
		require.Equal(t, m.why, set.Ended.Why)
	}
	_, released := set.Released()
	require.Equal(t, m.why != "", released)
	require.LessOrEqual(t, len(set.Uses), m.rules.Steps)
	require.Len(t, set.Uses, len(m.uses))
	for i, u := range set.Uses {
		require.Equal(t, i+1, u.Step)
		require.Equal(t, key(m.uses[i]), u.Key)
		require.Equal(t, m.verdicts[m.uses[i]], u.Verdict)
	}
}

func TestLedgerDoesWhatItSays(t *testing.T) {
	s := openStore(t)
	sets := 0
	seen := map[ledger.Why]int{}
	rapid.Check(t, func(rt *rapid.T) {
		sets++ // a set of its own for every run: equal draws must meet an equal ledger
		m := &machine{t: t, store: s, data: ref(fmt.Sprint("rows ", sets)), now: noon, verdicts: map[string]gate.Verdict{}, rules: ledger.Rules{
			Adaptivity:  rapid.SampledFrom([]ledger.Adaptivity{ledger.None, ledger.FirstChange, ledger.FirstChange, ledger.FirstChange, ledger.Full}).Draw(rt, "adaptivity"),
			Steps:       rapid.IntRange(1, 6).Draw(rt, "steps"),
			Reliability: rapid.Float64Range(0.5, 0.9999).Draw(rt, "reliability"),
			Answers:     rapid.IntRange(2, 3).Draw(rt, "answers"),
		}}
		rt.Repeat(map[string]func(*rapid.T){
			"take": m.take, "take too": m.take, "settle": m.settle, "settle too": m.settle, "invalidate": m.invalidate,
			"record": m.record, "other rules": m.otherRules, "lost": m.lost, "": m.check,
		})
		seen[m.why]++
	})
	for _, why := range []ledger.Why{"", ledger.Exhausted, ledger.Passed, ledger.Undecided, ledger.Invalidated} {
		require.Positive(t, seen[why], "no run ended as %q: the test shows nothing of it", why)
	}
}
