package synthetic

import (
	"bytes"
	"encoding/csv"
	"sort"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func file(t require.TestingT, o Options) []byte {
	var b bytes.Buffer
	require.NoError(t, WriteCSV(&b, o))
	return b.Bytes()
}

func TestSameOptionsGiveTheSameBytesAndLongerFilesBeginWithShorterOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{Rows: rapid.IntRange(1, 50).Draw(t, "rows"), Seed: rapid.Uint64().Draw(t, "seed"), Drift: rapid.Float64Range(0, 1).Draw(t, "drift")}
		longer := o
		longer.Rows += 7
		require.Equal(t, file(t, o), file(t, o))
		require.True(t, bytes.HasPrefix(file(t, longer), file(t, o)))
	})
	require.NotEqual(t, file(t, Options{Rows: 5, Seed: 1}), file(t, Options{Rows: 5, Seed: 2}))
}

func TestBytesAreFixedForEver(t *testing.T) {
	const want = "application_id,age,sex,region_group,income,employment,years_employed,housing,purpose,loan_amount,debt_to_income," +
		"credit_history_years,late_payments,approved\n" +
		"A0000001,47,male,south,74991.75,salaried,1.4,own,home_improvement,10366,0.6255,8.2,0,yes\n" +
		"A0000002,54,male,north,34563.5,salaried,36,own,home_improvement,37702,0.3476,7.6,2,yes\n"
	require.Equal(t, want, string(file(t, Options{Rows: 2, Seed: 7})))
}

func TestApplicationsAreTheRowsOfTheFile(t *testing.T) {
	o := Options{Rows: 500, Seed: 3, Drift: 0.5}
	rows, err := csv.NewReader(bytes.NewReader(file(t, o))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, Columns, rows[0])
	i := 0
	for a := range Applications(o) {
		i++
		for c, name := range Columns {
			cell := rows[i][c]
			switch v := a.Values[name].(type) {
			case nil:
				if name == "approved" {
					require.Equal(t, map[bool]string{true: "yes", false: "no"}[a.Approved], cell)
					continue
				}
				require.Empty(t, cell)
			case string:
				require.Equal(t, v, cell)
			case int64:
				require.Equal(t, strconv.FormatInt(v, 10), cell)
			case float64:
				got, err := strconv.ParseFloat(cell, 64)
				require.NoError(t, err)
				require.Equal(t, v, got)
			}
		}
	}
	require.Equal(t, o.Rows, i)
}

func TestTheTruthIsAsDocumented(t *testing.T) {
	var approved, missing float64
	var scores []Application
	rate := map[string][2]float64{}
	const n = 50000
	for a := range Applications(Options{Rows: n, Seed: 7}) {
		scores = append(scores, a)
		if _, ok := a.Values["debt_to_income"]; !ok {
			missing++
		}
		yes := 0.0
		if a.Approved {
			yes = 1
			approved++
		}
		for _, g := range []string{a.Values["sex"].(string), a.Values["region_group"].(string)} {
			r := rate[g]
			rate[g] = [2]float64{r[0] + yes, r[1] + 1}
		}
	}
	share := func(g string) float64 { return rate[g][0] / rate[g][1] }
	require.InDelta(t, 0.70, approved/n, 0.02)
	require.InDelta(t, 0.04, missing/n, 0.005)
	require.InDelta(t, 0.85, auc(scores), 0.015)
	require.Greater(t, share("male")-share("female"), 0.03)
	require.Greater(t, share("north")-share("east"), 0.05)
	require.InDelta(t, share("north"), share("south"), 0.02)
}

func TestDriftChangesApplicantsAsDocumented(t *testing.T) {
	mean := func(drift float64) (income, jobless, debt float64) {
		const n = 20000
		debts := 0.0
		for a := range Applications(Options{Rows: n, Seed: 7, Drift: drift}) {
			income += a.Values["income"].(float64) / n
			if a.Values["employment"] == "unemployed" {
				jobless += 1.0 / n
			}
			if d, ok := a.Values["debt_to_income"].(float64); ok {
				debt += d
				debts++
			}
		}
		return income, jobless, debt / debts
	}
	income0, jobless0, debt0 := mean(0)
	income1, jobless1, debt1 := mean(1)
	require.InDelta(t, 0.6065, income1/income0, 0.01)
	require.InDelta(t, 0.06, jobless0, 0.01)
	require.InDelta(t, 0.24, jobless1, 0.01)
	require.InDelta(t, 0.15, debt1-debt0, 0.01)
}

func TestOptionsOutOfRangeAreNamed(t *testing.T) {
	require.ErrorContains(t, Options{Rows: 0}.Check(), "rows=0; expected 1 to 100000000")
	require.ErrorContains(t, Options{Rows: 1, Drift: 2}.Check(), "drift=2; expected 0 to 1")
}

func auc(list []Application) float64 {
	sort.Slice(list, func(i, j int) bool { return list[i].Probability < list[j].Probability })
	var ranks, positive float64
	for i, a := range list {
		if a.Approved {
			ranks += float64(i + 1)
			positive++
		}
	}
	return (ranks - positive*(positive+1)/2) / (positive * (float64(len(list)) - positive))
}
