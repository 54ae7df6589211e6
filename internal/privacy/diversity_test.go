package privacy_test

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/privacy"
)

// The patients of Li, Li and Venkatasubramanian (2007), table 3 (3-diverse), by class: salaries in thousands and diseases.
func patients() (quasi []privacy.Column, disease privacy.Column, salary []float64) {
	return []privacy.Column{
			{Name: "zip", Values: words("476** 476** 476** 4790* 4790* 4790* 476** 476** 476**")},
			{Name: "age", Values: words("2* 2* 2* 40 40 40 3* 3* 3*")},
		}, privacy.Column{Name: "disease", Values: words("gastric-ulcer gastritis stomach-cancer gastritis flu bronchitis bronchitis pneumonia stomach-cancer")},
		[]float64{3, 4, 5, 6, 11, 8, 7, 9, 10}
}

func TestClosenessOfThePublishedExample(t *testing.T) {
	quasi, disease, salary := patients()
	r, err := privacy.Diversity(quasi, privacy.Column{Name: "salary"}, salary)
	require.NoError(t, err)
	require.Equal(t, 3, r.Classes)
	require.Equal(t, 3, r.DistinctL)
	require.InDelta(t, 3, r.EntropyL, 1e-12)
	// Section 5.1 of the paper: D[{3k,4k,5k}, all] = 0.375 and D[{6k,8k,11k}, all] = 0.167.
	require.InDelta(t, 0.375, r.T, 1e-12)
	require.InDelta(t, (0.375+1./6+17./72)/3, r.MeanT, 1e-12)
	require.Equal(t, privacy.OrderedDistance, r.Distance)

	r, err = privacy.Diversity(quasi, disease, nil)
	require.NoError(t, err)
	// Six diseases, of which gastritis, stomach cancer and bronchitis have 2/9 and the others 1/9.
	require.InDelta(t, 3*1./3-5./9, r.T, 1e-12)
	require.InDelta(t, 1./3, r.MostCertain, 1e-12)
	require.InDelta(t, 2./9, r.TableCertain, 1e-12)
	e, ok := r.Metric(privacy.MetricTCloseness)
	require.True(t, ok)
	require.Equal(t, r.T, e.Value)
}

func TestEntropyDiversityOfUnequalShares(t *testing.T) {
	// One class of three rows with a value and one row with another: entropy -(3/4 ln 3/4 + 1/4 ln 1/4).
	r, err := privacy.Diversity([]privacy.Column{{Name: "q", Values: words("a a a a b b")}}, privacy.Column{Name: "s", Values: words("x x x y x y")}, nil)
	require.NoError(t, err)
	require.Equal(t, 2, r.DistinctL)
	require.InDelta(t, 4/math.Pow(27, 0.25), r.EntropyL, 1e-12)
	require.InDelta(t, 1./6, r.T, 1e-12)
}

func TestWhatDiversityCannotMeasure(t *testing.T) {
	q := []privacy.Column{{Name: "q", Values: words("a b")}}
	for name, c := range map[string]struct {
		quasi     []privacy.Column
		sensitive privacy.Column
		numbers   []float64
		message   string
	}{
		"lengths":  {q, privacy.Column{Name: "s", Values: words("x")}, nil, `measure l-diversity: column "q" has 2 values and the sensitive column "s" has 1; expected one per row of each`},
		"own":      {q, privacy.Column{Name: "q", Values: words("x y")}, nil, `measure l-diversity: column "q" is sensitive and a quasi-identifier; take it off one of the lists`},
		"infinite": {q, privacy.Column{Name: "s"}, []float64{1, math.Inf(1)}, `measure l-diversity: column "s" is infinite in row 1; expected a finite number, or NaN where missing`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := privacy.Diversity(c.quasi, c.sensitive, c.numbers)
			require.EqualError(t, err, c.message)
		})
	}
	for name, call := range map[string]func() (privacy.DiversityReport, error){
		"no quasi-identifiers": func() (privacy.DiversityReport, error) {
			return privacy.Diversity(nil, privacy.Column{Name: "s", Values: words("x")}, nil)
		},
		"no rows": func() (privacy.DiversityReport, error) {
			return privacy.Diversity([]privacy.Column{{Name: "q"}}, privacy.Column{Name: "s"}, nil)
		},
		"only missing": func() (privacy.DiversityReport, error) {
			return privacy.Diversity(q, privacy.Column{Name: "s"}, []float64{math.NaN(), math.NaN()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := call()
			require.NoError(t, err)
			require.NotEmpty(t, r.Note)
			e, ok := r.Metric(privacy.MetricLDiversity)
			require.True(t, ok)
			require.Equal(t, r.Note, e.Undefined)
			_, err = json.Marshal(r)
			require.NoError(t, err)
		})
	}
}

func TestMissingNumbersAreLeftOut(t *testing.T) {
	nan := math.NaN()
	with, err := privacy.Diversity([]privacy.Column{{Name: "q", Values: words("a a a b b c")}}, privacy.Column{Name: "s"}, []float64{1, 2, nan, 3, 1, nan})
	require.NoError(t, err)
	without, err := privacy.Diversity([]privacy.Column{{Name: "q", Values: words("a a b b")}}, privacy.Column{Name: "s"}, []float64{1, 2, 3, 1})
	require.NoError(t, err)
	require.Equal(t, 2, with.Missing)
	with.Missing, with.Rows = 0, 4
	require.Equal(t, without, with)
}

func TestUniqueAndConstantQuasiIdentifiers(t *testing.T) {
	sensitive := privacy.Column{Name: "s", Values: words("x y x y")}
	r, err := privacy.Diversity([]privacy.Column{{Name: "q", Values: words("1 2 3 4")}}, sensitive, nil)
	require.NoError(t, err)
	require.Equal(t, []any{1, 1.0, 0.5, 4}, []any{r.DistinctL, r.EntropyL, r.T, r.RowsAtOne})
	r, err = privacy.Diversity([]privacy.Column{{Name: "q", Values: words("1 1 1 1")}}, sensitive, nil)
	require.NoError(t, err)
	require.Equal(t, []any{2, 0.0, 0}, []any{r.DistinctL, r.T, r.RowsAtOne})
}

// emd is the ordered distance as the paper writes it, term by term.
func emd(class, all []float64) float64 {
	values := slices.Clone(all)
	slices.Sort(values)
	values = slices.Compact(values)
	share := func(of []float64, v float64) float64 {
		n := 0
		for _, x := range of {
			if x == v {
				n++
			}
		}
		return float64(n) / float64(len(of))
	}
	sum, running := 0.0, 0.0
	for _, v := range values {
		running += share(class, v) - share(all, v)
		sum += math.Abs(running)
	}
	return sum / max(float64(len(values)-1), 1)
}

func TestOrderedDistanceIsThePapersSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		class := rapid.SliceOfN(rapid.IntRange(0, 3), n, n).Draw(t, "class")
		numbers := rapid.SliceOfN(rapid.Map(rapid.IntRange(-5, 12), func(v int) float64 { return float64(v) / 2 }), n, n).Draw(t, "numbers")
		q := privacy.Column{Name: "q"}
		byClass := map[int][]float64{}
		for i, c := range class {
			q.Values = append(q.Values, strconv.Itoa(c))
			byClass[c] = append(byClass[c], numbers[i])
		}
		want, mean := 0.0, 0.0
		for _, c := range byClass {
			d := emd(c, numbers)
			want = max(want, d)
			mean += d * float64(len(c)) / float64(n)
		}
		r, err := privacy.Diversity([]privacy.Column{q}, privacy.Column{Name: "s"}, numbers)
		require.NoError(t, err)
		require.InDelta(t, want, r.T, 1e-9)
		require.InDelta(t, mean, r.MeanT, 1e-9)
		require.LessOrEqual(t, r.EntropyL, float64(r.SensitiveCount)+1e-9)
		require.LessOrEqual(t, r.EntropyL, float64(r.Rows)+1e-9)
	})
}

func TestDiversityOfAdultAgreesWithReferenceClasses(t *testing.T) {
	adult := readAdult(t)
	var quasi []privacy.Column
	for _, name := range []string{"age", "sex", "race"} {
		quasi = append(quasi, privacy.Column{Name: name, Values: adult[name]})
	}
	r, err := privacy.Diversity(quasi, privacy.Column{Name: "income", Values: adult["income"]}, nil)
	require.NoError(t, err)
	k, err := privacy.KAnonymity(quasi, adult["income"])
	require.NoError(t, err)
	require.Equal(t, k.Classes, r.Classes)
	require.Equal(t, k.HomogeneousClasses, r.Homogeneous)
	require.Equal(t, k.RowsInHomogeneous, r.RowsAtOne)
	require.Equal(t, 1, r.DistinctL)
}
