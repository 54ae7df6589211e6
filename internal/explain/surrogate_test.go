package explain

import (
	"context"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

func TestATreeIsReadBackAsItsRules(t *testing.T) {
	p := answering{of: func(x person) []float64 {
		switch {
		case x.age < 30 && x.sex == 0:
			return []float64{0.1}
		case x.age < 30:
			return []float64{0.3}
		}
		return []float64{0.9}
	}}
	s, err := SurrogateTree(t.Context(), p, applicants(3000), SurrogateOptions{})
	require.NoError(t, err)
	require.Equal(t, 3000, s.Predictions)
	require.Equal(t, 1000, s.HeldOut)
	require.InDelta(t, 1, s.R2.Value, 1e-12)
	require.Equal(t, 1.0, s.Agreement.Value)
	require.Less(t, s.Baseline.Value, 0.9)
	require.Equal(t, Faithful, s.Verdict)
	require.Len(t, s.Rules, 3)
	require.Equal(t, "age < 29.5 and sex is Female", s.Rules[0].When)
	require.InDelta(t, 0.1, s.Rules[0].Answers[0], 1e-12)
	require.Equal(t, "no", s.Rules[0].Decision)
	require.Equal(t, "age < 29.5 and sex is one of Male, Other", s.Rules[1].When)
	require.Equal(t, "age >= 29.5", s.Rules[2].When)
	require.Equal(t, "yes", s.Rules[2].Decision)
	require.Equal(t, 2, s.Depth)
}

func TestSurrogateOfADrawnTreeIsFaithful(t *testing.T) {
	f := applicants(3000)
	rapid.Check(t, func(t *rapid.T) {
		cut, other := rapid.Float64Range(30, 60).Draw(t, "cut"), rapid.Float64Range(800, 1500).Draw(t, "other")
		leaf := rapid.SliceOfN(rapid.Float64Range(-10, 10), 3, 3).Draw(t, "leaves")
		p := answering{task: stats.Regression, of: func(x person) []float64 {
			switch {
			case x.age < cut:
				return leaf[:1]
			case x.income < other:
				return leaf[1:2]
			}
			return leaf[2:]
		}}
		s, err := SurrogateTree(context.Background(), p, f, SurrogateOptions{MinLeaf: 1, Seed: rapid.Uint64().Draw(t, "seed")})
		require.NoError(t, err)
		if s.R2.Defined() && math.Abs(leaf[0]-leaf[1])+math.Abs(leaf[1]-leaf[2]) > 0.1 {
			// Cuts lie between fitted values, so a few held-out rows fall on the wrong side.
			require.Greater(t, s.R2.Value, 0.8)
		}
		require.False(t, s.Agreement.Defined())
		fitted, held := 0, 0
		for _, rule := range s.Rules {
			fitted, held = fitted+rule.Fitted, held+rule.HeldOut
		}
		require.Equal(t, s.Fitted, fitted)
		require.Equal(t, s.HeldOut, held)
		require.LessOrEqual(t, s.Depth, MostSurrogateDepth)
		require.LessOrEqual(t, len(s.Rules), 16)
	})
}

func TestAModelThatNoSmallTreeFollowsIsNotRead(t *testing.T) {
	p := answering{of: func(x person) []float64 { return []float64{0.5 + 0.5*math.Sin(x.income/3)} }}
	s, err := SurrogateTree(t.Context(), p, applicants(2000), SurrogateOptions{})
	require.NoError(t, err)
	require.Equal(t, Unfaithful, s.Verdict)
	require.Contains(t, s.Reading, "Do not read the rules")
	require.Less(t, s.R2.High, 0.8)
}

func TestFewRowsDoNotSettleTheFidelity(t *testing.T) {
	p := answering{of: func(x person) []float64 { return []float64{x.age / 100} }}
	s, err := SurrogateTree(t.Context(), p, applicants(36), SurrogateOptions{})
	require.NoError(t, err)
	require.Equal(t, Unsettled, s.Verdict)

	exact := answering{task: stats.Regression, of: func(x person) []float64 { return []float64{math.Floor(x.age / 50)} }}
	s, err = SurrogateTree(t.Context(), exact, applicants(60), SurrogateOptions{})
	require.NoError(t, err)
	require.Equal(t, stats.Exact(1, 20), s.R2)
	require.Equal(t, Unsettled, s.Verdict, "20 rows without an error are few")
}

func TestMissingValuesHaveASideOfTheirOwn(t *testing.T) {
	p := answering{of: func(x person) []float64 {
		if math.IsNaN(x.spare) || x.spare < 0.25 {
			return []float64{0.9}
		}
		return []float64{0.2}
	}}
	s, err := SurrogateTree(t.Context(), p, applicants(2000), SurrogateOptions{Depth: 1})
	require.NoError(t, err)
	require.Greater(t, s.R2.Value, 0.95)
	require.Regexp(t, `^\(spare < 0\.2[45]\d* or missing\)$`, s.Rules[0].When)

	alone := answering{of: func(x person) []float64 {
		if math.IsNaN(x.spare) {
			return []float64{0.9}
		}
		return []float64{0.2}
	}}
	s, err = SurrogateTree(t.Context(), alone, applicants(2000), SurrogateOptions{})
	require.NoError(t, err)
	require.Equal(t, "spare is known", s.Rules[0].When)
	require.Equal(t, "spare is missing", s.Rules[1].When)
}

func TestSurrogateOfClasses(t *testing.T) {
	p := answering{task: stats.Multiclass, classes: []string{"a", "b", "c"}, of: func(x person) []float64 {
		out := []float64{0.1, 0.1, 0.1}
		out[int(x.sex)] = 0.8
		return out
	}}
	s, err := SurrogateTree(t.Context(), p, applicants(1500), SurrogateOptions{})
	require.NoError(t, err)
	require.InDelta(t, 1, s.R2.Value, 1e-12)
	require.Equal(t, 1.0, s.Agreement.Value)
	when := map[string]string{}
	for _, rule := range s.Rules {
		when[rule.Decision] = rule.When
	}
	require.Equal(t, map[string]string{"a": "sex is Female", "b": "sex is Male", "c": "sex is Other"}, when)
}

func TestAConstantModelIsOneRule(t *testing.T) {
	p := answering{of: func(person) []float64 { return []float64{0.4} }}
	s, err := SurrogateTree(t.Context(), p, applicants(300), SurrogateOptions{})
	require.NoError(t, err)
	require.Len(t, s.Rules, 1)
	require.Equal(t, "always", s.Rules[0].When)
	require.Contains(t, s.R2.Undefined, "the same answer")
	require.Equal(t, Faithful, s.Verdict)
}

func TestSurrogateIsDeterministicAndBounded(t *testing.T) {
	m := referenceModel(t)
	f, _ := adultTest(t, m)
	text := func(seed uint64) string {
		s, err := SurrogateTree(t.Context(), m, f, SurrogateOptions{Seed: seed, MaxPredictions: 1200})
		require.NoError(t, err)
		require.Equal(t, 1200, s.Predictions)
		b, err := json.Marshal(s)
		require.NoError(t, err)
		return string(b)
	}
	require.Equal(t, text(1), text(1))
	require.NotEqual(t, text(1), text(2))
	s, err := SurrogateTree(t.Context(), m, f, SurrogateOptions{})
	require.NoError(t, err)
	require.Greater(t, s.R2.Value, 0.6)
	t.Logf("R2 %.3f [%.3f, %.3f], agreement %.3f, baseline %.3f, %s; first: %s", s.R2.Value, s.R2.Low, s.R2.High, s.Agreement.Value, s.Baseline.Value, s.Verdict, s.Rules[0].When)
}

func TestSurrogateRefuses(t *testing.T) {
	fine := answering{of: func(person) []float64 { return []float64{0.5} }}
	nan := answering{of: func(person) []float64 { return []float64{math.NaN()} }}
	huge := answering{task: stats.Regression, of: func(x person) []float64 { return []float64{1e200 * x.age} }}
	for _, c := range []struct {
		p    answering
		f    *table.Frame
		opt  SurrogateOptions
		want string
	}{
		{fine, &table.Frame{}, SurrogateOptions{}, "there are no rows"},
		{fine, applicants(19), SurrogateOptions{}, "19 rows may be used; expected at least 20"},
		{fine, applicants(50), SurrogateOptions{Depth: 5}, "a depth of 5"},
		{fine, applicants(50), SurrogateOptions{Threshold: 2}, "the threshold is 2"},
		{fine, applicants(50), SurrogateOptions{MinR2: -1}, "the bounds of fidelity"},
		{nan, applicants(50), SurrogateOptions{}, "the answer is no finite number"},
		{huge, applicants(50), SurrogateOptions{}, "the answers are too large to be squared"},
	} {
		_, err := SurrogateTree(t.Context(), c.p, c.f, c.opt)
		require.ErrorContains(t, err, c.want)
	}
	f := applicants(60)
	for i := range f.Rows {
		f.Columns[2].Numbers[i], f.Columns[3].Codes[i] = math.NaN(), -1
	}
	_, err := SurrogateTree(t.Context(), fine, f, SurrogateOptions{})
	require.NoError(t, err, "columns without any value ask no question")
}
