package table

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
)

// Wanted asks for a column of a stored table, used as a kind. A numeric column may be read as Categorical (its levels are
// then NumberText of its values); a column of text may not be read as Numeric. Dates and timestamps are Categorical.
type Wanted struct {
	Name string
	Kind Kind
}

// ReadFrame reads columns of a stored Parquet table into memory, in the order asked, with the rows in the order stored.
// Levels are the distinct values in these rows, sorted byte by byte.
func ReadFrame(ctx context.Context, store artifact.Store, ref artifact.Ref, columns []Wanted, lim Limits) (*Frame, error) {
	f, err := readFrame(ctx, store, ref, columns, SampleWish{}, lim)
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", ref.Digest.Short(), err)
	}
	return f, nil
}

// DrawFrame is ReadFrame of at most so many rows, drawn without replacement as ReadSample draws them. rows must be at least 1.
func DrawFrame(ctx context.Context, store artifact.Store, ref artifact.Ref, columns []Wanted, rows int, seed int64, lim Limits) (*Frame, error) {
	if rows < 1 {
		return nil, fmt.Errorf("draw rows of table %s: %d are asked for; expected at least 1", ref.Digest.Short(), rows)
	}
	f, err := readFrame(ctx, store, ref, columns, SampleWish{Rows: rows, Seed: seed}, lim)
	if err != nil {
		return nil, fmt.Errorf("draw rows of table %s: %w", ref.Digest.Short(), err)
	}
	return f, nil
}

// readFrame reads all rows when the wish is for none.
func readFrame(ctx context.Context, store artifact.Store, ref artifact.Ref, columns []Wanted, wish SampleWish, lim Limits) (*Frame, error) {
	path, release, err := store.Local(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := lim.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	names, types, err := s.columns(ctx, parquet(path))
	if err != nil {
		return nil, readable(ctx, err)
	}
	builders := make([]builder, len(columns))
	expressions := make([]string, 0, len(columns)+1)
	for i, w := range columns {
		at := slices.Index(names, w.Name)
		if at < 0 {
			return nil, fmt.Errorf("no column %q; the table has %s", w.Name, Listed(names))
		}
		expression, b, err := w.builder(types[at])
		if err != nil {
			return nil, err
		}
		expressions, builders[i] = append(expressions, expression), b
	}
	if len(columns) == 0 {
		expressions = append(expressions, "0")
	}
	if wish.Rows > 0 && len(columns) > 0 {
		if path, err = s.fewer(ctx, path, columns, wish); err != nil {
			return nil, readable(ctx, err)
		}
	}
	f := &Frame{Columns: make([]Column, len(columns))}
	f.Rows, err = s.scan(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+parquet(path), builders)
	if err != nil {
		return nil, readable(ctx, err)
	}
	for i, w := range columns {
		f.Columns[i] = builders[i].column(w.Name)
	}
	return f, nil
}

// scan feeds the rows of a query to builders through the driver itself: database/sql would copy every value once more.
func (s *session) scan(ctx context.Context, query string, builders []builder) (rows int, err error) {
	err = s.conn.Raw(func(c any) error {
		result, err := c.(driver.QueryerContext).QueryContext(ctx, query, nil)
		if err != nil {
			return err
		}
		defer result.Close()
		values := make([]driver.Value, max(len(builders), 1))
		for {
			err := result.Next(values)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			for i, b := range builders {
				b.add(values[i])
			}
			rows++
		}
	})
	return rows, err
}

// builder collects the values of one column.
type builder interface {
	add(v driver.Value)
	column(name string) Column
}

// builder chooses how a column is read: the SQL expression and what collects it.
func (w Wanted) builder(duck string) (string, builder, error) {
	typ, ok := typeOf(duck)
	x := ident(w.Name)
	switch {
	case !ok:
		return "", nil, fmt.Errorf("column %q is of type %s, which no model can use", w.Name, duck)
	case w.Kind == Numeric && kindOf(typ) == Numeric:
		return x + "::DOUBLE", &numberBuilder{}, nil
	case w.Kind == Numeric:
		return "", nil, fmt.Errorf("column %q holds values of type %s; expected numbers", w.Name, typ)
	case w.Kind == Categorical:
		return x, &categoryBuilder{codes: map[any]int32{}}, nil
	}
	return "", nil, fmt.Errorf("column %q is wanted as %q; expected numeric or categorical", w.Name, w.Kind)
}

type numberBuilder struct{ numbers []float64 }

func (b *numberBuilder) add(v driver.Value) {
	f, ok := v.(float64)
	if !ok {
		f = math.NaN()
	}
	b.numbers = append(b.numbers, f)
}

func (b *numberBuilder) column(name string) Column {
	return Column{Name: name, Kind: Numeric, Numbers: b.numbers}
}

// categoryBuilder numbers values as they come; column puts the levels in order.
type categoryBuilder struct {
	codes  map[any]int32 // by database value, so that text is made once per level
	levels []string
	seen   []int32
}

func (b *categoryBuilder) add(v driver.Value) {
	if v == nil {
		b.seen = append(b.seen, -1)
		return
	}
	code, ok := b.codes[v]
	if !ok {
		code = int32(len(b.levels))
		b.codes[v] = code
		level, _ := valueText(v)
		b.levels = append(b.levels, level)
	}
	b.seen = append(b.seen, code)
}

func (b *categoryBuilder) column(name string) Column {
	levels, rank := sortLevels(b.levels)
	for i, code := range b.seen {
		if code >= 0 {
			b.seen[i] = rank[code]
		}
	}
	return Column{Name: name, Kind: Categorical, Codes: b.seen, Levels: levels}
}

// sortLevels sorts levels, drops repetitions, and says where each went.
func sortLevels(levels []string) (sorted []string, rank []int32) {
	sorted = slices.Clone(levels)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	rank = make([]int32, len(levels))
	for i, level := range levels {
		at, _ := slices.BinarySearch(sorted, level)
		rank[i] = int32(at)
	}
	return sorted, rank
}
