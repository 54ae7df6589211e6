package trainer

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// maxChunks fixes how rows are cut for summation. It depends on the data alone, never on the machine, because the order
// of additions decides the last bits of a sum.
const (
	maxChunks = 16
	minRows   = 2048 // a smaller chunk costs more to start than to sum
)

// objective is, for parameters w and intercept b over rows i with weight a_i, label y_i in {-1, 1} and features x_i,
//
//	[ sum_i a_i log(1 + exp(-y_i (w.x_i + b)))  +  l2/2 |w|^2 ] / sum_i a_i
//
// which has the same minimum as scikit-learn's LogisticRegression with C = 1/l2 (Pedregosa et al. 2011; user guide,
// "Logistic regression"). The intercept is not penalised. Dividing by the sum of weights makes values and gradients
// comparable between tables of different size, and leaves the minimum where it is.
type objective struct {
	d      *design
	l      labels
	l2     float64
	chunks []chunk

	at    []float64 // where value and slope were computed last
	value float64
	slope []float64
}

// chunk is a run of rows with the partial sums over it.
type chunk struct {
	from, to int
	loss     float64
	slope    []float64 // one longer than the parameters: entry void collects what belongs to none
}

func newObjective(d *design, l labels, l2 float64) *objective {
	dim := d.intercept + 1
	o := &objective{d: d, l: l, l2: l2, slope: make([]float64, dim)}
	size := max(minRows, (d.rows+maxChunks-1)/maxChunks)
	for from := 0; from < d.rows; from += size {
		o.chunks = append(o.chunks, chunk{from: from, to: min(from+size, d.rows), slope: make([]float64, dim+1)})
	}
	return o
}

// start is the best model without features: all zero but the intercept, which is the log-odds of the positive class.
func (o *objective) start() []float64 {
	positive := 0.0
	for r, y := range o.l.positive {
		if y {
			positive += o.l.weight[r]
		}
	}
	x := make([]float64, o.d.intercept+1)
	x[o.d.intercept] = math.Log(positive) - math.Log(o.l.total-positive)
	return x
}

// evaluate computes value and slope at x, unless they are there already: optimisers ask for them one after the other.
func (o *objective) evaluate(x []float64) {
	if o.at != nil && slices.Equal(o.at, x) {
		return
	}
	w := append(append(o.at[:0], x...), 0) // the last entry is what void adds
	o.sumChunks(w)
	o.at = w[:len(x)]

	o.value = 0
	clear(o.slope)
	for _, c := range o.chunks {
		o.value += c.loss
		for k := range o.slope {
			o.slope[k] += c.slope[k]
		}
	}
	penalty := 0.0
	for k, v := range x[:o.d.intercept] {
		penalty += v * v
		o.slope[k] += o.l2 * v
	}
	o.value = (o.value + o.l2/2*penalty) / o.l.total
	for k := range o.slope {
		o.slope[k] /= o.l.total
	}
}

// sumChunks fills the partial sums, on as many processors as there are.
func (o *objective) sumChunks(w []float64) {
	var next atomic.Int64
	work := func() {
		for {
			k := int(next.Add(1)) - 1
			if k >= len(o.chunks) {
				return
			}
			o.sum(&o.chunks[k], w)
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(o.chunks)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

func (o *objective) sum(c *chunk, w []float64) {
	d := o.d
	clear(c.slope)
	c.loss = 0
	for r := c.from; r < c.to; r++ {
		z, on := d.row(r)
		score := logit(w, d.intercept, z, on)
		loss, pull := logLoss(score, o.l.positive[r])
		pull *= o.l.weight[r]
		c.loss += loss * o.l.weight[r]
		c.slope[d.intercept] += pull
		for k, v := range z {
			c.slope[k] += pull * v
		}
		for _, k := range on {
			c.slope[k] += pull
		}
	}
}

func logit(w []float64, intercept int, z []float64, on []int32) float64 {
	sum := w[intercept]
	for k, v := range z {
		sum += w[k] * v
	}
	for _, k := range on {
		sum += w[k]
	}
	return sum
}

// separates reports whether x puts every row on its label's side. Without a penalty the objective then has no minimum:
// longer coefficients always fit better.
func (o *objective) separates(x []float64) bool {
	w := append(slices.Clone(x), 0)
	for r, positive := range o.l.positive {
		z, on := o.d.row(r)
		if s := logit(w, o.d.intercept, z, on); s == 0 || positive != (s > 0) {
			return false
		}
	}
	return true
}

// logLoss is -log P(label) and its derivative by the logit, P(positive) - label, without overflow or cancellation.
func logLoss(logit float64, positive bool) (loss, slope float64) {
	margin := logit
	if !positive {
		margin = -logit
	}
	e := math.Exp(-math.Abs(margin))
	loss, wrong := math.Log1p(e), e/(1+e)
	if margin < 0 {
		loss, wrong = loss-margin, 1/(1+e)
	}
	if positive {
		return loss, -wrong
	}
	return loss, wrong
}
