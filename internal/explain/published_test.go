package explain

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// What the values of eight columns of the logistic regression of UCI Adult by scikit-learn 1.2.1 rest on: its coefficients, what the
// 32,561 training rows have on average or how many have each name, and the values of what stands in the first three test rows, in
// the order of each column by itself (linear SHAP: Lundberg and Lee, 2017, corollary 1).
var adultNumbers = []struct {
	name                  string
	mean, sd, coefficient float64
	holds                 [3]float64
	phi                   [3]float64
}{
	{"age", 38.58164675532078, 13.640223092304081, 0.3516831649873313, [3]float64{25, 28, 38}, [3]float64{-0.35017290291579134, -0.272824498287625, -0.014996482860403984}},
	{"education-num", 10.0806793403151, 2.572680825601239, 0.718772704229976, [3]float64{7, 9, 12}, [3]float64{-0.8607007127618393, -0.30192739189177165, 0.53623258941333}},
	{"capital-gain", 1077.6488437087312, 7385.178676946585, 2.30418862929808, [3]float64{0, 0, 0}, [3]float64{-0.3362283189980352, -0.3362283189980352, -0.3362283189980352}},
	{"capital-loss", 87.303829734959, 402.95403082754575, 0.26018727441173584, [3]float64{0, 0, 0}, [3]float64{-0.056372051813936765, -0.056372051813936765, -0.056372051813936765}},
	{"hours-per-week", 40.437455852092995, 12.347239075706957, 0.3681661206151522, [3]float64{40, 40, 50}, [3]float64{-0.01304392204750846, -0.01304392204750846, 0.2851329564900705}},
}

var adultNames = []struct {
	name         string
	levels       []string
	counts       []int
	coefficients []float64
	holds        [3]string
	phi          [3]float64
}{
	{"race", []string{"Amer-Indian-Eskimo", "Asian-Pac-Islander", "Black", "Other", "White"}, []int{311, 1039, 3124, 271, 27816}, []float64{-0.3622624260125151, 0.272507675776137, 0.08019226005054383, -0.18770400076915292, 0.22382981313141764}, [3]string{"Black", "White", "White"}, [3]float64{-0.12238673871775214, 0.02125081436312165, 0.02125081436312165}},
	{"relationship", []string{"Husband", "Not-in-family", "Other-relative", "Own-child", "Unmarried", "Wife"}, []int{13193, 8305, 981, 5068, 3446, 1568}, []float64{-0.09088235383803142, 0.2677102155224245, -0.596580540781518, -0.9168611705401886, 0.12276952289264555, 1.2404076489211342}, [3]string{"Husband", "Husband", "Own-child"}, [3]float64{-0.0343867760707834, -0.0343867760707834, -0.8603655927729404}},
	{"sex", []string{"Female", "Male"}, []int{10771, 21790}, []float64{-0.41558094268180623, 0.442144264858292}, [3]string{"Male", "Male", "Male"}, [3]float64{0.28373078868629337, 0.28373078868629337, 0.28373078868629337}},
}

// The values of a linear model are of each column by itself, so that a model of some columns has the values of the whole one.
func TestLinearValuesOfAdultFromItsMeans(t *testing.T) {
	const rows = 32_561
	m := &model.Logistic{Kind: model.KindLogistic, Format: model.LogisticFormat, Inputs: model.Schema{Target: "income", Positive: ">50K", Negative: "<=50K"}}
	background, three := &table.Frame{Rows: rows}, &table.Frame{Rows: 3}
	var want [][3]float64
	for _, c := range adultNumbers {
		m.Inputs.Features = append(m.Inputs.Features, model.Feature{Name: c.name, Kind: table.Numeric})
		m.Terms = append(m.Terms, model.Term{Numeric: &model.NumericTerm{Mean: c.mean, SD: c.sd, Coefficient: c.coefficient}})
		background.Columns = append(background.Columns, table.Column{Name: c.name, Kind: table.Numeric, Numbers: slices.Repeat([]float64{c.mean}, rows)})
		three.Columns = append(three.Columns, table.Column{Name: c.name, Kind: table.Numeric, Numbers: c.holds[:]})
		want = append(want, c.phi)
	}
	for _, c := range adultNames {
		m.Inputs.Features = append(m.Inputs.Features, model.Feature{Name: c.name, Kind: table.Categorical, Levels: c.levels})
		m.Terms = append(m.Terms, model.Term{Categorical: &model.CategoricalTerm{Coefficients: c.coefficients}})
		all := table.Column{Name: c.name, Kind: table.Categorical, Levels: c.levels}
		few := all
		for code, n := range c.counts {
			all.Codes = append(all.Codes, slices.Repeat([]int32{int32(code)}, n)...)
		}
		require.Len(t, all.Codes, rows)
		for _, name := range c.holds {
			few.Codes = append(few.Codes, int32(slices.Index(c.levels, name)))
		}
		background.Columns, three.Columns = append(background.Columns, all), append(three.Columns, few)
		want = append(want, c.phi)
	}
	v, err := Linear(m, three, background)
	require.NoError(t, err)
	for j, name := range v.Features {
		for i := range 3 {
			require.InDelta(t, want[j][i], v.Phi[i][j], 1e-9, "row %d, %s", i, name)
		}
	}
}
