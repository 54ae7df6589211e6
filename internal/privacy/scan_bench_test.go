package privacy_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/privacy"
)

// One million rows of twenty columns: ten of numbers, five of few texts, five of texts that are all different.
func BenchmarkScan(b *testing.B) {
	const rows = 1_000_000
	r := rand.New(rand.NewPCG(1, 1))
	var columns []privacy.ScanColumn
	for k := range 20 {
		c := privacy.ScanColumn{Name: fmt.Sprint("column ", k)}
		switch {
		case k < 10:
			for range rows {
				c.Numbers = append(c.Numbers, [...]float64{r.NormFloat64(), float64(r.Int64N(1e11))}[k%2])
			}
		case k < 15:
			c = privacy.TextColumn(c.Name, repeat(rows, func(i int) string { return "level " + strconv.Itoa(i%40) }))
		default:
			form := [...]string{"person%d@example.org", "%011d", "key-%x", "the customer number %d called again about it", "+49170%07d"}[k-15]
			for i := range rows {
				c.Codes, c.Levels = append(c.Codes, int32(i)), append(c.Levels, fmt.Sprintf(form, i))
			}
		}
		columns = append(columns, c)
	}
	for b.Loop() {
		_, err := privacy.Scan(columns, privacy.ScanOptions{})
		require.NoError(b, err)
	}
}
