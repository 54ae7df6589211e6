package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
)

// Champion points at the version that serves.
type Champion struct {
	Version  int       `json:"version"`
	Since    time.Time `json:"since"`
	By       string    `json:"by"`                // the rollout that promoted it
	Previous int       `json:"previous,omitzero"` // the version that served before; 0: none
	// Earlier holds the promotions before this one, the newest first, at most earlierKept. With it a late retry of
	// one of them is known for what it is and does not bring an old version back.
	Earlier []Promotion `json:"earlier,omitempty"`
}

// Promotion is a version made champion by a rollout.
type Promotion struct {
	Version int    `json:"version"`
	By      string `json:"by"`
}

const earlierKept = 16

// Candidate is the version being rolled out. Version 0 means that there is none.
type Candidate struct {
	Version int     `json:"version"`
	Traffic float64 `json:"traffic"` // percent of requests, 0 to 100
	Rollout string  `json:"rollout,omitzero"`
	State   string  `json:"state,omitzero"`
}

// Serving is what a gateway needs to route requests to a model. 0 means none.
type Serving struct {
	Champion  int
	Candidate int
	Traffic   float64 // percent of requests for the candidate, 0 to 100
}

func championName(model string) string  { return modelsFolder + "/" + model + "/champion.json" }
func candidateName(model string) string { return modelsFolder + "/" + model + "/candidate.json" }

// GetChampion reads the champion; artifact.ErrNotFound, saying what there is instead, when nothing was promoted yet.
func GetChampion(ctx context.Context, s artifact.Store, model string) (Champion, error) {
	c, _, err := champion(ctx, s, model)
	if !errors.Is(err, artifact.ErrNotFound) {
		return c, err
	}
	return Champion{}, noChampion(ctx, s, model)
}

func noChampion(ctx context.Context, s artifact.Store, model string) error {
	versions, err := numbers(ctx, s, model)
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return notFound(ctx, s, model, 0)
	}
	return fmt.Errorf("champion of model %q: %w; it has versions 1 to %d, and none was promoted yet", model, artifact.ErrNotFound, len(versions))
}

func champion(ctx context.Context, s artifact.Store, model string) (Champion, artifact.Version, error) {
	if err := CheckName(model); err != nil {
		return Champion{}, "", err
	}
	var c Champion
	v, err := artifact.GetJSON(ctx, s, championName(model), &c)
	if err == nil && c.Version < 1 {
		return Champion{}, "", fmt.Errorf("document %q in store %q: expected a version of at least 1, found %d", championName(model), s, c.Version)
	}
	return c, v, err
}

// Promote makes a registered version the champion for the rollout by, at a time, and returns the champion that
// stands. A second call of the same promotion changes nothing, also when other promotions came in between:
// then the champion returned is the later one. Promoting what serves already changes nothing.
func Promote(ctx context.Context, s artifact.Store, model string, version int, by string, at time.Time) (Champion, error) {
	if by == "" {
		return Champion{}, fmt.Errorf("promote version %d of model %q: expected the id of the rollout that asks", version, model)
	}
	if _, _, err := Get(ctx, s, model, version); err != nil {
		return Champion{}, fmt.Errorf("promote: %w", err)
	}
	for {
		current, standing, err := champion(ctx, s, model)
		if err != nil && !errors.Is(err, artifact.ErrNotFound) {
			return Champion{}, fmt.Errorf("promote: %w", err)
		}
		if current.Version == version || slices.Contains(current.Earlier, Promotion{version, by}) {
			return current, nil
		}
		next := current.followedBy(version, by, at)
		err = swap(ctx, s, championName(model), next, standing)
		if err == nil {
			return next, nil
		}
		if !lostRace(err) {
			return Champion{}, fmt.Errorf("promote version %d of model %q: %w", version, model, err)
		}
	}
}

func (c Champion) followedBy(version int, by string, at time.Time) Champion {
	next := Champion{Version: version, Since: at.UTC(), By: by, Previous: c.Version}
	if c.Version > 0 {
		next.Earlier = append([]Promotion{{c.Version, c.By}}, c.Earlier...)
		next.Earlier = next.Earlier[:min(len(next.Earlier), earlierKept)]
	}
	return next
}

// SetCandidate gives a registered version a share of the traffic. While another rollout's candidate stands the error
// wraps artifact.ErrConflict: one rollout of a model ends before the next begins.
func SetCandidate(ctx context.Context, s artifact.Store, model string, c Candidate) error {
	if !(c.Traffic >= 0 && c.Traffic <= 100) {
		return fmt.Errorf("candidate version %d of model %q: expected traffic from 0 to 100 percent, found %v", c.Version, model, c.Traffic)
	}
	if _, _, err := Get(ctx, s, model, c.Version); err != nil {
		return fmt.Errorf("set candidate: %w", err)
	}
	var standing Candidate
	err := changeCandidate(ctx, s, model, func(current Candidate) Candidate {
		if standing = current; current.Version > 0 && current.Rollout != c.Rollout {
			return current
		}
		return c
	})
	if err == nil && standing.Version > 0 && standing.Rollout != c.Rollout {
		return fmt.Errorf("set candidate version %d of model %q: %w: %s has version %d as candidate; expected it to end first",
			c.Version, model, artifact.ErrConflict, standing.Rollout, standing.Version)
	}
	return err
}

// ClearCandidate ends the candidacy that a rollout set; the document remains, with version 0, and the state says why.
// A candidate of another rollout stays, so that a late retry does not end the next rollout.
func ClearCandidate(ctx context.Context, s artifact.Store, model, rollout, state string) error {
	return changeCandidate(ctx, s, model, func(c Candidate) Candidate {
		if c.Rollout != rollout {
			return c
		}
		return Candidate{Rollout: rollout, State: state}
	})
}

func changeCandidate(ctx context.Context, s artifact.Store, model string, change func(Candidate) Candidate) error {
	for {
		current, standing, err := candidate(ctx, s, model)
		if err != nil {
			return err
		}
		next := change(current)
		if next == current {
			return nil
		}
		err = swap(ctx, s, candidateName(model), next, standing)
		if err == nil {
			return nil
		}
		if !lostRace(err) {
			return fmt.Errorf("change the candidate of model %q: %w", model, err)
		}
	}
}

// GetCandidate reads the candidate, which has version 0 when there is none.
func GetCandidate(ctx context.Context, s artifact.Store, model string) (Candidate, error) {
	c, _, err := candidate(ctx, s, model)
	return c, err
}

func candidate(ctx context.Context, s artifact.Store, model string) (Candidate, artifact.Version, error) {
	if err := CheckName(model); err != nil {
		return Candidate{}, "", err
	}
	var c Candidate
	v, err := artifact.GetJSON(ctx, s, candidateName(model), &c)
	if errors.Is(err, artifact.ErrNotFound) {
		return Candidate{}, "", nil
	}
	return c, v, err
}

// GetServing reads which versions answer requests: two small documents. A model with neither gives artifact.ErrNotFound.
//
// The candidate is read first: a promotion in between then shows the new champion without a candidate, and never a
// candidate that has vanished beside the old champion.
func GetServing(ctx context.Context, s artifact.Store, model string) (Serving, error) {
	next, err := GetCandidate(ctx, s, model)
	if err != nil {
		return Serving{}, err
	}
	current, _, err := champion(ctx, s, model)
	if errors.Is(err, artifact.ErrNotFound) && next.Version == 0 {
		return Serving{}, noChampion(ctx, s, model)
	}
	if err != nil && !errors.Is(err, artifact.ErrNotFound) {
		return Serving{}, err
	}
	if next.Version == current.Version {
		next = Candidate{}
	}
	return Serving{Champion: current.Version, Candidate: next.Version, Traffic: next.Traffic}, nil
}

// swap writes v in place of the document's version that was read; "" means that there was none.
func swap(ctx context.Context, s artifact.Store, name string, v any, read artifact.Version) error {
	doc, err := artifact.EncodeJSON(v)
	if err != nil {
		return err
	}
	if read == "" {
		_, err = s.PutIfAbsent(ctx, name, doc)
		return err
	}
	_, err = s.PutIfMatch(ctx, name, doc, read)
	return err
}

func lostRace(err error) bool {
	return errors.Is(err, artifact.ErrExists) || errors.Is(err, artifact.ErrConflict)
}
