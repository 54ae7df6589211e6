package report

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// What training rows say of 500 groups in each of three columns, whose names try to be markup, makes a page that can be read.
func TestPageOfManyPeopleStaysSmall(t *testing.T) {
	const rows, count = 5000, 500
	groups, labels, s := make([]string, rows), make([]string, rows), stats.Sample{Y: make([]bool, rows), Score: make([]float64, rows)}
	for i := range rows {
		groups[i], labels[i] = fmt.Sprintf("%s group %d", script, i%count), []string{"no", "yes"}[i/count%2]
		s.Y[i], s.Score[i] = i/count%2 == 1, float64(i%7)/7
	}
	d := loan(t)
	inequality, err := fairness.Inequality(s, groups, fairness.InequalityQuestion{Threshold: 0.5, Replicates: stats.MinReplicates})
	require.NoError(t, err)
	for _, column := range []string{"sex", "city", "trade"} {
		d.Fairness.People = append(d.Fairness.People, peopleBy(t, column, groups, s.Y, labels))
		d.Fairness.Inequality = append(d.Fairness.Inequality, Inequality{Column: column, InequalityReport: inequality})
	}
	page := rendered(t, d)
	t.Logf("the page has %d bytes", len(page))
	require.Less(t, len(page), 2<<20)
	require.NotContains(t, string(page), "<script")
	got := section(t, parse(t, page), "data")
	require.Contains(t, got, "Who it learnt from, by city")
	require.Contains(t, got, script+" group ")
	_, digest, err := Encode(d)
	require.NoError(t, err)
	text, err := Markdown(d, digest)
	require.NoError(t, err)
	require.Less(t, len(text), 2<<20)
}
