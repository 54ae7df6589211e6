package drift

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// enumerated is the exact tail by visiting every table with the same margins.
func enumerated(cells []cell) float64 { return enumeratedFrom(cells, 1-1e-9) }

func TestChiSquareP(t *testing.T) {
	t.Run("two cells agree with enumeration", rapid.MakeCheck(func(t *rapid.T) {
		cells := drawCells(t, 2, 60)
		require.InDelta(t, min(1, enumerated(cells)), chiSquareP(cells), 1e-9)
	}))
	t.Run("more cells are never below enumeration, and above it by rounding only", rapid.MakeCheck(func(t *rapid.T) {
		cells := drawCells(t, rapid.IntRange(3, 5).Draw(t, "cells"), 12)
		exact, p := enumerated(cells), chiSquareP(cells)
		if chiSquareTail(chiSquare(cells), len(cells)-1) > plain {
			t.Skip("given as it is")
		}
		require.GreaterOrEqual(t, p, min(1, exact)*(1-1e-9))
		require.LessOrEqual(t, p, enumeratedFrom(cells, 1-float64(len(cells))/resolution)+1e-9)
	}))
	t.Run("both samples are treated alike", rapid.MakeCheck(func(t *rapid.T) {
		cells := drawCells(t, rapid.IntRange(2, 6).Draw(t, "cells"), 80)
		swapped := make([]cell, len(cells))
		for i, c := range cells {
			swapped[i] = cell{c.cur, c.ref}
		}
		require.InDelta(t, chiSquareP(cells), chiSquareP(swapped), 1e-6)
	}))
	t.Run("ample cells give the chi-square distribution", func(t *testing.T) {
		cells := []cell{{4000, 430}, {3000, 290}, {3000, 280}}
		require.Equal(t, chiSquareTail(chiSquare(cells), 2), chiSquareP(cells))
	})
	t.Run("one rare cell among ample ones lies near it", func(t *testing.T) {
		cells := []cell{{4000, 430}, {3000, 290}, {3000, 280}, {450, 44}}
		require.InEpsilon(t, chiSquareTail(chiSquare(cells), 3), chiSquareP(cells), 0.05)
	})
	t.Run("equal shares", func(t *testing.T) {
		require.Equal(t, 1.0, chiSquareP([]cell{{10, 5}, {20, 10}, {30, 15}}))
	})
	t.Run("a change beyond any doubt", func(t *testing.T) {
		require.Less(t, chiSquareP([]cell{{1000, 0}, {1000, 0}, {1000, 300}, {100, 300}}), 1e-8)
	})
}

// enumeratedFrom is the exact tail from a share of the observed statistic on.
func enumeratedFrom(cells []cell, share float64) float64 {
	ref, cur := sums(cells)
	t := chiSquare(cells) * share
	p := 0.0
	var visit func(i int, left int64, x, logp float64)
	visit = func(i int, left int64, x, logp float64) {
		if i == len(cells) {
			if left == 0 && x >= t {
				p += math.Exp(logp - logChoose(ref+cur, cur))
			}
			return
		}
		c := cells[i].total()
		for o := int64(0); o <= min(c, left); o++ {
			visit(i+1, left-o, x+distance(float64(o), float64(c), float64(cur), float64(ref+cur)), logp+logChoose(c, o))
		}
	}
	visit(0, cur, 0, 0)
	return p
}

// drawCells draws a table in which both samples hold something and no cell is empty.
func drawCells(t *rapid.T, k, most int) []cell {
	cells := make([]cell, k)
	for i := range cells {
		cells[i] = cell{int64(rapid.IntRange(0, most).Draw(t, "ref")), int64(rapid.IntRange(0, most).Draw(t, "cur"))}
		if cells[i].total() == 0 {
			cells[i].ref = 1
		}
	}
	if ref, cur := sums(cells); ref == 0 || cur == 0 {
		cells[0].ref++
		cells[0].cur++
	}
	return cells
}

// exactKS is the exact two-sided p-value of two samples without ties, by counting lattice paths (Hodges, 1958).
func exactKS(m, n int, d float64) float64 {
	q := (0.5 + math.Floor(d*float64(m)*float64(n)-1e-7)) / (float64(m) * float64(n))
	u := make([]float64, n+1)
	for j := range u {
		if float64(j)/float64(n) <= q {
			u[j] = 1
		}
	}
	for i := 1; i <= m; i++ {
		w := float64(i) / float64(i+n)
		if float64(i)/float64(m) > q {
			u[0] = 0
		}
		u[0] *= w
		for j := 1; j <= n; j++ {
			u[j] = w*u[j] + u[j-1]
			if math.Abs(float64(i)/float64(m)-float64(j)/float64(n)) > q {
				u[j] = 0
			}
		}
	}
	return 1 - u[n]
}

func TestKolmogorovPIsNeverBelowTheExactOne(t *testing.T) {
	for _, s := range [][2]int{{5, 5}, {10, 10}, {20, 20}, {50, 50}, {100, 100}, {5, 10}, {50, 100}, {50, 150}, {50, 60}, {20, 1000}} {
		m, n := s[0], s[1]
		for i := 1; i <= n; i++ {
			d := float64(i) / float64(n)
			if p := kolmogorovP(int64(m), int64(n), d); p < 0.05 {
				require.GreaterOrEqual(t, p*(1+1e-9)+1e-13, exactKS(m, n, d), "m %d, n %d, D %g", m, n, d)
			}
		}
	}
}
