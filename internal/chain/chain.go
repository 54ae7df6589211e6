// Package chain keeps a model's append-only record: who decided what on which evidence, in which order.
//
// Record n of a model is the document models/<model>/chain/<n, 12 digits>.json: a DSSE envelope
// (https://github.com/secure-systems-lab/dsse) signed with Ed25519, holding an in-toto Statement v1
// (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md) whose predicate has the record's number, the
// digest of the previous record's bytes and the event. A record can therefore not be changed, dropped from the
// middle or moved without breaking a signature or a digest, and anyone with the public key and a copy of the store can
// check this without the program that wrote it.
//
// What the chain alone cannot show is that its last records were cut off. Report.Head, kept elsewhere, shows that; and
// Verify finds a version or a champion whose record was cut off.
package chain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/registry"
)

// Event is something that happened in a model's life.
type Event struct {
	Key      string            `json:"key"`  // idempotency: an event with the same key is recorded once
	Type     string            `json:"type"` // registered, promoted, ...
	Time     time.Time         `json:"time"`
	Actor    string            `json:"actor"`
	Subjects []Subject         `json:"subjects,omitempty"`
	Detail   map[string]string `json:"detail,omitempty"`
}

// Subject is immutable bytes an event is about. A name with a slash is the name of a document in the store, such as
// models/credit/versions/000001.json; any other name says what the blob with the digest is, such as dossier.
type Subject struct {
	Name   string          `json:"name"`
	Digest artifact.Digest `json:"digest"`
}

func (s Subject) isDocument() bool { return strings.Contains(s.Name, "/") }

// Entry is an event in its place on the chain.
type Entry struct {
	Sequence int             // 1, 2, ... without gaps
	Previous artifact.Digest // of the previous record's bytes; zero for the first
	Digest   artifact.Digest // of this record's bytes
	Event    Event
}

// RecordName is the document of a record.
func RecordName(model string, sequence int) string {
	return fmt.Sprintf("%s/%012d.json", folder(model), sequence)
}

func folder(model string) string { return "models/" + model + "/chain" }

// Append records an event as the model's next entry, signed by signer, and returns the entry. An event whose key is
// on the chain already is not recorded again: the entry that stands is returned, also when several writers
// race. Subjects must be in the store, because a record of something that is not there could never be verified.
func Append(ctx context.Context, s artifact.Store, signer dsse.Signer, model string, e Event) (Entry, error) {
	entry, err := appendEvent(ctx, s, signer, model, e)
	if err != nil {
		return Entry{}, fmt.Errorf("record event %q (%s) of model %q: %w", e.Key, e.Type, model, err)
	}
	return entry, nil
}

func appendEvent(ctx context.Context, s artifact.Store, signer dsse.Signer, model string, e Event) (Entry, error) {
	if err := checkEvent(model, e); err != nil {
		return Entry{}, err
	}
	e, err := asRecorded(e)
	if err != nil {
		return Entry{}, err
	}
	var records []record
	for {
		records, err = readRecords(ctx, s, model, records)
		if err != nil {
			return Entry{}, err
		}
		if i := slices.IndexFunc(records, func(r record) bool { return r.Event.Key == e.Key }); i >= 0 {
			return records[i].Entry, nil
		}
		if err := subjectsStored(ctx, s, e); err != nil {
			return Entry{}, err
		}
		next, err := newRecord(ctx, signer, records, e)
		if err != nil {
			return Entry{}, err
		}
		_, err = s.PutIfAbsent(ctx, RecordName(model, next.Sequence), next.bytes)
		if err == nil {
			return next.Entry, nil
		}
		if !errors.Is(err, artifact.ErrExists) {
			return Entry{}, err
		}
	}
}

func checkEvent(model string, e Event) error {
	if err := registry.CheckName(model); err != nil {
		return err
	}
	if e.Key == "" || !utf8.ValidString(e.Key) {
		return errors.New("the event needs a key in UTF-8 that is the same whenever the event is recorded again")
	}
	if e.Type == "" || e.Time.IsZero() {
		return errors.New("the event needs a type and a time")
	}
	for _, subject := range e.Subjects {
		if subject.Name == "" || subject.Digest.IsZero() {
			return fmt.Errorf("subject %q with digest %q: expected a name and a digest", subject.Name, subject.Digest)
		}
	}
	return nil
}

// asRecorded gives the event as it will be read back: time in UTC, bytes that are no UTF-8 replaced.
func asRecorded(e Event) (Event, error) {
	e.Time = e.Time.UTC()
	b, err := artifact.EncodeJSON(e)
	if err != nil {
		return Event{}, err
	}
	var recorded Event
	err = json.Unmarshal(b, &recorded)
	return recorded, err
}

func subjectsStored(ctx context.Context, s artifact.Store, e Event) error {
	for _, subject := range e.Subjects {
		if subject.isDocument() {
			if err := checkDocument(ctx, s, subject); err != nil {
				return err
			}
			continue
		}
		has, err := s.Has(ctx, subject.Digest)
		if err != nil {
			return err
		}
		if !has {
			return fmt.Errorf("subject %q, blob %s: %w", subject.Name, subject.Digest, artifact.ErrNotFound)
		}
	}
	return nil
}

// Read gives the entries of a model's chain in order, none when nothing was recorded. It checks that records are
// complete and linked, not who signed them: that is Verify's.
func Read(ctx context.Context, s artifact.Store, model string) ([]Entry, error) {
	if err := registry.CheckName(model); err != nil {
		return nil, err
	}
	records, err := readRecords(ctx, s, model, nil)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(records))
	for i, r := range records {
		entries[i] = r.Entry
	}
	return entries, nil
}

// readRecords reads the records after those known and gives all of them.
func readRecords(ctx context.Context, s artifact.Store, model string, records []record) ([]record, error) {
	count, err := countRecords(ctx, s, model)
	if err != nil {
		return nil, err
	}
	for n := len(records) + 1; n <= count; n++ {
		r, err := readRecord(ctx, s, model, n)
		if err != nil {
			return nil, err
		}
		if err := r.follows(records); err != nil {
			return nil, fmt.Errorf("chain record %q in store %q: %w", RecordName(model, n), s, err)
		}
		records = append(records, r)
	}
	return records, nil
}

// countRecords lists a chain and reports gaps and whatever is no record.
func countRecords(ctx context.Context, s artifact.Store, model string) (int, error) {
	names, err := s.List(ctx, folder(model))
	if err != nil {
		return 0, err
	}
	for i, name := range names {
		n, err := strconv.Atoi(strings.TrimSuffix(path.Base(name), ".json"))
		if err != nil || name != RecordName(model, n) {
			return 0, fmt.Errorf("chain of model %q in store %q: %q is not a record; expected %q", model, s, name, RecordName(model, i+1))
		}
		if n != i+1 {
			return 0, fmt.Errorf("chain of model %q in store %q: record %q is missing, found %q", model, s, RecordName(model, i+1), name)
		}
	}
	return len(names), nil
}

func readRecord(ctx context.Context, s artifact.Store, model string, n int) (record, error) {
	name := RecordName(model, n)
	data, _, err := s.Get(ctx, name)
	if err != nil {
		return record{}, err
	}
	r, err := parseRecord(data)
	if err != nil {
		return record{}, fmt.Errorf("chain record %q in store %q: %w", name, s, err)
	}
	return r, nil
}
