package search

// sampler gives the point of the unit cube where a trial is. It depends on the trial's number only.
type sampler interface{ point(t Trial) []float64 }

// randomly draws points independently and uniformly (Bergstra and Bengio 2012, "Random Search for Hyper-Parameter
// Optimization").
type randomly struct {
	seed int64
	axes int
}

func (r randomly) point(t Trial) []float64 {
	d := drawsFor(r.seed, forPoints, uint64(t))
	p := make([]float64, r.axes)
	for j := range p {
		p[j] = d.unit()
	}
	return p
}
