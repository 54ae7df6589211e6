// Command bench measures what the design gives targets for and prints one table with the machine it ran on. Ratios are
// against a baseline measured in the same run; absolute times are of this machine, at this moment.
//
//	go run ./tests/bench            everything; the sweep of 10,000 trials alone takes some ten minutes
//	go run ./tests/bench -quick     smaller sizes, named as such
//	go run ./tests/bench -only ingest,drift -o json
//	go run ./tests/bench -only evaluation,bootstrap,conditions
//	go run ./tests/bench -only fairness,attribution,privacy,dossier
//	go run ./tests/bench -only sweep -trials 500
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/naivebayes"
	"github.com/assay-ml/assay/tests/stacktest"
)

// bench is one run of the measurements.
type bench struct {
	server // of the local stack, once it runs
	quick  bool
	trials int              // of the sweep
	self   string           // this binary, which is also the training program
	stack  *stacktest.Stack // started for the parts that need one
	table  figures.Table
}

func (b *bench) add(figure, value, target, note string) {
	b.table.Add(figure, value, target, note)
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
	{"evaluation", false, (*bench).evaluation},
	{"bootstrap", false, (*bench).bootstrap},
	{"conditions", false, (*bench).conditions},
	{"fairness", false, (*bench).fairness},
	{"attribution", false, (*bench).attribution},
	{"privacy", false, (*bench).privacy},
	{"dossier", false, (*bench).dossier},
	{"scoring", false, (*bench).scoring},
	{"kills", false, (*bench).kills},
	{"orchestration", true, (*bench).orchestration},
	{"decision", true, (*bench).decision},
	{"lifecycle", true, (*bench).lifecycle},
	{"programs", true, (*bench).programs},
	{"monitors", true, (*bench).monitors},
	{"sweep", true, (*bench).sweep}, // last: it leaves a large database behind
}

// children are measurements in processes of their own, by the first argument.
var children = map[string]func(args []string) error{ingestChild: runIngestChild, evaluationChild: runEvaluationChild, fairnessChild: runFairnessChild}

func main() {
	naivebayes.Main() // as a training program
	if len(os.Args) > 2 && children[os.Args[1]] != nil {
		if err := children[os.Args[1]](os.Args[2:]); err != nil {
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
	b := &bench{server: server{ctx: ctx}, quick: *quick, trials: *trials, table: figures.Table{Quick: *quick}}
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
		err = b.table.Print(os.Stdout, *output)
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
