package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// division divides the rows of a transformed table into parts 0 (train), 1 (validation) and 2 (test). The file
// divided.parquet holds all rows with their part; the view divided adds the rows of a test source.
type division struct {
	s     *session
	names []string // of the table's columns, _row not among them
	data  spec.Data
	rows  PartCounts

	missingTest bool // rows of the test part may lack the target
	kept        labels
}

// testPart is the last of the parts.
const testPart = 2

var partNames = []string{"train", "validation", "test"}

const (
	partColumn  = "_assay_part"
	placeColumn = "_assay_place" // of a row in the transformed table
)

func (d *division) divide(ctx context.Context, columns []ColumnInfo) error {
	split := d.data.Split
	main := "(SELECT * RENAME (file_row_number AS " + placeColumn + ") FROM read_parquet(" + text(d.s.path("main.parquet")) + ", file_row_number = true))"
	var query string
	switch split.By {
	case "hash", "":
		query = "SELECT *, " + hashPart(split, d.names) + " AS " + partColumn + " FROM " + main
	case "time":
		if err := d.checkTime(ctx, main); err != nil {
			return err
		}
		query = "SELECT *, " + timePart(split) + " AS " + partColumn + " FROM " + main
	default:
		return fmt.Errorf("data.split.by is %q; expected hash or time", split.By)
	}
	if err := d.s.exec(ctx, "COPY ("+query+") TO "+text(d.s.path("divided.parquet"))+" (FORMAT parquet)"); err != nil {
		return err
	}
	return d.view(ctx, "SELECT * FROM "+parquet(d.s.path("divided.parquet")))
}

func (d *division) view(ctx context.Context, query string) error {
	return d.s.exec(ctx, "CREATE OR REPLACE VIEW divided AS "+query)
}

// keyText joins the texts of columns so that different values give different texts, up to control characters in values.
func keyText(columns []string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "coalesce(CAST(" + ident(c) + " AS VARCHAR), chr(30))"
	}
	return "concat_ws(chr(31), " + strings.Join(list, ", ") + ")"
}

func hashPart(split spec.Split, names []string) string {
	key := split.Key
	if len(key) == 0 {
		key = names
	}
	digits := fmt.Sprintf("substr(md5(concat_ws(chr(31), '%d', %s)), 1, 13)", split.Seed, keyText(key))
	place := "CAST('0x' || " + digits + " AS BIGINT)"
	whole := math.Pow(16, 13)
	first := int64(math.Round(whole * split.Train))
	second := int64(math.Round(whole * (split.Train + split.Validation)))
	if lastPart(split) == 1 {
		second = int64(whole)
	}
	if lastPart(split) == 0 {
		first = int64(whole)
	}
	return fmt.Sprintf("CASE WHEN %s < %d THEN 0 WHEN %s < %d THEN 1 ELSE 2 END", place, first, place, second)
}

// lastPart is the last part with a share; it takes what rounding leaves over.
func lastPart(split spec.Split) int {
	switch {
	case split.Test > 0:
		return 2
	case split.Validation > 0:
		return 1
	}
	return 0
}

func timePart(split spec.Split) string {
	before := "(rank() OVER (ORDER BY " + ident(split.Column) + ") - 1)"
	first := fmt.Sprintf("round(count(*) OVER () * %g)", split.Train)
	second := fmt.Sprintf("round(count(*) OVER () * %g)", split.Train+split.Validation)
	switch lastPart(split) {
	case 0:
		return "0"
	case 1:
		return fmt.Sprintf("CASE WHEN %s < %s THEN 0 ELSE 1 END", before, first)
	}
	return fmt.Sprintf("CASE WHEN %s < %s THEN 0 WHEN %s < %s THEN 1 ELSE 2 END", before, first, before, second)
}

func (d *division) checkTime(ctx context.Context, main string) error {
	column := d.data.Split.Column
	if column == "" {
		return errors.New("data.split.by is time; expected data.split.column, the column to order rows by")
	}
	counts, err := d.s.counts(ctx, fmt.Sprintf("SELECT count(*) - count(%s) FROM %s", ident(column), main))
	if err == nil && counts[0] > 0 {
		err = fmt.Errorf("the time column %q is missing in %s; expected a time in every row", column, plural(counts[0], "row"))
	}
	return err
}

// addTest makes the rows of a test source the test part.
func (d *division) addTest(ctx context.Context, store artifact.Store, test Snapshot, columns []ColumnInfo, lim Limits) error {
	path := d.s.path("test.parquet")
	others, err := transform(ctx, store, test, d.data.Transform, path, lim)
	if err != nil {
		return fmt.Errorf("test source %q: %w", test.Source, err)
	}
	if err := sameColumns(columns, others); err != nil {
		return fmt.Errorf("test source %q: %w", test.Source, err)
	}
	main := d.s.path("divided.parquet")
	return d.view(ctx, fmt.Sprintf("SELECT * FROM %s UNION ALL BY NAME SELECT * RENAME (file_row_number AS %s), 2 AS %s FROM read_parquet(%s, file_row_number = true)",
		parquet(main), placeColumn, partColumn, text(path)))
}

func sameColumns(want, got []ColumnInfo) error {
	var missing, extra []string
	for _, c := range want {
		i := slices.IndexFunc(got, func(g ColumnInfo) bool { return g.Name == c.Name })
		if i < 0 {
			missing = append(missing, c.Name)
			continue
		}
		if g := got[i]; g.Type != c.Type && (g.Kind != Numeric || c.Kind != Numeric) {
			return fmt.Errorf("the column %q is of type %s where the training source has %s; expected the same", c.Name, g.Type, c.Type)
		}
	}
	for _, g := range got {
		if !slices.Contains(namesIn(want), g.Name) {
			extra = append(extra, g.Name)
		}
	}
	if len(missing)+len(extra) > 0 {
		return fmt.Errorf("the columns differ from the training source's (missing: %q, not in training: %q); expected the same names", missing, extra)
	}
	return nil
}

// check counts the parts and refuses those a model cannot be trained or judged on.
func (d *division) check(ctx context.Context) error {
	counts, err := d.s.counts(ctx, fmt.Sprintf("SELECT count(*) FILTER (%[1]s = 0), count(*) FILTER (%[1]s = 1), count(*) FILTER (%[1]s = 2) FROM divided", partColumn))
	if err != nil {
		return err
	}
	d.rows = PartCounts{Train: counts[0], Validation: counts[1], Test: counts[2]}
	for i, part := range []struct {
		name  string
		share float64
	}{{"train", 1}, {"validation", d.data.Split.Validation}, {"test", d.data.Split.Test}} {
		if part.share > 0 && counts[i] == 0 {
			return fmt.Errorf("the %s part has no rows; expected some: change data.split, or bring more rows (there are %d)", part.name, counts[0]+counts[1]+counts[2])
		}
		if counts[i] == 0 {
			continue
		}
		if i == testPart && d.missingTest {
			continue // it may have no label at all; that those it has are of the target is looked at below, in all parts together
		}
		if err := d.checkPart(ctx, i); err != nil {
			return fmt.Errorf("the %s part: %w", part.name, err)
		}
	}
	if err := checkTarget(ctx, d.s, "divided", d.names, d.data, d.excused()); err != nil {
		return fmt.Errorf("the parts together: %w", err)
	}
	if err := d.checkWeight(ctx); err != nil {
		return err
	}
	return d.label(ctx)
}

// excused is the SQL condition of rows that may lack the target.
func (d *division) excused() string {
	if d.missingTest {
		return fmt.Sprintf("%s = %d", partColumn, testPart)
	}
	return nobody
}

// checkPart refuses a part on which no model can be trained or judged. Of a multiclass target a later part need not hold
// more than one class; which of them the training part lacks is looked at when all are known.
func (d *division) checkPart(ctx context.Context, part int) error {
	relation := fmt.Sprintf("(SELECT * FROM divided WHERE %s = %d)", partColumn, part)
	if d.data.Target.TaskOf() != stats.Multiclass {
		return checkTarget(ctx, d.s, relation, d.names, d.data, nobody)
	}
	counts, err := d.s.counts(ctx, fmt.Sprintf("SELECT count(*) - count(%s) FROM %s", ident(d.data.Target.Column), relation))
	if err == nil && counts[0] > 0 {
		err = fmt.Errorf("the target column %q is missing in %s; expected a class in every row: remove them with data.transform", d.data.Target.Column, plural(counts[0], "row"))
	}
	return err
}

func (d *division) checkWeight(ctx context.Context) error {
	if d.data.Weight == "" {
		return nil
	}
	_, types, err := d.s.columns(ctx, "(SELECT "+ident(d.data.Weight)+" FROM divided)")
	if err != nil {
		return err
	}
	if typ, _ := typeOf(types[0]); kindOf(typ) != Numeric {
		return fmt.Errorf("the weight column %q is of type %s; expected numbers", d.data.Weight, typ)
	}
	x := ident(d.data.Weight)
	negative, unusable := x+" < 0 AND NOT isinf("+x+"::DOUBLE)", x+" IS NULL OR isinf("+x+"::DOUBLE)"
	counts, err := d.s.counts(ctx, fmt.Sprintf("SELECT count(*) FILTER (%s), count(*) FILTER (%s), count(*) FILTER (%s > 0) FROM divided", negative, unusable, x))
	switch {
	case err != nil:
		return err
	case counts[0] > 0:
		return d.badWeights(ctx, "negative", negative, counts[0])
	case counts[1] > 0:
		return d.badWeights(ctx, "missing or infinite", unusable, counts[1])
	case counts[2] == 0:
		return fmt.Errorf("the weight column %q is 0 in every row; expected some above 0", d.data.Weight)
	}
	return nil
}

// badWeights names the first row that meets a SQL condition which no weight may meet.
func (d *division) badWeights(ctx context.Context, what, condition string, count int64) error {
	first, err := d.s.counts(ctx, fmt.Sprintf("SELECT %s, %s FROM divided WHERE %s ORDER BY %s, %s LIMIT 1", ident(RowColumn), partColumn, condition, partColumn, placeColumn))
	if err != nil {
		return err
	}
	where := fmt.Sprintf("the first is row %d", first[0])
	if count == 1 {
		where = fmt.Sprintf("row %d", first[0])
	}
	return fmt.Errorf("the weight column %q is %s in %s (%s, in the %s part); expected finite numbers of at least 0: correct them in the data or with data.transform",
		d.data.Weight, what, plural(count, "row"), where, partNames[first[1]])
}

func (d *division) partQuery(part int) string {
	return fmt.Sprintf("SELECT %s, %s FROM divided WHERE %s = %d ORDER BY %s", idents(d.names), ident(RowColumn), partColumn, part, placeColumn)
}

// target describes the target column, for the profile.
func (d *division) target(ctx context.Context) (ColumnInfo, error) {
	_, types, err := d.s.columns(ctx, "(SELECT "+ident(d.data.Target.Column)+" FROM divided)")
	if err != nil {
		return ColumnInfo{}, err
	}
	typ, _ := typeOf(types[0])
	return newColumnInfo(d.data.Target.Column, typ), nil
}

func (d *division) duplicates(ctx context.Context) (Duplicates, error) {
	counts, err := d.s.counts(ctx, fmt.Sprintf(`
		WITH copies AS (
			SELECT count(*) FILTER (%[1]s = 0) AS a, count(*) FILTER (%[1]s = 1) AS b, count(*) FILTER (%[1]s = 2) AS c
			FROM divided GROUP BY md5_number(%[2]s) HAVING count(*) > 1)
		SELECT coalesce(sum(greatest(a - 1, 0)), 0), coalesce(sum(greatest(b - 1, 0)), 0), coalesce(sum(greatest(c - 1, 0)), 0),
			coalesce(sum(b) FILTER (a > 0), 0), coalesce(sum(c) FILTER (a > 0), 0), coalesce(sum(c) FILTER (b > 0), 0)
		FROM copies`, partColumn, keyText(d.names)))
	if err != nil {
		return Duplicates{}, err
	}
	return Duplicates{
		Within:            PartCounts{Train: counts[0], Validation: counts[1], Test: counts[2]},
		ValidationInTrain: counts[3], TestInTrain: counts[4], TestInValidation: counts[5],
	}, nil
}
