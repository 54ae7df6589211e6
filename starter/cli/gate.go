package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/spf13/cobra"
)

func (a *app) gateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "gate",
		Short: "Plan conditions before labels are bought, and explain how they are decided",
	}
	c.AddCommand(a.gateEstimateCommand(), a.gateExplainCommand())
	return c
}

// planning is what estimate and explain are told of the plan.
type planning struct {
	plan         gate.Plan
	adaptivity   string
	inconclusive string
}

func (p *planning) flags(c *cobra.Command) {
	c.Flags().Float64Var(&p.plan.Reliability, "reliability", 0.95, "chance that no verdict is wrong, above 0 and below 1 (gates.reliability)")
	c.Flags().IntVar(&p.plan.Steps, "steps", 1, "candidates decided on the test set (gates.test_set.steps)")
	c.Flags().StringVar(&p.adaptivity, "adaptivity", "none", "what the requester learns: none, firstChange or full (gates.test_set.adaptivity)")
	c.Flags().StringVar(&p.inconclusive, "inconclusive", "fail", "what an inconclusive verdict counts as: pass, fail or review; under full, review is a third answer and costs rows (gates.inconclusive)")
}

// resolve reads the conditions and the plan.
func (p *planning) resolve(texts []string) ([]gate.Formula, error) {
	var formulas []gate.Formula
	for _, text := range texts {
		f, err := gate.Parse(text)
		if err != nil {
			return nil, exitError{exitUse, err}
		}
		if err := f.Require(gate.ScopeGate); err != nil {
			return nil, exitError{exitUse, err}
		}
		formulas = append(formulas, f)
	}
	if p.plan.Steps < 1 {
		return nil, wrongUse("--steps %d: expected at least 1", p.plan.Steps)
	}
	p.plan.Adaptivity = gate.Adaptivity(p.adaptivity)
	switch p.inconclusive {
	case "pass", "fail":
		p.plan.Answers = 2
	case "review":
		p.plan.Answers = 3
	default:
		return nil, wrongUse("--inconclusive %q: expected pass, fail or review", p.inconclusive)
	}
	if err := p.plan.Validate(); err != nil {
		return nil, exitError{exitUse, err}
	}
	return formulas, nil
}

func atLeastOne(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return wrongUse(`%s takes conditions, such as "n - o > 0.02 +/- 0.01"; see %q`, c.Name(), c.CommandPath()+" --help")
	}
	return nil
}

func (a *app) gateEstimateCommand() *cobra.Command {
	var p planning
	var options gate.EstimateOptions
	var task string
	c := &cobra.Command{
		Use:   "estimate CONDITION...",
		Short: "How many rows, and labels, conditions need",
		Long: `Prints the sample that conditions need for their tolerance, by every bound that applies, which is chosen and why, the labels that one
evaluation takes with active labelling (gates.labels), and whether that is practical. Several conditions are those of one gate:
they share the reliability.`,
		Example: `  starter gate estimate "n - o > 0.02 +/- 0.01" --reliability 0.9999 --steps 32 --adaptivity full
  starter gate estimate 'd < 0.1 +/- 0.01 /\ n - o > 0.02 +/- 0.01' --reliability 0.9999 --steps 32`,
		Args: atLeastOne,
		RunE: func(c *cobra.Command, args []string) error {
			formulas, err := p.resolve(args)
			if err != nil {
				return err
			}
			if !slices.Contains([]string{"", "binary", "multiclass", "regression"}, task) {
				return wrongUse("--task %q: expected binary, multiclass or regression", task)
			}
			if options.Task = stats.Task(task); task != "" {
				for _, f := range formulas {
					if err := f.For(options.Task); err != nil {
						return exitError{exitUse, err}
					}
				}
			}
			sample, err := gate.Estimate(formulas, p.plan, options)
			if err != nil {
				return exitError{exitUse, err}
			}
			return a.show(sample, func(w io.Writer) { printSample(w, sample) })
		},
	}
	p.flags(c)
	c.Flags().Float64Var(&options.Disagreement, "disagreement", 0, "share of rows on which new and old model differ at most, when it is known")
	c.Flags().Float64Var(&options.Expected, "expect", 0, "value that shares such as n are expected to have; otherwise the worst is allowed for")
	c.Flags().StringVar(&task, "task", "", "binary, multiclass or regression; ranges of metrics depend on it")
	return c
}

func printSample(w io.Writer, s gate.Sample) {
	fmt.Fprintln(w, s.Split)
	for _, c := range s.Clauses {
		fmt.Fprintf(w, "\n%s\n", c.Clause)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, size := range c.Sizes {
			mark := " "
			if size.Bound == c.Chosen {
				mark = "*"
			}
			fmt.Fprintf(tw, "  %s %s\t%s rows\t%s\n", mark, strings.ReplaceAll(size.Bound, "_", " "), thousands(size.Rows), size.Why)
		}
		tw.Flush()
		fmt.Fprintf(w, "  %s\n", c.Why)
		if c.LabelsEach > 0 {
			fmt.Fprintf(w, "  With active labelling each evaluation takes %s labels.\n", thousands(c.LabelsEach))
		}
	}
	if s.Rows == 0 && !s.Complete {
		fmt.Fprintf(w, "\n%s\n", s.Sentence)
		return
	}
	practical := "practical"
	if !s.Practical {
		practical = "not practical"
	}
	fmt.Fprintf(w, "\n%s\n%s.\n", s.Sentence, strings.ToUpper(practical[:1])+practical[1:])
}

// thousands writes a count with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func (a *app) gateExplainCommand() *cobra.Command {
	var p planning
	var counts gate.Counts
	known := []struct {
		flag, says string
		count      int
		into       **int
	}{
		{"new-right", "rows on which the new model is right", 0, &counts.NewRight},
		{"old-right", "rows on which the old model is right", 0, &counts.OldRight},
		{"differ", "rows on which the models predict differently", 0, &counts.Differ},
		{"new-only", "rows on which the new model alone is right", 0, &counts.NewOnlyRight},
		{"old-only", "rows on which the old model alone is right", 0, &counts.OldOnlyRight},
	}
	c := &cobra.Command{
		Use:   "explain CONDITION...",
		Short: "How conditions are decided on given counts, step by step",
		Long: `Shows how the reliability is divided over conditions, decisions and intervals, and the arithmetic from counts of test rows to
verdicts. Conditions are on n, o and d, the accuracies of the new and the old model and the share of rows on which they differ.`,
		Example: `  starter gate explain "n - o > 0 +/- 0.01" --rows 20000 --new-right 18120 --old-right 18020 --new-only 150 --old-only 50 --differ 200`,
		Args:    atLeastOne,
		RunE: func(c *cobra.Command, args []string) error {
			formulas, err := p.resolve(args)
			if err != nil {
				return err
			}
			for i := range known {
				if c.Flags().Changed(known[i].flag) {
					*known[i].into = &known[i].count
				}
			}
			if err := counts.Validate(); err != nil {
				return exitError{exitUse, err}
			}
			for _, f := range formulas {
				if f.Compares() && counts.OldRight == nil && counts.Differ == nil && counts.NewOnlyRight == nil && counts.OldOnlyRight == nil {
					return wrongUse("condition %q compares with the old model: give --differ, --old-right, --new-only and --old-only as far as it needs them", f.Text)
				}
			}
			decision, err := gate.DecideAll(formulas, p.plan, counts)
			if err != nil {
				return exitError{exitUse, err}
			}
			decision.Settle(gate.Policy(p.inconclusive))
			return a.show(decision, func(w io.Writer) { printDecision(w, decision) })
		},
	}
	p.flags(c)
	c.Flags().IntVar(&counts.Rows, "rows", 0, "test rows")
	for i := range known {
		c.Flags().IntVar(&known[i].count, known[i].flag, 0, known[i].says)
	}
	return c
}

func printDecision(w io.Writer, d gate.Decision) {
	fmt.Fprintln(w, d.Split)
	for _, r := range d.Results {
		fmt.Fprintf(w, "\n%s: %s\n", r.Clause, r.Verdict)
		for _, u := range r.Units {
			m := u.Measurement
			if !m.Defined() {
				fmt.Fprintf(w, "  %s: no value, %s\n", u.Unit, m.Undefined)
				continue
			}
			fmt.Fprintf(w, "  %+g * (%s): %.6g, interval %.6g to %.6g, missed with at most %.3g at each end, by %s\n",
				u.Coefficient, u.Unit, m.Value, m.Low, m.High, m.Tail, strings.ReplaceAll(m.Method, "_", " "))
		}
		if r.Estimate.Defined() {
			fmt.Fprintf(w, "  together: %.6g, interval %.6g to %.6g; asked for: %s %g\n", r.Estimate.Value, r.Estimate.Low, r.Estimate.High, r.Op, r.Bound)
		}
		fmt.Fprintf(w, "  %s\n", r.Reason)
	}
	fmt.Fprintf(w, "\nall together: %s", d.Verdict)
	if d.Settled != "" && d.Settled != d.Verdict {
		fmt.Fprintf(w, ", which counts as %s", d.Settled)
	}
	fmt.Fprintln(w)
}
