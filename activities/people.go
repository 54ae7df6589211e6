package activities

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// people looks at the training rows before anything was learnt from them: who is in them, which labels the groups have, and whose
// values are missing.
func (a *Audit) people(ctx context.Context, s *spec.Spec, in stage.AuditInput, found *report.Fairness) error {
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return err
	}
	by, err := table.ReadFrame(ctx, a.Store, parts.Train, groupsWanted(s, s.Data.Protected), a.Limits)
	if err != nil {
		return err
	}
	columns := featureColumns(parts)
	kind := table.Categorical
	task := s.Data.Target.TaskOf()
	if task == stats.Regression {
		kind = table.Numeric
	}
	f, err := table.ReadFrame(ctx, a.Store, parts.Train, append(columns, table.Wanted{Name: s.Data.Target.Column, Kind: kind}), a.Limits)
	if err != nil {
		return err
	}
	missing := make([]fairness.MissingColumn, len(columns))
	for k := range columns {
		missing[k] = fairness.MissingColumn{Name: columns[k].Name, Missing: absences(&f.Columns[k], f.Rows)}
	}
	var strata []string
	if len(s.Fairness.Strata) > 0 && task == stats.Binary {
		if strata, err = a.strataOf(ctx, s, parts.Train); err != nil {
			return err
		}
	}
	labels := &f.Columns[len(columns)]
	for k, c := range grouped(s, by.Columns, by.Rows) {
		groups := texts(&c, by.Rows)
		one := report.People{Column: s.Data.Protected[k]}
		if r, err := fairness.Missingness(missing, groups, 0); err == nil {
			one.Missing = &r
		} else {
			one.Notes = append(one.Notes, notComputed(err))
		}
		for _, p := range s.Fairness.Population {
			if p.Column != one.Column {
				continue
			}
			declared := map[string]float64{}
			for _, g := range p.Groups {
				declared[g.Group] = g.Share
			}
			if r, err := fairness.Representation(groups, declared, 0); err == nil {
				one.Population = &r
			} else {
				one.Notes = append(one.Notes, notComputed(err))
			}
		}
		if task != stats.Regression {
			if r, err := fairness.LabelDistribution(texts(labels, f.Rows), groups, 0); err == nil {
				one.Labels = &r
			} else {
				one.Notes = append(one.Notes, notComputed(err))
			}
		}
		if task == stats.Binary {
			y, err := positives(&table.Frame{Rows: f.Rows, Columns: []table.Column{*labels}}, s.Data.Target)
			if err != nil {
				return err
			}
			if r, err := fairness.LabelBias(y, groups, s.Fairness.ReferenceOf(one.Column), strata); err == nil {
				one.Bias = &r
			} else {
				one.Notes = append(one.Notes, notComputed(err))
			}
		}
		found.People = append(found.People, one)
	}
	return nil
}

// notComputed says why a table of people has gaps: with many groups some figures cannot be had, and the rest of the audit can.
func notComputed(err error) string { return shortened(fmt.Sprintf("Not computed: %v.", err)) }

// absences says which rows have no value.
func absences(c *table.Column, rows int) []bool {
	out := make([]bool, rows)
	for i := range out {
		if c.Kind == table.Numeric {
			out[i] = math.IsNaN(c.Numbers[i])
		} else {
			out[i] = c.Codes[i] < 0
		}
	}
	return out
}

// On how many rows and columns nearness of people is measured.
const (
	nearRows   = 2000
	nearLevels = 50  // of a text; one with more says little of nearness, and is left out
	nearWidth  = 500 // numbers and values of texts; columns after that are left out
)

// individuals measures how unequally decisions serve people, and whether people who are alike are treated alike.
func (a *Audit) individuals(ctx context.Context, s *spec.Spec, in stage.AuditInput, p evaluation.Predictions, places []int, sample stats.Sample, found *report.Fairness) error {
	for _, column := range s.Data.Protected {
		r, err := fairness.Inequality(sample, pick(p.Groups[column], places), fairness.InequalityQuestion{Threshold: threshold(s), Seed: uint64(s.Data.Split.Seed)})
		if err != nil {
			found.Notes = append(found.Notes, notComputed(err))
			continue
		}
		found.Inequality = append(found.Inequality, report.Inequality{Column: column, InequalityReport: r})
	}
	var parts table.Prepared
	if err := artifact.ReadJSON(ctx, a.Store, in.Prepared, &parts); err != nil {
		return err
	}
	f, err := table.ReadFrame(ctx, a.Store, parts.Test, featureColumns(parts), a.Limits)
	if err != nil {
		return err
	}
	drawn := make([]int, len(places))
	for k := range drawn {
		drawn[k] = k
	}
	if len(drawn) > nearRows {
		r := rand.New(rand.NewPCG(uint64(s.Data.Split.Seed), 0x6e656172))
		drawn = r.Perm(len(drawn))[:nearRows]
		slices.Sort(drawn)
	}
	rows, decided := make([]int, len(drawn)), make([]float64, len(drawn))
	for k, at := range drawn {
		rows[k] = places[at]
		if sample.Predicted(at, threshold(s)) {
			decided[k] = 1
		}
	}
	features, width, numbers := nearness(someRows(f, rows))
	if width == 0 {
		return nil
	}
	r, err := fairness.Consistency(features, width, decided, fairness.ConsistencyQuestion{Numbers: numbers, MaxRows: nearRows, Seed: uint64(s.Data.Split.Seed)})
	if err != nil {
		found.Notes = append(found.Notes, notComputed(err))
		return nil
	}
	r.Rows = len(places)
	found.Consistency = &r
	return nil
}

// nearness is a row of numbers for each row of the table: its numbers, the column's mean where missing, then 0 or 1 for each value of
// its texts.
func nearness(f *table.Frame) (features []float64, width, numbers int) {
	var parts [][]float64
	for _, c := range f.Columns {
		if c.Kind == table.Numeric && len(parts) < nearWidth {
			parts = append(parts, withoutGaps(c.Numbers))
			numbers++
		}
	}
	for _, c := range f.Columns {
		if c.Kind != table.Categorical || len(c.Levels) > nearLevels || len(parts)+len(c.Levels) > nearWidth {
			continue
		}
		for code := range c.Levels {
			held := make([]float64, f.Rows)
			for i, k := range c.Codes {
				if int(k) == code {
					held[i] = 1
				}
			}
			parts = append(parts, held)
		}
	}
	width = len(parts)
	features = make([]float64, 0, width*f.Rows)
	for i := range f.Rows {
		for _, part := range parts {
			features = append(features, part[i])
		}
	}
	return features, width, numbers
}

func withoutGaps(values []float64) []float64 {
	known := slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	mean := 0.0
	for _, v := range known {
		mean += v / float64(len(known))
	}
	out := slices.Clone(values)
	for i, v := range out {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			out[i] = mean
		}
	}
	return out
}
