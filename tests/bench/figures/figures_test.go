package figures_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/tests/bench/figures"
)

func TestATableNamesTheMachineAndItsLines(t *testing.T) {
	table := figures.Table{Quick: true}
	table.Add("drift check", "2.9 s", "<= 5 s", "3 checks")
	var text, encoded strings.Builder
	require.NoError(t, table.Print(&text, "text"))
	require.NoError(t, table.Print(&encoded, "json"))
	require.Contains(t, text.String(), figures.Machine()[:10])
	require.Contains(t, text.String(), "quick run")
	require.Regexp(t, `drift check +2\.9 s +<= 5 s +3 checks`, text.String())

	var got struct {
		Machine string
		Quick   bool
		Figures []figures.Row
	}
	require.NoError(t, json.Unmarshal([]byte(encoded.String()), &got))
	require.Contains(t, got.Machine, "cores")
	require.True(t, got.Quick)
	require.Equal(t, table.Rows, got.Figures)
}

func TestQuantilesAreOfTheNearestRank(t *testing.T) {
	xs := []float64{3, 1, 2}
	require.Equal(t, 2.0, figures.Quantile(xs, 0.5))
	require.Equal(t, 3.0, figures.Quantile(xs, 1))
	require.Equal(t, []float64{3, 1, 2}, xs)
	require.Zero(t, figures.Quantile(nil, 0.5))
}

func TestCountsAreGroupedByThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1_000_000: "1,000,000", -123: "-123", -123_456: "-123,456"} {
		require.Equal(t, want, figures.Grouped(n))
	}
}
