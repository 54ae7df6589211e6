package table

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
)

// Sample is some rows of a table as a spec's SQL makes it of a snapshot, with every column, those that no model may use included.
type Sample struct {
	Frame   *Frame
	Columns []ColumnInfo // of Frame, as they are stored
	Rows    int64        // of the whole table
}

// SampleWish says what is drawn of a table.
type SampleWish struct {
	Transform string                       // SQL over the table "data"; empty for the rows as ingested
	Keep      func(column ColumnInfo) bool // columns to read; nil for all
	Rows      int                          // most rows, at least 1
	Seed      int64                        // of the draw
}

// exactInteger is the first whole number from which a float64 no longer tells neighbours apart.
const exactInteger = 1 << 53

// ReadSample draws rows without replacement, those whose places come first by the MD5 of the seed and the place, and reads them in
// the order stored. Numbers are read as Numeric, but for whole numbers too large for a float64, which like all else are Categorical.
func ReadSample(ctx context.Context, store artifact.Store, snap Snapshot, wish SampleWish, lim Limits) (Sample, error) {
	found, err := readSample(ctx, store, snap, wish, lim)
	if err != nil {
		return Sample{}, fmt.Errorf("draw rows of %q: %w", snap.Source, readable(ctx, err))
	}
	return found, nil
}

func readSample(ctx context.Context, store artifact.Store, snap Snapshot, wish SampleWish, lim Limits) (Sample, error) {
	s, err := lim.open(ctx)
	if err != nil {
		return Sample{}, err
	}
	defer s.close()
	path := s.path("whole.parquet")
	columns, err := transform(ctx, store, snap, wish.Transform, path, lim)
	if err != nil {
		return Sample{}, err
	}
	out := Sample{Frame: &Frame{}}
	if err := s.row(ctx, "SELECT count(*) FROM "+parquet(path), &out.Rows); err != nil {
		return Sample{}, err
	}
	for _, c := range columns {
		if wish.Keep == nil || wish.Keep(c) {
			out.Columns = append(out.Columns, c)
		}
	}
	if len(out.Columns) == 0 {
		return out, nil
	}
	if out.Rows > int64(wish.Rows) {
		if path, err = s.drawn(ctx, path, out.Columns, wish); err != nil {
			return Sample{}, err
		}
	}
	large, err := s.largeIntegers(ctx, path, out.Columns)
	if err != nil {
		return Sample{}, err
	}
	var expressions []string
	var builders []builder
	for _, c := range out.Columns {
		if c.Kind == Numeric && !slices.Contains(large, c.Name) {
			expressions, builders = append(expressions, ident(c.Name)+"::DOUBLE"), append(builders, &numberBuilder{})
		} else {
			expressions, builders = append(expressions, ident(c.Name)), append(builders, &categoryBuilder{codes: map[any]int32{}})
		}
	}
	out.Frame.Rows, err = s.scan(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+parquet(path), builders)
	if err != nil {
		return Sample{}, err
	}
	for i, b := range builders {
		out.Frame.Columns = append(out.Frame.Columns, b.column(out.Columns[i].Name))
	}
	return out, nil
}

// drawn writes the rows of a draw to a file of their own.
func (s *session) drawn(ctx context.Context, path string, columns []ColumnInfo, wish SampleWish) (string, error) {
	whole := "read_parquet(" + text(path) + ", file_row_number = true)"
	numbers := fmt.Sprintf("SELECT file_row_number FROM %s ORDER BY md5(%s || file_row_number::VARCHAR), file_row_number LIMIT %d",
		whole, text(fmt.Sprintf("%d:", wish.Seed)), wish.Rows)
	drawn := s.path("drawn.parquet")
	return drawn, s.writeParquet(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE file_row_number IN (%s) ORDER BY file_row_number", idents(namesIn(columns)), whole, numbers), drawn)
}

// fewer is a file with the wanted columns of at most as many rows as wished: the file itself when it has no more.
func (s *session) fewer(ctx context.Context, path string, columns []Wanted, wish SampleWish) (string, error) {
	var rows int64
	if err := s.row(ctx, "SELECT count(*) FROM "+parquet(path), &rows); err != nil || rows <= int64(wish.Rows) {
		return path, err
	}
	infos := make([]ColumnInfo, len(columns))
	for i, w := range columns {
		infos[i].Name = w.Name
	}
	return s.drawn(ctx, path, infos, wish)
}

// largeIntegers are the columns of whole numbers, some of which a float64 could not hold exactly.
func (s *session) largeIntegers(ctx context.Context, path string, columns []ColumnInfo) ([]string, error) {
	var names, greatest []string
	for _, c := range columns {
		if c.Type == Integer {
			x := ident(c.Name)
			names = append(names, c.Name)
			greatest = append(greatest, fmt.Sprintf("coalesce(greatest(max(%s), -min(%s)::HUGEINT) >= %d, false)::BIGINT", x, x, int64(exactInteger)))
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	found, err := s.counts(ctx, "SELECT "+strings.Join(greatest, ", ")+" FROM "+parquet(path))
	if err != nil {
		return nil, err
	}
	var large []string
	for i, n := range found {
		if n != 0 {
			large = append(large, names[i])
		}
	}
	return large, nil
}

// StoredColumns describes the columns of a stored Parquet table.
func StoredColumns(ctx context.Context, store artifact.Store, ref artifact.Ref, lim Limits) ([]ColumnInfo, error) {
	path, release, err := store.Local(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("describe table %s: %w", ref.Digest.Short(), err)
	}
	defer release()
	s, err := lim.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	names, types, err := s.columns(ctx, parquet(path))
	if err != nil {
		return nil, fmt.Errorf("describe table %s: %w", ref.Digest.Short(), readable(ctx, err))
	}
	var columns []ColumnInfo
	for i, name := range names {
		if typ, ok := typeOf(types[i]); ok {
			columns = append(columns, newColumnInfo(name, typ))
		}
	}
	return columns, nil
}
