package command

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/stage"
)

// record is what the store keeps of a training over all its attempts, in one document. Whoever wrote Holder last has the
// lease; every change is put only if the document is still as its writer read it.
type record struct {
	Execution  string      `json:"execution"`
	Holder     string      `json:"holder"`
	Begun      time.Time   `json:"begun"` // of the holder's attempt
	Attempt    int32       `json:"attempt"`
	Failures   int         `json:"failures,omitempty"` // of the program, over all attempts
	Checkpoint checkpoint  `json:"checkpoint,omitzero"`
	Resumed    []string    `json:"resumed,omitempty"` // one sentence an attempt that began from a checkpoint
	Usage      stage.Usage `json:"usage,omitzero"`    // of attempts that have ended
	Done       bool        `json:"done,omitempty"`
}

// checkpoint is a whole copy of the checkpoint folder.
type checkpoint struct {
	Folder artifact.Ref `json:"folder"` // artifact.Folder
	Text   string       `json:"text"`   // where training stood, for people
	Number int          `json:"number"` // counts the copies of this training from 1
}

// mostResumed bounds the sentences kept.
const mostResumed = 25

// lease is one attempt's hold on a training. It is not safe for concurrent use.
type lease struct {
	store   artifact.Store
	name    string
	version artifact.Version
	record  record
}

// takeLease takes the training over from earlier attempts. It fails with errLostLease when a later one has begun.
func takeLease(ctx context.Context, s artifact.Store, execution string, attempt int32, begun time.Time) (*lease, error) {
	l := &lease{store: s, name: "checkpoints/" + artifact.Sum([]byte(execution)).Hex() + ".json"}
	mine := record{Execution: execution, Holder: rand.Text(), Begun: begun.UTC(), Attempt: attempt}
	for {
		var standing record
		version, err := artifact.GetJSON(ctx, s, l.name, &standing)
		switch {
		case errors.Is(err, artifact.ErrNotFound):
			l.record = mine
			err = l.put(func(b []byte) (artifact.Version, error) { return s.PutIfAbsent(ctx, l.name, b) })
		case err != nil:
			return nil, fmt.Errorf("take over the training: %w", err)
		case standing.Begun.After(mine.Begun):
			return nil, errLostLease
		default:
			l.record = standing
			l.record.Holder, l.record.Begun, l.record.Attempt = mine.Holder, mine.Begun, mine.Attempt
			err = l.put(func(b []byte) (artifact.Version, error) { return s.PutIfMatch(ctx, l.name, b, version) })
		}
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, artifact.ErrConflict) && !errors.Is(err, artifact.ErrExists) {
			return nil, fmt.Errorf("take over the training: %w", err)
		}
	}
}

func (l *lease) put(put func([]byte) (artifact.Version, error)) error {
	b, err := artifact.EncodeJSON(l.record)
	if err != nil {
		return err
	}
	version, err := put(b)
	if err == nil {
		l.version = version
	}
	return err
}

// update changes the record, and fails with errLostLease when another attempt has taken the training over. When it fails
// otherwise the record may have been changed or not.
func (l *lease) update(ctx context.Context, change func(*record)) error {
	for {
		before := l.record
		change(&l.record)
		err := l.put(func(b []byte) (artifact.Version, error) { return l.store.PutIfMatch(ctx, l.name, b, l.version) })
		if err == nil {
			return nil
		}
		wanted := l.record
		l.record = before
		if errors.Is(err, artifact.ErrConflict) {
			var again bool
			if again, err = l.reread(ctx, wanted); err == nil && !again {
				return nil
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, errLostLease), errors.Is(err, artifact.ErrNotFound):
			return errLostLease
		default:
			return fmt.Errorf("record how far the training has come: %w", err)
		}
	}
}

// reread finds out who has changed the record. It may have been this very attempt: an answer of the store can get lost
// after the store has done what it was asked to. again says that what is wanted is not on the record yet.
func (l *lease) reread(ctx context.Context, wanted record) (again bool, err error) {
	var standing record
	version, err := artifact.GetJSON(ctx, l.store, l.name, &standing)
	if err != nil {
		return false, err
	}
	if standing.Holder != l.record.Holder {
		return false, errLostLease
	}
	l.record, l.version = standing, version
	found, err := artifact.EncodeJSON(standing)
	if err != nil {
		return false, err
	}
	tried, err := artifact.EncodeJSON(wanted)
	return !bytes.Equal(found, tried), err
}
