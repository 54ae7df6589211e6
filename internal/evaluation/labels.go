package evaluation

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
)

// Labels are the rows of the test part whose labels some units need, by their numbers in the source, each list sorted.
type Labels struct {
	Representative []int64 // to be known as Representative; those that are already are left out
	Chosen         []int64 // to be known as Chosen; those whose label is known already are left out
	Ask            []int64 // those of both whose label is not known yet
}

// RowsToLabel decides whose labels the units need (gate.Plan.Needs lists them), as few as will do:
//   - none for units without labels: disagreement, selection rates and their gaps;
//   - those on which the models differ for new less old accuracy, since elsewhere the difference is nought whatever the label
//     (ease.ml/ci, Renggli et al., 2019, section 4.1.2);
//   - otherwise rows picked by lot, enough for the half width whatever the labels will be: a share of one half, the largest
//     spread, a class as frequent as the labels known so far or else the scores say; metrics for which that cannot be told, and
//     units without a half width, need all the rows that they are taken on.
//
// The lot puts rows that are Representative first and the others in the order of the outputs of stats.SplitMix64: row r has output
// r of the generator seeded with seed. Picked are the first so many of all rows, so that each group among them is picked by lot
// too; a small group that would need many of these is rather taken whole, when that costs fewer labels.
//
// Units that compare with a champion need nothing when there is none. Errors are those of Source.Measure.
func RowsToLabel(p Predictions, needs []gate.Need, seed uint64) (Labels, error) {
	s, err := NewSource(p, SourceOptions{})
	if err != nil {
		return Labels{}, fmt.Errorf("decide which rows need a label: %w", err)
	}
	l := newLot(s.index, seed)
	differ := make([]bool, p.N())
	for _, n := range needs {
		demands, err := s.demands(n)
		if err != nil && !errors.Is(err, gate.ErrNoChampion) {
			return Labels{}, fmt.Errorf("decide which rows %s needs a label of: %w", n.Unit, err)
		}
		for _, d := range demands {
			if d.differ {
				s.markDiffering(d.rows, differ)
				continue
			}
			l.want(d.rows, d.n)
		}
	}
	return l.labels(differ), nil
}

func (s *Source) markDiffering(rows []int32, differ []bool) {
	for _, i := range rows {
		differ[i] = differ[i] || s.index.new[i] != s.index.old[i]
	}
}

// lot is the rows in the order in which they are picked.
type lot struct {
	*index
	order []int32
	rank  []int // of each row in order
	until []int // of each row, how many rows must be picked lest it is needed for its group
}

func newLot(x *index, seed uint64) *lot {
	l := &lot{index: x, order: x.all(), rank: make([]int, x.N()), until: make([]int, x.N())}
	draw := make([]uint64, x.N())
	for i, row := range x.Row {
		draw[i] = drawOf(seed, row)
	}
	slices.SortFunc(l.order, func(a, b int32) int {
		return cmp.Or(l.later(a)-l.later(b), cmp.Compare(draw[a], draw[b]))
	})
	for k, i := range l.order {
		l.rank[i] = k
	}
	return l
}

func (l *lot) later(i int32) int {
	if l.known(int(i)) == Representative {
		return 0
	}
	return 1
}

// drawOf is output row of the generator, counted from 0: its state moves by a constant with every output.
func drawOf(seed uint64, row int64) uint64 {
	const step = 0x9E3779B97F4A7C15
	g := stats.SplitMix64(seed + uint64(row)*step)
	return g.Uint64()
}

// want asks for n of the rows, or for all.
func (l *lot) want(rows []int32, n int) {
	if len(rows) == 0 || n <= 0 {
		return
	}
	ranks := make([]int, len(rows))
	for k, i := range rows {
		ranks[k] = l.rank[i]
	}
	slices.Sort(ranks)
	until := ranks[min(n, len(rows))-1] + 1
	for _, i := range rows {
		l.until[i] = max(l.until[i], until)
	}
}

// picked is how many rows are picked by lot, such that these and the groups that are then still needed cost the fewest labels.
func (l *lot) picked() int {
	// With L rows picked, an unknown row is needed when its rank is below L, or when its group wants more than L.
	byRank, byGroup := make([]int, l.N()+1), make([]int, l.N()+2)
	candidates := map[int]bool{0: true}
	for i := range l.rank {
		candidates[l.until[i]] = true
		if l.known(i) != Unknown {
			continue
		}
		byRank[l.rank[i]+1]++
		byGroup[max(0, min(l.rank[i], l.until[i]-1)+1)]++
	}
	for k := 1; k < len(byRank); k++ {
		byRank[k] += byRank[k-1]
	}
	for k := len(byGroup) - 2; k >= 0; k-- {
		byGroup[k] += byGroup[k+1]
	}
	best, fewest := 0, math.MaxInt
	for _, n := range slices.Sorted(maps.Keys(candidates)) {
		if cost := byRank[n] + byGroup[n+1]; cost <= fewest { // of equals, more rows that are good for everything
			best, fewest = n, cost
		}
	}
	return best
}

func (l *lot) labels(differ []bool) Labels {
	var out Labels
	picked := l.picked()
	for i, row := range l.Row {
		known := l.known(i)
		switch {
		case l.rank[i] < picked:
			if known != Representative {
				out.Representative = append(out.Representative, row)
			}
		case known == Unknown && (differ[i] || l.until[i] > picked):
			out.Chosen = append(out.Chosen, row)
		default:
			continue
		}
		if known == Unknown {
			out.Ask = append(out.Ask, row)
		}
	}
	slices.Sort(out.Representative)
	slices.Sort(out.Chosen)
	slices.Sort(out.Ask)
	return out
}
