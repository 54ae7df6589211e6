package predictionlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/assay-ml/assay/internal/artifact"
)

// Writer logs what one model answered. It is safe for concurrent use, and several writers of one model may share
// a spool, in this process or in others.
type Writer struct{ *spool }

// OpenWriter opens the log of predictions of a model: spool is a folder on this machine's disk, store takes the
// sealed segments. Segments left by dead processes are sealed first; where that fails it is logged and tried again.
// An unusable spool is an error.
func OpenWriter(store artifact.Store, spool, model string, opt Options) (*Writer, error) {
	s, err := openSpool(store, spool, predictions, model, opt)
	if err != nil {
		return nil, err
	}
	return &Writer{s}, nil
}

// Append logs records, all or none, with one write. After nil they survive the death of the process. Their times
// must not lie ahead of the writer's clock, by whose days readers look for them.
func (w *Writer) Append(records ...Record) error { return appendEntries(w.spool, records) }

// Flush seals everything appended before the call, so that readers of the store see it.
func (w *Writer) Flush(ctx context.Context) error { return w.flush(ctx) }

// Close seals everything and refuses further records. What could not be sealed stays in the spool.
func (w *Writer) Close(ctx context.Context) error { return w.close(ctx) }

// LabelWriter logs the labels of one model, with the guarantees of Writer.
type LabelWriter struct{ *spool }

// OpenLabelWriter opens the log of labels of a model; see OpenWriter.
func OpenLabelWriter(store artifact.Store, spool, model string, opt Options) (*LabelWriter, error) {
	s, err := openSpool(store, spool, labels, model, opt)
	if err != nil {
		return nil, err
	}
	return &LabelWriter{s}, nil
}

// Append logs labels, all or none, with one write. After nil they survive the death of the process.
func (w *LabelWriter) Append(labels ...Label) error { return appendEntries(w.spool, labels) }

// Flush seals everything appended before the call, so that readers of the store see it.
func (w *LabelWriter) Flush(ctx context.Context) error { return w.flush(ctx) }

// Close seals everything and refuses further labels. What could not be sealed stays in the spool.
func (w *LabelWriter) Close(ctx context.Context) error { return w.close(ctx) }

func appendEntries[T any](s *spool, entries []T) error {
	if len(entries) == 0 {
		return nil
	}
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	enc.SetEscapeHTML(false)
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return fmt.Errorf("record %s of model %q: %w", s.kind, s.model, err)
		}
	}
	return s.append(lines.Bytes())
}

// Recover seals what dead processes left in a spool, for all models and both logs, and leaves the segments of
// living writers alone. A spool that does not exist is empty.
func Recover(ctx context.Context, store artifact.Store, folder string) error {
	var errs []error
	for _, kind := range []string{predictions, labels} {
		models, err := os.ReadDir(filepath.Join(folder, kind))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("look for leftovers in the spool: %w", err))
		}
		for _, m := range models {
			if !m.IsDir() || !modelName.MatchString(m.Name()) {
				continue
			}
			s := &spool{kind: kind, model: m.Name(), dir: filepath.Join(folder, kind, m.Name()), store: store, opt: Options{}.withDefaults()}
			errs = append(errs, s.sealLeftovers(ctx))
		}
	}
	return errors.Join(errs...)
}
