package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/bench/people"
)

const fairnessChild = "fairness-child"

// examined is what a child process tells of one examination.
type examined struct {
	Seconds   float64 `json:"seconds"`
	CPU       float64 `json:"cpu_seconds"`
	Peak      float64 `json:"peak_mib"`   // of the resident memory, from the process's start
	Before    float64 `json:"before_mib"` // the same before the examination: the predictions
	Groups    int     `json:"groups"`     // of all divisions
	Intervals int     `json:"intervals"`
}

// fairness measures the whole report of very many rows: rates, disparities and gaps between the groups of three columns, of
// their pairs and of all three, with intervals that hold together. It runs in processes of its own, for their memory.
func (b *bench) fairness() error {
	rows, rounds := 1_000_000, 3
	if b.quick {
		rows, rounds = 100_000, 1
	}
	var seconds, cpu, peak []float64
	var last examined
	for range rounds {
		c := exec.Command(b.self, fairnessChild, strconv.Itoa(rows))
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			return err
		}
		if err := json.Unmarshal(out, &last); err != nil {
			return err
		}
		seconds, cpu, peak = append(seconds, last.Seconds), append(cpu, last.CPU), append(peak, last.Peak)
	}
	b.add("fairness report of "+figures.Grouped(rows)+" predictions, median", fmt.Sprintf("%.2f s", figures.Quantile(seconds, 0.5)), "<= 5 s",
		fmt.Sprintf("%s simultaneous intervals, of rates, disparities and gaps, in %d groups: of 3 columns (2, 5, 7), their pairs, all three; %.2f s of processor time; %d processes",
			figures.Grouped(last.Intervals), last.Groups, figures.Quantile(cpu, 0.5), rounds))
	b.add("  largest resident memory", fmt.Sprintf("%.0f MiB", figures.Quantile(peak, 1)), "<= 1024 MiB", fmt.Sprintf("of which %.0f MiB before it, with the predictions", last.Before))
	return nil
}

func runFairnessChild(args []string) error {
	if len(args) != 1 {
		return errors.New("the fairness child takes a number of rows")
	}
	rows, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	sample, columns := protected(people.Predictions(rows, 1))
	var e examined
	if e.Before, err = memory("VmHWM"); err != nil {
		return err
	}
	var found fairness.Examination
	e.Seconds, e.CPU, err = figures.Timed(func() (err error) {
		found, err = fairness.Examine(sample, fairness.Question{Columns: columns, Threshold: people.Threshold})
		return err
	})
	if err != nil {
		return err
	}
	if e.Peak, err = memory("VmHWM"); err != nil {
		return err
	}
	for _, d := range found.Divisions {
		e.Groups, e.Intervals = e.Groups+len(d.Groups), e.Intervals+intervals(d)
	}
	return json.NewEncoder(os.Stdout).Encode(e)
}

// protected are predictions as fairness examines them.
func protected(p evaluation.Predictions) (stats.Sample, []fairness.Column) {
	sample := stats.Sample{Y: make([]bool, p.N()), Score: p.Score}
	for i, y := range p.Y {
		sample.Y[i] = y == 1
	}
	var columns []fairness.Column
	for _, name := range people.Columns() {
		columns = append(columns, fairness.Column{Name: name, Groups: p.Groups[name]})
	}
	return sample, columns
}

// intervals of a division that have ends.
func intervals(d fairness.Division) int {
	n := 0
	count := func(e stats.Estimate) {
		if e.Defined() {
			n++
		}
	}
	for _, r := range d.Overall {
		count(r.Estimate)
	}
	for _, m := range d.Groups {
		for _, r := range m.Rates {
			count(r.Estimate)
		}
		for _, x := range m.Disparities {
			count(x.Difference)
			count(x.Ratio)
		}
		count(m.ErrorRatio)
		count(m.Calibration.Difference)
		count(m.AUC)
	}
	for _, g := range d.Gaps {
		count(g.Estimate)
	}
	return n
}

// privacy measures the scan for personal data of a wide table: ten columns of numbers, five of few texts, five of texts that
// are all different.
func (b *bench) privacy() error {
	rows, rounds := 1_000_000, 3
	if b.quick {
		rows, rounds = 100_000, 1
	}
	columns := mixedColumns(rows)
	var seconds, cpu []float64
	var report privacy.ScanReport
	for range rounds {
		took, processor, err := figures.Timed(func() (err error) {
			report, err = privacy.Scan(columns, privacy.ScanOptions{})
			return err
		})
		if err != nil {
			return err
		}
		seconds, cpu = append(seconds, took), append(cpu, processor)
	}
	b.add(fmt.Sprintf("privacy scan, %s x %d columns, median", figures.Grouped(rows), len(columns)), fmt.Sprintf("%.2f s", figures.Quantile(seconds, 0.5)), "<= 10 s",
		fmt.Sprintf("every value, in memory; 10 columns of numbers, 5 of 40 texts, 5 of texts all different, of which the scan finds %d to look at; %.2f s of processor time; %d scans",
			len(report.Findings), figures.Quantile(cpu, 0.5), rounds))
	return nil
}

func mixedColumns(rows int) []privacy.ScanColumn {
	r := rand.New(rand.NewPCG(1, 1))
	var columns []privacy.ScanColumn
	for k := range 10 {
		c := privacy.ScanColumn{Name: fmt.Sprint("number ", k), Numbers: make([]float64, rows)}
		for i := range c.Numbers {
			if c.Numbers[i] = r.NormFloat64(); k%2 == 1 {
				c.Numbers[i] = float64(r.Int64N(1e11))
			}
		}
		columns = append(columns, c)
	}
	for k := range 5 {
		texts := make([]string, rows)
		for i := range texts {
			texts[i] = "level " + strconv.Itoa(i%40)
		}
		columns = append(columns, privacy.TextColumn(fmt.Sprint("few ", k), texts))
	}
	for k, form := range []string{"person%d@example.org", "%011d", "key-%x", "the customer number %d called again about it", "+49170%07d"} {
		c := privacy.ScanColumn{Name: fmt.Sprint("all different ", k), Codes: make([]int32, rows), Levels: make([]string, rows)}
		for i := range rows {
			c.Codes[i], c.Levels[i] = int32(i), fmt.Sprintf(form, i)
		}
		columns = append(columns, c)
	}
	return columns
}
