package spec

import (
	"fmt"
	"slices"
)

// Explain says how the model is explained, and how often it may be asked for that.
type Explain struct {
	Predictions int            `json:"predictions,omitempty"  yaml:"predictions,omitempty"` // rows the model may be asked about; default 500,000
	Changes     []ColumnChange `json:"changes,omitempty" yaml:"changes,omitempty"`          // how columns may change where it is asked what would have to
	Rows        []int64        `json:"rows,omitempty" yaml:"rows,omitempty"`                // numbers of source rows that are explained one by one where they are test rows
	ShowValues  bool           `json:"show_values,omitempty" yaml:"show_values,omitempty"`  // values of single rows may stand in the dossier
}

// ColumnChange says how a column may change.
type ColumnChange struct {
	Column    string   `json:"column" yaml:"column"`
	Never     bool     `json:"never,omitempty" yaml:"never,omitempty"`
	Min       *float64 `json:"min,omitempty" yaml:"min,omitempty"`
	Max       *float64 `json:"max,omitempty" yaml:"max,omitempty"`
	To        []string `json:"to,omitempty" yaml:"to,omitempty"`               // of names: those that may be taken
	Direction string   `json:"direction,omitempty" yaml:"direction,omitempty"` // up or down
}

// MostPredictions is Predictions or its default.
func (e Explain) MostPredictions() int {
	if e.Predictions == 0 {
		return 500_000
	}
	return e.Predictions
}

func (d *decoder) checkExplain(s *Spec) {
	var seen []string
	for i, c := range s.Explain.Changes {
		path := index("explain.changes", i)
		switch {
		case c.Column == s.Data.Target.Column && c.Column != "":
			d.complain(path+".column", fmt.Sprintf("found %q, which is the target column", c.Column), "name a column that the model looks at")
		case slices.Contains(seen, c.Column) && c.Column != "":
			d.complain(path+".column", fmt.Sprintf("found %q a second time", c.Column), "give every column once")
		case c.Never && (c.Min != nil || c.Max != nil || len(c.To) > 0 || c.Direction != ""):
			d.complain(path+".never", "found never: true beside what the column may change to", "leave one out")
		case (c.Min != nil || c.Max != nil) && len(c.To) > 0:
			d.complain(path+".to", "found names beside min or max", "a column holds names or numbers")
		case c.Min != nil && c.Max != nil && *c.Min > *c.Max:
			d.complain(path+".min", fmt.Sprintf("found min %.15g above max %.15g", *c.Min, *c.Max), "expected the smaller number first")
		}
		seen = append(seen, c.Column)
	}
}
