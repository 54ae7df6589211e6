// Command bench measures what the design gives targets for and prints one table with the machine it ran on. Ratios are
// against a baseline measured in the same run; absolute times are of this machine, at this moment.
//
//	go run ./tests/bench            everything; the sweep of 10,000 trials alone takes some ten minutes
//	go run ./tests/bench -quick     smaller sizes, named as such
//	go run ./tests/bench -only ingest,drift -o json
//	go run ./tests/bench -only sweep -trials 500
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/assay-ml/assay/tests/naivebayes"
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
	server // of the local stack, once it runs
	quick  bool
	trials int              // of the sweep
	self   string           // this binary, which is also the training program
	stack  *stacktest.Stack // started for the parts that need one
	rows   []row
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
	{"scoring", false, (*bench).scoring},
	{"kills", false, (*bench).kills},
	{"orchestration", true, (*bench).orchestration},
	{"decision", true, (*bench).decision},
	{"lifecycle", true, (*bench).lifecycle},
	{"programs", true, (*bench).programs},
	{"monitors", true, (*bench).monitors},
	{"sweep", true, (*bench).sweep}, // last: it leaves a large database behind
}

func main() {
	naivebayes.Main() // as a training program
	if len(os.Args) > 2 && os.Args[1] == ingestChild {
		if err := runIngestChild(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	quick := flag.Bool("quick", false, "smaller sizes")
	output := flag.String("o", "text", "text or json")
	only := flag.String("only", "", "comma-separated parts: "+strings.Join(names, ", "))
	trials := flag.Int("trials", 0, "trials of the sweep (default 10000, with -quick 500)")
	flag.Parse()
	// Interrupted, it stops the stacks it has started before it ends.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := &bench{server: server{ctx: ctx}, quick: *quick, trials: *trials}
	if b.trials == 0 {
		if b.trials = 10_000; b.quick {
			b.trials = 500
		}
	}
	chosen := names
	if *only != "" {
		chosen = strings.Split(*only, ",")
	}
	err := known(chosen, names)
	if err == nil {
		err = b.run(chosen)
	}
	if err == nil {
		err = b.print(os.Stdout, *output)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func known(chosen, names []string) error {
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no part %q; -only takes %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

func (b *bench) run(chosen []string) (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	defer func() {
		if b.stack != nil {
			if stopErr := b.stack.Stop(); err == nil {
				err = stopErr
			}
		}
	}()
	for _, p := range parts {
		if !slices.Contains(chosen, p.name) {
			continue
		}
		if p.stack && b.stack == nil {
			if b.stack, err = stacktest.Start("none", b.self); err != nil {
				return err
			}
			b.client = b.stack.Client
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
