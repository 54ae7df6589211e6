package table

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
)

// Snapshot is an immutable copy of a source: its rows as one Parquet blob, in the source's order, and their Profile.
type Snapshot struct {
	Source       string          `json:"source"` // the source's URI, without credentials
	SourceDigest artifact.Digest `json:"source_digest"`
	Data         artifact.Ref    `json:"data"`
	Profile      artifact.Ref    `json:"profile"`
	Rows         int64           `json:"rows"`
	Columns      []ColumnInfo    `json:"columns"`
}

// Ingest turns a local source into a Snapshot. The same bytes read the same way give the same blobs, whatever the limits.
// progress, if not nil, is called with the rows known to be written whenever work has advanced (0 while the file is
// being converted); it must be quick.
//
// CSV: separator, header and types are detected where the spec does not set them. Blanks around values and names are
// dropped; an empty value is missing, and so is one listed in csv.unknown. A column is of integers, numbers, booleans
// (true, false), dates or timestamps if all its values are, where the texts ? - NA N/A NULL NaN None count as missing;
// otherwise it is text, as it stands. Parquet and JSON lines keep their types, reduced to those six; nested columns are
// refused. NaN is missing; an infinite number is refused.
//
// Errors name the line or the column, never a value.
func Ingest(ctx context.Context, store artifact.Store, local Local, src spec.Source, lim Limits, progress func(rows int64)) (Snapshot, error) {
	if progress == nil {
		progress = func(int64) {}
	}
	snap, err := ingest(ctx, store, local, src, lim, progress)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read source %q: %w", local.URI, readable(ctx, err))
	}
	return snap, nil
}

func ingest(ctx context.Context, store artifact.Store, local Local, src spec.Source, lim Limits, progress func(int64)) (Snapshot, error) {
	s, err := lim.open(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	defer s.close()
	snap := Snapshot{Source: local.URI, SourceDigest: local.Digest}
	out := s.path("data.parquet")
	stop := watch(out, func() { progress(0) })
	snap.Columns, err = convert(ctx, s, local, src, out)
	stop()
	if err != nil {
		return Snapshot{}, err
	}
	profile, err := profileParquet(ctx, s, out, snap.Columns, progress)
	if err != nil {
		return Snapshot{}, err
	}
	if profile.Rows == 0 {
		return Snapshot{}, errors.New("there are no rows; expected at least one")
	}
	snap.Rows = profile.Rows
	if snap.Data, err = put(ctx, store, out, artifact.MediaParquet); err != nil {
		return Snapshot{}, err
	}
	snap.Profile, err = putJSON(ctx, store, profile)
	return snap, err
}

func convert(ctx context.Context, s *session, local Local, src spec.Source, out string) ([]ColumnInfo, error) {
	if info, err := os.Stat(local.Path); err != nil {
		return nil, fmt.Errorf("there is no file %q; expected the path of a file this worker can read", local.Path)
	} else if info.Size() == 0 {
		return nil, errEmpty
	}
	switch local.Format {
	case FormatCSV:
		return ingestCSV(ctx, s, local.Path, src.CSV, out)
	case FormatParquet:
		return ingestTyped(ctx, s, parquet(local.Path), out)
	case FormatJSONL:
		return ingestJSONLines(ctx, s, local.Path, out)
	}
	return nil, fmt.Errorf("format %q; expected csv, parquet or jsonl", local.Format)
}

// ingestTyped writes a source whose columns have types already.
func ingestTyped(ctx context.Context, s *session, relation, out string) ([]ColumnInfo, error) {
	names, types, err := s.columns(ctx, relation)
	if err != nil {
		return nil, err
	}
	trimmed := trimAll(names)
	if err := checkNames(trimmed); err != nil {
		return nil, err
	}
	columns := make([]ColumnInfo, len(names))
	expressions := make([]string, len(names))
	for i, name := range names {
		typ, ok := typeOf(types[i])
		if !ok {
			base, _, _ := strings.Cut(types[i], "(")
			return nil, fmt.Errorf("column %q is of type %s; expected integers, numbers, text, booleans, dates or timestamps: flatten or remove it", name, base)
		}
		columns[i] = newColumnInfo(trimmed[i], typ)
		expressions[i] = normalised(ident(name), types[i], typ) + " AS " + ident(trimmed[i])
	}
	return columns, s.writeParquet(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+relation, out)
}

// watch calls grown about once a second while the file at path grows, until stop is called.
func watch(path string, grown func()) (stop func()) {
	done, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		var size int64
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			if info, err := os.Stat(path); err == nil && info.Size() > size {
				size = info.Size()
				grown()
			}
		}
	}()
	return func() { close(done); <-finished }
}

func putJSON(ctx context.Context, store artifact.Store, v any) (artifact.Ref, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return artifact.Ref{}, err
	}
	return store.Put(ctx, bytes.NewReader(b), artifact.MediaJSON)
}

// readable turns DuckDB's errors, which can repeat values of the file, into ones that say what to do.
func readable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var duck *duckdb.Error
	if errors.Is(err, syscall.ENOSPC) {
		return errFull
	}
	if !errors.As(err, &duck) {
		return err
	}
	switch message := err.Error(); {
	case strings.Contains(message, "Out of Memory"):
		return errMemory
	case strings.Contains(message, "No space left"):
		return errFull
	case strings.Contains(message, "not a parquet file"), strings.Contains(message, "No magic bytes"), strings.Contains(message, "too small to be a Parquet"):
		return errors.New("the file is not Parquet; set format, or write it again")
	case strings.Contains(message, "Conversion Error"), strings.Contains(message, "Invalid Input Error"), strings.Contains(message, "Out of Range Error"):
		kind, _, _ := strings.Cut(message, ":")
		return fmt.Errorf("DuckDB refuses a value (%s); expected values of their columns' types", kind)
	}
	return err
}
