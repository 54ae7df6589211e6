package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/bench/people"
)

// groupComparison is that of fairness reports, with Fairlearn.
type groupComparison struct {
	peer
	rows, resamples int
}

// groupsAnswer is what the peer prints: value, low and high, without the ends when it was not to resample.
type groupsAnswer struct {
	took
	Columns map[string]struct {
		Rates map[string]map[string][]float64 `json:"rates"` // by group and rate
		Gaps  map[string]map[string][]float64 `json:"gaps"`  // by "difference" or "ratio", and rate
	} `json:"columns"`
}

// compared are the rates in both, with Assay's names of their gaps.
var compared = []struct{ rate, difference, ratio string }{
	{stats.SelectionRate, fairness.DemographicParityDifference, fairness.DemographicParityRatio},
	{fairness.TPR, fairness.EqualOpportunityDifference, fairness.EqualOpportunityRatio},
	{stats.FPR, fairness.PredictiveEqualityDifference, fairness.PredictiveEqualityRatio},
}

func (c *groupComparison) run(ctx context.Context, folder string, table *figures.Table) error {
	if c.rows < 1000 || c.resamples < 20 {
		return fmt.Errorf("%d rows, %d resamples; expected at least 1000 and 20", c.rows, c.resamples)
	}
	p := people.Predictions(c.rows, 1)
	if err := writeRows(folder, p, evaluation.Options{MinGroup: fairness.DefaultMinGroup, Replicates: c.resamples, Seed: 1}); err != nil {
		return fmt.Errorf("write the rows for the peer: %w", err)
	}
	same, err := examine(p, [][]string{})
	if err != nil {
		return err
	}
	whole, err := examine(p, nil)
	if err != nil {
		return err
	}
	for _, way := range []struct {
		what      string
		resamples int
	}{{fmt.Sprintf("with intervals from %d resamples", c.resamples), c.resamples}, {"without intervals", 0}} {
		fmt.Fprintln(os.Stderr, "measuring: peer Fairlearn", way.what)
		var theirs groupsAnswer
		if err := c.ask(ctx, &theirs, "peer_groups.py", folder, strconv.Itoa(way.resamples)); err != nil {
			return err
		}
		apart, err := compareGroups(same.found, theirs)
		if err != nil {
			return err
		}
		table.Add(fmt.Sprintf("Fairlearn's MetricFrame, %s rows, %s", figures.Grouped(c.rows), way.what), fmt.Sprintf("%.2f s", theirs.Seconds), "",
			fmt.Sprintf("3 rates of the groups of 3 columns (2, 5, 7), their largest differences and ratios; %s; %.2f s of processor time", theirs.versions(), theirs.CPU))
		table.Add("  Assay's report of the same columns, median", fmt.Sprintf("%.4f s", same.seconds), "",
			fmt.Sprintf("11 rates, disparities, gaps, with intervals that hold together, for all three columns; %.4f s of processor time; with their pairs and all three crossed %.4f s (%.4f s); %d times",
				same.cpu, whole.seconds, whole.cpu, examinations))
		target := ""
		if way.resamples > 0 {
			target = ">= 10"
		}
		table.Add("  ratio", fmt.Sprintf("%.0f", theirs.Seconds/same.seconds), target, fmt.Sprintf("of processor time %.0f", theirs.CPU/same.cpu))
		table.Add("  agreement", fmt.Sprintf("%d rates and gaps within %.0e", apart.values, apart.value), "values to 1e-9", "")
		if way.resamples > 0 {
			table.Add("  error of Fairlearn's interval ends by chance", fmt.Sprintf("%.1f %% of half the interval", 100*apart.chance()), "",
				fmt.Sprintf("root mean square over %d ends, against those of endless resampling; %.1f %% to be expected; Assay's come from formulas and have none: its error takes %s resamples to be within 1 %%",
					apart.ends, 100*expectedChance(way.resamples), figures.Grouped(int(math.Ceil(float64(way.resamples)*math.Pow(100*expectedChance(way.resamples), 2))))))
			table.Add("  width of Assay's intervals to Fairlearn's, median", fmt.Sprintf("%.2f", figures.Quantile(apart.widths, 0.5)), "",
				fmt.Sprintf("each of Fairlearn's holds by itself, Assay's for all groups of a column together, which needs %.2f to %.2f times the width", wider(2), wider(7)))
		}
	}
	return nil
}

// examinations is how often Assay's report is timed.
const examinations = 11

// timedExamination has the medians of its times.
type timedExamination struct {
	found        fairness.Examination
	seconds, cpu float64
}

func examine(p evaluation.Predictions, crossed [][]string) (t timedExamination, err error) {
	sample := stats.Sample{Y: make([]bool, p.N()), Score: p.Score}
	for i, y := range p.Y {
		sample.Y[i] = y == 1
	}
	q := fairness.Question{Crossed: crossed, Threshold: p.Threshold}
	for _, name := range people.Columns() {
		q.Columns = append(q.Columns, fairness.Column{Name: name, Groups: p.Groups[name]})
	}
	var seconds, cpu []float64
	for range examinations {
		took, processor, err := figures.Timed(func() (err error) {
			t.found, err = fairness.Examine(sample, q)
			return err
		})
		if err != nil {
			return t, err
		}
		seconds, cpu = append(seconds, took), append(cpu, processor)
	}
	t.seconds, t.cpu = figures.Quantile(seconds, 0.5), figures.Quantile(cpu, 0.5)
	return t, nil
}

// groupsApart is how far the figures of both are apart.
type groupsApart struct {
	values  int
	value   float64 // the largest difference of a rate or gap
	ends    int     // of the peer's intervals of rates
	squares float64 // sum over those ends of the squared distance from endless resampling's, in half widths
	widths  []float64
}

func (a groupsApart) chance() float64 { return math.Sqrt(a.squares / float64(max(a.ends, 1))) }

var quantile = stats.NormalQuantileTail(0.025)

// expectedChance is the standard deviation of the 2.5 % quantile of so many normal draws, in half widths of the interval.
func expectedChance(resamples int) float64 {
	density := math.Exp(-quantile*quantile/2) / math.Sqrt(2*math.Pi)
	return math.Sqrt(0.025*0.975/float64(resamples)) / density / quantile
}

// wider is how much wider normal intervals are that hold for k groups together (Sidak, 1967).
func wider(k int) float64 {
	return stats.NormalQuantileTail(-math.Expm1(math.Log(0.95)/float64(k))/2) / quantile
}

// compareGroups is an error when a rate or gap is not the same in both.
func compareGroups(ours fairness.Examination, theirs groupsAnswer) (a groupsApart, err error) {
	for _, d := range ours.Divisions {
		peer, ok := theirs.Columns[d.Name]
		if !ok || len(peer.Rates) != len(d.Groups) {
			return a, fmt.Errorf("column %s has %d groups, with the peer %d", d.Name, len(d.Groups), len(peer.Rates))
		}
		for _, of := range compared {
			for _, m := range d.Groups {
				rate, _ := m.Rate(of.rate)
				if err := a.add(rate, peer.Rates[m.Name][of.rate]); err != nil {
					return a, fmt.Errorf("%s of %s=%s: %w", of.rate, d.Name, m.Name, err)
				}
				a.addEnds(rate, peer.Rates[m.Name][of.rate])
			}
			for kind, name := range map[string]string{"difference": of.difference, "ratio": of.ratio} {
				gap, _ := d.Gap(name)
				if err := a.add(gap.Estimate, peer.Gaps[kind][of.rate]); err != nil {
					return a, fmt.Errorf("%s of %s: %w", name, d.Name, err)
				}
			}
		}
	}
	if len(theirs.Columns) != len(ours.Divisions) {
		return a, fmt.Errorf("%d columns, with the peer %d", len(ours.Divisions), len(theirs.Columns))
	}
	return a, nil
}

func (a *groupsApart) add(ours stats.Estimate, theirs []float64) error {
	if !ours.Defined() || !slices.Contains([]int{1, 3}, len(theirs)) {
		return errors.New("it has no value in one of the two")
	}
	difference := math.Abs(ours.Value - theirs[0])
	if !(difference <= equal) {
		return fmt.Errorf("the values differ: Assay %.12g, the peer %.12g", ours.Value, theirs[0])
	}
	a.values, a.value = a.values+1, max(a.value, difference)
	return nil
}

// addEnds takes the normal limits for those of endless resampling, of which a share's count is binomial.
func (a *groupsApart) addEnds(ours stats.Estimate, theirs []float64) {
	half := quantile * math.Sqrt(ours.Value*(1-ours.Value)/float64(ours.N))
	if len(theirs) != 3 || half == 0 {
		return
	}
	low, high := (theirs[1]-ours.Value)/half+1, (theirs[2]-ours.Value)/half-1
	a.squares += low*low + high*high
	a.ends += 2
	a.widths = append(a.widths, (ours.High-ours.Low)/(theirs[2]-theirs[1]))
}
