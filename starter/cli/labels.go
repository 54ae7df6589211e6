package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/labelling"
	"github.com/assay-ml/assay/workflows"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
)

func (a *app) labelsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "labels",
		Short: "Give the labels of test rows that a gate asks for",
		Long: `With gates.labels, test rows may lack their label. A lifecycle then asks for exactly the labels its conditions need and
waits. Look at the requests, fetch the rows as CSV, fill in the column label, and submit the file.`,
	}
	c.AddCommand(a.labelsListCommand(), a.labelsGetCommand(), a.labelsSubmitCommand())
	return c
}

// requestLine is a request for labels as it is listed.
type requestLine struct {
	Request labelling.Request `json:"request"`
	Given   int               `json:"given"`
	Missing int               `json:"missing"`
}

func (a *app) labelsListCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "list [MODEL]",
		Short: "List requests for labels that are not answered in full",
		Args:  between(0, 1, "at most a model"),
		RunE: func(c *cobra.Command, args []string) error {
			model := optional(args)
			store, err := a.openStore()
			if err != nil {
				return err
			}
			found, err := labelling.List(c.Context(), store, model)
			if err != nil {
				return err
			}
			lines := []requestLine{}
			for _, s := range found {
				if all || s.Missing > 0 {
					lines = append(lines, requestLine{s.Request, s.Given, s.Missing})
				}
			}
			return a.show(lines, func(w io.Writer) { printRequests(w, lines) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "those that were answered as well")
	return c
}

func printRequests(w io.Writer, lines []requestLine) {
	if len(lines) == 0 {
		fmt.Fprintln(w, "no labels are asked for")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "REQUEST\tMODEL\tCOLUMN\tROWS\tMISSING\tASKED\tLIFECYCLE")
	for _, l := range lines {
		r := l.Request
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", r.ID, r.Model, r.Column, len(r.Rows), l.Missing, r.Created.Local().Format(time.DateTime), r.Lifecycle)
	}
	tw.Flush()
	r := lines[0].Request
	fmt.Fprintf(w, "next step: starter labels get %s -f labels.csv, fill in the column label, starter labels submit %s --file labels.csv --as NAME\n", r.ID, r.ID)
}

func (a *app) labelsGetCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "get REQUEST",
		Short: "Fetch the rows of a request as CSV, with an empty column label",
		Args:  exactly(1, "the id of a request"),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := a.openStore()
			if err != nil {
				return err
			}
			r, err := labelling.Find(c.Context(), store, "", args[0])
			if err != nil {
				return err
			}
			b, err := artifact.ReadAll(c.Context(), store, r.Sheet)
			if err != nil {
				return fmt.Errorf("read the rows of request %s: %w", r.ID, err)
			}
			given, _, err := labelling.Answers(c.Context(), store, r.Model, r.TestSet)
			if err != nil {
				return err
			}
			b, left, err := unanswered(b, given)
			if err != nil {
				return fmt.Errorf("read the rows of request %s: %w", r.ID, err)
			}
			if file == "" {
				_, err = a.out.Write(b)
				return err
			}
			if err := os.WriteFile(file, b, 0o600); err != nil { // rows may be about people
				return fmt.Errorf("write the rows of request %s: %w", r.ID, err)
			}
			fmt.Fprintf(a.out, "wrote %d rows that have no label yet to %s; fill in the column label with %s\n", left, file, accepted(r))
			return nil
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "write to this file instead of standard output")
	return c
}

// unanswered is the sheet without the rows that have their label.
func unanswered(sheet []byte, given map[int64]labelling.Label) (left []byte, rows int, err error) {
	lines, err := csv.NewReader(bytes.NewReader(sheet)).ReadAll()
	if err != nil {
		return nil, 0, err
	}
	kept := lines[:1]
	for _, line := range lines[1:] {
		row, err := strconv.ParseInt(line[0], 10, 64)
		if err != nil {
			return nil, 0, err
		}
		if _, known := given[row]; !known {
			kept = append(kept, line)
		}
	}
	var b bytes.Buffer
	err = csv.NewWriter(&b).WriteAll(kept)
	return b.Bytes(), len(kept) - 1, err
}

func accepted(r labelling.Request) string {
	if r.Numeric {
		return "numbers"
	}
	var b bytes.Buffer
	for i, class := range r.Classes {
		if i > 0 {
			b.WriteString(" or ")
		}
		b.WriteString(class)
	}
	return b.String()
}

func (a *app) labelsSubmitCommand() *cobra.Command {
	var file, by string
	c := &cobra.Command{
		Use:   "submit REQUEST --file FILE --as NAME",
		Short: "Submit labels: a CSV file with the columns row and label",
		Long: `All labels of the file are kept, or none: a row that was not asked for, a label that is none, or one that differs from what was
submitted before refuses the file. Rows with an empty label are left for later.`,
		Args: exactly(1, "the id of a request"),
		RunE: func(c *cobra.Command, args []string) error {
			if file == "" || by == "" {
				return wrongUse("submit needs --file FILE and --as NAME")
			}
			return a.submitLabels(c.Context(), args[0], file, by)
		},
	}
	c.Flags().StringVar(&file, "file", "", "CSV file with the columns row and label")
	c.Flags().StringVar(&by, "as", "", "who labelled; it is kept with each label")
	return c
}

func (a *app) submitLabels(ctx context.Context, id, file, by string) error {
	store, err := a.openStore()
	if err != nil {
		return err
	}
	r, err := labelling.Find(ctx, store, "", id)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return wrongUse("read labels: %v", err)
	}
	defer f.Close()
	given, err := labelling.ReadAnswers(f)
	if err != nil {
		return wrongUse("read labels from %s: %v", file, err)
	}
	progress, err := labelling.Submit(ctx, store, r, given, by, time.Now())
	var refused *labelling.RefusedError
	var conflict *labelling.ConflictError
	if errors.As(err, &refused) || errors.As(err, &conflict) {
		return wrongUse("%s: %v", file, err)
	}
	if err != nil {
		return err
	}
	told := ""
	if progress.Missing == 0 {
		if told, err = a.tellLabelled(ctx, r.Lifecycle); err != nil {
			return err
		}
	}
	return a.show(map[string]any{"request": r.ID, "new": progress.New, "given": progress.Given, "missing": progress.Missing, "lifecycle": r.Lifecycle}, func(w io.Writer) {
		fmt.Fprintf(w, "%d labels are new, %d of %d are given, %d are missing%s\n", progress.New, progress.Given, len(r.Rows), progress.Missing, told)
	})
}

// tellLabelled tells the lifecycle that waits. One that has ended needs no telling: the labels are kept for the next.
func (a *app) tellLabelled(ctx context.Context, lifecycle string) (string, error) {
	t, err := a.dial(ctx)
	if err != nil {
		return "", fmt.Errorf("the labels are kept, but %s was not told: %w; submit the file again", lifecycle, err)
	}
	defer t.Close()
	err = t.SignalWorkflow(ctx, lifecycle, "", workflows.SignalLabels, nil)
	var missing *serviceerror.NotFound
	switch {
	case errors.As(err, &missing):
		return "; " + lifecycle + " has ended, the labels are kept for the next", nil
	case err != nil:
		return "", fmt.Errorf("the labels are kept, but %s was not told: %w; submit the file again", lifecycle, err)
	}
	return "; " + lifecycle + " goes on", nil
}
