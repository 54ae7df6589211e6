package review

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Snapshot is the whole state as JSON; equal reviews give equal bytes.
func (r *Review) Snapshot() ([]byte, error) {
	data, err := json.Marshal(r.s)
	if err != nil {
		return nil, fmt.Errorf("write review snapshot: %w", err)
	}
	return data, nil
}

// Restore continues a review from its snapshot.
func Restore(data []byte) (*Review, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var s state
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("read review snapshot: %w; expected what Snapshot wrote", err)
	}
	if err := s.Policy.check(); err != nil {
		return nil, fmt.Errorf("read review snapshot: %w", err)
	}
	switch s.Outcome {
	case Open, Approved, Rejected, ChangesRequested, Expired:
	default:
		return nil, fmt.Errorf("read review snapshot: the outcome is %q; expected what Snapshot wrote", s.Outcome)
	}
	return &Review{s}, nil
}
