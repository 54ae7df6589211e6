// Package figures is the table that measurements are printed as, and the few statistics that they are summed up by.
package figures

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// Row is one line of the table.
type Row struct {
	Figure string `json:"figure"`
	Value  string `json:"value"`
	Target string `json:"target,omitempty"`
	Note   string `json:"note,omitempty"`
}

// Table is what a run has measured, in the order of measuring.
type Table struct {
	Quick bool // the sizes are smaller than the design's
	Rows  []Row
}

// Add appends a line. Units stand in the texts; target is empty where the design names none.
func (t *Table) Add(figure, value, target, note string) {
	t.Rows = append(t.Rows, Row{figure, value, target, note})
}

// Print writes the machine and the lines as "text" or as "json".
func (t *Table) Print(w io.Writer, output string) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"machine": Machine(), "quick": t.Quick, "figures": t.Rows})
	}
	fmt.Fprintln(w, Machine())
	if t.Quick {
		fmt.Fprintln(w, "quick run: sizes are smaller than the design's, and named where they matter")
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "FIGURE\tVALUE\tTARGET\tNOTE")
	for _, r := range t.Rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", r.Figure, r.Value, r.Target, r.Note)
	}
	return tw.Flush()
}

// Machine names processor, cores, memory and versions, and what else the machine was doing: absolute times are of this
// machine, at this moment.
func Machine() string {
	field := func(file, key string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			return "unknown"
		}
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
				return strings.TrimSpace(value)
			}
		}
		return "unknown"
	}
	return fmt.Sprintf("%s, %d cores, %s of memory, %s/%s, %s, %s", field("/proc/cpuinfo", "model name"), runtime.NumCPU(),
		field("/proc/meminfo", "MemTotal"), runtime.GOOS, runtime.GOARCH, runtime.Version(), load())
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "load unknown"
	}
	minute, _, _ := strings.Cut(string(b), " ")
	return "load of the last minute " + minute
}

// Quantile is the value at q of sorted copies of xs, by the nearest rank; 0 of none.
func Quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// ProcessorTime is what this process has taken of the processors, its children not among it. Unlike time on the clock it hardly
// depends on what else the machine does.
func ProcessorTime() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// Timed runs f and gives the seconds that it took on the clock, and those of the processors.
func Timed(f func() error) (seconds, processor float64, err error) {
	before, err := ProcessorTime()
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	if err := f(); err != nil {
		return 0, 0, err
	}
	seconds = time.Since(begun).Seconds()
	after, err := ProcessorTime()
	return seconds, (after - before).Seconds(), err
}

// Grouped writes a count with commas: 1,000,000.
func Grouped(n int) string {
	s := strconv.Itoa(n)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}
