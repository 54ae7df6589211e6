package report

import (
	"math"

	"github.com/assay-ml/assay/internal/stage"
)

// usageGrid is what the lifecycle has taken by stage; nil where nothing was counted.
func usageGrid(usage []stage.StageUsage) *grid {
	if len(usage) == 0 {
		return nil
	}
	g := &grid{
		Caption: "What it took",
		Note: "Processor time adds up all cores. Device time is how long accelerators were held, times their number. " +
			"A stage took nothing where its answer was already in the store.",
		Head: []cell{{Text: "Stage"}, {Text: "Processor time", Number: true}, {Text: "Device time", Number: true}},
	}
	row := func(name string, u stage.Usage) {
		cells := []cell{{Text: name}, {Text: elapsed(u.CPUSeconds), Number: true}, {Text: elapsed(u.GPUSeconds), Number: true}}
		if u.PeakMemoryBytes > 0 {
			cells[0].Note = "at most " + bytesOf(u.PeakMemoryBytes) + " of memory"
		}
		g.Rows = append(g.Rows, cells)
	}
	var sum stage.Usage
	for _, u := range usage {
		row(or(string(u.Stage), "(unnamed)"), u.Usage)
		sum = sum.Plus(u.Usage)
	}
	sum.PeakMemoryBytes = 0 // of one program at a time: the largest is not what all took
	if len(usage) > 1 {
		row("all together", sum)
	}
	return g
}

// elapsed writes a time in seconds in the unit in which it is easiest to grasp.
func elapsed(seconds float64) string {
	switch {
	case !isFinite(seconds) || seconds < 0:
		return notAvailable
	case seconds == 0:
		return "none"
	case seconds < 1:
		return "under" + nbsp + "1" + nbsp + "s"
	case seconds < 99.5:
		return measured(math.Round(seconds)) + nbsp + "s"
	case seconds < 99.5*60:
		return fixed(seconds/60, 1) + nbsp + "min"
	}
	hours := seconds / 3600
	if hours < 100 {
		return fixed(hours, 1) + nbsp + "h"
	}
	return measured(math.Round(hours)) + nbsp + "h"
}
