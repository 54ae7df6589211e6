package table

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
)

// checkExpectations evaluates expectations in a session that is cut off, since some are SQL of the user.
func checkExpectations(ctx context.Context, store artifact.Store, snap Snapshot, data spec.Data, lim Limits) ([]ExpectationResult, error) {
	path, release, err := store.Local(ctx, snap.Data)
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := lim.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.cutOff(ctx, path); err != nil {
		return nil, err
	}
	var results []ExpectationResult
	for _, e := range data.Expect {
		r := ExpectationResult{Name: nameOf(e)}
		switch {
		case e.SQL != "":
			err = s.expectSQL(ctx, e, &r)
		case e.Rows != nil:
			expectRows(snap.Rows, *e.Rows, &r)
		default:
			err = s.expectColumn(ctx, snap, e, &r)
		}
		if err != nil {
			return nil, fmt.Errorf("data.expect %q: %w", r.Name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// nameOf is the expectation's name, or a description of it.
func nameOf(e spec.Expectation) string {
	if e.Name != "" {
		return e.Name
	}
	if e.Rows != nil {
		return "rows " + rangeText(e.Rows)
	}
	if e.SQL != "" {
		return strings.Join(strings.Fields(e.SQL), " ")
	}
	var parts []string
	if e.Type != "" {
		parts = append(parts, "is "+e.Type)
	}
	if e.Min != nil {
		parts = append(parts, "at least "+NumberText(*e.Min))
	}
	if e.Max != nil {
		parts = append(parts, "at most "+NumberText(*e.Max))
	}
	if e.Nulls != nil {
		parts = append(parts, "missing in at most "+percent(*e.Nulls))
	}
	if len(e.In) > 0 {
		parts = append(parts, fmt.Sprintf("one of %d values", len(e.In)))
	}
	if e.Unique {
		parts = append(parts, "unique")
	}
	if len(parts) == 0 {
		parts = []string{"exists"}
	}
	return e.Column + " " + strings.Join(parts, ", ")
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 4, 64) + " %" }

func rangeText(r *spec.Range) string {
	var parts []string
	if r.Min != nil {
		parts = append(parts, fmt.Sprintf("at least %d", *r.Min))
	}
	if r.Max != nil {
		parts = append(parts, fmt.Sprintf("at most %d", *r.Max))
	}
	return strings.Join(parts, ", ")
}

func expectRows(rows int64, want spec.Range, r *ExpectationResult) {
	r.Passed = (want.Min == nil || rows >= *want.Min) && (want.Max == nil || rows <= *want.Max)
	r.Message = fmt.Sprintf("there are %d rows", rows)
}

func (s *session) expectSQL(ctx context.Context, e spec.Expectation, r *ExpectationResult) error {
	if err := s.checkSelect(ctx, e.SQL); err != nil {
		r.Message = err.Error()
		return nil
	}
	var answers []any
	err := s.each(ctx, "SELECT * FROM "+subquery(e.SQL)+" LIMIT 2", func(v []any) error {
		answers = append(answers, v...)
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		r.Message = sqlError(err).Error()
		return nil
	}
	if len(answers) != 1 {
		r.Message = "the SQL answers with more or less than one value; expected one boolean"
		return nil
	}
	answer, ok := answers[0].(bool)
	switch {
	case !ok:
		r.Message = "the SQL does not answer with true or false; expected one boolean"
	case answer:
		r.Passed, r.Message = true, "the SQL answers true"
	default:
		r.Message = "the SQL answers false"
	}
	return nil
}

// requirement is one part of a column's expectation: the SQL condition that offending rows meet, and how to say it.
type requirement struct {
	condition string
	says      string
	allowed   float64 // share of rows that may offend
}

func (s *session) expectColumn(ctx context.Context, snap Snapshot, e spec.Expectation, r *ExpectationResult) error {
	at := slices.IndexFunc(snap.Columns, func(c ColumnInfo) bool { return c.Name == e.Column })
	if at < 0 {
		r.Message = fmt.Sprintf("there is no column %q; the table has %s", e.Column, Listed(namesIn(snap.Columns)))
		return nil
	}
	requirements, problem := requirementsOf(snap.Columns[at], e)
	if problem != "" {
		r.Message = problem
		return nil
	}
	r.Passed = true
	var said, broken []string
	for _, q := range requirements {
		counts, err := s.counts(ctx, "SELECT count(*) FROM "+offending(e, q.condition))
		if err != nil {
			return err
		}
		n := counts[0]
		if n == 0 || float64(n) <= q.allowed*float64(snap.Rows) {
			continue
		}
		said = append(said, plural(n, "row")+" "+q.says)
		broken = append(broken, q.condition)
	}
	r.Message = "every row meets it"
	if len(broken) == 0 {
		return nil
	}
	r.Passed, r.Message = false, strings.Join(said, "; ")
	return s.offenders(ctx, offending(e, strings.Join(broken, " OR ")), r)
}

// offending is the rows a condition selects; copy numbers equal values, where uniqueness is asked for.
func offending(e spec.Expectation, condition string) string {
	from := "data"
	if e.Unique {
		from = fmt.Sprintf("(SELECT *, row_number() OVER (PARTITION BY %s ORDER BY %s) AS assay_copy FROM data)", ident(e.Column), RowColumn)
	}
	return "(SELECT " + RowColumn + " FROM " + from + " WHERE " + condition + ")"
}

func (s *session) offenders(ctx context.Context, rows string, r *ExpectationResult) error {
	counts, err := s.counts(ctx, "SELECT count(*) FROM "+rows)
	if err != nil {
		return err
	}
	r.Offending = counts[0]
	return s.each(ctx, "SELECT "+RowColumn+" FROM "+rows+" ORDER BY 1 LIMIT 5", func(v []any) error {
		r.Rows = append(r.Rows, integer(v[0]))
		return nil
	})
}

// requirementsOf spells an expectation out; problem says why it cannot hold for the column as a whole.
func requirementsOf(c ColumnInfo, e spec.Expectation) (list []requirement, problem string) {
	x := ident(c.Name)
	if (e.Min != nil || e.Max != nil) && c.Kind != Numeric {
		return nil, fmt.Sprintf("the column is of type %s; min and max need numbers", c.Type)
	}
	if e.Type != "" && e.Type != c.Type {
		condition, ok := notOfType(x, c.Type, e.Type)
		if !ok {
			return nil, fmt.Sprintf("the column is of type %s; expected %s", c.Type, e.Type)
		}
		list = append(list, requirement{condition: condition, says: "not of type " + e.Type})
	}
	if e.Min != nil {
		list = append(list, requirement{condition: x + " < " + literal(*e.Min), says: "below " + NumberText(*e.Min)})
	}
	if e.Max != nil {
		list = append(list, requirement{condition: x + " > " + literal(*e.Max), says: "above " + NumberText(*e.Max)})
	}
	if e.Nulls != nil {
		list = append(list, requirement{condition: x + " IS NULL", says: "missing where at most " + percent(*e.Nulls) + " may be", allowed: *e.Nulls})
	}
	if len(e.In) > 0 {
		condition, bad := notIn(x, c, e.In)
		if bad != "" {
			return nil, bad
		}
		list = append(list, requirement{condition: condition, says: "with a value outside the list"})
	}
	if e.Unique {
		list = append(list, requirement{condition: "(" + x + " IS NOT NULL AND assay_copy > 1)", says: "that repeat an earlier value"})
	}
	return list, ""
}

func literal(v float64) string { return strconv.FormatFloat(v, 'e', -1, 64) + "::DOUBLE" }

// notOfType selects the values of a column that are not of a wanted type; ok is false where none can be.
func notOfType(x, have, want string) (condition string, ok bool) {
	switch {
	case have == Integer && want == Number:
		return "false", true
	case have == Number && want == Integer:
		return x + " <> trunc(" + x + ")", true
	case have != Text:
		return "", false
	case want == Integer:
		return "NOT regexp_full_match(" + x + ", '[+-]?[0-9]{1,18}')", true
	default:
		return "(" + x + " IS NOT NULL AND TRY_CAST(" + x + " AS " + duckOf(want) + ") IS NULL)", true
	}
}

func notIn(x string, c ColumnInfo, allowed []string) (condition, problem string) {
	if c.Kind != Numeric {
		return "(" + x + " IS NOT NULL AND CAST(" + x + " AS VARCHAR) NOT IN (" + texts(allowed) + "))", ""
	}
	list := make([]string, len(allowed))
	for i, s := range allowed {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return "", fmt.Sprintf("the column is of type %s; entry %d of in is not a number", c.Type, i+1)
		}
		list[i] = literal(v)
	}
	return x + " NOT IN (" + strings.Join(list, ", ") + ")", ""
}
