// Command bench measures what the design gives targets for and prints one table with the machine it ran on. Ratios are
// against a baseline measured in the same run; absolute times are of this machine, at this moment.
//
//	go run ./tests/bench            everything, some minutes
//	go run ./tests/bench -quick     smaller sizes, named as such
//	go run ./tests/bench -only ingest,drift -o json
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/assay-ml/assay/tests/stacktest"
)

// row is one line of the table.
type row struct {
	Figure string `json:"figure"`
	Value  string `json:"value"`
	Target string `json:"target,omitempty"`
	Note   string `json:"note,omitempty"`
}

// bench is one run of the measurements.
type bench struct {
	ctx   context.Context
	quick bool
	stack *stacktest.Stack // started for the parts that need one
	rows  []row
}

func (b *bench) add(figure, value, target, note string) {
	b.rows = append(b.rows, row{figure, value, target, note})
}

// parts in the order of the table. Those with stack run in one local stack; the others alone, before it starts.
var parts = []struct {
	name  string
	stack bool
	run   func(*bench) error
}{
	{"start", false, (*bench).start},
	{"ingest", false, (*bench).ingest},
	{"drift", false, (*bench).drift},
	{"orchestration", true, (*bench).orchestration},
	{"decision", true, (*bench).decision},
	{"lifecycle", true, (*bench).lifecycle},
	{"monitors", true, (*bench).monitors},
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == ingestChild {
		if err := runIngestChild(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	quick := flag.Bool("quick", false, "smaller sizes")
	output := flag.String("o", "text", "text or json")
	only := flag.String("only", "", "comma-separated parts: start, ingest, drift, orchestration, decision, lifecycle, monitors")
	flag.Parse()
	b := &bench{ctx: context.Background(), quick: *quick}
	if err := b.run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if err := b.print(os.Stdout, *output); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(only string) (err error) {
	defer func() {
		if b.stack != nil {
			if stopErr := b.stack.Stop(); err == nil {
				err = stopErr
			}
		}
	}()
	for _, p := range parts {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		if p.stack && b.stack == nil {
			if b.stack, err = stacktest.Start("none"); err != nil {
				return err
			}
			for name, value := range b.stack.Environment() {
				os.Setenv(name, value)
			}
		}
		fmt.Fprintln(os.Stderr, "measuring:", p.name)
		if err := p.run(b); err != nil {
			return fmt.Errorf("measure %s: %w", p.name, err)
		}
	}
	return nil
}

func (b *bench) print(w io.Writer, output string) error {
	machine := describeMachine()
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"machine": machine, "quick": b.quick, "figures": b.rows})
	}
	fmt.Fprintln(w, machine)
	if b.quick {
		fmt.Fprintln(w, "quick run: sizes are smaller than the design's, and named where they matter")
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "FIGURE\tVALUE\tTARGET\tNOTE")
	for _, r := range b.rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", r.Figure, r.Value, r.Target, r.Note)
	}
	return tw.Flush()
}

// describeMachine names processor, cores, memory and versions.
func describeMachine() string {
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
	return fmt.Sprintf("%s, %d cores, %s of memory, %s/%s, %s", field("/proc/cpuinfo", "model name"), runtime.NumCPU(),
		field("/proc/meminfo", "MemTotal"), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// quantile is the value at q of sorted copies of xs, by the nearest rank.
func quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(xs))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
