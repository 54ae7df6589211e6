package search

import "github.com/assay-ml/assay/internal/spec"

// Trial is the number of a trial; the first is 1, and 0 is none.
type Trial int

// Event is something that happened to a search: Begun, Reported, Finished, Failed, Stopped or Elapsed.
type Event interface{ event() }

// Begun starts the search. It comes first; events before it, and a second one, are ignored.
type Begun struct{}

// Reported is a value of the metric while a trial runs.
type Reported struct {
	Trial    Trial
	Resource int     // what early_stop.by counts, such as epochs done; 1 or more
	Value    float64 // of the metric; one that is not finite fails the trial
}

// Finished is a trial that ran to its end.
type Finished struct {
	Trial      Trial
	Value      float64 // of the metric, final; one that is not finite makes the trial a failed one
	GPUSeconds float64 // device time the trial took, 0 or more
}

// Failed is a trial that ended without a model, for good: what can be tried again was tried again.
type Failed struct {
	Trial      Trial
	Reason     string
	GPUSeconds float64
}

// Stopped is a trial that was ended before its end, mostly because the search said Stop.
type Stopped struct {
	Trial      Trial
	Value      *float64 // the last one reported; nil where there was none
	GPUSeconds float64
}

// Elapsed is the time since Begun. The clock is the caller's: Elapsed is sent together with other events, before them. A
// time before one already seen is ignored.
type Elapsed struct{ Hours float64 }

func (Begun) event()    {}
func (Reported) event() {}
func (Finished) event() {}
func (Failed) event()   {}
func (Stopped) event()  {}
func (Elapsed) event()  {}

// Action is something the caller has to do: Start, Stop or End.
type Action interface{ action() }

// Start begins a trial. Numbers are consecutive.
type Start struct {
	Trial      Trial
	Parameters spec.Parameters
}

// Stop ends a trial that runs. The caller answers with Stopped; Finished or Failed are taken as well, as the trial may
// have ended on its own at the same time.
type Stop struct {
	Trial Trial
	Why   string
}

// End is the last action of a search; no trial runs then.
type End struct {
	Best   Trial   // 0: no trial finished
	Value  float64 // of the best trial
	Reason string
}

func (Start) action() {}
func (Stop) action()  {}
func (End) action()   {}
