package table

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/spec"
)

// checkTarget refuses a relation whose target is not a column of exactly two classes, one of them the positive one. Classes
// are shown only when the target is neither protected nor excluded.
func checkTarget(ctx context.Context, s *session, relation string, names []string, data spec.Data) error {
	t := data.Target
	if !slices.Contains(names, t.Column) {
		return fmt.Errorf("the target column %q is absent; the table has %s", t.Column, Listed(names))
	}
	x := ident(t.Column)
	counts, err := s.counts(ctx, fmt.Sprintf("SELECT count(DISTINCT %s), count(*) - count(%s), count(*) FROM %s", x, x, relation))
	if err != nil {
		return err
	}
	classes, missing, rows := counts[0], counts[1], counts[2]
	switch {
	case rows == 0:
		return fmt.Errorf("there are no rows; expected some of both classes of %q", t.Column)
	case missing > 0:
		return fmt.Errorf("the target column %q is missing in %s; expected a class in every row: remove them with data.transform", t.Column, plural(missing, "row"))
	case classes == 1:
		return fmt.Errorf("the target column %q has one class in all %d rows; expected two", t.Column, rows)
	case classes > 2:
		return fmt.Errorf("the target column %q has %d classes; expected two: make two of them with data.transform", t.Column, classes)
	}
	values, err := s.classes(ctx, relation, t.Column)
	if err != nil || slices.Contains(values, t.Positive) {
		return err
	}
	if slices.Contains(data.Protected, t.Column) || slices.Contains(data.Exclude, t.Column) {
		return fmt.Errorf("the target column %q never has the value set as positive; expected target.positive to be one of its two classes", t.Column)
	}
	return fmt.Errorf("the target column %q never has the value %q set as positive; its classes are %s", t.Column, t.Positive, quotedList(values))
}

func quotedList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(quoted, " and ")
}

// classes are the distinct values of a column as texts, sorted.
func (s *session) classes(ctx context.Context, relation, column string) ([]string, error) {
	var values []string
	err := s.each(ctx, fmt.Sprintf("SELECT DISTINCT %s FROM %s", ident(column), relation), func(v []any) error {
		if value, ok := valueText(v[0]); ok {
			values = append(values, value)
		}
		return nil
	})
	slices.Sort(values)
	return slices.Compact(values), err
}
