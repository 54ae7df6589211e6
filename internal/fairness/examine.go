package fairness

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/stats"
)

// What a zero field of a Question means.
const (
	DefaultMinGroup            = 30
	DefaultExamineReplicates   = 2000
	leastExamineReplicates     = 200
	defaultExaminationLevel    = stats.DefaultLevel
	smallGroupsMakeNoGapsNote  = "Groups of fewer rows than the least number are listed with their intervals; they do not make the gaps."
	noGroupIsLargeEnoughReason = "fewer than two groups have enough rows and a value"
)

// Column is a protected column: the group of each row. Rows without a known group should carry a name that says so.
type Column struct {
	Name   string
	Groups []string
}

// MostGroups is how many groups a column, or several crossed, may have: pairs of groups grow with the square.
const MostGroups = 2000

// Question says between whom a model is compared, and how surely.
type Question struct {
	Columns     []Column
	Crossed     [][]string        // names of columns to cross; nil: all pairs, and the triple of exactly three columns; empty: none
	Reference   map[string]string // column to the group that others are compared with; default: the largest group
	MinGroup    int               // rows below which a group makes no gap; 0 means 30
	Level       float64           // confidence level of every interval, in (0, 1); 0 means 0.95
	Replicates  int               // resamples of ExamineNumbers, at least 200; 0 means 2000
	Seed        uint64            // of the resamples
	Threshold   float64           // predicted positive iff score >= Threshold, in [0, 1]
	Thresholds  []float64         // a cut for each row instead, in [0, 1] or just above; nil: Threshold for all
	mostCrossed int               // groups of a crossing that was not asked for by name; 0 means MostGroups

	Strata []string // the stratum of each row for conditional demographic disparity; nil: none
}

// Examination is a classifier's treatment of the groups.
type Examination struct {
	Rows          int             `json:"rows"`
	Level         float64         `json:"level"`
	MinGroup      int             `json:"min_group"`
	Threshold     float64         `json:"threshold"`                // 0 with thresholds of the rows' own, and for classes
	OwnThresholds bool            `json:"own_thresholds,omitempty"` // each row has its own
	Divisions     []Division      `json:"divisions"`                // single columns in their order, then the crossings
	LeftOut       []UncrossedPair `json:"left_out,omitempty"`       // crossings that were not asked for by name and have too many groups
}

// UncrossedPair is a crossing that was left out.
type UncrossedPair struct {
	Columns []string `json:"columns"`
	Reason  string   `json:"reason"`
}

// Division is the rows divided into groups by a column, or by several crossed.
//
// The intervals of one rate hold for all groups of the division together at the level (see simultaneous intervals in each
// estimate's method); different rates and different divisions have the level each. The intervals of disparities of one rate
// against one other side hold together alike.
type Division struct {
	Name      string       `json:"name"` // the columns' names, joined by " & "
	Columns   []string     `json:"columns"`
	Reference string       `json:"reference"` // the group compared with
	Overall   []Rate       `json:"overall"`   // of all rows, in the order of RateNames, with single intervals
	Groups    []Member     `json:"groups"`    // by name
	Small     []SmallCount `json:"small,omitempty"`
	Gaps      []Gap        `json:"gaps"`           // in the order of ExaminedGapNames; the intervals miss at most (1-level)/2 at each end
	Note      string       `json:"note,omitempty"` // how small groups are treated, when there are any
	Strata    *StrataUse   `json:"strata,omitempty"`
}

// SmallCount is a group of few rows.
type SmallCount struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

// Rate is a named share.
type Rate struct {
	Name string `json:"name"`
	stats.Estimate
}

// Member is one group of a division.
type Member struct {
	Name        string          `json:"name"`   // the values, joined by " & "
	Values      []string        `json:"values"` // one per column of the division
	N           int             `json:"n"`
	Positives   int             `json:"positives"`
	Small       bool            `json:"small"` // fewer rows than Examination.MinGroup
	Confusion   stats.Confusion `json:"confusion"`
	Rates       []Rate          `json:"rates"`       // in the order of RateNames
	ErrorRatio  stats.Estimate  `json:"error_ratio"` // false negatives per false positive (Berk et al., 2018, treatment equality)
	Calibration Calibration     `json:"calibration"`
	AUC         stats.Estimate  `json:"auc"`                             // of the group's own rows
	Conditional *stats.Estimate `json:"conditional_disparity,omitempty"` // conditional demographic disparity of the predictions, with strata
	Disparities []Disparity     `json:"disparities"`                     // by rate, then against reference, best and overall
}

// Calibration compares the scores of a group with its truth.
type Calibration struct {
	MeanScore  float64        `json:"mean_score"`
	Difference stats.Estimate `json:"difference"` // mean score minus share of positives, -1 to 1
}

// Member finds a group by its name.
func (d Division) Member(name string) (Member, bool) {
	for _, m := range d.Groups {
		if m.Name == name {
			return m, true
		}
	}
	return Member{}, false
}

// Gap finds a gap by its name.
func (d Division) Gap(name string) (Gap, bool) {
	for _, g := range d.Gaps {
		if g.Name == name {
			return g, true
		}
	}
	return Gap{}, false
}

// Rate finds a rate by its name.
func (m Member) Rate(name string) (stats.Estimate, bool) { return rateNamed(m.Rates, name) }

func rateNamed(rates []Rate, name string) (stats.Estimate, bool) {
	for _, r := range rates {
		if r.Name == name {
			return r.Estimate, true
		}
	}
	return stats.Estimate{}, false
}

// Division finds a division by its name.
func (e Examination) Division(name string) (Division, bool) {
	for _, d := range e.Divisions {
		if d.Name == name {
			return d, true
		}
	}
	return Division{}, false
}

// Examine compares what a classifier of two classes does to the groups of every column and crossing. Question.Thresholds, and
// after them the sample's own Cut, take the place of the threshold.
//
// Errors name a score that is not a probability, a field of the question out of range, a column without one group per row, a
// reference that is no group, and a division that was asked for and has more than 2,000 groups.
func Examine(s stats.Sample, q Question) (Examination, error) {
	if q.Thresholds != nil {
		s.Cut = q.Thresholds
	}
	q, err := q.resolve(s.N())
	if err == nil {
		err = s.Validate()
	}
	if err == nil {
		err = cutsAreNumbers(s.Cut)
	}
	if err != nil {
		return Examination{}, fmt.Errorf("examine fairness: %w", err)
	}
	p, err := divide(q, s.N())
	if err != nil {
		return Examination{}, fmt.Errorf("examine fairness: %w", err)
	}
	outcome := make([]uint8, s.N())
	for i, y := range s.Y {
		outcome[i] = outcomeOf(y, s.Predicted(i, q.Threshold))
	}
	e := p.examine(outcome, s.Score, q)
	e.OwnThresholds = s.Cut != nil
	if !e.OwnThresholds {
		e.Threshold = q.Threshold
	}
	return e, nil
}

// outcomeOf is 2 for a positive plus 1 for a row predicted positive.
func outcomeOf(positive, predicted bool) uint8 {
	var o uint8
	if positive {
		o = 2
	}
	if predicted {
		o++
	}
	return o
}

func cutsAreNumbers(cuts []float64) error {
	for i, c := range cuts {
		if math.IsNaN(c) {
			return fmt.Errorf("row %d: the threshold is not a number; expected one between 0 and 1", i)
		}
	}
	return nil
}

// resolve fills in defaults and refuses what cannot be answered.
func (q Question) resolve(rows int) (Question, error) {
	if q.MinGroup == 0 {
		q.MinGroup = DefaultMinGroup
	}
	if q.mostCrossed == 0 {
		q.mostCrossed = MostGroups
	}
	if q.Level == 0 {
		q.Level = defaultExaminationLevel
	}
	if q.Replicates == 0 {
		q.Replicates = DefaultExamineReplicates
	}
	switch {
	case len(q.Columns) == 0:
		return q, fmt.Errorf("no protected column is named; expected at least one")
	case q.MinGroup < 1:
		return q, fmt.Errorf("the least group has %d rows; expected at least 1", q.MinGroup)
	case !(q.Level > 0 && q.Level < 1):
		return q, fmt.Errorf("the level is %g; expected a number between 0 and 1, such as 0.95", q.Level)
	case q.Replicates < leastExamineReplicates:
		return q, fmt.Errorf("%d resamples; expected at least %d", q.Replicates, leastExamineReplicates)
	case !(q.Threshold >= 0 && q.Threshold <= 1):
		return q, fmt.Errorf("the threshold is %g; expected a number between 0 and 1", q.Threshold)
	case q.Strata != nil && len(q.Strata) != rows:
		return q, fmt.Errorf("%d strata for %d rows; expected one per row, or none", len(q.Strata), rows)
	}
	if err := StrataAreFew(q.Strata); err != nil {
		return q, err
	}
	seen := map[string]bool{}
	for _, c := range q.Columns {
		if seen[c.Name] {
			return q, fmt.Errorf("column %q is named twice; name it once", c.Name)
		}
		seen[c.Name] = true
		if len(c.Groups) != rows {
			return q, fmt.Errorf("column %q has %d groups for %d rows; expected one per row", c.Name, len(c.Groups), rows)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.Reference)) {
		if !seen[name] {
			return q, fmt.Errorf("the reference is a group of %q, which is no protected column; name one of the columns", name)
		}
	}
	for _, crossing := range q.Crossed {
		again := map[string]bool{}
		for _, name := range crossing {
			if !seen[name] || again[name] {
				return q, fmt.Errorf("the crossing %q names %q, which is no protected column or named twice; name different columns", crossing, name)
			}
			again[name] = true
		}
		if len(crossing) < 2 {
			return q, fmt.Errorf("the crossing %q has fewer than two columns; every column has a division of its own anyway", crossing)
		}
	}
	return q, nil
}
