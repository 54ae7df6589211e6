package search

import (
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/spec"
)

// estimator is a density on one side of the unit cube.
type estimator interface {
	draw(d *draws) float64     // a coordinate from [0, 1)
	density(u float64) float64 // above 0; for a parameter with separate values, the chance of the value at u
}

// newEstimator learns from the coordinates of trials.
func newEstimator(a axis, seen []float64) estimator {
	if a.values != nil {
		return newFrequencies(a.values, seen)
	}
	return newParzen(a, seen)
}

// frequencies are those of values without an order, with one pseudo-observation spread evenly over all of them.
type frequencies []float64

func newFrequencies(values []spec.Value, seen []float64) frequencies {
	f := make(frequencies, len(values))
	k := float64(len(f))
	for i := range f {
		f[i] = 1 / k / (float64(len(seen)) + 1)
	}
	for _, u := range seen {
		f[f.index(u)] += 1 / (float64(len(seen)) + 1)
	}
	return f
}

func (f frequencies) index(u float64) int { return min(int(u*float64(len(f))), len(f)-1) }

func (f frequencies) draw(d *draws) float64 {
	x := d.unit()
	at := 0
	for ; at < len(f)-1 && x >= f[at]; at++ {
		x -= f[at]
	}
	return (float64(at) + 0.5) / float64(len(f))
}

func (f frequencies) density(u float64) float64 { return f[f.index(u)] }

// parzen is a mixture, in equal shares, of normal distributions cut off at 0 and 1: one at every trial and a wide one in the
// middle, the prior. A trial's is as wide as the way to the farther one of its neighbours (Bergstra et al. 2011, section
// 4), within bounds that grow tighter as trials come in.
type parzen struct {
	axis    axis
	normals []normal
}

type normal struct {
	centre, width float64
	from, share   float64 // its distribution function at 0, and what lies between 0 and 1
	height        float64 // its density at the centre, with what is cut off spread over the rest
}

const (
	priorCentre   = 0.5
	priorWidth    = 1
	negligible    = 80  // squared distance in widths: exp(-40) changes no digit of a sum that has the prior in it
	narrowestPart = 100 // no normal is narrower than 1/100 of the side
)

func newParzen(a axis, seen []float64) parzen {
	centres := make([]float64, 0, len(seen)+1)
	for _, u := range seen {
		from, to := region(a, u)
		centres = append(centres, (from+to)/2)
	}
	centres = append(centres, priorCentre)
	slices.Sort(centres)
	prior, _ := slices.BinarySearch(centres, priorCentre)
	narrowest := 1 / float64(min(narrowestPart, len(centres)))
	p := parzen{axis: a}
	for i, c := range centres {
		width := 0.0
		if i > 0 {
			width = c - centres[i-1]
		}
		if i+1 < len(centres) {
			width = max(width, centres[i+1]-c)
		}
		width = min(max(width, narrowest), 1)
		if i == prior {
			width = priorWidth
		}
		from := phi(-c / width)
		share := phi((1-c)/width) - from
		p.normals = append(p.normals, normal{c, width, from, share, 1 / (width * share * math.Sqrt(2*math.Pi))})
	}
	return p
}

func (p parzen) draw(d *draws) float64 {
	n := p.normals[d.below(len(p.normals))]
	x := n.from + d.unit()*n.share
	u := n.centre + n.width*math.Sqrt2*math.Erfinv(2*x-1)
	return min(max(u, 0), math.Nextafter(1, 0))
}

func (p parzen) density(u float64) float64 {
	from, to := region(p.axis, u)
	sum := 0.0
	for i := range p.normals {
		n := &p.normals[i]
		if from == to {
			z := (u - n.centre) / n.width
			if z*z > negligible {
				continue
			}
			sum += n.height * math.Exp(-z*z/2)
			continue
		}
		sum += (phi((to-n.centre)/n.width) - phi((from-n.centre)/n.width)) / n.share
	}
	return sum / float64(len(p.normals))
}

// region is the part of the side over which a density is integrated: the coordinates of one integer, unless there are so
// many that the density hardly changes between two of them.
func region(a axis, u float64) (from, to float64) {
	from, to = a.cell(u)
	if to-from < 1.0/1000 {
		return u, u
	}
	return from, to
}

// phi is the standard normal distribution function.
func phi(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
