package fairness_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
)

// drawn is rows whose truth, score and groups are drawn; sizes is the number of groups of each column.
func drawn(rows int, seed uint64, sizes ...int) (stats.Sample, []fairness.Column) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := stats.Sample{Y: make([]bool, rows), Score: make([]float64, rows)}
	columns := make([]fairness.Column, len(sizes))
	for k := range columns {
		columns[k] = fairness.Column{Name: fmt.Sprintf("c%d", k), Groups: make([]string, rows)}
	}
	for i := range rows {
		s.Score[i] = r.Float64()
		s.Y[i] = r.Float64() < s.Score[i]
		for k, size := range sizes {
			columns[k].Groups[i] = fmt.Sprintf("g%03d", r.IntN(size))
		}
	}
	return s, columns
}

func BenchmarkExamine(b *testing.B) {
	for _, size := range []struct {
		rows   int
		groups []int
	}{{1_000_000, []int{2, 5, 4}}, {100_000, []int{500}}} {
		b.Run(fmt.Sprint(size.rows, size.groups), func(b *testing.B) {
			s, columns := drawn(size.rows, 1, size.groups...)
			b.ReportAllocs()
			for b.Loop() {
				_, err := fairness.Examine(s, fairness.Question{Columns: columns, Threshold: 0.5})
				require.NoError(b, err)
			}
		})
	}
}
