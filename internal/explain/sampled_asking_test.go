package explain

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/table"
)

// A feature has the row's value once it has joined, the first walk in the order, the second against it.
func TestRowsToBeAskedAboutAreThoseOfTheWalks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.IntRange(1, 6).Draw(t, "features")
		m, f := drawnLogistic(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)), d, 12)
		for j := range f.Columns {
			for i := range f.Rows {
				if rapid.IntRange(0, 3).Draw(t, "same") == 0 {
					f.Columns[j].Numbers[i] = 1
				}
			}
		}
		s, err := newSampling(m, f, f, ShapleyOptions{Rows: []int{3}})
		require.NoError(t, err)
		s.pairs, s.used = 5, drawn(f.Rows, f.Rows, nil)
		w := s.planWalks(0)
		from := rapid.IntRange(0, len(w.stops)).Draw(t, "from")
		stops := w.stops[from:rapid.IntRange(from, len(w.stops)).Draw(t, "end")]
		mixed := s.mixed(0, w, stops)
		require.Equal(t, len(stops), mixed.Rows)
		for e, at := range stops {
			order := slices.Clone(w.order[at.pair])
			if at.reverse {
				slices.Reverse(order)
			}
			for j := range d {
				var from *table.Frame
				row := 0
				if from = s.of; !slices.Contains(order[:at.steps], j) {
					from, row = s.behind, w.ground[at.pair]
				}
				require.True(t, same(&mixed.Columns[j], e, &from.Columns[j], row))
			}
		}
	})
}
