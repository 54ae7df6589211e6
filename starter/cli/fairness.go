package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/fairness"
	"github.com/assay-ml/assay/internal/mitigation"
	"github.com/assay-ml/assay/internal/outcomes"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/spf13/cobra"
)

func (a *app) fairnessCommand() *cobra.Command {
	var version int
	var since, until string
	command := &cobra.Command{
		Use:   "fairness MODEL",
		Short: "Compare groups of people on what a version answered and what turned out to be true",
		Long: `The audit before approval rests on test data. This one rests on the answers that a version gave to requests, as far as labels came for
them (POST /v2/models/MODEL/labels at the gateway), and shows both side by side. It tells of those whose label came: if labels
come for some kinds of answers only, such as approved ones, recall and error rates are theirs.`,
		Args: between(1, 1, "a model"),
		RunE: func(c *cobra.Command, args []string) error {
			window := outcomes.Window{Model: args[0], Version: version}
			var err error
			if window.Since, err = moment("--since", since); err != nil {
				return err
			}
			if window.Until, err = moment("--until", until); err != nil {
				return err
			}
			store, err := a.openStore()
			if err != nil {
				return err
			}
			found, err := observedFairness(c.Context(), store, window)
			if err != nil {
				return err
			}
			return a.show(found, func(w io.Writer) { printFairness(w, found) })
		},
	}
	command.Flags().IntVar(&version, "version", 0, "version (default: the one that serves)")
	command.Flags().StringVar(&since, "since", "720h", "answers from this time on: a time such as 2026-06-01T00:00:00Z, or how long ago, such as 168h")
	command.Flags().StringVar(&until, "until", "", "answers before this time (default: now)")
	return command
}

// moment reads a time, or how long ago one was; empty is no bound.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return time.Now().Add(-d).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, wrongUse("%s is %q; expected a time such as 2026-06-01T00:00:00Z, or how long ago, such as 168h", flag, text)
	}
	return at.UTC(), nil
}

// observed is the evidence of a window beside that of the dossier.
type observed struct {
	Model    string            `json:"model"`
	Version  int               `json:"version"`
	Since    time.Time         `json:"since,omitzero"`
	Until    time.Time         `json:"until,omitzero"`
	Answered int               `json:"answered"`
	Labelled int               `json:"labelled"`
	Fairness fairness.Report   `json:"fairness"`
	Approved *fairness.Report  `json:"approved,omitempty"` // in the dossier of the version
	Sealed   bool              `json:"sealed,omitempty"`   // what was measured on a counted test set is for those who may read the dossier
	Changes  []observedGapPair `json:"gaps"`
}

// observedGapPair is a gap in the window and in the dossier.
type observedGapPair struct {
	Column   string         `json:"column"`
	Gap      string         `json:"gap"`
	Highest  string         `json:"highest,omitempty"`
	Lowest   string         `json:"lowest,omitempty"`
	Now      stats.Estimate `json:"now"`
	Approved stats.Estimate `json:"approved"`
	Apart    bool           `json:"apart"` // the intervals have no value in common
}

func observedFairness(ctx context.Context, store artifact.Store, w outcomes.Window) (observed, error) {
	if w.Version == 0 {
		champion, err := registry.GetChampion(ctx, store, w.Model)
		if err != nil {
			return observed{}, err
		}
		w.Version = champion.Version
	}
	manifest, _, err := registry.Get(ctx, store, w.Model, w.Version)
	if err != nil {
		return observed{}, err
	}
	b, err := artifact.ReadAll(ctx, store, manifest.Spec)
	if err != nil {
		return observed{}, err
	}
	s, err := spec.ParseJSON(b)
	if err != nil {
		return observed{}, err
	}
	var rule *mitigation.Rule
	if !manifest.Thresholds.IsZero() {
		rule = &mitigation.Rule{}
		if err := artifact.ReadJSON(ctx, store, manifest.Thresholds, rule); err != nil {
			return observed{}, err
		}
	}
	w.Columns = s.Data.Protected
	o, err := outcomes.Read(ctx, store, w)
	if err != nil {
		return observed{}, err
	}
	out := observed{Model: w.Model, Version: w.Version, Since: w.Since, Until: w.Until, Answered: o.Answered, Labelled: len(o.Records)}
	if out.Fairness, err = o.Fairness(s, rule); err != nil {
		return out, err
	}
	if out.Sealed = s.Gates.TestSet != nil; !out.Sealed {
		out.Approved = approvedFairness(ctx, store, manifest.Fairness)
	}
	out.Changes = gapPairs(out.Fairness, out.Approved)
	return out, nil
}

// approvedFairness is what the reviewers saw; nil when the version is older than this form of it, or its report is gone.
func approvedFairness(ctx context.Context, store artifact.Store, ref artifact.Ref) *fairness.Report {
	var found report.Fairness
	if ref.IsZero() || artifact.ReadJSON(ctx, store, ref, &found) != nil || found.Examination == nil && found.Numbers == nil {
		return nil
	}
	return &found.Report
}

func gapPairs(now fairness.Report, approved *fairness.Report) []observedGapPair {
	type place struct{ column, gap string }
	before := map[place]stats.Estimate{}
	if approved != nil {
		eachGap(*approved, func(column string, g fairness.Gap) { before[place{column, g.Name}] = g.Estimate })
	}
	pairs := []observedGapPair{}
	eachGap(now, func(column string, g fairness.Gap) {
		p := observedGapPair{Column: column, Gap: g.Name, Highest: g.Highest, Lowest: g.Lowest, Now: g.Estimate}
		if known, ok := before[place{column, g.Name}]; ok {
			p.Approved = known
			p.Apart = g.Defined() && known.Defined() && (g.Low > known.High || g.High < known.Low)
		}
		pairs = append(pairs, p)
	})
	return pairs
}

func eachGap(r fairness.Report, visit func(column string, g fairness.Gap)) {
	if r.Examination != nil {
		for _, d := range r.Examination.Divisions {
			for _, g := range d.Gaps {
				visit(d.Name, g)
			}
		}
	}
	if r.Numbers != nil {
		for _, d := range r.Numbers.Divisions {
			for _, g := range d.Gaps {
				visit(d.Name, g)
			}
		}
	}
}

func printFairness(w io.Writer, o observed) {
	fmt.Fprintf(w, "version %d of %s: %d answers, %d with a label (%.1f %%)\n", o.Version, o.Model, o.Answered, o.Labelled, 100*float64(o.Labelled)/math.Max(float64(o.Answered), 1))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "COLUMN\tGAP\tNOW\tWHEN APPROVED\t")
	for _, p := range o.Changes {
		note := ""
		if p.Apart {
			note = "changed"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", p.Column, p.Gap, gapText(p.Now), gapText(p.Approved), note)
	}
	tw.Flush()
	switch {
	case o.Sealed:
		fmt.Fprintln(w, "The test set is a budget, so what was measured on it is not shown here; those who may see it: starter dossier.")
	case o.Approved == nil:
		fmt.Fprintln(w, "The report that was approved is not in the store in this form, so there is nothing to compare with.")
	}
	fmt.Fprintln(w, "Intervals hold for all groups together. These are the people whose label came; if that depends on the answer, recall and error rates are theirs alone.")
}

func gapText(e stats.Estimate) string {
	if !e.Defined() {
		return "no value"
	}
	return fmt.Sprintf("%.4g (%.4g to %.4g)", e.Value, e.Low, e.High)
}
