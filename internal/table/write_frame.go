package table

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/assay-ml/assay/internal/artifact"
)

// WriteFrame stores a frame as a Parquet table: numeric columns as 64-bit floating point, categorical ones as text, missing
// values as nulls. The same frame gives the same bytes.
func WriteFrame(ctx context.Context, store artifact.Store, f *Frame, lim Limits) (artifact.Ref, error) {
	ref, err := writeFrame(ctx, store, f, lim)
	if err != nil {
		return artifact.Ref{}, fmt.Errorf("write a table of %d rows: %w", f.Rows, err)
	}
	return ref, nil
}

func writeFrame(ctx context.Context, store artifact.Store, f *Frame, lim Limits) (artifact.Ref, error) {
	s, err := lim.open(ctx)
	if err != nil {
		return artifact.Ref{}, err
	}
	defer s.close()
	columns := make([]string, len(f.Columns))
	for i, c := range f.Columns {
		typ := "DOUBLE"
		if c.Kind == Categorical {
			typ = "VARCHAR"
		}
		if n := max(len(c.Numbers), len(c.Codes)); n != f.Rows {
			return artifact.Ref{}, fmt.Errorf("column %q has %d values; expected %d", c.Name, n, f.Rows)
		}
		columns[i] = ident(c.Name) + " " + typ
	}
	if err := s.exec(ctx, "CREATE TABLE frame ("+strings.Join(columns, ", ")+")"); err != nil {
		return artifact.Ref{}, err
	}
	if err := s.conn.Raw(func(c any) error { return appendFrame(c.(driver.Conn), f) }); err != nil {
		return artifact.Ref{}, err
	}
	path := s.path("frame.parquet")
	if err := s.writeParquet(ctx, "SELECT * FROM frame", path); err != nil {
		return artifact.Ref{}, err
	}
	return put(ctx, store, path, artifact.MediaParquet)
}

func appendFrame(conn driver.Conn, f *Frame) (err error) {
	a, err := duckdb.NewAppenderFromConn(conn, "", "frame")
	if err != nil {
		return err
	}
	values := make([]driver.Value, len(f.Columns))
	for row := range f.Rows {
		for i := range f.Columns {
			values[i] = f.Columns[i].value(row)
		}
		if err := a.AppendRow(values...); err != nil {
			a.Close()
			return err
		}
	}
	return a.Close()
}

// value is the database value of one row.
func (c *Column) value(row int) driver.Value {
	if c.Kind == Categorical {
		if c.Codes[row] < 0 {
			return nil
		}
		return c.Levels[c.Codes[row]]
	}
	if math.IsNaN(c.Numbers[row]) {
		return nil
	}
	return c.Numbers[row]
}
