package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/bench/people"
)

const evaluationChild = "evaluation-child"

// evaluated is what a child process tells of one evaluation.
type evaluated struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`
	Peak    float64 `json:"peak_mib"`   // of the resident memory, from the process's start
	Before  float64 `json:"before_mib"` // the same before the evaluation: the predictions
	Results int     `json:"results"`    // sets of rows evaluated
	Metrics int     `json:"metrics"`    // of each
}

// evaluation measures a report of very many rows: every metric with its interval, of all rows, of every group and of every
// pair of groups. It runs in processes of its own, so that the memory is that of the evaluation.
func (b *bench) evaluation() error {
	rows, rounds := 1_000_000, 3
	if b.quick {
		rows, rounds = 100_000, 1
	}
	for _, champion := range []bool{false, true} {
		var seconds, cpu, peak []float64
		var last evaluated
		for range rounds {
			e, err := evaluateInChild(b.self, rows, champion)
			if err != nil {
				return err
			}
			seconds, cpu, peak, last = append(seconds, e.Seconds), append(cpu, e.CPU), append(peak, e.Peak), e
		}
		what, timeTarget, memoryTarget := "evaluation of "+figures.Grouped(rows)+" predictions, median", "<= 3 s", "<= 1024 MiB"
		note := fmt.Sprintf("%d metrics with intervals on %d sets of rows: all, groups of 3 columns (2, 5, 7), pairs of groups; %.2f s of processor time; %d processes",
			last.Metrics, last.Results, figures.Quantile(cpu, 0.5), rounds)
		if champion {
			what, timeTarget, memoryTarget = "  ... and compared with a champion, median", "", ""
			note = fmt.Sprintf("its answers evaluated too, and the difference of each metric; %.2f s of processor time", figures.Quantile(cpu, 0.5))
		}
		b.add(what, fmt.Sprintf("%.2f s", figures.Quantile(seconds, 0.5)), timeTarget, note)
		b.add("  largest resident memory", fmt.Sprintf("%.0f MiB", figures.Quantile(peak, 1)), memoryTarget, fmt.Sprintf("of which %.0f MiB before it, with the predictions", last.Before))
	}
	return nil
}

func evaluateInChild(self string, rows int, champion bool) (evaluated, error) {
	var e evaluated
	c := exec.Command(self, evaluationChild, strconv.Itoa(rows), strconv.FormatBool(champion))
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal(out, &e)
}

func runEvaluationChild(args []string) error {
	if len(args) != 2 {
		return errors.New("the evaluation child takes a number of rows, and whether there is a champion")
	}
	rows, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	p := people.Predictions(rows, 1)
	if args[1] == "true" {
		p = people.WithChampion(p, 1)
	}
	var e evaluated
	// Not the Maxrss that the parent could read: a child starts out with its parent's.
	if e.Before, err = memory("VmHWM"); err != nil {
		return err
	}
	cpuBefore, err := figures.ProcessorTime()
	if err != nil {
		return err
	}
	begun := time.Now()
	r, err := evaluation.Evaluate(p, evaluation.Options{Seed: 1, Slices: people.Columns(), Crossed: people.Columns()})
	if err != nil {
		return err
	}
	e.Seconds = time.Since(begun).Seconds()
	cpuAfter, err := figures.ProcessorTime()
	if err != nil {
		return err
	}
	e.CPU = (cpuAfter - cpuBefore).Seconds()
	if e.Peak, err = memory("VmHWM"); err != nil {
		return err
	}
	e.Results, e.Metrics = 1+len(r.Slices), len(r.Overall.Metrics())
	for _, crossed := range r.Intersections {
		e.Results += len(crossed.Groups)
	}
	return json.NewEncoder(os.Stdout).Encode(e)
}

// bootstrap measures the bias-corrected and accelerated bootstrap of F1, by the counts that F1 is made of, and by drawing every
// row, as a statistic needs that no counts give.
func (b *bench) bootstrap() error {
	rows, rounds := 100_000, 3
	if b.quick {
		rows = 20_000
	}
	p := people.Predictions(rows, 1)
	sample := stats.Sample{Y: make([]bool, rows), Score: p.Score}
	for i, y := range p.Y {
		sample.Y[i] = y == 1
	}
	how := stats.Resampling{Replicates: 2000, Seed: 1}
	for _, way := range []struct {
		name, note string
		interval   func() stats.Bootstrapped
	}{
		{"by counts of rows alike", "rows counted into four cells, whose counts are drawn", func() stats.Bootstrapped { return f1ByCounts(sample, how) }},
		{"row by row", "any statistic takes so long, and its own time; all processors; the jackknife leaves out 500 groups in turn",
			func() stats.Bootstrapped { return f1ByRows(sample, how) }},
	} {
		var took []float64
		var e stats.Estimate
		for range rounds {
			begun := time.Now()
			e = way.interval().Estimate(0.025)
			took = append(took, time.Since(begun).Seconds())
		}
		if e.Method != stats.MethodBCa {
			return fmt.Errorf("the interval of F1 is by %s %s; expected %s", e.Method, e.Undefined, stats.MethodBCa)
		}
		b.add(fmt.Sprintf("BCa bootstrap of F1, %s rows 2,000 times, %s, median", figures.Grouped(rows), way.name),
			fmt.Sprintf("%.4f s", figures.Quantile(took, 0.5)), "<= 3 s", fmt.Sprintf("%s; F1 %.5f (%.5f to %.5f); %d times", way.note, e.Value, e.Low, e.High, rounds))
	}
	return nil
}

func f1Of(tp, fp, fn int) (float64, bool) {
	if tp+fp+fn == 0 {
		return 0, false
	}
	return 2 * float64(tp) / float64(2*tp+fp+fn), true
}

func f1ByCounts(s stats.Sample, how stats.Resampling) stats.Bootstrapped {
	c := stats.Confuse(s, people.Threshold)
	return stats.BCaCells([]int{c.TP, c.FP, c.FN, c.TN}, how, func(n []int) (float64, bool) { return f1Of(n[0], n[1], n[2]) })
}

func f1ByRows(s stats.Sample, how stats.Resampling) stats.Bootstrapped {
	cell := make([]uint8, s.N()) // 2 if positive, plus 1 if predicted positive
	for i, score := range s.Score {
		if s.Y[i] {
			cell[i] = 2
		}
		if score >= people.Threshold {
			cell[i]++
		}
	}
	return stats.BCaRows(s.N(), how, func(index []int) (float64, bool) {
		var n [4]int
		for _, i := range index {
			n[cell[i]]++
		}
		return f1Of(n[3], n[1], n[2])
	})
}
