package table

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// ValidationReport says which expectations the rows meet and how protected groups are represented.
type ValidationReport struct {
	Rows      int64               `json:"rows"` // after data.transform
	Passed    bool                `json:"passed"`
	Results   []ExpectationResult `json:"results"`   // in the spec's order
	Positives int64               `json:"positives"` // of a binary target, otherwise 0
	Groups    []GroupReport       `json:"groups"`    // one per protected column
	Warnings  []string            `json:"warnings,omitempty"`

	Classes     []string `json:"classes,omitempty"`      // of a multiclass target, as in Prepared
	ClassCounts []int64  `json:"class_counts,omitempty"` // rows of each
	Target      *Moments `json:"target,omitempty"`       // of a regression

	Personal *privacy.ScanReport `json:"personal_data,omitempty"` // nil: personal data was not looked for
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
	Positives     int64   `json:"positives"`      // rows whose target is positive; 0 unless it is binary
	PositiveShare float64 `json:"positive_share"` // Positives / Rows that have a target

	ClassCounts []int64  `json:"class_counts,omitempty"` // rows of each class of a multiclass target
	Target      *Moments `json:"target,omitempty"`       // of a regression, where a row has one
}

// smallGroup is the size below which a group's rates say little.
const smallGroup = 30

// Validate checks a snapshot against the spec's expectations, which are about the rows as ingested, and its target and
// protected groups, which are counted after data.transform. An expectation that does not hold is a result; a target that no
// model could be trained on is an error.
func Validate(ctx context.Context, store artifact.Store, snap Snapshot, data spec.Data, lim Limits, opts ...Option) (ValidationReport, error) {
	report, err := validate(ctx, store, snap, data, lim, chosen(opts))
	if err != nil {
		return ValidationReport{}, fmt.Errorf("validate %q: %w", snap.Source, readable(ctx, err))
	}
	return report, nil
}

func validate(ctx context.Context, store artifact.Store, snap Snapshot, data spec.Data, lim Limits, opt options) (ValidationReport, error) {
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
	excused := nobody
	if opt.missingTest {
		excused = "true"
	}
	if err := checkTarget(ctx, s, parquet(path), namesIn(columns), data, excused); err != nil {
		return report, err
	}
	return report, report.represent(ctx, s, path, columns, data)
}

// represent counts protected groups.
func (r *ValidationReport) represent(ctx context.Context, s *session, path string, columns []ColumnInfo, data spec.Data) error {
	if err := s.row(ctx, "SELECT count(*) FROM "+parquet(path), &r.Rows); err != nil {
		return err
	}
	count, err := r.describe(ctx, s, path, columns, data.Target)
	if err != nil {
		return err
	}
	for _, column := range data.Protected {
		if !slices.Contains(namesIn(columns), column) {
			return fmt.Errorf("data.protected names the column %q; the table has %s", column, Listed(namesIn(columns)))
		}
		groups, err := count(column)
		if err != nil {
			return err
		}
		small := int64(0)
		for i := range groups {
			groups[i].Share = float64(groups[i].Rows) / float64(r.Rows)
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

// describe says what the target is like in all rows, and gives what counts the groups of a column.
func (r *ValidationReport) describe(ctx context.Context, s *session, path string, columns []ColumnInfo, target spec.Target) (func(column string) ([]Group, error), error) {
	info := columns[slices.IndexFunc(columns, func(c ColumnInfo) bool { return c.Name == target.Column })]
	if target.TaskOf() == stats.Regression {
		m, err := momentsOf(ctx, s, path, info)
		r.Target = &m
		return func(column string) ([]Group, error) { return s.groupsOfNumbers(ctx, path, column, target.Column) }, err
	}
	if target.TaskOf() == stats.Multiclass {
		var err error
		if r.Classes, err = s.classes(ctx, parquet(path), target.Column); err != nil {
			return nil, err
		}
		orderClasses(r.Classes, info.Kind)
		r.ClassCounts = make([]int64, len(r.Classes))
	}
	count := func(column string) ([]Group, error) { return s.groups(ctx, path, column, target, r.Classes) }
	whole, err := count(target.Column)
	for _, g := range whole {
		r.Positives += g.Positives
		for i, n := range g.ClassCounts {
			r.ClassCounts[i] += n
		}
	}
	return count, err
}

// groups counts rows, positive targets and classes by the values of a column.
func (s *session) groups(ctx context.Context, path, column string, target spec.Target, classes []string) ([]Group, error) {
	var groups groupList
	place := make(map[string]int, len(classes))
	for i, class := range classes {
		place[class] = i
	}
	query := fmt.Sprintf("SELECT %s, %s, count(*) FROM %s GROUP BY ALL", ident(column), ident(target.Column)+" AS assay_target", parquet(path))
	err := s.each(ctx, query, func(v []any) error {
		g, n := groups.of(v[0]), integer(v[2])
		g.Rows += n
		if classes != nil && g.ClassCounts == nil {
			g.ClassCounts = make([]int64, len(classes))
		}
		class, ok := valueText(v[1])
		switch {
		case !ok:
			return nil
		case classes != nil:
			g.ClassCounts[place[class]] += n
		case class == target.Positive:
			g.Positives += n
		}
		g.labelled += n
		return nil
	})
	return groups.sorted(), err
}

// groupsOfNumbers counts rows by the values of a column, and describes the target, a number, in each. Rows come in their
// order, so that the sums do not depend on how many threads there are.
func (s *session) groupsOfNumbers(ctx context.Context, path, column, target string) ([]Group, error) {
	var groups groupList
	query := fmt.Sprintf("SELECT %s, %s::DOUBLE AS assay_target FROM %s", ident(column), ident(target), parquet(path))
	err := s.each(ctx, query, func(v []any) error {
		g := groups.of(v[0])
		g.Rows++
		if v[1] == nil {
			return nil
		}
		g.add(float(v[1]))
		g.labelled++
		return nil
	})
	for _, g := range groups.list {
		if g.labelled > 0 {
			g.Target = new(g.moments())
		}
	}
	return groups.sorted(), err
}

// groupList finds groups by their value.
type groupList struct {
	list  []*groupCount
	place map[string]int
}

// groupCount is a group that is being counted.
type groupCount struct {
	Group
	labelled int64 // rows that have a target
	runningMoments
}

func (l *groupList) of(value any) *groupCount {
	name, present := valueText(value)
	key := fmt.Sprint(present, name)
	i, ok := l.place[key]
	if !ok {
		if l.place == nil {
			l.place = map[string]int{}
		}
		i = len(l.list)
		l.place[key] = i
		l.list = append(l.list, &groupCount{Group: Group{Value: name, Missing: !present}})
	}
	return l.list[i]
}

// sorted puts the groups with most rows first, equal ones by their value.
func (l *groupList) sorted() []Group {
	var groups []Group
	for _, g := range l.list {
		if g.labelled > 0 {
			g.PositiveShare = float64(g.Positives) / float64(g.labelled)
		}
		groups = append(groups, g.Group)
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), strings.Compare(a.Value, b.Value))
	})
	return groups
}
