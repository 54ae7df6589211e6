package trainer

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"github.com/assay-ml/assay/internal/accountant"
)

// noise draws from a cryptographic generator (ChaCha8) that 32 secret bytes start.
type noise struct{ draw *rand.Rand }

func newNoise(source io.Reader) (noise, error) {
	if source == nil {
		source = crand.Reader
	}
	var seed [32]byte
	if _, err := io.ReadFull(source, seed[:]); err != nil {
		return noise{}, fmt.Errorf("train privately: read 32 random bytes for the noise: %w; expected a source that does not end", err)
	}
	return noise{draw: rand.New(rand.NewChaCha8(seed))}, nil
}

// uniform is above 0 and at most 1.
func (n noise) uniform() float64 { return 1 - n.draw.Float64() }

// normal is one standard normal number. The last bits of a number made by one Box-Muller transform can give away which
// inputs are possible (Mironov: On Significance of the Least Significant Bits for Differential Privacy, CCS 2012); the sum
// of four over two is normal as well, and hides them (Holohan, Braghin: Secure Random Sampling in Differential Privacy,
// ESORICS 2021, section 3.2).
func (n noise) normal() float64 {
	sum := 0.0
	for range 2 {
		radius := math.Sqrt(-2 * math.Log(n.uniform()))
		sin, cos := math.Sincos(2 * math.Pi * n.uniform())
		sum += radius*sin + radius*cos
	}
	return sum / 2
}

// sample calls take for every row that takes part in a step, each with the chance rate, independently: the gaps between
// them are geometric.
func (n noise) sample(rows int, rate float64, take func(row int)) {
	if rate == 1 {
		for r := range rows {
			take(r)
		}
		return
	}
	scale := math.Log1p(-rate)
	for r := 0; ; r++ {
		gap := math.Floor(math.Log(n.uniform()) / scale)
		if gap >= float64(rows-r) {
			return
		}
		r += int(gap)
		take(r)
	}
}

// descendPrivately takes the steps and gives the mean of the second half of the iterates.
func descendPrivately(ctx context.Context, d *privateDesign, p Private, m accountant.Mechanism, l2 float64, source noise, progress func(Progress)) ([]float64, error) {
	w, mean, g := make([]float64, d.width), make([]float64, d.width), make([]float64, d.width)
	batch := m.SampleRate * float64(d.rows)
	penalty := l2 / float64(d.rows)
	// A step against the penalty must not overshoot.
	shrink := 1 / (1 + p.LearningRate*penalty)
	half := p.Steps / 2
	for step := range p.Steps {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("train privately: step %d of %d: %w", step+1, p.Steps, err)
		}
		clear(g)
		source.sample(d.rows, m.SampleRate, func(r int) { d.addGradient(g, w, r, p.Clip) })
		largest := 0.0
		for k := range g {
			g[k] = (g[k] + m.NoiseMultiplier*p.Clip*source.normal()) / batch
			w[k] -= p.LearningRate * g[k]
			if k < d.width-1 {
				w[k] *= shrink
			}
			largest = max(largest, math.Abs(g[k]))
		}
		if step >= half {
			for k := range mean {
				mean[k] += (w[k] - mean[k]) / float64(step-half+1)
			}
		}
		if progress != nil {
			progress(Progress{Iteration: step + 1, GradientNorm: largest})
		}
	}
	return mean, nil
}
