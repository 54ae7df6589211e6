package search

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"

	"github.com/assay-ml/assay/internal/spec"
)

// Snapshot is the whole state of a search as JSON, without the sweep. It is at most about 12 KB, whatever the number of
// trials. Lists of numbers are base64 of little-endian bytes. Equal searches have equal snapshots.
type Snapshot struct {
	Sweep       string         `json:"sweep"` // of which sweep, see fingerprint
	Begun       bool           `json:"begun,omitempty"`
	Ended       bool           `json:"ended,omitempty"`
	Counts      Counts         `json:"counts"`
	Running     []RunningTrial `json:"running,omitempty"` // in the order of their numbers
	Best        Trial          `json:"best,omitempty"`
	BestValue   float64        `json:"best_value,omitempty"`
	Hours       float64        `json:"hours,omitempty"`
	GPUSeconds  float64        `json:"gpu_seconds,omitempty"`
	LastFailed  Trial          `json:"last_failed,omitempty"`
	LastFailure string         `json:"last_failure,omitempty"`
	Rungs       []Rung         `json:"rungs,omitempty"`
	History     *History       `json:"history,omitempty"` // method tpe
}

// RunningTrial is a trial that runs.
type RunningTrial struct {
	Trial  Trial  `json:"trial"`
	Rung   int    `json:"rung,omitempty"`   // looks of early stopping it has passed, or not
	Ending string `json:"ending,omitempty"` // worse, or the value that is not finite, when it was told to stop
	At     []byte `json:"at,omitempty"`     // coordinates as uint16
}

// Rung is one look of early stopping.
type Rung struct {
	Seen   int    `json:"seen"`
	Values []byte `json:"values"` // float32, best first; the sign is turned where less is better
}

// History is what tpe learns from. A row is a level, the value (float64, the sign turned where less is better) and the
// coordinates (uint16).
type History struct {
	Usable int    `json:"usable"`
	Passed int    `json:"passed"`
	Best   []byte `json:"best,omitempty"`
	Others []byte `json:"others,omitempty"`
}

// Snapshot copies the state.
func (s *Search) Snapshot() Snapshot {
	snap := Snapshot{
		Sweep: fingerprint(s.sweep), Begun: s.begun, Ended: s.ended, Counts: s.counts, Best: s.best, BestValue: s.bestValue,
		Hours: s.hours, GPUSeconds: s.gpuSeconds, LastFailed: s.lastFailed, LastFailure: s.lastFailure,
	}
	for _, r := range s.running {
		snap.Running = append(snap.Running, RunningTrial{Trial: r.trial, Rung: r.rung, Ending: r.ending, At: writePlace(nil, r.at)})
	}
	for _, r := range s.ladder.rungs {
		var b []byte
		for _, v := range r.values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		snap.Rungs = append(snap.Rungs, Rung{Seen: r.seen, Values: b})
	}
	if s.sweep.Method == spec.SweepTPE {
		h := s.history
		snap.History = &History{Usable: h.usable, Passed: h.passed, Best: writeRows(h.best), Others: writeRows(h.others)}
	}
	return snap
}

// Restore continues a search of the sweep from its snapshot: the same events have the same actions from there on. It
// refuses a snapshot of another sweep, and one that Snapshot cannot have given.
func Restore(sweep spec.Sweep, snap Snapshot) (*Search, error) {
	s, err := New(sweep)
	if err != nil {
		return nil, err
	}
	if want := fingerprint(s.sweep); snap.Sweep != want {
		return nil, fmt.Errorf("restore search: the snapshot is of sweep %q, this one is %q; expected the sweep it was made of", snap.Sweep, want)
	}
	if err := s.restore(snap); err != nil {
		return nil, fmt.Errorf("restore search: %w; expected what Snapshot gave", err)
	}
	return s, nil
}

// fingerprint is the FNV-1a hash of the sweep with its defaults. JSON sorts the names.
func fingerprint(sweep spec.Sweep) string {
	text, err := json.Marshal(sweep)
	if err != nil {
		panic(fmt.Sprintf("search: a checked sweep has no JSON: %v", err)) // it holds finite numbers and texts only
	}
	h := fnv.New64a()
	h.Write(text)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (s *Search) restore(snap Snapshot) error {
	c := snap.Counts
	switch {
	case min(c.Started, c.Finished, c.Failed, c.Stopped) < 0 || c.Started > s.limit ||
		c.Started-c.Finished-c.Failed-c.Stopped != len(snap.Running):
		return fmt.Errorf("%d trials started, %d finished, %d failed, %d stopped and %d run", c.Started, c.Finished, c.Failed, c.Stopped, len(snap.Running))
	case len(snap.Running) > s.sweep.Parallel:
		return fmt.Errorf("%d trials run where at most %d may", len(snap.Running), s.sweep.Parallel)
	case !snap.Begun && (c.Started > 0 || snap.Ended), snap.Ended && len(snap.Running) > 0:
		return fmt.Errorf("begun is %t and ended %t with %d trials started and %d running", snap.Begun, snap.Ended, c.Started, len(snap.Running))
	case snap.Best < 0 || int(snap.Best) > c.Started || (snap.Best > 0) != (c.Finished > 0) || !finite(snap.BestValue):
		return fmt.Errorf("the best of %d trials is %d with %v", c.Finished, snap.Best, snap.BestValue)
	case snap.LastFailed < 0 || int(snap.LastFailed) > c.Started || (snap.LastFailed > 0) != (c.Failed > 0) || len(snap.LastFailure) > mostReason:
		return fmt.Errorf("the last of %d failures is trial %d", c.Failed, snap.LastFailed)
	case !amount(snap.Hours) || !amount(snap.GPUSeconds):
		return fmt.Errorf("%v hours passed and %v s of device time were used", snap.Hours, snap.GPUSeconds)
	}
	s.begun, s.ended, s.counts = snap.Begun, snap.Ended, c
	s.best, s.bestValue = snap.Best, snap.BestValue
	s.hours, s.gpuSeconds = snap.Hours, snap.GPUSeconds
	s.lastFailed, s.lastFailure = snap.LastFailed, snap.LastFailure
	if err := s.restoreRunning(snap.Running); err != nil {
		return err
	}
	if err := s.restoreRungs(snap.Rungs); err != nil {
		return err
	}
	return s.restoreHistory(snap.History)
}

func (s *Search) restoreRunning(running []RunningTrial) error {
	before := Trial(0)
	for _, r := range running {
		at, ok := readPlace(r.At, s.remembered())
		switch {
		case r.Trial <= before || int(r.Trial) > s.counts.Started:
			return fmt.Errorf("trial %d runs after trial %d of %d", r.Trial, before, s.counts.Started)
		case r.Rung < 0 || r.Rung > mostRungs || r.Rung > 0 && s.sweep.EarlyStop == nil:
			return fmt.Errorf("trial %d is at look %d", r.Trial, r.Rung)
		case r.Ending != "" && r.Ending != worse && r.Ending != "NaN" && r.Ending != "+Inf" && r.Ending != "-Inf":
			return fmt.Errorf("trial %d ends as %q", r.Trial, r.Ending)
		case !ok:
			return fmt.Errorf("trial %d has a place of %d bytes", r.Trial, len(r.At))
		}
		before = r.Trial
		s.running = append(s.running, run{r.Trial, r.Rung, r.Ending, at})
	}
	return nil
}

// remembered is how many coordinates of a trial are kept.
func (s *Search) remembered() int {
	if s.sweep.Method == spec.SweepTPE {
		return len(s.space)
	}
	return 0
}

func (s *Search) restoreRungs(rungs []Rung) error {
	if len(rungs) > mostRungs || len(rungs) > 0 && s.sweep.EarlyStop == nil {
		return fmt.Errorf("there are %d looks of early stopping", len(rungs))
	}
	for i, r := range rungs {
		n := len(r.Values) / 4
		if len(r.Values)%4 != 0 || n > min(r.Seen, mostOfRung) || n == 0 || r.Seen > s.counts.Started {
			return fmt.Errorf("look %d saw %d values and keeps %d bytes", i+1, r.Seen, len(r.Values))
		}
		values := make([]float32, n)
		for k := range values {
			values[k] = math.Float32frombits(binary.LittleEndian.Uint32(r.Values[4*k:]))
			if !finite(float64(values[k])) || k > 0 && values[k] > values[k-1] {
				return fmt.Errorf("value %d of look %d is %v", k+1, i+1, values[k])
			}
		}
		s.ladder.rungs = append(s.ladder.rungs, rung{r.Seen, values})
	}
	if kept := s.ladder.kept(); kept > mostOfAllRungs {
		return fmt.Errorf("the looks keep %d values", kept)
	}
	return nil
}

func (s *Search) restoreHistory(h *History) error {
	if isTPE := s.sweep.Method == spec.SweepTPE; isTPE != (h != nil) {
		return fmt.Errorf("observations are there: %t", h != nil)
	}
	if h == nil {
		return nil
	}
	best, ok1 := readRows(h.Best, len(s.space))
	others, ok2 := readRows(h.Others, len(s.space))
	ended := s.counts.Started - len(s.running)
	switch {
	case !ok1 || !ok2:
		return fmt.Errorf("observations have %d and %d bytes, or values that are not finite", len(h.Best), len(h.Others))
	case len(best) > s.history.mostBest() || len(others) > s.history.capacity-s.history.mostBest() || len(others) > h.Passed ||
		h.Usable < 0 || h.Usable > ended || len(best)+h.Passed != ended:
		return fmt.Errorf("%d and %d of %d observations are kept, %d with a value, after %d trials", len(best), len(others), h.Passed, h.Usable, ended)
	}
	s.history.usable, s.history.passed, s.history.best, s.history.others = h.Usable, h.Passed, best, others
	return nil
}

func writePlace(b []byte, at []uint16) []byte {
	for _, q := range at {
		b = binary.LittleEndian.AppendUint16(b, q)
	}
	return b
}

func readPlace(b []byte, axes int) ([]uint16, bool) {
	if len(b) != 2*axes {
		return nil, false
	}
	var at []uint16
	for j := range axes {
		at = append(at, binary.LittleEndian.Uint16(b[2*j:]))
	}
	return at, true
}

func writeRows(rows []observation) []byte {
	var b []byte
	for _, o := range rows {
		b = append(b, o.level)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(o.goodness))
		b = writePlace(b, o.at)
	}
	return b
}

func readRows(b []byte, axes int) ([]observation, bool) {
	size := overheadBytes + 2*axes
	if len(b)%size != 0 {
		return nil, false
	}
	var rows []observation
	for ; len(b) > 0; b = b[size:] {
		o := observation{level: b[0], goodness: math.Float64frombits(binary.LittleEndian.Uint64(b[1:]))}
		if !finite(o.goodness) {
			return nil, false
		}
		o.at, _ = readPlace(b[overheadBytes:size], axes)
		rows = append(rows, o)
	}
	return rows, true
}
