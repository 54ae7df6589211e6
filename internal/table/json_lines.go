package table

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// ingestJSONLines writes a file of one JSON object per line as Parquet. Types come from all lines.
func ingestJSONLines(ctx context.Context, s *session, path, out string) ([]ColumnInfo, error) {
	relation := "read_json(" + text(path) + ", format = 'newline_delimited', records = true, sample_size = -1, maximum_depth = 2)"
	columns, err := ingestTyped(ctx, s, relation, out)
	if err == nil || ctx.Err() != nil {
		return columns, err
	}
	if found := checkJSONLines(ctx, path); found != nil {
		return nil, found
	}
	return nil, err
}

// checkJSONLines finds the first line that is not an object. DuckDB refuses such a file as well, but counts lines otherwise
// and repeats what it found there.
func checkJSONLines(ctx context.Context, path string) error {
	in, err := openText(path)
	if err != nil {
		return err
	}
	defer in.Close()
	r := bufio.NewReaderSize(contextReader{ctx, in}, 1<<16)
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) > 0 && (line[0] != '{' || !json.Valid(line)) {
			return fmt.Errorf("line %d is not a JSON object; expected one object per line", number)
		}
		if !utf8.Valid(line) {
			return fmt.Errorf("line %d: the text is not UTF-8; expected UTF-8", number)
		}
		if err != nil {
			return nil
		}
	}
}
