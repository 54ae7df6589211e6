package table

import (
	"context"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
)

// Export writes columns of a stored table to a file for other programs, with the rows in the order stored: as CSV with a
// header line, an empty cell where a value is missing, or as Parquet with the types of the snapshot. The file must not
// exist. The same table gives the same bytes.
func Export(ctx context.Context, store artifact.Store, ref artifact.Ref, columns []string, format, path string, lim Limits) error {
	if err := export(ctx, store, ref, columns, format, path, lim); err != nil {
		return fmt.Errorf("export table %s as %s: %w", ref.Digest.Short(), format, readable(ctx, err))
	}
	return nil
}

func export(ctx context.Context, store artifact.Store, ref artifact.Ref, columns []string, format, path string, lim Limits) error {
	local, release, err := store.Local(ctx, ref)
	if err != nil {
		return err
	}
	defer release()
	s, err := lim.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	names, _, err := s.columns(ctx, parquet(local))
	if err != nil {
		return err
	}
	for _, name := range columns {
		if !slices.Contains(names, name) {
			return fmt.Errorf("no column %q; the table has %s", name, Listed(names))
		}
	}
	query := "SELECT " + idents(columns) + " FROM " + parquet(local)
	switch format {
	case FormatCSV:
		return s.exec(ctx, fmt.Sprintf("COPY (%s) TO %s (FORMAT csv, HEADER true, NULLSTR '')", query, text(path)))
	case FormatParquet:
		return s.writeParquet(ctx, query, path)
	}
	return fmt.Errorf("unknown format %q; expected %s or %s", format, FormatCSV, FormatParquet)
}
