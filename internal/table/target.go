package table

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// MostClasses bounds the values of a multiclass target: a prediction has a number for each of them.
const MostClasses = 1000

// nobody is the SQL condition of rows that may lack the target when none may.
const nobody = "false"

// checkTarget refuses a relation whose target is no column of what the task predicts: exactly two classes, one of them the
// positive one; two to MostClasses classes; or finite numbers that are not all the same. Rows that meet the SQL condition excused
// may lack the target. Classes are shown only when the target is neither protected nor excluded.
func checkTarget(ctx context.Context, s *session, relation string, names []string, data spec.Data, excused string) error {
	t := data.Target
	if !slices.Contains(names, t.Column) {
		return fmt.Errorf("the target column %q is absent; the table has %s", t.Column, Listed(names))
	}
	task := t.TaskOf()
	if task == stats.Regression {
		return checkNumbers(ctx, s, relation, t.Column, excused)
	}
	x := ident(t.Column)
	counts, err := s.counts(ctx, fmt.Sprintf("SELECT count(DISTINCT %[1]s), count(*) FILTER (%[1]s IS NULL AND NOT (%[2]s)), count(*) FROM %[3]s", x, excused, relation))
	if err != nil {
		return err
	}
	classes, missing, rows := counts[0], counts[1], counts[2]
	multiclass := task == stats.Multiclass
	switch {
	case rows == 0 && multiclass:
		return fmt.Errorf("there are no rows; expected some of every class of %q", t.Column)
	case rows == 0:
		return fmt.Errorf("there are no rows; expected some of both classes of %q", t.Column)
	case missing > 0:
		return fmt.Errorf("the target column %q is missing in %s; expected a class in every row: remove them with data.transform", t.Column, plural(missing, "row"))
	case classes == 0:
		return fmt.Errorf("the target column %q is missing in every row; expected a class in most", t.Column)
	case classes == 1 && multiclass:
		return fmt.Errorf("the target column %q has one class in all %d rows; expected at least two", t.Column, rows)
	case classes == 1:
		return fmt.Errorf("the target column %q has one class in all %d rows; expected two", t.Column, rows)
	case classes > MostClasses && multiclass:
		return fmt.Errorf("the target column %q has %d classes; expected at most %d: join rare ones with data.transform, or write target.task: regression if it is a number", t.Column, classes, MostClasses)
	case multiclass:
		return nil
	case classes > 2:
		return fmt.Errorf("the target column %q has %d classes; expected two: make two of them with data.transform, or write target.task: multiclass", t.Column, classes)
	}
	values, err := s.classes(ctx, relation, t.Column)
	if err != nil || slices.Contains(values, t.Positive) {
		return err
	}
	if secret(data) {
		return fmt.Errorf("the target column %q never has the value set as positive; expected target.positive to be one of its two classes", t.Column)
	}
	return fmt.Errorf("the target column %q never has the value %q set as positive; its classes are %s", t.Column, t.Positive, quotedList(values))
}

// secret reports whether messages must not show the target's values.
func secret(data spec.Data) bool {
	return slices.Contains(data.Protected, data.Target.Column) || slices.Contains(data.Exclude, data.Target.Column)
}

// checkNumbers refuses a target that no regression can be trained on.
func checkNumbers(ctx context.Context, s *session, relation, column, excused string) error {
	x := ident(column)
	_, types, err := s.columns(ctx, "(SELECT "+x+" FROM "+relation+")")
	if err != nil {
		return err
	}
	if typ, _ := typeOf(types[0]); kindOf(typ) != Numeric {
		return fmt.Errorf("the target column %q is of type %s; expected numbers with target.task: regression", column, typ)
	}
	counts, err := s.counts(ctx, fmt.Sprintf(`SELECT count(*), count(*) FILTER (%[1]s IS NULL AND NOT (%[2]s)), count(*) FILTER (NOT isfinite(%[1]s::DOUBLE)),
		count(%[1]s), (min(%[1]s) IS NOT DISTINCT FROM max(%[1]s))::BIGINT FROM %[3]s`, x, excused, relation))
	if err != nil {
		return err
	}
	rows, missing, infinite, labelled, constant := counts[0], counts[1], counts[2], counts[3], counts[4] == 1
	switch {
	case rows == 0:
		return fmt.Errorf("there are no rows; expected some with a number in %q", column)
	case missing > 0:
		return fmt.Errorf("the target column %q is missing in %s; expected a number in every row: remove them with data.transform", column, plural(missing, "row"))
	case infinite > 0:
		return fmt.Errorf("the target column %q is infinite in %s; expected finite numbers: remove them with data.transform", column, plural(infinite, "row"))
	case labelled == 0:
		return fmt.Errorf("the target column %q is missing in every row; expected a number in most", column)
	case constant:
		return fmt.Errorf("the target column %q has the same number in all %d rows; expected numbers that differ", column, rows)
	}
	return nil
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

// orderClasses sorts the classes of a multiclass target in place: numbers by size, as programs that read the column sort
// them, everything else byte by byte.
func orderClasses(classes []string, kind Kind) {
	if kind != Numeric {
		slices.Sort(classes)
		return
	}
	size := func(class string) float64 {
		f, _ := strconv.ParseFloat(class, 64) // a number was written by NumberText
		return f
	}
	slices.SortFunc(classes, func(a, b string) int { return cmp.Or(cmp.Compare(size(a), size(b)), strings.Compare(a, b)) })
}
