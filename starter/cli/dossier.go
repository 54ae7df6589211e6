package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/ledger"
	"github.com/assay-ml/assay/internal/report"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/workflows"
	"github.com/spf13/cobra"
)

func (a *app) dossierCommand() *cobra.Command {
	var file, format string
	var asJSON bool
	var reader reader
	c := &cobra.Command{
		Use:   "dossier ID",
		Short: "Fetch the dossier of a lifecycle, as the page people read, as Markdown or as JSON",
		Long: `The page (html) and the text (md) say the same in the same order. The JSON is what decisions are bound to.

With gates.test_set, what was measured on the test rows is shown to some roles only, until the test set is used up: whoever
asks for candidates would otherwise fit them to these rows. Holders of these roles say so with --as and --role; everyone
else gets the page without figures.`,
		Args: exactly(1, "a lifecycle id"),
		RunE: func(c *cobra.Command, args []string) error {
			if asJSON || a.output == "json" && !c.Flags().Changed("format") {
				format = formatJSON
			}
			if !slices.Contains(dossierFormats, format) {
				return wrongUse("--format %q: expected %s", format, strings.Join(dossierFormats, ", "))
			}
			return a.dossier(c.Context(), lifecycleID(args[0]), file, format, reader)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "write to this file instead of standard output")
	c.Flags().StringVar(&format, "format", formatHTML, "html: the page; md: Markdown without pictures; json: what decisions are bound to")
	c.Flags().BoolVar(&asJSON, "json", false, "the same as --format json")
	c.Flags().StringVar(&reader.name, "as", "", "who reads, of a dossier that is for some roles only")
	c.Flags().StringVar(&reader.role, "role", "", "in which role")
	return c
}

// Formats of a dossier.
const (
	formatHTML     = "html"
	formatJSON     = "json"
	formatMarkdown = "md"
)

var dossierFormats = []string{formatHTML, formatJSON, formatMarkdown}

// reader is who wants to read.
type reader struct{ name, role string }

func (a *app) dossier(ctx context.Context, id, file, format string, who reader) error {
	t, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	status, err := query(ctx, t, id)
	if err != nil {
		return err
	}
	if status.Dossier.IsZero() {
		return fmt.Errorf("%s has no dossier yet (stage %s)", id, status.Stage)
	}
	store, err := a.openStore()
	if err != nil {
		return err
	}
	refusal := who.refusedBy(status)
	if refusal != nil {
		released, err := released(ctx, store, status)
		if err != nil {
			return err
		}
		if released {
			refusal = nil
		}
	}
	ref := status.Page
	switch {
	case format == formatJSON && refusal != nil:
		return exitError{exitRefused, refusal}
	case who != (reader{}) && refusal != nil:
		return exitError{exitRefused, fmt.Errorf("%w; leave out --as and --role for the page without figures", refusal)}
	case format == formatJSON:
		ref = status.Dossier
	case refusal != nil:
		ref = status.Public
		fmt.Fprintln(a.err, "note: this is the page without figures;", refusal)
	}
	if format == formatMarkdown {
		ref = status.Dossier
	}
	b, err := artifact.ReadAll(ctx, store, ref)
	if err != nil {
		return fmt.Errorf("read the dossier of %s: %w", id, err)
	}
	if format == formatMarkdown {
		if b, err = markdownOf(b, refusal != nil); err != nil {
			return err
		}
	}
	if file == "" {
		_, err = a.out.Write(b)
		return err
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return fmt.Errorf("write the dossier: %w", err)
	}
	fmt.Fprintf(a.out, "wrote %s (%d bytes); dossier %s\n", file, len(b), status.Dossier.Digest)
	return nil
}

// markdownOf writes a dossier's JSON as Markdown; sealed leaves out what the page without figures leaves out.
func markdownOf(encoded []byte, sealed bool) ([]byte, error) {
	d, err := report.Decode(encoded)
	if err != nil {
		return nil, err
	}
	digest := artifact.Sum(encoded)
	if !sealed {
		return report.Markdown(d, digest)
	}
	seal := report.Seal{Verdict: true}
	if set := d.TestSet; set != nil {
		seal = report.Seal{ShowTo: set.ShowTo, Verdict: set.Adaptivity == spec.AdaptivityNone}
	}
	return report.MarkdownSealed(d, digest, seal)
}

// refusedBy says why the reader may not see the figures of a sealed dossier; nil when they may.
func (r reader) refusedBy(s workflows.Status) error {
	if s.Sealed == nil {
		return nil
	}
	roles := strings.Join(s.Sealed.ShowTo, ", ")
	switch {
	case r.name == "" || r.role == "":
		return fmt.Errorf("figures of the test set are shown to %s only: add --as NAME --role ROLE", roles)
	case r.name == s.Requester:
		return fmt.Errorf("figures of the test set are not shown to %s, who asked for this candidate", r.name)
	case !slices.ContainsFunc(s.Sealed.ShowTo, func(role string) bool { return strings.EqualFold(role, r.role) }):
		return fmt.Errorf("figures of the test set are shown to %s only, not to the role %s", roles, r.role)
	}
	return nil
}

// released reports whether the test set of a sealed dossier has ended: then there is nothing left to protect.
func released(ctx context.Context, store artifact.Store, s workflows.Status) (bool, error) {
	b, err := artifact.ReadAll(ctx, store, s.Dossier)
	if err != nil {
		return false, fmt.Errorf("read the dossier of %s: %w", s.Lifecycle, err)
	}
	d, err := report.Decode(b)
	if err != nil {
		return false, err
	}
	set, err := ledger.Find(ctx, store, d.Model, d.Prepared.Test.Digest)
	if errors.Is(err, artifact.ErrNotFound) {
		return false, nil
	}
	return set.State == ledger.Ended, err
}
