package privacy

import (
	"errors"
	"strconv"

	"github.com/assay-ml/assay/internal/stats"
)

// Sensitive is a column whose values nobody is to learn about a person: text, or numbers with NaN where missing.
type Sensitive struct {
	Name    string
	Values  []string
	Numbers []float64
}

func (s Sensitive) texts() []string {
	if s.Numbers == nil {
		return s.Values
	}
	out := make([]string, len(s.Numbers))
	for i, x := range s.Numbers {
		out[i] = strconv.FormatFloat(x, 'g', -1, 64)
	}
	return out
}

// ExactClasses are the classes when numbers that were taken by their bands count by their exact values: what someone learns who
// knows those.
type ExactClasses struct {
	Columns    []string `json:"columns"` // those taken by their bands
	KMin       int      `json:"k_min"`
	UniqueRows int      `json:"unique_rows"`
}

// ExaminedMetricNames lists the metrics in the order of Report.Metrics of Examine.
func ExaminedMetricNames() []string { return append(MetricNames(), DiversityMetricNames()...) }

// mostVisits bounds the search for risky combinations: rows times combinations.
const mostVisits = 1_000_000_000

// Examine measures how well the classes of the quasi-identifiers hide people and their sensitive values: KAnonymity, Diversity of
// each sensitive column, the first of which is the target, Riskiest and ClassSizes. A metric of several sensitive columns is that
// of the worst. Combinations have up to three columns, or fewer where there are too many rows and columns for that: RiskSize says
// how many. Without quasi-identifiers or rows the report says so in its note and its metrics are undefined.
//
// It is an error when there is no sensitive column, when columns differ in length or share a name, or when a sensitive number is
// infinite.
func Examine(quasi []Column, sensitive []Sensitive) (Report, error) {
	if len(sensitive) == 0 {
		return Report{}, errors.New("measure how well rows hide people: no sensitive column; expected at least the target")
	}
	r, err := KAnonymity(quasi, sensitive[0].texts())
	if err != nil {
		return Report{}, err
	}
	worst := map[string]stats.Estimate{}
	for _, s := range sensitive {
		d, err := Diversity(quasi, Column{Name: s.Name, Values: s.Values}, s.Numbers)
		if err != nil {
			return Report{}, err
		}
		for _, m := range d.Metrics {
			before, ok := worst[m.Name]
			less := m.Defined() && before.Defined() && m.Value < before.Value
			more := m.Defined() && before.Defined() && m.Value > before.Value
			if !ok || !before.Defined() || less && m.Name != MetricTCloseness || more && m.Name == MetricTCloseness {
				worst[m.Name] = m.Estimate
			}
		}
		if r.Note == "" {
			r.Diversity = append(r.Diversity, d)
		}
	}
	for _, name := range DiversityMetricNames() {
		r.Metrics = append(r.Metrics, Metric{name, worst[name]})
	}
	if r.Note != "" {
		return r, nil
	}
	if r.Sizes, err = ClassSizes(quasi); err != nil {
		return Report{}, err
	}
	if r.RiskSize = affordableSize(len(quasi), r.Rows); r.RiskSize > 0 {
		r.Riskiest, err = Riskiest(quasi, RiskOptions{MaxSize: r.RiskSize})
	}
	return r, err
}

// affordableSize is the largest size of combinations, up to three, that can all be looked at.
func affordableSize(columns, rows int) int {
	sets, ofSize := 0, 1
	for size := 1; size <= min(3, columns); size++ {
		ofSize = ofSize * (columns - size + 1) / size
		if sets += ofSize; sets > 5000 || size > 1 && sets*rows > mostVisits {
			return size - 1
		}
	}
	return min(3, columns)
}
