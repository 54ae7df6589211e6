package table

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sort"

	"github.com/assay-ml/assay/internal/artifact"
)

// Profile describes a table's columns so that later data can be compared with it without the table.
type Profile struct {
	Rows    int64           `json:"rows"`
	Columns []ColumnProfile `json:"columns"`
}

// ColumnProfile describes the values of one column that are present. What does not apply to the column is absent.
//
// Nulls, Min, Max, Mean and StdDev are always of all rows. Of a table of up to a million rows, everything is exact. Of a
// larger one, columns of up to 1,000 distinct values are still described exactly; Quantiles, Histogram, ECDF, Frequent and
// Other of the others are of SampleRows rows, about a million evenly spread over the table, and Distinct is a HyperLogLog
// estimate. The distribution function of such a sample differs from that of all rows by at most 0.0014 with
// probability 0.95 (Dvoretzky, Kiefer and Wolfowitz 1956, with the constant of Massart 1990).
type ColumnProfile struct {
	Name           string      `json:"name"`
	Type           string      `json:"type"`
	Kind           Kind        `json:"kind,omitempty"`
	Nulls          int64       `json:"nulls"`
	AllNull        bool        `json:"all_null,omitempty"` // cannot be a feature
	Distinct       int64       `json:"distinct"`
	DistinctApprox bool        `json:"distinct_approx,omitempty"`
	SampleRows     int64       `json:"sample_rows,omitempty"` // 0 when all rows were used
	Min            *float64    `json:"min,omitempty"`
	Max            *float64    `json:"max,omitempty"`
	Mean           *float64    `json:"mean,omitempty"`
	StdDev         *float64    `json:"std_dev,omitempty"`   // of a sample (divided by n - 1), to about nine digits
	Quantiles      []float64   `json:"quantiles,omitempty"` // at 0, 0.1, ..., 1; Hyndman and Fan (1996) type 7, as numpy
	Histogram      *Histogram  `json:"histogram,omitempty"`
	ECDF           *ECDF       `json:"ecdf,omitempty"`
	Frequent       []Frequency `json:"frequent,omitempty"` // of a categorical column: up to 50, most frequent first, then by value
	Other          int64       `json:"other,omitempty"`    // values present that Frequent does not list
}

// Histogram counts values between edges: Counts[i] of those in [Edges[i], Edges[i+1]), the last bin closed. Counts are
// taken from the ECDF, so that they are exact where it is.
type Histogram struct {
	Edges  []float64 `json:"edges"`
	Counts []int64   `json:"counts"`
}

// Frequency is a value and how often it occurs.
type Frequency struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// ECDF is the empirical distribution function of a numeric column: Cumulative[i] values are at most Values[i], which
// ascend. It holds every distinct value when there are at most 1,000, otherwise about 1,000 of them, between any two of
// which lies less than 1/1000 of the values counted, so that a Kolmogorov-Smirnov distance to it is off by less than that.
type ECDF struct {
	Values     []float64 `json:"values"`
	Cumulative []int64   `json:"cumulative"`
}

// Count is how many values are at most x.
func (e *ECDF) Count(x float64) int64 {
	i := sort.Search(len(e.Values), func(i int) bool { return e.Values[i] > x })
	if i == 0 {
		return 0
	}
	return e.Cumulative[i-1]
}

// Total is how many values there are.
func (e *ECDF) Total() int64 { return e.Cumulative[len(e.Cumulative)-1] }

// Column finds a column's profile by name; nil when there is none.
func (p *Profile) Column(name string) *ColumnProfile {
	for i := range p.Columns {
		if p.Columns[i].Name == name {
			return &p.Columns[i]
		}
	}
	return nil
}

// ReadProfile reads a profile that Ingest or Prepare stored.
func ReadProfile(ctx context.Context, store artifact.Store, ref artifact.Ref) (*Profile, error) {
	r, err := store.Open(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read profile %s: %w", ref.Digest.Short(), err)
	}
	p := &Profile{}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("read profile %s: %w", ref.Digest.Short(), err)
	}
	return p, nil
}

// ProfileParquet describes columns of a Parquet file.
func ProfileParquet(ctx context.Context, path string, columns []ColumnInfo, lim Limits) (*Profile, error) {
	s, err := lim.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	p, err := profileParquet(ctx, s, path, columns, func(int64) {})
	if err != nil {
		return nil, fmt.Errorf("profile a table: %w", readable(ctx, err))
	}
	return p, nil
}

const histogramBins = 20

// histogram spreads equal bins from the least to the greatest value.
func (e *ECDF) histogram() *Histogram {
	low, high := e.Values[0], e.Values[len(e.Values)-1]
	if low == high {
		return &Histogram{Edges: []float64{low, high}, Counts: []int64{e.Total()}}
	}
	h := &Histogram{Edges: make([]float64, histogramBins+1), Counts: make([]int64, histogramBins)}
	for i := range h.Edges {
		h.Edges[i] = low + (high/histogramBins-low/histogramBins)*float64(i)
	}
	h.Edges[histogramBins] = high
	below := int64(0)
	for i := range h.Counts {
		upTo := e.Total()
		if i < histogramBins-1 {
			upTo = e.Count(math.Nextafter(h.Edges[i+1], math.Inf(-1)))
		}
		h.Counts[i] = upTo - below
		below = upTo
	}
	return h
}
