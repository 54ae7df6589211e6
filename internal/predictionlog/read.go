package predictionlog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
)

// Read calls fn for every sealed record of a model with since <= Time < until, exactly once each, ordered by segment
// and within a segment as they were appended. A zero since or until leaves that end open. An error of fn ends the
// reading and is returned as it is. A model without records is no error.
//
// Records still in a gateway's spool are not seen; they are sealed within twice the writer's MaxAge, or by Flush.
func Read(ctx context.Context, store artifact.Store, model string, since, until time.Time, fn func(Record) error) error {
	return read(ctx, store, predictions, model, since, until, func(r Record) time.Time { return r.Time }, fn)
}

// ReadLabels is Read for labels.
func ReadLabels(ctx context.Context, store artifact.Store, model string, since, until time.Time, fn func(Label) error) error {
	return read(ctx, store, labels, model, since, until, func(l Label) time.Time { return l.Time }, fn)
}

// Count adds up the sealed records of one version since a time: how many rows it was asked for, on how many of
// them it failed (status 500 and above), and the mean latency of those it answered (zero when there is none).
func Count(ctx context.Context, store artifact.Store, model string, version int, since time.Time) (requests, errs int64, meanLatency time.Duration, err error) {
	var micros, answered int64
	err = Read(ctx, store, model, since, time.Time{}, func(r Record) error {
		if r.Version != version {
			return nil
		}
		requests++
		if r.Failed() {
			errs++
			return nil
		}
		answered++
		micros += r.LatencyMicros
		return nil
	})
	if err != nil || answered == 0 {
		return requests, errs, 0, err
	}
	return requests, errs, time.Duration(micros) * time.Microsecond / time.Duration(answered), nil
}

func read[T any](ctx context.Context, store artifact.Store, kind, model string, since, until time.Time, timeOf func(T) time.Time, fn func(T) error) error {
	names, err := segments(ctx, store, kind, model, since, until)
	if err != nil {
		return err
	}
	for _, name := range names {
		data, _, err := store.Get(ctx, name)
		if err != nil {
			return fmt.Errorf("read segment %s: %w", name, err)
		}
		if err := readSegment(name, data, since, until, timeOf, fn); err != nil {
			return err
		}
	}
	return nil
}

func readSegment[T any](name string, data []byte, since, until time.Time, timeOf func(T) time.Time, fn func(T) error) error {
	for line := 1; len(data) > 0; line++ {
		text, rest, whole := bytes.Cut(data, []byte{'\n'})
		data = rest
		var entry T
		if err := json.Unmarshal(text, &entry); err != nil || !whole {
			return fmt.Errorf("read segment %s: line %d is not a whole JSON entry; the segment was changed after it was sealed", name, line)
		}
		t := timeOf(entry)
		if t.Before(since) || (!until.IsZero() && !t.Before(until)) {
			continue
		}
		if err := fn(entry); err != nil {
			return err
		}
	}
	return nil
}

// segments names the segments that can hold entries of an interval. A segment is closed with its day, and an entry's
// time lies before it was appended, so a segment may hold entries of the day before but none of the day after.
func segments(ctx context.Context, store artifact.Store, kind, model string, since, until time.Time) ([]string, error) {
	if !modelName.MatchString(model) {
		return nil, badName(kind, model)
	}
	folder := kind + "/" + model
	days, err := store.Folders(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("list the %s of model %q: %w", kind, model, err)
	}
	first, last := "", "9999-12-31"
	if !since.IsZero() {
		first = since.UTC().Format(time.DateOnly)
	}
	if !until.IsZero() {
		last = until.UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	}
	var wanted []string
	for _, day := range days {
		if day < first || last < day {
			continue
		}
		names, err := store.List(ctx, folder+"/"+day)
		if err != nil {
			return nil, fmt.Errorf("list the %s of model %q of %s: %w", kind, model, day, err)
		}
		wanted = append(wanted, names...)
	}
	return wanted, nil
}
