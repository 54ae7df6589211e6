package table

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/spec"
)

// ingestCSV writes a CSV file as Parquet and describes its columns.
func ingestCSV(ctx context.Context, s *session, path string, o spec.CSV, out string) ([]ColumnInfo, error) {
	l, err := readLayout(path, o)
	if err != nil {
		return nil, err
	}
	if l.comment != 0 {
		return ingestRewritten(ctx, s, path, l, o, out)
	}
	t := newCSVTable(path, l, o)
	err = t.write(ctx, s, o, out)
	if err == nil {
		return t.columns(), nil
	}
	if isCSVError(err) {
		return ingestRewritten(ctx, s, path, l, o, out)
	}
	return nil, err
}

// ingestRewritten checks a CSV file record by record, so that what is wrong with it is said with its line, and writes it
// again as DuckDB wants it: without comments and empty lines, every line ending alike.
func ingestRewritten(ctx context.Context, s *session, path string, l layout, o spec.CSV, out string) ([]ColumnInfo, error) {
	plain := s.path("rewritten.csv")
	defer os.Remove(plain)
	if err := rewrite(ctx, path, plain, l); err != nil {
		return nil, err
	}
	l.separator, l.quote, l.comment, l.skip, l.gzip, l.header = ',', '"', 0, 0, false, false
	t := newCSVTable(plain, l, o)
	err := t.write(ctx, s, o, out)
	if err != nil && isCSVError(err) {
		return nil, errors.New("DuckDB cannot read the file as CSV, for a reason it does not give a line for (is a row longer than 2 MB?); check csv.separator and csv.quote")
	}
	if err != nil {
		return nil, err
	}
	return t.columns(), nil
}

// write converts the file. Types come from a sample, and from all rows where the sample does not settle them.
func (t *csvTable) write(ctx context.Context, s *session, o spec.CSV, out string) (err error) {
	if t.types, err = inferTypes(ctx, t.path, t.layout, o, sampleRows); err != nil {
		return err
	}
	t.sampled = true
	if !slices.ContainsFunc(t.types, func(c columnType) bool { return c.values == 0 }) {
		err := s.writeParquet(ctx, t.query(), out)
		if err == nil || !isConversionError(err) {
			return err
		}
	}
	if t.types, err = inferTypes(ctx, t.path, t.layout, o, 0); err != nil {
		return err
	}
	t.sampled = false
	return s.writeParquet(ctx, t.query(), out)
}

func isCSVError(err error) bool {
	message := err.Error()
	return strings.Contains(message, "CSV Error") || strings.Contains(message, "CSV Parser") || strings.Contains(message, "sniffing file") ||
		strings.Contains(message, "Maximum line size")
}

func isConversionError(err error) bool {
	message := err.Error()
	return strings.Contains(message, wrongType) || strings.Contains(message, "Conversion Error") || strings.Contains(message, "Out of Range")
}

// rewrite copies the records of a CSV file, all with the same number of fields, in the plainest form.
func rewrite(ctx context.Context, from, to string, l layout) error {
	in, err := openText(from)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<18)
	err = copyRecords(newRecords(contextReader{ctx, in}, l.dialect), w, len(l.names), l.header)
	return errors.Join(err, w.Flush(), f.Close())
}

func copyRecords(rs *records, w *bufio.Writer, fields int, header bool) error {
	for n := 0; ; n++ {
		rec, err := rs.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(rec.fields) != fields {
			return fieldsError(rec, fields)
		}
		if n == 0 && header {
			continue
		}
		for i, field := range rec.fields {
			if i > 0 {
				w.WriteByte(',')
			}
			w.WriteByte('"')
			w.WriteString(strings.ReplaceAll(field, `"`, `""`))
			w.WriteByte('"')
		}
		if err := w.WriteByte('\n'); err != nil {
			return fmt.Errorf("write a copy without comments: %w", err)
		}
	}
}
