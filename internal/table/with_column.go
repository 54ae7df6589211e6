package table

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/assay-ml/assay/internal/artifact"
)

// WithColumn stores a table again with a numeric column at its end, a value per row in the order stored; missing values are
// NaN. Everything else stays as it is, the order of the rows too. The same table and values give the same bytes.
func WithColumn(ctx context.Context, store artifact.Store, ref artifact.Ref, name string, values []float64, lim Limits) (artifact.Ref, error) {
	out, err := withColumn(ctx, store, ref, name, values, lim)
	if err != nil {
		return artifact.Ref{}, fmt.Errorf("add the column %q to table %s: %w", name, ref.Digest.Short(), readable(ctx, err))
	}
	return out, nil
}

func withColumn(ctx context.Context, store artifact.Store, ref artifact.Ref, name string, values []float64, lim Limits) (artifact.Ref, error) {
	local, release, err := store.Local(ctx, ref)
	if err != nil {
		return artifact.Ref{}, err
	}
	defer release()
	s, err := lim.open(ctx)
	if err != nil {
		return artifact.Ref{}, err
	}
	defer s.close()
	names, _, err := s.columns(ctx, parquet(local))
	if err != nil {
		return artifact.Ref{}, err
	}
	if slices.Contains(names, name) {
		return artifact.Ref{}, fmt.Errorf("the table has a column of this name; rename it in data.transform")
	}
	rows, err := s.counts(ctx, "SELECT count(*) FROM "+parquet(local))
	if err != nil {
		return artifact.Ref{}, err
	}
	if rows[0] != int64(len(values)) {
		return artifact.Ref{}, fmt.Errorf("%d values for %d rows; expected one per row", len(values), rows[0])
	}
	if err := s.exec(ctx, "CREATE TABLE added (place BIGINT, value DOUBLE)"); err != nil {
		return artifact.Ref{}, err
	}
	if err := s.conn.Raw(func(c any) error { return appendValues(c.(driver.Conn), name, values) }); err != nil {
		return artifact.Ref{}, err
	}
	path := s.path("with-column.parquet")
	query := fmt.Sprintf("SELECT t.* EXCLUDE (file_row_number), added.value AS %s FROM read_parquet(%s, file_row_number = true) t JOIN added ON t.file_row_number = added.place ORDER BY added.place",
		ident(name), text(local))
	if err := s.writeParquet(ctx, query, path); err != nil {
		return artifact.Ref{}, err
	}
	return put(ctx, store, path, artifact.MediaParquet)
}

func appendValues(conn driver.Conn, name string, values []float64) error {
	a, err := duckdb.NewAppenderFromConn(conn, "", "added")
	if err != nil {
		return err
	}
	column := Column{Name: name, Kind: Numeric, Numbers: values}
	for i := range values {
		if err := a.AppendRow(int64(i), column.value(i)); err != nil {
			a.Close()
			return err
		}
	}
	return a.Close()
}
