// Package predictionlog keeps what a gateway answered and what later turned out to be true, so that drift checks
// and rollouts rest on evidence.
//
// An entry is one JSON line. It goes with a single write to a spool file on the gateway's own disk and from there,
// in sealed segments, to the artifact store:
//
//	<spool>/predictions/<model>/<YYYY-MM-DD>-<unique>.jsonl    open segments, on the gateway's disk
//	predictions/<model>/<YYYY-MM-DD>/<unique>.jsonl            sealed segments, in the store, immutable
//	labels/<model>/<YYYY-MM-DD>/<unique>.jsonl                 the same for labels
//
// What is promised:
//   - An entry whose Append returned nil survives the death of the process at any instruction: it is in the
//     operating system's hands. The next OpenWriter, Recover or background pass of any process on the same spool
//     seals it. flock tells a living writer's segment from a dead one's.
//   - Against loss of power, entries older than Options.SyncEvery are safe: files are synced on that interval, not
//     on every append.
//   - A segment enters the store once: its name is fixed when its file is created, and PutIfAbsent decides. A reader
//     therefore sees every sealed entry exactly once.
//   - A torn last line, left by a process that died while writing, was never acknowledged and is dropped; nothing
//     else is.
//   - When an entry cannot be written (disk full, spool read-only) Append says so, and what was part-written is taken back.
//
// The date is the UTC day on which the segment was opened.
package predictionlog

import "time"

// Kinds of log, which are also the first part of a segment's name in the store.
const (
	predictions = "predictions"
	labels      = "labels"
)

// Roles a version can serve in.
const (
	Champion  = "champion"
	Candidate = "candidate"
)

// Record is one row scored, or tried, by one version. A request with several rows makes one record for each. Its Score is
// of a binary model the probability of the positive class, of a multiclass one that of Class, the most probable, both in
// [0, 1], and of a regression the predicted number.
type Record struct {
	Time          time.Time      `json:"time"` // when the request came, UTC
	ID            string         `json:"id"`   // of the prediction; labels refer to it
	Key           string         `json:"key"`  // hash of the key that routes the request; never the key itself
	Version       int            `json:"version"`
	Role          string         `json:"role"`               // champion or candidate
	Status        int            `json:"status"`             // 200, or 500 and above when the version failed
	Features      map[string]any `json:"features,omitempty"` // by name: float64, string, or nil where missing
	Score         *float64       `json:"score,omitempty"`    // nil when the version failed; see below
	Class         string         `json:"class,omitempty"`    // multiclass: the most probable one
	LatencyMicros int64          `json:"latency_us"`         // from the request's arrival to its score, whole request
	Error         string         `json:"error,omitempty"`
}

// Failed reports whether the version, rather than the caller, was at fault.
func (r Record) Failed() bool { return r.Status >= 500 }

// Label is the truth about one prediction, learned later. Several labels for one ID are legal; the latest counts.
type Label struct {
	Time  time.Time `json:"time"`  // when the label came, UTC
	ID    string    `json:"id"`    // of the prediction
	Label string    `json:"label"` // a value of the target column; of a number table.NumberText
}
