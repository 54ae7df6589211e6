package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/bench/people"
)

// conditions measures reading and deciding a thousand conditions that all ask for something else, on a source that has measured
// nothing before.
func (b *bench) conditions() error {
	rows, rounds := 20_000, 5
	if b.quick {
		rows, rounds = 5_000, 2
	}
	p := people.WithChampion(people.Predictions(rows, 1), 1)
	formulas, resampled := withFormula(), withResamples()
	if n := len(distinct(formulas)); n != 1000 || len(formulas) != n {
		return fmt.Errorf("%d conditions, %d of them different; expected 1000", len(formulas), n)
	}
	mixed := slices.Concat(formulas[:len(formulas)-len(resampled)], resampled)
	counted := "8 shares, f1 and balanced_accuracy on all rows, 14 groups and 59 pairs of groups; n - o and recall - old.recall on the same; " +
		"recall and precision between the groups of a column; auc, log_loss and brier on all rows and 14 groups; d; 2 of several terms"
	for _, set := range []struct {
		what, target, note string
		texts              []string
		rounds             int
	}{
		{"none resampled", "<= 50 ms", counted, formulas, rounds},
		{fmt.Sprintf("%d of them resampled", len(resampled)), "", "mcc and ece on all rows and 14 groups; new - old of precision, f1, mcc, ece and balanced_accuracy on all rows and by sex; " +
			"5 gaps between groups of 3 columns and 3 pairs; the others as above", mixed, 1},
	} {
		var source, parse, decide, whole, cpu []float64
		var verdicts map[gate.Verdict]int
		for range set.rounds {
			t, err := decideOnce(p, set.texts)
			if err != nil {
				return err
			}
			source, parse, decide = append(source, t.source), append(parse, t.parse), append(decide, t.decide)
			whole, cpu, verdicts = append(whole, t.parse+t.decide), append(cpu, t.cpu), t.verdicts
		}
		b.add(fmt.Sprintf("%s conditions parsed and decided, %s rows, %s, median", figures.Grouped(len(set.texts)), figures.Grouped(rows), set.what),
			fmt.Sprintf("%.0f ms", figures.Quantile(whole, 0.5)), set.target, fmt.Sprintf("%.0f ms of processor time; %s", figures.Quantile(cpu, 0.5), set.note))
		b.add("  of which parsed / decided", fmt.Sprintf("%.1f / %.0f ms", figures.Quantile(parse, 0.5), figures.Quantile(decide, 0.5)), "",
			fmt.Sprintf("reliability 0.999 over all of them; %d pass, %d fail, %d inconclusive; the source was made in %.0f ms before; %d rounds",
				verdicts[gate.Pass], verdicts[gate.Fail], verdicts[gate.Inconclusive], figures.Quantile(source, 0.5), set.rounds))
	}
	return nil
}

// decided is the times in milliseconds and the verdicts of one round.
type decided struct {
	source, parse, decide float64
	cpu                   float64 // of parsing and deciding
	verdicts              map[gate.Verdict]int
}

func decideOnce(p evaluation.Predictions, texts []string) (decided, error) {
	d := decided{verdicts: map[gate.Verdict]int{}}
	begun := time.Now()
	source, err := evaluation.NewSource(p, evaluation.SourceOptions{Seed: 1})
	if err != nil {
		return d, err
	}
	d.source = millis(time.Since(begun))
	before, err := figures.ProcessorTime()
	if err != nil {
		return d, err
	}

	begun = time.Now()
	formulas := make([]gate.Formula, len(texts))
	for i, text := range texts {
		if formulas[i], err = gate.Parse(text); err != nil {
			return d, err
		}
	}
	d.parse = millis(time.Since(begun))

	begun = time.Now()
	decision, err := gate.DecideAll(formulas, gate.Plan{Reliability: 0.999}, source)
	if err != nil {
		return d, err
	}
	d.decide = millis(time.Since(begun))
	after, err := figures.ProcessorTime()
	if err != nil {
		return d, err
	}
	d.cpu = millis(after - before)
	for _, r := range decision.Results {
		d.verdicts[r.Verdict]++
	}
	return d, nil
}

// distinct are the texts without the bounds.
func distinct(texts []string) map[string]bool {
	subjects := map[string]bool{}
	for _, text := range texts {
		subject, _, _ := strings.Cut(text, " <")
		subject, _, _ = strings.Cut(subject, " >")
		subjects[subject] = true
	}
	return subjects
}

// withFormula are 1,000 conditions, no two on the same quantities, whose intervals are computed from counts, ranks or sums.
func withFormula() []string {
	groups, pairs := brackets()
	ofGroups := slices.Concat([]string{""}, groups)
	everywhere := slices.Concat(ofGroups, pairs)
	var texts []string
	for _, rows := range everywhere {
		for _, metric := range []string{stats.Accuracy, stats.Precision, stats.Recall, stats.Specificity, stats.SelectionRate, stats.BaseRate, stats.F1, stats.BalancedAccuracy} {
			texts = append(texts, metric+rows+" > 0.3 +/- 0.05")
		}
		for _, metric := range []string{stats.FPR, stats.FNR} {
			texts = append(texts, metric+rows+" < 0.6 +/- 0.05")
		}
		texts = append(texts, fmt.Sprintf("n%s - o%[1]s > -0.05 +/- 0.02", rows), fmt.Sprintf("recall%s - old.recall%[1]s > -0.1", rows))
	}
	for _, column := range people.Columns() {
		of := people.Groups(column)
		for i, one := range of {
			for _, other := range of[i+1:] {
				for _, metric := range []string{stats.Recall, stats.Precision} {
					texts = append(texts, fmt.Sprintf("%s[%s=%s] - %[1]s[%[2]s=%[4]s] > -0.2 +/- 0.1", metric, column, one, other))
				}
			}
		}
	}
	for _, rows := range ofGroups {
		texts = append(texts, "auc"+rows+" > 0.7 +/- 0.02", "log_loss"+rows+" < 0.7", "brier"+rows+" < 0.3 +/- 0.02")
	}
	return append(texts, "d < 0.2 +/- 0.02", "n - 1.1*o > -0.2 +/- 0.05", "0.5*recall + 0.5*specificity > 0.4 +/- 0.02")
}

// withResamples are conditions on quantities whose intervals are bootstrapped.
func withResamples() []string {
	groups, _ := brackets()
	var texts []string
	for _, rows := range slices.Concat([]string{""}, groups) {
		texts = append(texts, "mcc"+rows+" > 0.1", "ece"+rows+" < 0.3")
	}
	for _, rows := range []string{"", "[sex=female]", "[sex=male]"} {
		for _, metric := range []string{stats.Precision, stats.F1, stats.MCC, stats.ECE, stats.BalancedAccuracy} {
			texts = append(texts, fmt.Sprintf("%s%s - old.%[1]s%[2]s > -0.1", metric, rows))
		}
	}
	columns := people.Columns()
	for i, column := range columns {
		crossed := []string{column}
		for _, other := range columns[i+1:] {
			crossed = append(crossed, column+"*"+other)
		}
		for _, of := range crossed {
			texts = append(texts,
				fmt.Sprintf("%s[%s] < 0.5", fairness.DemographicParityDifference, of), fmt.Sprintf("%s[%s] > 0.3", fairness.DemographicParityRatio, of),
				fmt.Sprintf("%s[%s] < 0.5", fairness.EqualizedOddsDifference, of), fmt.Sprintf("%s[%s] > 0.3", fairness.EqualizedOddsRatio, of),
				fmt.Sprintf("%s[%s] < 0.5", fairness.EqualOpportunityDifference, of))
		}
	}
	return texts
}

// brackets are the groups of each column, and the pairs of groups of two columns, in brackets.
func brackets() (groups, pairs []string) {
	columns := people.Columns()
	for i, column := range columns {
		for _, group := range people.Groups(column) {
			groups = append(groups, fmt.Sprintf("[%s=%s]", column, group))
			for _, second := range columns[i+1:] {
				for _, other := range people.Groups(second) {
					pairs = append(pairs, fmt.Sprintf("[%s=%s*%s=%s]", column, group, second, other))
				}
			}
		}
	}
	return groups, pairs
}
