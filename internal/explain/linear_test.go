package explain

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// drawnLogistic is a model of d numeric columns and n rows for it, all drawn.
func drawnLogistic(random *rand.Rand, d, n int) (*model.Logistic, *table.Frame) {
	m := &model.Logistic{Kind: model.KindLogistic, Format: model.LogisticFormat, Intercept: random.NormFloat64() / 2,
		Inputs: model.Schema{Target: "y", Positive: "1", Negative: "0"}}
	f := &table.Frame{Rows: n}
	for j := range d {
		name := fmt.Sprintf("x%03d", j)
		m.Inputs.Features = append(m.Inputs.Features, model.Feature{Name: name, Kind: table.Numeric})
		m.Terms = append(m.Terms, model.Term{Numeric: &model.NumericTerm{SD: 1, Coefficient: random.NormFloat64() / math.Sqrt(float64(d)), Missing: 0.1}})
		c := table.Column{Name: name, Kind: table.Numeric}
		for range n {
			x := random.NormFloat64()
			if random.Float64() < 0.05 {
				x = math.NaN()
			}
			c.Numbers = append(c.Numbers, x)
		}
		f.Columns = append(f.Columns, c)
	}
	return m, f
}

func TestLinearValuesAddUpToTheLogOdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		m, f := drawnLogistic(random, rapid.IntRange(1, 20).Draw(t, "features"), rapid.IntRange(1, 40).Draw(t, "rows"))
		v, err := Linear(m, f, f)
		require.NoError(t, err)
		scores, err := m.Predict(t.Context(), f)
		require.NoError(t, err)
		for i, p := range scores {
			require.InDelta(t, math.Log(p/(1-p)), v.Scores[i], 1e-9)
			require.InDelta(t, 0, v.Residuals[i], 1e-12)
		}
		for j := range v.Features {
			mean := 0.0
			for i := range v.Phi {
				mean += v.Phi[i][j]
			}
			require.InDelta(t, 0, mean, 1e-9, "values average to nothing over their own background")
		}
	})
}

func TestLinearAgreesWithEnumeration(t *testing.T) {
	f, _ := rows(40)
	v, err := Linear(example(), f, f)
	require.NoError(t, err)
	for _, row := range []int{0, 5, 39} {
		require.InDeltaSlice(t, enumerated(t, example(), f, f, row, LogOdds, 0), v.Phi[row], 1e-9)
	}
	require.Equal(t, "The values are exact, and add up to the score.", v.Summary().Reading)
}

func TestSampledLogOddsAreTheLinearOnes(t *testing.T) {
	m, f := drawnLogistic(rand.New(rand.NewPCG(1, 1)), 100, 400)
	exact, err := Linear(m, f, f)
	require.NoError(t, err)
	for pairs, exactly := range map[int]bool{8: false, 30: true} {
		v, err := Sampled(t.Context(), m, f, f, ShapleyOptions{Scale: LogOdds, Permutations: 2 * pairs, MaxRows: 20})
		require.NoError(t, err)
		beyond, largest := 0, 0.0
		for i, row := range v.Rows {
			for j, x := range v.Phi[i] {
				off := math.Abs(x - exact.Phi[row][j])
				largest = max(largest, off)
				if off > 2.365*v.SE[i][j]+1e-9 {
					beyond++
				}
			}
		}
		if exactly {
			require.Less(t, largest, 1e-9, "the controls know all of an additive score")
			continue
		}
		require.Greater(t, largest, 0.01)
		require.InDelta(t, 0.05, float64(beyond)/2000, 0.03, "Student's interval of 8 pairs misses 5%%")
	}
}

// adultRow0 are values computed with scikit-learn 1.2.1 for row 0 of the UCI Adult test set, means over its training set.
var adultRow0 = map[string]float64{
	"age": -0.35017290291579134, "education-num": -0.8607007127618393, "capital-gain": -0.3362283189980352,
	"capital-loss": -0.056372051813936765, "hours-per-week": -0.01304392204750846, "workclass": 0.058257869747218166,
	"marital-status": -1.2342911435782202, "occupation": -0.32429851837771484, "relationship": -0.8603655927729404,
	"race": -0.12238673871775214, "sex": 0.28373078868629337, "native-country": 0.03664834269127748,
}

func TestLinearAgreesWithPublishedValuesOnAdult(t *testing.T) {
	var values struct {
		Explain struct {
			Rows []struct {
				Row    int                `json:"row"`
				Base   float64            `json:"base"`
				Logit  float64            `json:"logit"`
				Values map[string]float64 `json:"by_original_column"`
			} `json:"adult_lr_linear_shap_first3_test_rows"`
		} `json:"explain"`
	}
	readJSON(t, "reference/values.json", &values)
	m := referenceModel(t)
	f, _ := adultTest(t, m)
	v, err := Linear(m, takeRows(f, []int{0, 1, 2}), adultTraining(t, m))
	require.NoError(t, err)
	require.InDelta(t, -2.063302902674873, v.Base, 1e-9)
	require.Len(t, values.Explain.Rows, 3)
	for _, want := range values.Explain.Rows {
		require.InDelta(t, want.Base, v.Base, 1e-9)
		require.InDelta(t, want.Logit, v.Scores[want.Row], 1e-9)
		for j, name := range v.Features {
			require.InDelta(t, want.Values[name], v.Phi[want.Row][j], 1e-9, "row %d, %s", want.Row, name)
			require.InDelta(t, adultRow0[name], v.Phi[0][j], 1e-9)
		}
	}
}

func adultTraining(t *testing.T, m *model.Logistic) *table.Frame {
	t.Helper()
	file, err := os.Open(shared(t, "data/adult/adult_train.csv"))
	require.NoError(t, err)
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	header, records := records[0], records[1:]
	f := &table.Frame{Rows: len(records)}
	for _, feature := range m.Inputs.Features {
		at := slices.Index(header, feature.Name)
		c := table.Column{Name: feature.Name, Kind: feature.Kind, Levels: feature.Levels}
		for _, r := range records {
			if feature.Kind == table.Numeric {
				x, err := strconv.ParseFloat(r[at], 64)
				require.NoError(t, err)
				c.Numbers = append(c.Numbers, x)
				continue
			}
			code, found := slices.BinarySearch(feature.Levels, r[at])
			require.True(t, found)
			c.Codes = append(c.Codes, int32(code))
		}
		f.Columns = append(f.Columns, c)
	}
	return f
}
