package table

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
)

// ValidationReport says which expectations the rows meet and how protected groups are represented.
type ValidationReport struct {
	Rows      int64               `json:"rows"` // after data.transform
	Passed    bool                `json:"passed"`
	Results   []ExpectationResult `json:"results"` // in the spec's order
	Positives int64               `json:"positives"`
	Groups    []GroupReport       `json:"groups"` // one per protected column
	Warnings  []string            `json:"warnings,omitempty"`
}

// ExpectationResult is the outcome of one expectation.
type ExpectationResult struct {
	Name      string  `json:"name"`
	Passed    bool    `json:"passed"`
	Offending int64   `json:"offending"`      // rows that break it; 0 where it is not about rows
	Rows      []int64 `json:"rows,omitempty"` // up to five of them, counted from 1
	Message   string  `json:"message"`        // never holds a value of the data
}

// GroupReport counts the rows of each group of a protected column.
type GroupReport struct {
	Column  string  `json:"column"`
	Groups  []Group `json:"groups"`            // most rows first, then by value
	Omitted int64   `json:"omitted,omitempty"` // groups beyond the 100 with most rows
}

// Group is the rows with one value of a protected column.
type Group struct {
	Value         string  `json:"value"`
	Missing       bool    `json:"missing,omitempty"` // the group of rows without a value
	Rows          int64   `json:"rows"`
	Share         float64 `json:"share"`          // of all rows
	Positives     int64   `json:"positives"`      // rows whose target is positive
	PositiveShare float64 `json:"positive_share"` // Positives / Rows
}

// smallGroup is the size below which a group's rates say little.
const smallGroup = 30

// Validate checks a snapshot against the spec's expectations, which are about the rows as ingested, and its target and
// protected groups, which are counted after data.transform. An expectation that does not hold is a result; a target that no
// model could be trained on is an error.
func Validate(ctx context.Context, store artifact.Store, snap Snapshot, data spec.Data, lim Limits) (ValidationReport, error) {
	report, err := validate(ctx, store, snap, data, lim)
	if err != nil {
		return ValidationReport{}, fmt.Errorf("validate %q: %w", snap.Source, readable(ctx, err))
	}
	return report, nil
}

func validate(ctx context.Context, store artifact.Store, snap Snapshot, data spec.Data, lim Limits) (ValidationReport, error) {
	report := ValidationReport{Passed: true, Results: []ExpectationResult{}, Groups: []GroupReport{}}
	results, err := checkExpectations(ctx, store, snap, data, lim)
	if err != nil {
		return report, err
	}
	for _, r := range results {
		report.Results = append(report.Results, r)
		report.Passed = report.Passed && r.Passed
	}
	s, err := lim.open(ctx)
	if err != nil {
		return report, err
	}
	defer s.close()
	path := s.path("transformed.parquet")
	columns, err := transform(ctx, store, snap, data.Transform, path, lim)
	if err != nil {
		return report, err
	}
	if err := checkTarget(ctx, s, parquet(path), namesIn(columns), data); err != nil {
		return report, err
	}
	return report, report.represent(ctx, s, path, columns, data)
}

// represent counts protected groups.
func (r *ValidationReport) represent(ctx context.Context, s *session, path string, columns []ColumnInfo, data spec.Data) error {
	if err := s.row(ctx, "SELECT count(*) FROM "+parquet(path), &r.Rows); err != nil {
		return err
	}
	counted, err := s.groups(ctx, path, data.Target.Column, data.Target)
	if err != nil {
		return err
	}
	for _, g := range counted {
		r.Positives += g.Positives
	}
	for _, column := range data.Protected {
		if !slices.Contains(namesIn(columns), column) {
			return fmt.Errorf("data.protected names the column %q; the table has %s", column, Listed(namesIn(columns)))
		}
		groups, err := s.groups(ctx, path, column, data.Target)
		if err != nil {
			return err
		}
		small := int64(0)
		for i := range groups {
			groups[i].Share = float64(groups[i].Rows) / float64(r.Rows)
			groups[i].PositiveShare = float64(groups[i].Positives) / float64(groups[i].Rows)
			if groups[i].Rows < smallGroup {
				small++
			}
		}
		if small > 0 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the protected column %q has %d groups, %d of them with fewer than %d rows, of which little can be said",
				column, len(groups), small, smallGroup))
		}
		shown := groups[:min(len(groups), 100)]
		r.Groups = append(r.Groups, GroupReport{Column: column, Groups: shown, Omitted: int64(len(groups) - len(shown))})
	}
	return nil
}

// groups counts rows and positive targets by the values of a column.
func (s *session) groups(ctx context.Context, path, column string, target spec.Target) ([]Group, error) {
	var groups []Group
	place := map[string]int{}
	query := fmt.Sprintf("SELECT %s, %s, count(*) FROM %s GROUP BY ALL", ident(column), ident(target.Column)+" AS assay_target", parquet(path))
	err := s.each(ctx, query, func(v []any) error {
		value, present := valueText(v[0])
		key := fmt.Sprint(present, value)
		i, ok := place[key]
		if !ok {
			i = len(groups)
			place[key] = i
			groups = append(groups, Group{Value: value, Missing: !present})
		}
		n := integer(v[2])
		groups[i].Rows += n
		if class, ok := valueText(v[1]); ok && class == target.Positive {
			groups[i].Positives += n
		}
		return nil
	})
	slices.SortFunc(groups, func(a, b Group) int {
		if a.Rows != b.Rows {
			return int(math.Copysign(1, float64(b.Rows-a.Rows)))
		}
		return strings.Compare(a.Value, b.Value)
	})
	return groups, err
}
