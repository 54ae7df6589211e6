// Command peers compares Assay's evaluation with the same figures computed by scikit-learn, SciPy and NumPy, its fairness report
// with Fairlearn, and its sampled Shapley values with SHAP: on the same rows, in turn, in one run. It makes sure that both give
// the same values, and says how far they are apart where they are drawn.
//
//	make bench-peers
//	go run ./tests/bench/peers -python .venv-peers/bin/python3 -rows 20000 -rounds 1
//	go run ./tests/bench/peers -only fairness,attribution -fairness-rows 20000 -resamples 50 -explained 5
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/bench/people"
)

func main() {
	python := flag.String("python", ".venv-peers/bin/python3", "Python with the packages of tests/bench/peers/requirements.txt")
	scripts := flag.String("scripts", "tests/bench/peers", "folder of the peers' programs")
	only := flag.String("only", "evaluation,fairness,attribution", "what is compared, separated by commas")
	rows := flag.Int("rows", 100_000, "rows of the evaluation")
	rounds := flag.Int("rounds", 3, "times that each evaluation is measured, in turn")
	fairnessRows := flag.Int("fairness-rows", 50_000, "rows of the fairness report")
	resamples := flag.Int("resamples", 100, "Fairlearn's resamples")
	explained := flag.Int("explained", 20, "rows that are explained")
	output := flag.String("o", "text", "text or json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	programs := peer{python: *python, scripts: *scripts}
	var table figures.Table
	err := compareAll(ctx, &table, strings.Split(*only, ","), map[string]part{
		"evaluation":  &comparison{peer: programs, rows: *rows, rounds: *rounds},
		"fairness":    &groupComparison{peer: programs, rows: *fairnessRows, resamples: *resamples},
		"attribution": &attributionComparison{peer: programs, rows: *explained},
	})
	if err == nil {
		err = table.Print(os.Stdout, *output)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// part is one comparison, which adds its lines to the table. The folder is empty and its own.
type part interface {
	run(ctx context.Context, folder string, table *figures.Table) error
}

func compareAll(ctx context.Context, table *figures.Table, names []string, parts map[string]part) error {
	for _, name := range names {
		if parts[name] == nil {
			return fmt.Errorf("there is nothing named %q to compare; -only takes %s", name, strings.Join(slices.Sorted(maps.Keys(parts)), ", "))
		}
	}
	for _, name := range names {
		folder, err := os.MkdirTemp("", "assay-peers-")
		if err != nil {
			return err
		}
		err = parts[name].run(ctx, folder, table)
		if err = errors.Join(err, os.RemoveAll(folder)); err != nil {
			return fmt.Errorf("compare %s: %w", name, err)
		}
	}
	return nil
}

// comparison is that of evaluations.
type comparison struct {
	peer
	rows, rounds int
	folder       string // with the rows, for the peer
	options      evaluation.Options
}

// ways are how the peer is written, see peer.py.
var ways = []struct{ name, what, note string }{
	{"bootstrap", "with scikit-learn and scipy.stats.bootstrap", "points by scikit-learn; Wilson, DeLong (fast, mid-ranks), Student and Newcombe in NumPy; 500 percentile resamples of f1, mcc and ece by one vectorised scipy.stats.bootstrap"},
	{"formulas", "the same without any bootstrap", "f1, mcc and ece without intervals here, with them in Assay's time"},
	{"counts", "by hand in NumPy, Assay's own short cuts", "no scikit-learn; rows counted once; f1, mcc and ece resampled by numpy's multinomial counts of rows alike"},
}

func (c *comparison) run(ctx context.Context, folder string, table *figures.Table) error {
	if c.rows < 1000 || c.rounds < 1 {
		return fmt.Errorf("%d rows, %d rounds; expected at least 1000 and 1", c.rows, c.rounds)
	}
	c.folder = folder
	c.options = evaluation.Options{Level: 0.95, Replicates: 500, Seed: 1, Slices: people.Columns(), Crossed: people.Columns(), MinGroup: evaluation.DefaultMinGroup}
	p := people.Predictions(c.rows, 1)
	if err := writeRows(folder, p, c.options); err != nil {
		return fmt.Errorf("write the rows for the peer: %w", err)
	}
	for i, way := range ways {
		fmt.Fprintln(os.Stderr, "measuring: peer", way.name)
		m, err := c.measure(ctx, p, way.name)
		if err != nil {
			return fmt.Errorf("compare with the peer %s: %w", way.name, err)
		}
		if i == 0 {
			table.Add("rows; sets of rows evaluated", fmt.Sprintf("%s; %d", figures.Grouped(c.rows), m.sets), "", "all rows, the groups of 3 columns (2, 5, 7), and their pairs; the same rows for both")
			table.Add("Python packages", m.versions, "", "")
		}
		table.Add("peer "+way.what+", median", fmt.Sprintf("%.2f s", figures.Quantile(m.peer, 0.5)), "",
			fmt.Sprintf("%s; faster of one process (%.2f s) and %d (%.2f s); %.2f s of processor time", way.note,
				figures.Quantile(m.alone, 0.5), runtime.NumCPU(), figures.Quantile(m.parallel, 0.5), figures.Quantile(m.peerCPU, 0.5)))
		table.Add("  Assay in the same rounds, median", fmt.Sprintf("%.3f s", figures.Quantile(m.ours, 0.5)), "",
			fmt.Sprintf("15 metrics, each with its interval; f1, mcc and ece from 500 resamples, drawn %s; %.2f s of processor time", c.drawn(), figures.Quantile(m.oursCPU, 0.5)))
		target := ">= 5"
		if way.name != "bootstrap" {
			target = ""
		}
		table.Add("  ratio, median of the rounds", fmt.Sprintf("%.1f", figures.Quantile(m.ratios, 0.5)), target, fmt.Sprintf("of processor time %.1f; %d rounds", figures.Quantile(m.ratiosCPU, 0.5), c.rounds))
		table.Add("  agreement", m.agreement.String(), "values to 1e-9", m.agreement.note())
	}
	return nil
}

// drawn is how Assay resamples so many rows.
func (c *comparison) drawn() string {
	if c.rows > stats.MostResampledRows {
		return "by counts of rows alike"
	}
	return "row by row"
}

// measured is what the rounds of one way took, in seconds, and how far the figures are apart.
type measured struct {
	ours, peer, alone, parallel, ratios []float64 // on the clock; peer is the faster of alone and parallel
	oursCPU, peerCPU, ratiosCPU         []float64 // of the processors
	sets                                int
	versions                            string
	agreement                           agreement
}

func (c *comparison) measure(ctx context.Context, p evaluation.Predictions, way string) (measured, error) {
	var m measured
	for range c.rounds {
		runtime.GC() // what the round before has left
		report, took, cpu, err := c.evaluate(p)
		if err != nil {
			return m, err
		}
		alone, err := c.evaluation(ctx, way, 1)
		if err != nil {
			return m, err
		}
		parallel, err := c.evaluation(ctx, way, runtime.NumCPU())
		if err != nil {
			return m, err
		}
		if m.agreement, err = compare(report, parallel); err != nil {
			return m, err
		}
		best := min(alone.Seconds, parallel.Seconds)
		m.alone, m.parallel, m.peer, m.peerCPU = append(m.alone, alone.Seconds), append(m.parallel, parallel.Seconds), append(m.peer, best), append(m.peerCPU, alone.CPU)
		m.ours, m.oursCPU = append(m.ours, took), append(m.oursCPU, cpu)
		m.ratios, m.ratiosCPU = append(m.ratios, best/took), append(m.ratiosCPU, alone.CPU/cpu)
		m.sets, m.versions = len(parallel.Sets), parallel.versions()
	}
	return m, nil
}

// evaluate gives the report, and the seconds that it took on the clock and of the processors.
func (c *comparison) evaluate(p evaluation.Predictions) (r evaluation.Report, took, cpu float64, err error) {
	took, cpu, err = figures.Timed(func() (err error) {
		r, err = evaluation.Evaluate(p, c.options)
		return err
	})
	return r, took, cpu, err
}
