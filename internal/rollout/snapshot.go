package rollout

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Snapshot is the whole state as JSON; equal rollouts give equal bytes.
func (r *Rollout) Snapshot() ([]byte, error) {
	data, err := json.Marshal(r.s)
	if err != nil {
		return nil, fmt.Errorf("write rollout snapshot: %w", err)
	}
	return data, nil
}

// Restore continues a rollout from its snapshot.
func Restore(data []byte) (*Rollout, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var s state
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("read rollout snapshot: %w; expected what Snapshot wrote", err)
	}
	if err := s.Policy.check(); err != nil {
		return nil, fmt.Errorf("read rollout snapshot: %w", err)
	}
	switch s.State {
	case Pending, Promoting, RollingBack, Promoted, RolledBack, Cancelled:
	case Canary:
		if len(s.Steps) == 0 || len(s.Steps) > len(s.Policy.Steps) {
			return nil, fmt.Errorf("read rollout snapshot: canary step %d of %d; expected what Snapshot wrote", len(s.Steps), len(s.Policy.Steps))
		}
	default:
		return nil, fmt.Errorf("read rollout snapshot: the state is %q; expected what Snapshot wrote", s.State)
	}
	return &Rollout{s}, nil
}
