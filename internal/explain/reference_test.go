package explain

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// shared gives the path of a file in the folder of real data, and skips the test where there is none.
func shared(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod above the package")
		dir = filepath.Dir(dir)
	}
	full := filepath.Join(dir, "..", "shared", path)
	if _, err := os.Stat(full); err != nil {
		t.Skipf("%s is missing: this test compares with published values", full)
	}
	return full
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(shared(t, path))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, v))
}

var order = []string{"age", "education-num", "capital-gain", "capital-loss", "hours-per-week",
	"workclass", "marital-status", "occupation", "relationship", "race", "sex", "native-country"}

// referenceModel is scikit-learn's model of UCI Adult, as ours.
func referenceModel(t *testing.T) *model.Logistic {
	t.Helper()
	var r struct {
		Features   []string            `json:"features"`
		Coef       []float64           `json:"coef"`
		Intercept  float64             `json:"intercept"`
		Mean       map[string]float64  `json:"numeric_mean"`
		SD         map[string]float64  `json:"numeric_std_ddof0"`
		Categories map[string][]string `json:"categories"`
	}
	readJSON(t, "reference/scores/adult_lr_model.json", &r)
	coef := map[string]float64{}
	for k, name := range r.Features {
		coef[name] = r.Coef[k]
	}
	m := &model.Logistic{Kind: model.KindLogistic, Format: model.LogisticFormat, Intercept: r.Intercept,
		Inputs: model.Schema{Target: "income", Positive: ">50K", Negative: "<=50K"}}
	for _, name := range order {
		if sd, ok := r.SD[name]; ok {
			m.Inputs.Features = append(m.Inputs.Features, model.Feature{Name: name, Kind: table.Numeric})
			m.Terms = append(m.Terms, model.Term{Numeric: &model.NumericTerm{Mean: r.Mean[name], SD: sd, Coefficient: coef[name]}})
			continue
		}
		levels := slices.Sorted(slices.Values(r.Categories[name]))
		term := &model.CategoricalTerm{}
		for _, level := range levels {
			term.Coefficients = append(term.Coefficients, coef[name+"="+level])
		}
		m.Inputs.Features = append(m.Inputs.Features, model.Feature{Name: name, Kind: table.Categorical, Levels: levels})
		m.Terms = append(m.Terms, model.Term{Categorical: term})
	}
	_, err := m.Encode()
	require.NoError(t, err)
	return m
}

func adultTest(t *testing.T, m *model.Logistic) (*table.Frame, []bool) {
	t.Helper()
	file, err := os.Open(shared(t, "data/adult/adult_test.csv"))
	require.NoError(t, err)
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	header, records := records[0], records[1:]
	f := &table.Frame{Rows: len(records)}
	y := make([]bool, len(records))
	for i, r := range records {
		y[i] = r[slices.Index(header, "income")] == ">50K"
	}
	for _, feature := range m.Inputs.Features {
		c := table.Column{Name: feature.Name, Kind: feature.Kind, Levels: feature.Levels}
		for _, r := range records {
			text := r[slices.Index(header, feature.Name)]
			if feature.Kind == table.Numeric {
				x, err := strconv.ParseFloat(text, 64)
				require.NoError(t, err)
				c.Numbers = append(c.Numbers, x)
				continue
			}
			code, found := slices.BinarySearch(feature.Levels, text)
			require.True(t, found)
			c.Codes = append(c.Codes, int32(code))
		}
		f.Columns = append(f.Columns, c)
	}
	return f, y
}

// withoutNumber is the model with a numeric feature held at its training mean.
func withoutNumber(m *model.Logistic, j int) *model.Logistic {
	out := *m
	out.Terms = slices.Clone(m.Terms)
	out.Terms[j] = model.Term{Numeric: &model.NumericTerm{SD: 1}}
	return &out
}

type published struct {
	Shift map[string]float64 `json:"adult_lr_shift_by_one_row_auc_drop"`
	Mean  map[string]struct {
		AUCDrop     float64 `json:"auc_drop"`
		LogLossRise float64 `json:"log_loss_rise"`
	} `json:"adult_lr_mean_replacement_importance"`
}

// The published rises are measured from the log-loss of the score file, whose scores are rounded to 8 digits.
const roundedLogLoss = 0.3181767770299578

func TestAgreesWithPublishedValuesOnAdult(t *testing.T) {
	var values struct {
		Explain published `json:"explain"`
	}
	readJSON(t, "reference/values.json", &values)
	m := referenceModel(t)
	f, y := adultTest(t, m)
	base, err := measure(t.Context(), m, f, binaryTruth(y))
	require.NoError(t, err)
	require.InDelta(t, 0.9049545, base.auc.Value, 1e-7)
	require.InDelta(t, 0.3181768, base.logLoss, 1e-7)

	shift := make([]int, f.Rows) // row i takes the value of row i-1, row 0 that of the last
	for i := range shift {
		shift[i] = (i + f.Rows - 1) % f.Rows
	}
	require.Len(t, values.Explain.Shift, len(order))
	for name, want := range values.Explain.Shift {
		shifted, err := Reorder(f, name, shift)
		require.NoError(t, err)
		q, err := measure(t.Context(), m, shifted, binaryTruth(y))
		require.NoError(t, err)
		require.InDelta(t, want, base.auc.Value-q.auc.Value, 1e-9, name)
	}
	// The training mean of a category's effect is not in the reference file; of a standardised number's it is 0.
	for j, feature := range m.Inputs.Features {
		if feature.Kind != table.Numeric {
			continue
		}
		q, err := measure(t.Context(), withoutNumber(m, j), f, binaryTruth(y))
		require.NoError(t, err)
		want := values.Explain.Mean[feature.Name]
		require.InDelta(t, want.AUCDrop, base.auc.Value-q.auc.Value, 1e-9, feature.Name)
		require.InDelta(t, roundedLogLoss+want.LogLossRise, q.logLoss, 1e-9, feature.Name)
	}
}

// Shuffling and shifting by a row break the same tie, so their importances differ by chance only.
func TestPermutationOrdersAdultAsPublished(t *testing.T) {
	var values struct {
		Explain published `json:"explain"`
	}
	readJSON(t, "reference/values.json", &values)
	m := referenceModel(t)
	f, y := adultTest(t, m)
	r, err := Permutation(t.Context(), m, f, y, Options{Seed: 7, MaxRows: f.Rows})
	require.NoError(t, err)
	for _, i := range r.Features {
		require.InDelta(t, values.Explain.Shift[i.Feature], i.AUCDrop.Value, 0.005, i.Feature)
	}
	require.Equal(t, "marital-status", r.Features[0].Feature)
}
