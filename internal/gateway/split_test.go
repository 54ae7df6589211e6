package gateway

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRoute(t *testing.T) {
	there := &instance{}
	champion, candidate := &version{number: 1, role: "champion", instance: there}, &version{number: 2, role: "candidate", instance: there}
	coming, next := &version{number: 3, role: "champion"}, &version{number: 4, role: "candidate"}
	broken := &version{number: 5, role: "candidate", err: errors.New("no such bytes")}
	for _, c := range []struct {
		name            string
		d               deployment
		first, fallback *version
	}{
		{"nothing", deployment{}, nil, nil},
		{"champion alone", deployment{champion: champion}, champion, nil},
		{"candidate alone, whatever its traffic", deployment{candidate: candidate}, candidate, nil},
		{"no traffic", deployment{champion: champion, candidate: candidate}, champion, nil},
		{"all traffic", deployment{champion: champion, candidate: candidate, traffic: 100}, candidate, champion},
		{"a candidate still being loaded", deployment{champion: champion, candidate: next, traffic: 100}, champion, nil},
		{"a candidate that cannot be loaded", deployment{champion: champion, candidate: broken, traffic: 100}, broken, champion},
		{"a champion still being loaded cannot stand in", deployment{champion: coming, candidate: candidate, traffic: 100}, candidate, nil},
		{"a champion still being loaded keeps its share", deployment{champion: coming, candidate: candidate}, coming, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, fallback := c.d.route("any key")
			require.Same(t, c.first, first)
			require.Same(t, c.fallback, fallback)
		})
	}
}

func TestRaisingTrafficMovesNoKeyBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key, model := rapid.String().Draw(t, "key"), rapid.StringMatching(`[a-z-]{1,10}`).Draw(t, "model")
		less := rapid.Float64Range(0, 100).Draw(t, "less")
		more := rapid.Float64Range(less, 100).Draw(t, "more")
		d := deployment{model: model, champion: &version{}, candidate: &version{instance: &instance{}}}
		at := func(traffic float64) bool {
			d.traffic = traffic
			first, _ := d.route(key)
			return first == d.candidate
		}
		require.Equal(t, at(less), at(less))
		if at(less) {
			require.True(t, at(more))
		}
		p := point(model, key)
		require.True(t, p >= 0 && p < 100)
	})
}

// within allows five standard deviations of a binomial; the keys are fixed, so the outcome is too.
func within(t *testing.T, hits, n int, share float64) {
	t.Helper()
	require.InDelta(t, share*float64(n), hits, 5*math.Sqrt(float64(n)*share*(1-share)))
}

func TestSharesAreUniformAndIndependentBetweenModels(t *testing.T) {
	const n = 20000
	for _, traffic := range []float64{0.5, 5, 25, 50, 95} {
		var one, both int
		for i := range n {
			key := fmt.Sprint("customer-", i)
			if point("credit", key) < traffic {
				one++
				if point("fraud", key) < traffic {
					both++
				}
			}
		}
		within(t, one, n, traffic/100)
		within(t, both, n, traffic/100*traffic/100)
	}
}

func TestTheLoggedKeyTellsKeysApartAndDoesNotShowThem(t *testing.T) {
	require.NotEqual(t, hashedKey("credit", "a"), hashedKey("credit", "b"))
	require.Equal(t, hashedKey("credit", "a"), hashedKey("credit", "a"))
	require.Len(t, hashedKey("credit", "a long key that must not appear"), 32)
}

func TestKeysStickOverHTTP(t *testing.T) {
	src := newSource(Serving{Champion: 1, Candidate: 2, Traffic: 25}, &fakePredictor{}, &fakePredictor{})
	b := newBench(t, src)
	const n = 600
	ask := func() (to map[string]string, candidates int) {
		to = map[string]string{}
		for i := range n {
			key := fmt.Sprint("customer-", i)
			got := b.answer(`{"instances":[{"age":1,"sex":null}]}`, keyHeader, key)
			to[key] = got.ModelVersion
			if got.Parameters.Role == "candidate" {
				candidates++
			}
		}
		return to, candidates
	}
	quarter, candidates := ask()
	within(t, candidates, n, 0.25)
	again, _ := ask()
	require.Equal(t, quarter, again)

	src.set(func(s *fakeSource) { s.serving["credit"] = Serving{Champion: 1, Candidate: 2, Traffic: 60} })
	require.NoError(t, b.Sync(t.Context()))
	more, candidates := ask()
	within(t, candidates, n, 0.6)
	for key, v := range quarter {
		if v == "2" {
			require.Equal(t, "2", more[key], key)
		}
	}
}

func TestTheRequestsIDIsTheKeyWhenNoHeaderIsSent(t *testing.T) {
	b := newBench(t, newSource(Serving{Champion: 1, Candidate: 2, Traffic: 50}, &fakePredictor{}, &fakePredictor{}))
	for i := range 20 {
		id := fmt.Sprint("request-", i)
		want := "1"
		if point("credit", id) < 50 {
			want = "2"
		}
		body := fmt.Sprintf(`{"id":%q,"instances":[{"age":1,"sex":null}]}`, id)
		require.Equal(t, want, b.answer(body).ModelVersion)
		require.Equal(t, "1", b.answer(body, keyHeader, championKey(t, b)).ModelVersion, "the header goes before the id")
	}
}

func championKey(t *testing.T, b *bench) string {
	t.Helper()
	for i := range 100 {
		if key := fmt.Sprint(i); point("credit", key) >= 50 {
			return key
		}
	}
	t.Fatal("no key of a hundred leads to the champion")
	return ""
}
