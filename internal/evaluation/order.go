package evaluation

import "math"

// sorted is the index with its rows in the order of the scores, which are none below 0.
func (x *index) sorted() *index {
	order := ascending(x.Score)
	p := x.Predictions
	p.Row, p.Y, p.Score, p.Old, p.Known = pick(p.Row, order), pick(p.Y, order), pick(p.Score, order), pick(p.Old, order), pick(p.Known, order)
	p.Cut, p.OldCut = pick(p.Cut, order), pick(p.OldCut, order)
	p.Groups, p.Own, p.OwnOld = nil, nil, nil // the codes are what is read
	s := &index{Predictions: p, columns: make(map[string]column, len(x.columns)), new: pick(x.new, order), old: pick(x.old, order)}
	for name, c := range x.columns {
		s.columns[name] = column{names: c.names, code: pick(c.code, order)}
	}
	return s
}

func pick[T any](values []T, order []int32) []T {
	if values == nil {
		return nil
	}
	out := make([]T, len(order))
	for k, i := range order {
		out[k] = values[i]
	}
	return out
}

// ascending is the positions of numbers, none below 0, in the numbers' order, equal ones in their own: a radix sort, some five
// times as fast as comparing a million.
func ascending(values []float64) []int32 {
	const digits, buckets = 16, 1 << 16
	order, next := make([]int32, len(values)), make([]int32, len(values))
	for i := range order {
		order[i] = int32(i)
	}
	key := func(i int32) uint64 { return math.Float64bits(values[i] + 0) } // + 0 makes -0 0; bits rise with numbers above 0
	counts := make([]int32, buckets+1)
	for shift := 0; shift < 64; shift += digits {
		clear(counts)
		for _, i := range order {
			counts[key(i)>>shift%buckets+1]++
		}
		for b := range buckets {
			counts[b+1] += counts[b]
		}
		for _, i := range order {
			b := key(i) >> shift % buckets
			next[counts[b]] = i
			counts[b]++
		}
		order, next = next, order
	}
	return order
}
