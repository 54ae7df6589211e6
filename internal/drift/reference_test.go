package drift

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/table"
)

// shared finds a file beside the checkout, and skips the test when it is not there.
func shared(t *testing.T, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, parent, dir, "no go.mod above the package")
		dir = parent
	}
	path := filepath.Join(dir, "..", "shared", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no %s beside the checkout", filepath.Join("shared", name))
	}
	return path
}

// texts is a CSV file by column.
type texts map[string][]string

func readCSV(t *testing.T, name string) texts {
	t.Helper()
	file, err := os.Open(shared(t, name))
	require.NoError(t, err)
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	columns := texts{}
	for j, header := range rows[0] {
		for _, row := range rows[1:] {
			columns[header] = append(columns[header], strings.TrimSpace(row[j]))
		}
	}
	return columns
}

func (c texts) rows() int {
	for _, column := range c {
		return len(column)
	}
	return 0
}

// where keeps the rows for which keep says so.
func (c texts) where(keep func(i int) bool) texts {
	kept := texts{}
	for name, column := range c {
		for i, x := range column {
			if keep(i) {
				kept[name] = append(kept[name], x)
			}
		}
	}
	return kept
}

func (c texts) numbers(t *testing.T, name string) []float64 {
	t.Helper()
	xs := make([]float64, len(c[name]))
	for i, x := range c[name] {
		var err error
		xs[i], err = strconv.ParseFloat(x, 64)
		require.NoError(t, err)
	}
	return xs
}

type publishedPair struct {
	Numeric map[string]struct {
		KS        float64   `json:"ks"`
		P         float64   `json:"ks_p_limit"`
		Edges     []float64 `json:"edges"`
		CountsRef []int64   `json:"counts_ref"`
		CountsCur []int64   `json:"counts_cur"`
		PSI       float64   `json:"psi"`
	} `json:"numeric"`
	Categorical map[string]struct {
		Chi2 float64 `json:"chi2"`
		P    float64 `json:"chi2_p"`
		DOF  int     `json:"dof"`
		PSI  float64 `json:"psi"`
	} `json:"categorical"`
}

func TestAgreesWithReferenceValues(t *testing.T) {
	data, err := os.ReadFile(shared(t, "reference/values.json"))
	require.NoError(t, err)
	var published struct {
		Drift map[string]publishedPair `json:"drift"`
	}
	require.NoError(t, json.Unmarshal(data, &published))
	for _, pair := range []struct {
		name string
		read func(t *testing.T) (ref, cur texts)
	}{
		{"adult_train_vs_test", func(t *testing.T) (texts, texts) {
			return readCSV(t, "data/adult/adult_train.csv"), readCSV(t, "data/adult/adult_test.csv")
		}},
		{"adult_train_male_vs_female", func(t *testing.T) (texts, texts) {
			c := readCSV(t, "data/adult/adult_train.csv")
			return c.where(func(i int) bool { return c["sex"][i] == "Male" }), c.where(func(i int) bool { return c["sex"][i] == "Female" })
		}},
		{"elec2_first_half_vs_second_half", func(t *testing.T) (texts, texts) {
			return halves(readCSV(t, "data/elec2/electricity.csv"))
		}},
		{"nannyml_car_loan_reference_vs_monitoring", func(t *testing.T) (texts, texts) {
			return readCSV(t, "data/nannyml_car_loan/reference_synthetic_car_loan.csv"), readCSV(t, "data/nannyml_car_loan/monitoring_synthetic_car_loan.csv")
		}},
		{"nannyml_car_loan_monitoring_first25k_vs_last25k", func(t *testing.T) (texts, texts) {
			return halves(readCSV(t, "data/nannyml_car_loan/monitoring_synthetic_car_loan.csv"))
		}},
		{"bike_2011_vs_2012", func(t *testing.T) (texts, texts) {
			c := readCSV(t, "data/bike/hour.csv")
			return c.where(func(i int) bool { return c["yr"][i] == "0" }), c.where(func(i int) bool { return c["yr"][i] == "1" })
		}},
	} {
		t.Run(pair.name, func(t *testing.T) {
			want := published.Drift[pair.name]
			require.NotEmpty(t, want.Numeric)
			require.NotEmpty(t, want.Categorical)
			ref, cur := pair.read(t)
			agree(t, want, ref, cur)
		})
	}
}

func halves(c texts) (first, second texts) {
	n := c.rows()
	return c.where(func(i int) bool { return i < n/2 }), c.where(func(i int) bool { return i >= n/2 })
}

func agree(t *testing.T, want publishedPair, ref, cur texts) {
	const exact = 1e-9
	for name, w := range want.Numeric {
		xs := cur.numbers(t, name)
		complete := stepsOf(ref.numbers(t, name))
		es := edges(complete)
		s := complete.withEdges(es)
		d := kolmogorovSmirnov(s, count(s, xs))
		require.InDelta(t, w.KS, d, exact, name)
		require.InDelta(t, w.P, kolmogorovP(s.n(), int64(len(xs)), d), exact, name)
		require.InDeltaSlice(t, w.Edges, es, exact, name)
		cells := binned(s, count(s, xs), es)
		for i, c := range cells {
			require.Equal(t, cell{w.CountsRef[i], w.CountsCur[i]}, c, "%s, bin %d", name, i)
		}
		require.InDelta(t, w.PSI, psi(cells), exact, name)

		thin := complete.thinned(1000)
		off := kolmogorovSmirnov(thin, count(thin, xs)) - d
		require.LessOrEqual(t, off, exact, "%s: a shortened reference never adds distance", name)
		require.GreaterOrEqual(t, off, -0.002, name)
	}
	for name, w := range want.Categorical {
		reference, current := names{listed: countsOf(ref[name])}, countsOf(cur[name])
		cells := nameCells(reference, current)
		require.InEpsilon(t, w.Chi2, chiSquare(cells), exact, name)
		require.InDelta(t, w.P, chiSquareTail(chiSquare(cells), w.DOF), exact, name)
		require.Equal(t, w.DOF, len(cells)-1, name)
		require.InDelta(t, w.PSI, psi(cells), exact, name)

		main, _ := compared(reference, current)
		if slices.ContainsFunc(main, func(c cell) bool { return c.total() == 0 }) {
			t.Errorf("%s: an empty cell is compared", name)
		}
	}
}

// The two files of Adult are a random split of one census; men and women of it are not.
func TestChecksOfAdult(t *testing.T) {
	train, test := readCSV(t, "data/adult/adult_train.csv"), readCSV(t, "data/adult/adult_test.csv")
	r := mustCheck(t, profileOf(adult(t, train), 1000), adult(t, test), Options{})
	require.Equal(t, None, r.Verdict, r.Summary)

	men := train.where(func(i int) bool { return train["sex"][i] == "Male" })
	women := train.where(func(i int) bool { return train["sex"][i] == "Female" })
	r = mustCheck(t, profileOf(adult(t, men), 1000), adult(t, women), Options{})
	require.Equal(t, Drift, r.Verdict)
	require.True(t, r.Columns[0].Drifted, "age")
}

func adult(t *testing.T, c texts) *table.Frame {
	t.Helper()
	var columns []table.Column
	for _, name := range []string{"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"} {
		columns = append(columns, numeric(name, c.numbers(t, name)))
	}
	for _, name := range []string{"workclass", "education", "marital-status", "occupation", "race", "native-country"} {
		columns = append(columns, categorical(name, c[name]))
	}
	return frame(columns...)
}
