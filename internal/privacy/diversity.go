package privacy

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/assay-ml/assay/internal/stats"
)

// Names of the metrics of a DiversityReport.
const (
	MetricLDiversity        = "l_diversity"         // fewest distinct sensitive values in a class
	MetricEntropyLDiversity = "entropy_l_diversity" // effective number of sensitive values in the least diverse class
	MetricTCloseness        = "t_closeness"         // farthest distance of a class's sensitive values from the table's, 0 to 1
)

// DiversityMetricNames lists the metrics in the order of DiversityReport.Metrics.
func DiversityMetricNames() []string {
	return []string{MetricLDiversity, MetricEntropyLDiversity, MetricTCloseness}
}

// Distances between the values of a sensitive column (Li, Li and Venkatasubramanian, 2007, section 5).
const (
	EqualDistance   = "equal"   // any two values are 1 apart: half the sum of absolute differences of shares
	OrderedDistance = "ordered" // values are as far apart as their ranks, 1 between the least and the greatest
)

// DiversityReport says what is learnt about a sensitive value of someone whose class is known. A class is the rows that
// agree in all quasi-identifiers. It holds counts and distances only, no values.
type DiversityReport struct {
	QuasiIdentifiers []string `json:"quasi_identifiers"`
	Sensitive        string   `json:"sensitive"`
	Rows             int      `json:"rows"`
	Missing          int      `json:"missing"` // rows without a sensitive number, left out of all that follows
	Note             string   `json:"note,omitempty"`

	Classes        int     `json:"classes"`         // with a sensitive value
	SensitiveCount int     `json:"sensitive_count"` // distinct sensitive values in the table
	DistinctL      int     `json:"distinct_l"`
	EntropyL       float64 `json:"entropy_l"`
	Homogeneous    int     `json:"homogeneous_classes"` // classes of one sensitive value
	RowsAtOne      int     `json:"rows_in_homogeneous_classes"`
	// MostCertain is the mean over the rows of the share of the commonest value in the row's class: how often someone who
	// knows the classes and guesses the commonest value is right. TableCertain is the same for one who knows only the table.
	MostCertain  float64 `json:"mean_guess"`
	TableCertain float64 `json:"table_guess"`
	Distance     string  `json:"distance"`
	T            float64 `json:"t"`
	MeanT        float64 `json:"mean_t"` // over rows

	Metrics []Metric `json:"metrics"`
}

// Metric finds an estimate by the metric's name.
func (r DiversityReport) Metric(name string) (stats.Estimate, bool) {
	return Report{Metrics: r.Metrics}.Metric(name)
}

// Diversity measures l-diversity, distinct and of entropy (Machanavajjhala, Kifer, Gehrke and Venkitasubramaniam, 2007,
// "L-diversity: privacy beyond k-anonymity", definitions 4.1 and following: entropy l is the exponential of the entropy), and
// t-closeness (Li, Li and Venkatasubramanian, 2007, "t-closeness: privacy beyond k-anonymity and l-diversity", definition 3)
// of a sensitive column over the classes of the quasi-identifiers.
//
// A sensitive number is given in numericSensitive, a value per row, NaN where missing, and is compared by the ordered
// distance; the values of sensitive are then not read. Otherwise numericSensitive is nil, the equal distance is taken, and a
// missing text is a value like any other. Without quasi-identifiers or rows the report says so in its note and its metrics
// are undefined. It is an error when columns differ in length, when the sensitive column is also a quasi-identifier or when
// a number is infinite.
func Diversity(quasi []Column, sensitive Column, numericSensitive []float64) (DiversityReport, error) {
	r := DiversityReport{QuasiIdentifiers: []string{}, Sensitive: sensitive.Name, Rows: len(sensitive.Values), Distance: EqualDistance}
	if numericSensitive != nil {
		r.Rows, r.Distance = len(numericSensitive), OrderedDistance
	}
	for _, c := range quasi {
		r.QuasiIdentifiers = append(r.QuasiIdentifiers, c.Name)
		if c.Name == sensitive.Name {
			return DiversityReport{}, fmt.Errorf("measure l-diversity: column %q is sensitive and a quasi-identifier; take it off one of the lists", c.Name)
		}
		if len(c.Values) != r.Rows {
			return DiversityReport{}, fmt.Errorf("measure l-diversity: column %q has %d values and the sensitive column %q has %d; expected one per row of each",
				c.Name, len(c.Values), sensitive.Name, r.Rows)
		}
	}
	var codes []int32
	if numericSensitive == nil {
		codes, r.SensitiveCount = codeTexts(sensitive.Values)
	} else {
		var err error
		if codes, r.SensitiveCount, err = codeNumbers(numericSensitive); err != nil {
			return DiversityReport{}, fmt.Errorf("measure l-diversity: column %q %w", sensitive.Name, err)
		}
	}
	for _, code := range codes {
		if code < 0 {
			r.Missing++
		}
	}
	known := r.Rows - r.Missing
	switch {
	case len(quasi) == 0:
		r.Note = "no quasi-identifiers: name the columns that could identify a person together, or the protected columns"
	case known == 0:
		r.Note = "no rows with a sensitive value"
	}
	if r.Note != "" {
		for _, name := range DiversityMetricNames() {
			r.Metrics = append(r.Metrics, Metric{name, stats.NoValue(1, known, r.Note)})
		}
		return r, nil
	}
	r.measure(classCodes(quasi, r.Rows), codes)
	r.Metrics = []Metric{
		{MetricLDiversity, stats.Exact(float64(r.DistinctL), known)},
		{MetricEntropyLDiversity, stats.Exact(r.EntropyL, known)},
		{MetricTCloseness, stats.Exact(r.T, known)},
	}
	return r, nil
}

// codeTexts numbers distinct texts by their first row.
func codeTexts(values []string) ([]int32, int) {
	codes, seen := make([]int32, len(values)), map[string]int32{}
	for i, v := range values {
		code, ok := seen[v]
		if !ok {
			code = int32(len(seen))
			seen[v] = code
		}
		codes[i] = code
	}
	return codes, len(seen)
}

// codeNumbers numbers distinct numbers by their order; missing ones are -1.
func codeNumbers(values []float64) ([]int32, int, error) {
	for i, v := range values {
		if math.IsInf(v, 0) {
			return nil, 0, fmt.Errorf("is infinite in row %d; expected a finite number, or NaN where missing", i)
		}
	}
	distinct := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return v != v })
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	codes := make([]int32, len(values))
	for i, v := range values {
		codes[i] = -1
		if v == v {
			codes[i] = int32(sort.SearchFloat64s(distinct, v))
		}
	}
	return codes, len(distinct), nil
}

// classCodes numbers the classes by their first row.
func classCodes(quasi []Column, rows int) []int32 {
	class, classes := make([]int32, rows), 1
	for _, c := range quasi {
		codes, levels := codeTexts(c.Values)
		class, classes = refined(class, classes, codes, levels)
	}
	return class
}

// measure goes through the rows class by class, and in a class value by value.
func (r *DiversityReport) measure(class, codes []int32) {
	order := make([]int, 0, len(codes))
	table := make([]int, r.SensitiveCount)
	for i, code := range codes {
		if code >= 0 {
			order = append(order, i)
			table[code]++
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		if class[a] != class[b] {
			return int(class[a]) - int(class[b])
		}
		return int(codes[a]) - int(codes[b])
	})
	known := len(order)
	distance := newDistance(table, known, r.Distance)
	r.DistinctL, r.EntropyL = r.SensitiveCount, math.Inf(1)
	guessed := 0
	var values, counts []int
	for i := 0; i < known; {
		start := i
		values, counts = values[:0], counts[:0]
		for i < known && class[order[i]] == class[order[start]] {
			if code := int(codes[order[i]]); len(values) == 0 || values[len(values)-1] != code {
				values, counts = append(values, code), append(counts, 0)
			}
			counts[len(counts)-1]++
			i++
		}
		n := i - start
		r.Classes++
		r.DistinctL = min(r.DistinctL, len(values))
		r.EntropyL = min(r.EntropyL, math.Exp(entropy(counts, n)))
		if len(values) == 1 {
			r.Homogeneous++
			r.RowsAtOne += n
		}
		guessed += slices.Max(counts)
		t := distance.of(values, counts, n)
		r.T = max(r.T, t)
		r.MeanT += t * float64(n) / float64(known)
	}
	r.MostCertain = float64(guessed) / float64(known)
	r.TableCertain = float64(slices.Max(table)) / float64(known)
}

// entropy is in nats.
func entropy(counts []int, n int) float64 {
	h := 0.0
	for _, c := range counts {
		p := float64(c) / float64(n)
		h -= p * math.Log(p)
	}
	return max(h, 0)
}

// distance compares classes with the table.
type distance struct {
	ordered bool
	share   []float64 // of each value in the table
	below   []float64 // share of the table up to and with each value
	area    []float64 // sum of below over the values before each
}

func newDistance(table []int, n int, name string) distance {
	d := distance{ordered: name == OrderedDistance, area: []float64{0}}
	total := 0
	for _, c := range table {
		total += c
		d.share = append(d.share, float64(c)/float64(n))
		d.below = append(d.below, float64(total)/float64(n))
		d.area = append(d.area, d.area[len(d.area)-1]+d.below[len(d.below)-1])
	}
	return d
}

// of is the earth mover's distance of a class from the table. Values are in order.
func (d distance) of(values, counts []int, n int) float64 {
	if !d.ordered {
		// Values that the class lacks add as much as the others exceed the table by, so these are enough.
		excess := 0.0
		for k, v := range values {
			excess += max(float64(counts[k])/float64(n)-d.share[v], 0)
		}
		return min(excess, 1)
	}
	if len(d.share) < 2 {
		return 0
	}
	// Between two values of the class its cumulative share is constant and the table's grows, so the sum of their
	// differences has at most one change of sign, found by bisection: the work is that of the class, not of the table.
	sum, cumulated, from := 0.0, 0, 0
	for k := 0; k <= len(values); k++ {
		to := len(d.share)
		if k < len(values) {
			to = values[k]
		}
		level := float64(cumulated) / float64(n)
		cross := from + sort.Search(to-from, func(i int) bool { return d.below[from+i] > level })
		sum += level*float64(cross-from) - (d.area[cross] - d.area[from])
		sum += d.area[to] - d.area[cross] - level*float64(to-cross)
		if k < len(values) {
			cumulated += counts[k]
			from = to
		}
	}
	return min(max(sum/float64(len(d.share)-1), 0), 1)
}
