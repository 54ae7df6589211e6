package fairness

import (
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// biasAgainst computes every metric of group d against the others a.
func biasAgainst(d, a labelled, stratified bool, level float64) Bias {
	group, others := d.sum(), a.sum()
	rows := group.n() + others.n()
	b := Bias{N: others.n(), Positives: others[1]}
	add := func(name string, e stats.Estimate) {
		b.Metrics = append(b.Metrics, stats.Metric{Name: name, Estimate: e})
	}
	if group.n() == 0 || others.n() == 0 {
		for _, name := range LabelBiasNames() {
			add(name, stats.NoValue(level, rows, "no rows to compare with"))
		}
		return b
	}
	tail := (1 - level) / 2
	share := stats.Proportion(group.n(), rows, level, "no rows")
	add(ClassImbalance, stats.Estimate{Value: 1 - 2*share.Value, Low: 1 - 2*share.High, High: 1 - 2*share.Low, Level: level, Method: share.Method, N: rows})

	proportions := stats.NewcombeShares(others[1], others.n(), group[1], group.n(), tail, "no rows")
	add(LabelProportions, proportions)
	add(KullbackLeibler, resampledDivergence(group, others, level, kullbackLeibler, "the group lacks a label that the others have, so the divergence is infinite"))
	add(JensenShannon, resampledDivergence(group, others, level, jensenShannon, "no rows"))
	add(LpNorm, absolute(proportions, math.Sqrt2))
	add(TotalVariation, absolute(proportions, 1))
	add(KolmogorovSmirnov, absolute(proportions, 1))

	one := labelled{group}
	add(LabelDisparity, resampledDisparity(one, labelled{others}, level, "rows of only one label"))
	if !stratified {
		add(ConditionalDisparity, stats.NoValue(level, rows, "no strata are given to compare people within"))
		return b
	}
	for k := range d {
		both := labelled{d[k], a[k]}.sum()
		if both.n() > 0 && (both[0] == 0 || both[1] == 0) {
			b.StrataLeftOut++
			b.RowsOneLabel += both.n()
		}
	}
	add(ConditionalDisparity, resampledDisparity(d, a, level, "no stratum has rows of both labels"))
	return b
}

func kullbackLeibler(group, others twoLabels) (float64, bool) {
	return divergence(others.share(), group.share())
}

func jensenShannon(group, others twoLabels) (float64, bool) {
	p, q := others.share(), group.share()
	// The middle has every label that either has, so that neither divergence is infinite.
	a, _ := divergence(p, (p+q)/2)
	b, _ := divergence(q, (p+q)/2)
	return (a + b) / 2, true
}

// absolute is the size of a difference, times a factor.
func absolute(e stats.Estimate, factor float64) stats.Estimate {
	if !e.Defined() {
		return e
	}
	low, high := math.Abs(e.Low), math.Abs(e.High)
	if low > high {
		low, high = high, low
	}
	if e.Low <= 0 && e.High >= 0 {
		low = 0
	}
	e.Value, e.Low, e.High = factor*math.Abs(e.Value), factor*low, factor*high
	return e
}

// resampledDivergence has an interval from resamples; where no resample differs there is the value alone, and the reason why.
func resampledDivergence(group, others twoLabels, level float64, of func(group, others twoLabels) (float64, bool), none string) stats.Estimate {
	rows := group.n() + others.n()
	if _, ok := of(group, others); !ok {
		return stats.NoValue(level, rows, none)
	}
	b := stats.BCaCells([]int{group[0], group[1], others[0], others[1]}, stats.Resampling{Replicates: biasReplicates}, func(c []int) (float64, bool) {
		g, o := twoLabels{c[0], c[1]}, twoLabels{c[2], c[3]}
		if g.n() == 0 || o.n() == 0 {
			return 0, false
		}
		return of(g, o)
	})
	return b.EstimateAboveTruth((1 - level) / 2)
}

// resampledDisparity is DDL when there is one stratum, and CDDL of several.
func resampledDisparity(d, a labelled, level float64, none string) stats.Estimate {
	cells := make([]int, 0, 4*len(d))
	rows := 0
	for k := range d {
		cells = append(cells, d[k][0], d[k][1], a[k][0], a[k][1])
		rows += d[k].n() + a[k].n()
	}
	if _, ok := conditionalDisparity(cells); !ok {
		return stats.NoValue(level, rows, none)
	}
	return stats.BCaCells(cells, stats.Resampling{Replicates: biasReplicates}, conditionalDisparity).Estimate((1-level)/2).Within(-1, 1)
}

// conditionalDisparity is the mean over strata of the group's share of the negative rows less its share of the positive ones,
// weighted by rows, from the counts d-, d+, a-, a+ of each stratum. Strata of one label take no part.
func conditionalDisparity(cells []int) (float64, bool) {
	sum, rows := 0.0, 0
	for k := 0; k < len(cells); k += 4 {
		negative, positive := cells[k]+cells[k+2], cells[k+1]+cells[k+3]
		if negative == 0 || positive == 0 {
			continue
		}
		n := negative + positive
		sum += float64(n) * (float64(cells[k])/float64(negative) - float64(cells[k+1])/float64(positive))
		rows += n
	}
	if rows == 0 {
		return 0, false
	}
	return sum / float64(rows), true
}
