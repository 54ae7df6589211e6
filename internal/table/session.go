package table

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/assay-ml/assay/internal/artifact"
)

// Limits bounds what one call may take from the machine. The zero value means 512 MiB, every processor, and the
// system's folder for temporary files.
type Limits struct {
	MemoryBytes int64  `json:"memory_bytes,omitempty"` // of DuckDB's buffers; beyond it, intermediate data goes to TempDir
	Threads     int    `json:"threads,omitempty"`
	TempDir     string `json:"temp_dir,omitempty"` // holds intermediate files while a call runs
}

const defaultMemory = 512 << 20

// rowGroup is the number of rows in a Parquet row group. It is fixed, and rows keep their order, so that the bytes
// written depend on the rows alone: not on the number of threads, the memory limit or the machine.
const rowGroup = 122880

// session is one DuckDB in memory with one connection and a folder of its own, bounded by Limits.
type session struct {
	db   *sql.DB
	conn *sql.Conn
	dir  string
}

// open starts a session; close releases it and removes its folder.
func (l Limits) open(ctx context.Context) (*session, error) {
	if l.MemoryBytes == 0 {
		l.MemoryBytes = defaultMemory
	}
	if l.Threads == 0 {
		l.Threads = runtime.NumCPU()
	}
	dir, err := os.MkdirTemp(l.TempDir, "assay-table-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for temporary files: %w; expected a folder that can be written to", err)
	}
	settings := url.Values{
		"memory_limit":                 {strconv.FormatInt(l.MemoryBytes, 10) + "B"},
		"threads":                      {strconv.Itoa(l.Threads)},
		"temp_directory":               {filepath.Join(dir, "spill")},
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
		"preserve_insertion_order":     {"true"},
		"enable_external_file_cache":   {"false"}, // files are read once; a cache would only hold memory
	}
	s := &session{dir: dir}
	connector, err := duckdb.NewConnector("?"+settings.Encode(), nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start DuckDB: %w", err), os.RemoveAll(dir))
	}
	s.db = sql.OpenDB(connector)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("connect to DuckDB: %w", err)
	}
	if err := s.exec(ctx, "SET TimeZone = 'UTC'"); err != nil {
		s.close()
		return nil, fmt.Errorf("set the time zone of DuckDB: %w", err)
	}
	return s, nil
}

func (s *session) close() {
	if s.conn != nil {
		s.conn.Close()
	}
	s.db.Close()
	os.RemoveAll(s.dir)
}

func (s *session) path(name string) string { return filepath.Join(s.dir, name) }

func (s *session) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.conn.ExecContext(ctx, query, args...)
	return err
}

// row reads the only row of a query into dest.
func (s *session) row(ctx context.Context, query string, dest ...any) error {
	return s.conn.QueryRowContext(ctx, query).Scan(dest...)
}

// each calls f for every row of a query. The slice is reused between calls.
func (s *session) each(ctx context.Context, query string, f func(values []any) error) error {
	rows, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(names))
	dest := make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if err := f(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// counts reads the only row of a query of whole numbers.
func (s *session) counts(ctx context.Context, query string) ([]int64, error) {
	var out []int64
	err := s.each(ctx, query, func(values []any) error {
		out = make([]int64, len(values))
		for i, v := range values {
			out[i] = integer(v)
		}
		return nil
	})
	return out, err
}

// columns describes the result of a query, or of a relation such as read_parquet('x'), without running it.
func (s *session) columns(ctx context.Context, relation string) (names, types []string, err error) {
	err = s.each(ctx, "SELECT column_name, column_type FROM (DESCRIBE FROM "+relation+")", func(v []any) error {
		names = append(names, v[0].(string))
		types = append(types, v[1].(string))
		return nil
	})
	return names, types, err
}

// writeParquet writes the rows of a query, in its order, to a file of the session.
func (s *session) writeParquet(ctx context.Context, query, path string) error {
	return s.exec(ctx, fmt.Sprintf("COPY (%s\n) TO %s (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d)",
		query, text(path), rowGroup))
}

// put stores a file of the session.
func put(ctx context.Context, store artifact.Store, path, mediaType string) (artifact.Ref, error) {
	f, err := os.Open(path)
	if err != nil {
		return artifact.Ref{}, err
	}
	defer f.Close()
	return store.Put(ctx, f, mediaType)
}

func parquet(path string) string { return "read_parquet(" + text(path) + ")" }

// numbered is a Parquet file whose rows carry their 1-based number in the column _row.
func numbered(path string) string {
	return "(SELECT * EXCLUDE (file_row_number), file_row_number + 1 AS " + ident(RowColumn) +
		" FROM read_parquet(" + text(path) + ", file_row_number = true))"
}

// ident and text quote a name and a string for SQL.
func ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
func text(s string) string  { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

func texts(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = text(s)
	}
	return strings.Join(quoted, ", ")
}

func idents(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = ident(s)
	}
	return strings.Join(quoted, ", ")
}
