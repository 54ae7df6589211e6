package explain

import (
	"context"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// Defaults of CounterfactualOptions.
const (
	DefaultCounterfactualPredictions = 1000
	DefaultCounterfactualChanges     = 4
	MostCounterfactuals              = 3
)

// CounterfactualGoal is what an answer should become.
type CounterfactualGoal struct {
	Threshold float64 `json:"threshold"` // binary: a row at or above it should fall below, any other should reach it
	// Thresholds are binary too: one for each row that is asked about, in their order, where rows do not have the same; nil: Threshold.
	Thresholds []float64 `json:"thresholds,omitempty"`

	Class   string   `json:"class,omitempty"`    // multiclass: should become the most probable class
	AtLeast *float64 `json:"at_least,omitempty"` // regression: exactly one of the two
	AtMost  *float64 `json:"at_most,omitempty"`
}

// ColumnRule says how a column may change. Whatever it allows, a number stays between the least and the greatest that occur,
// and a level is one that occurs.
type ColumnRule struct {
	Column    string   `json:"column"`
	Immutable bool     `json:"immutable,omitempty"`
	Min       *float64 `json:"min,omitempty"` // numeric
	Max       *float64 `json:"max,omitempty"`
	Levels    []string `json:"levels,omitempty"`    // categorical: the levels that may be taken; in ascending order when Direction is given
	Direction string   `json:"direction,omitempty"` // up or down; "" is either
}

// CounterfactualOptions steer Counterfactuals; the zero value is usable.
type CounterfactualOptions struct {
	Rules                []ColumnRule // at most one a column; a column without may change
	MaxChanges           int          // columns changed at once; 0 means DefaultCounterfactualChanges
	Alternatives         int          // wanted a row, at most MostCounterfactuals; 0 means the most
	MaxPredictionsPerRow int          // 0 means DefaultCounterfactualPredictions
	MaxPredictions       int          // over all rows; rows for which none are left are not searched, and say so; 0 means no bound but the rows' own
}

// CounterfactualReport is what would have to change for rows to be answered otherwise.
type CounterfactualReport struct {
	Method      string     `json:"method"` // for a person
	Task        stats.Task `json:"task"`
	Goal        string     `json:"goal"`        // in words
	Rows        int        `json:"rows"`        // examined
	Already     int        `json:"already"`     // rows that meet the goal as they are, and are not searched
	Predictions int        `json:"predictions"` // rows that the model was asked about
	// Found is the share of the searched rows with a counterfactual, Wilson's interval. A row without may have one that the
	// search missed: the share is a lower bound of those that could.
	Found          stats.Estimate       `json:"found"`
	MedianDistance float64              `json:"median_distance"` // of the nearest of each row that has one; 0 when none has
	MeanChanges    float64              `json:"mean_changes"`    // columns changed by the nearest
	Columns        []ChangedColumn      `json:"columns"`         // by how often the nearest changes them
	Results        []RowCounterfactuals `json:"results"`         // in the order of the rows given
}

// ChangedColumn counts the rows whose nearest counterfactual changes the column.
type ChangedColumn struct {
	Column string  `json:"column"`
	Rows   int     `json:"rows"`
	Share  float64 `json:"share"` // of the rows with a counterfactual
	Up     int     `json:"up"`    // numeric: raised
	Down   int     `json:"down"`
}

// RowCounterfactuals are those of one row. It holds values of that row.
type RowCounterfactuals struct {
	Row             int              `json:"row"` // of the table given
	Before          float64          `json:"before"`
	ClassBefore     string           `json:"class_before,omitempty"` // multiclass: the most probable
	Found           bool             `json:"found"`
	Reason          string           `json:"reason,omitempty"` // why none was found
	Predictions     int              `json:"predictions"`
	Counterfactuals []Counterfactual `json:"counterfactuals,omitempty"` // the nearest first; no two change the same columns
}

// Counterfactual is a set of changes with which the model, asked, answers as wanted.
type Counterfactual struct {
	Changes  []Change `json:"changes"`  // in the schema's order
	Distance float64  `json:"distance"` // see Counterfactuals
	After    float64  `json:"after"`    // the score, the wanted class's probability, or the number
}

// Change is one column's; From is "" where the row has no value.
type Change struct {
	Column   string  `json:"column"`
	From     string  `json:"from"`
	To       string  `json:"to"`
	Distance float64 `json:"distance"`
	Up       bool    `json:"up,omitempty"` // a number, raised
	Down     bool    `json:"down,omitempty"`
}

// Counterfactuals searches, for each of the given rows of f, the least change with which p would answer as the goal wants
// (Wachter, Mittelstadt and Russell 2017, Counterfactual explanations without opening the black box, section on the
// distance), few columns at a time and several ways (Mothilal, Sharma and Tan 2020, DiCE, sections 3.2 and 3.4). The
// distance adds up over changed columns: of a number, the change over the column's median absolute deviation in f (its mean
// absolute deviation from the median where that is 0); of a level, or where the row had no value, 1.
//
// The search tries single values that occur in f, then pairs of the promising ones, then the best change upon the best;
// what reaches the goal is freed of changes it does not need and moved back towards the row as far as it still does. It is
// no proof that there is nothing nearer. Columns that hold whole numbers only keep to them. The model answers what it
// learned, not what the world would do: a change here is no promise to the person.
//
// It asks for at most MaxPredictionsPerRow predictions a row and MaxPredictions in all, the rows themselves included. It
// fails on a goal or rule that does not fit the model, no rows, a row outside f, an answer that is not finite (naming the
// row), and when ctx ends.
func Counterfactuals(ctx context.Context, p model.Predictor, f *table.Frame, rows []int, goal CounterfactualGoal, opt CounterfactualOptions) (CounterfactualReport, error) {
	r, err := counterfactuals(ctx, p, f, rows, goal, opt)
	if err != nil {
		return CounterfactualReport{}, fmt.Errorf("counterfactuals: %w", err)
	}
	return r, nil
}

func counterfactuals(ctx context.Context, p model.Predictor, f *table.Frame, rows []int, goal CounterfactualGoal, opt CounterfactualOptions) (CounterfactualReport, error) {
	opt = opt.resolve()
	f, err := inputs(p, f)
	if err != nil {
		return CounterfactualReport{}, err
	}
	if len(rows) == 0 {
		return CounterfactualReport{}, fmt.Errorf("no row was asked for; name the rows to be explained")
	}
	for _, row := range rows {
		if row < 0 || row >= f.Rows {
			return CounterfactualReport{}, fmt.Errorf("row %d was asked for; the table has rows 0 to %d", row, f.Rows-1)
		}
	}
	if opt.MaxPredictions < len(rows) {
		return CounterfactualReport{}, fmt.Errorf("at most %d predictions for %d rows; expected at least one a row: allow more or name fewer rows", opt.MaxPredictions, len(rows))
	}
	if goal.Thresholds != nil && len(goal.Thresholds) != len(rows) {
		return CounterfactualReport{}, fmt.Errorf("the goal has %d thresholds for %d rows; expected one a row, or none", len(goal.Thresholds), len(rows))
	}
	for i := range rows {
		if err := goal.of(i).check(p.Schema()); err != nil {
			return CounterfactualReport{}, err
		}
	}
	freedoms, err := freedomsOf(f, opt.Rules)
	if err != nil {
		return CounterfactualReport{}, err
	}
	ask := newAsker(p)
	before, err := ask.ask(ctx, takeRows(f, rows), func(i int) int { return rows[i] })
	if err != nil {
		return CounterfactualReport{}, err
	}
	report := CounterfactualReport{Method: opt.method(), Task: p.Schema().TaskOf(), Goal: goal.words(p.Schema()), Rows: len(rows)}
	for i, row := range rows {
		s := &search{
			ask: ask, frame: f, row: row, freedoms: freedoms, opt: opt,
			aim: goal.of(i).aim(p.Schema(), before[i*ask.width:(i+1)*ask.width]),
		}
		// Every row has had one prediction already.
		s.left = min(opt.MaxPredictionsPerRow-1, opt.MaxPredictions-ask.asked)
		result, err := s.run(ctx, before[i*ask.width:(i+1)*ask.width])
		if err != nil {
			return CounterfactualReport{}, err
		}
		report.Results = append(report.Results, result)
	}
	report.Predictions = ask.asked
	report.summarise(f)
	return report, nil
}

func (o CounterfactualOptions) resolve() CounterfactualOptions {
	if o.MaxChanges <= 0 {
		o.MaxChanges = DefaultCounterfactualChanges
	}
	if o.Alternatives <= 0 || o.Alternatives > MostCounterfactuals {
		o.Alternatives = MostCounterfactuals
	}
	if o.MaxPredictionsPerRow <= 0 {
		o.MaxPredictionsPerRow = DefaultCounterfactualPredictions
	}
	if o.MaxPredictions <= 0 {
		o.MaxPredictions = int(^uint(0) >> 1)
	}
	return o
}

func (o CounterfactualOptions) method() string {
	return fmt.Sprintf("Counterfactuals (Wachter, Mittelstadt and Russell 2017; Mothilal, Sharma and Tan 2020): the least change of at most %d columns "+
		"found with at most %d predictions a row, by values that occur; distances in median absolute deviations, 1 for a changed level. "+
		"A row without one may have one that the search missed. They say how the model answers, not what acting on them would do.", o.MaxChanges, o.MaxPredictionsPerRow)
}

const alreadyThere = "it meets the goal as it is"

func (r *CounterfactualReport) summarise(f *table.Frame) {
	var distances []float64
	changes, found := 0, 0
	columns := make([]ChangedColumn, len(f.Columns))
	for j, c := range f.Columns {
		columns[j].Column = c.Name
	}
	for _, result := range r.Results {
		if result.Reason == alreadyThere {
			r.Already++
		}
		if !result.Found {
			continue
		}
		found++
		nearest := result.Counterfactuals[0]
		distances = append(distances, nearest.Distance)
		changes += len(nearest.Changes)
		for _, c := range nearest.Changes {
			j := slices.IndexFunc(columns, func(k ChangedColumn) bool { return k.Column == c.Column })
			columns[j].Rows++
			if c.Up {
				columns[j].Up++
			}
			if c.Down {
				columns[j].Down++
			}
		}
	}
	r.Found = stats.Proportion(found, r.Rows-r.Already, Level, "all rows meet the goal as they are")
	r.Columns = []ChangedColumn{}
	if found == 0 {
		return
	}
	slices.Sort(distances)
	r.MedianDistance = middle(distances)
	r.MeanChanges = float64(changes) / float64(found)
	for _, c := range columns {
		if c.Rows > 0 {
			c.Share = float64(c.Rows) / float64(found)
			r.Columns = append(r.Columns, c)
		}
	}
	slices.SortStableFunc(r.Columns, func(a, b ChangedColumn) int { return b.Rows - a.Rows })
}

// middle is the median of ascending values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return sorted[(n-1)/2]/2 + sorted[n/2]/2
}
