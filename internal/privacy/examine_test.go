package privacy_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
)

// The salaries of Li, Li and Venkatasubramanian (2007), table 3: three classes of three, and 0.375 and so on as farthest distances.
func TestExamineTakesTheWorstOfTheSensitiveColumns(t *testing.T) {
	class := privacy.Column{Name: "class", Values: words("a a a b b b c c c")}
	salary := privacy.Sensitive{Name: "salary", Numbers: []float64{3, 4, 5, 6, 11, 8, 7, 9, 10}}
	disease := privacy.Sensitive{Name: "disease", Values: words("ulcer gastritis cancer gastritis flu bronchitis bronchitis pneumonia cancer")}
	same := privacy.Sensitive{Name: "same", Values: words("x x x x x x x x x")}

	r, err := privacy.Examine([]privacy.Column{class}, []privacy.Sensitive{disease, salary})
	require.NoError(t, err)
	alone, err := privacy.Diversity([]privacy.Column{class}, privacy.Column{Name: "salary"}, salary.Numbers)
	require.NoError(t, err)
	require.Equal(t, alone, r.Diversity[1])
	require.InDelta(t, 0.375, alone.T, 1e-12, "the example of section 5.2, class {3, 4, 5}")
	closeness, ok := r.Metric(privacy.MetricTCloseness)
	require.True(t, ok)
	require.Equal(t, max(r.Diversity[0].T, r.Diversity[1].T), closeness.Value)
	require.Equal(t, []any{3, 1, 9}, []any{r.KMin, r.RiskSize, r.Sizes[1].Rows})
	var names []string
	for _, m := range r.Metrics {
		names = append(names, m.Name)
	}
	require.Equal(t, privacy.ExaminedMetricNames(), names)

	for _, order := range [][]privacy.Sensitive{{disease, same}, {same, disease}} {
		r, err = privacy.Examine([]privacy.Column{class}, order)
		require.NoError(t, err)
		l, _ := r.Metric(privacy.MetricLDiversity)
		require.Equal(t, stats.Exact(1, 9), l)
	}
	k, err := privacy.KAnonymity([]privacy.Column{class}, disease.Values)
	require.NoError(t, err)
	r.Diversity, r.Riskiest, r.RiskSize, r.Sizes = nil, nil, 0, nil
	require.Equal(t, k.KMin, r.KMin)
}

func TestExamineWithNothingToExamine(t *testing.T) {
	r, err := privacy.Examine(nil, []privacy.Sensitive{{Name: "y", Values: words("a b")}})
	require.NoError(t, err)
	require.NotEmpty(t, r.Note)
	require.Len(t, r.Metrics, len(privacy.ExaminedMetricNames()))
	for _, m := range r.Metrics {
		require.False(t, m.Defined(), m.Name)
	}

	// A sensitive column without values says nothing; the other decides.
	class := privacy.Column{Name: "class", Values: words("a a")}
	r, err = privacy.Examine([]privacy.Column{class}, []privacy.Sensitive{{Name: "none", Numbers: []float64{math.NaN(), math.NaN()}}, {Name: "y", Values: words("a b")}})
	require.NoError(t, err)
	l, _ := r.Metric(privacy.MetricLDiversity)
	require.Equal(t, 2.0, l.Value)

	_, err = privacy.Examine([]privacy.Column{class}, nil)
	require.ErrorContains(t, err, "at least the target")
	_, err = privacy.Examine([]privacy.Column{class, class}, []privacy.Sensitive{{Name: "y", Values: words("a b")}})
	require.ErrorContains(t, err, "listed twice")
	_, err = privacy.Examine([]privacy.Column{class}, []privacy.Sensitive{{Name: "class", Values: words("a b")}})
	require.ErrorContains(t, err, "take it off one of the lists")
	_, err = privacy.Examine([]privacy.Column{class}, []privacy.Sensitive{{Name: "y", Values: words("a b")}, {Name: "pay", Numbers: []float64{1, math.Inf(1)}}})
	require.ErrorContains(t, err, "infinite")
}

// More columns than can be combined are ranked alone or in pairs, and said.
func TestManyQuasiIdentifiersAreRankedInSmallerCombinations(t *testing.T) {
	for columns, size := range map[int]int{2: 2, 30: 3, 40: 2, 200: 1} {
		var quasi []privacy.Column
		for i := range columns {
			quasi = append(quasi, privacy.Column{Name: fmt.Sprint("c", i), Values: words("a b b")})
		}
		r, err := privacy.Examine(quasi, []privacy.Sensitive{{Name: "y", Values: words("a b b")}})
		require.NoError(t, err)
		require.Equal(t, size, r.RiskSize, "%d columns", columns)
		require.NotEmpty(t, r.Riskiest)
	}
}

func TestColumnsKeptFromTheModelDoNotCount(t *testing.T) {
	mail := privacy.TextColumn("mail", repeat(30, func(i int) string { return fmt.Sprintf("p%d@example.org", i) }))
	other := privacy.TextColumn("other", mailValues(30))
	first, err := privacy.Scan([]privacy.ScanColumn{mail}, privacy.ScanOptions{Unread: []string{"mail"}})
	require.NoError(t, err)
	require.Equal(t, privacy.ScanPass, first.Verdict)
	require.Contains(t, first.Reason, "kept from the model")
	require.True(t, first.Findings[0].Unread)
	require.Zero(t, first.Metrics[0].Value)
	require.Empty(t, first.Warning())
	require.Empty(t, first.Counting(privacy.Possible))

	second, err := privacy.Scan([]privacy.ScanColumn{other}, privacy.ScanOptions{})
	require.NoError(t, err)
	both := first.Joined(second)
	require.Equal(t, []any{privacy.ScanFail, 2, 2, 1.0}, []any{both.Verdict, both.Columns, len(both.Findings), both.Metrics[0].Value})
	require.Equal(t, `The model is given a column that seems to hold personal data: "other" (e-mail addresses, certain).`, both.Warning())
	together, err := privacy.Scan([]privacy.ScanColumn{mail, other}, privacy.ScanOptions{Unread: []string{"mail"}})
	require.NoError(t, err)
	require.Equal(t, together, both)

	_, err = privacy.Scan([]privacy.ScanColumn{mail}, privacy.ScanOptions{Unread: []string{"z"}})
	require.ErrorContains(t, err, `column "z" is kept from the model and is not in the table`)
}

func mailValues(n int) []string {
	return repeat(n, func(i int) string { return fmt.Sprintf("q%d@example.org", i) })
}

func TestEveryKindHasWords(t *testing.T) {
	for _, k := range []privacy.PersonalKind{
		privacy.Email, privacy.Phone, privacy.PaymentCard, privacy.IBAN, privacy.NationalID, privacy.HealthNumber, privacy.IPAddress, privacy.MACAddress,
		privacy.URLUser, privacy.Position, privacy.PersonName, privacy.PostalAddress, privacy.DateOfBirth, privacy.AccountName, privacy.Identifier, privacy.FreeText,
	} {
		require.NotContains(t, k.Words(), "_")
		require.NotEqual(t, string(k), k.Words())
	}
	found := make([]privacy.Finding, 7)
	require.Contains(t, privacy.NamedColumns(found), "2 more")
}
