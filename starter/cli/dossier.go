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
	"github.com/assay-ml/assay/workflows"
	"github.com/spf13/cobra"
)

func (a *app) dossierCommand() *cobra.Command {
	var file string
	var asJSON bool
	var reader reader
	c := &cobra.Command{
		Use:   "dossier ID",
		Short: "Fetch the dossier of a lifecycle, as the page people read or as JSON",
		Long: `With gates.test_set, what was measured on the test rows is shown to some roles only, until the test set is used up: whoever
asks for candidates would otherwise fit them to these rows. Holders of these roles say so with --as and --role; everyone
else gets the page without figures.`,
		Args: exactly(1, "a lifecycle id"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.dossier(c.Context(), lifecycleID(args[0]), file, asJSON || a.output == "json", reader)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "write to this file instead of standard output")
	c.Flags().BoolVar(&asJSON, "json", false, "the JSON that decisions are bound to, instead of the page")
	c.Flags().StringVar(&reader.name, "as", "", "who reads, of a dossier that is for some roles only")
	c.Flags().StringVar(&reader.role, "role", "", "in which role")
	return c
}

// reader is who wants to read.
type reader struct{ name, role string }

func (a *app) dossier(ctx context.Context, id, file string, asJSON bool, who reader) error {
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
	case asJSON && refusal != nil:
		return exitError{exitRefused, refusal}
	case who != (reader{}) && refusal != nil:
		return exitError{exitRefused, fmt.Errorf("%w; leave out --as and --role for the page without figures", refusal)}
	case asJSON:
		ref = status.Dossier
	case refusal != nil:
		ref = status.Public
		fmt.Fprintln(a.err, "note: this is the page without figures;", refusal)
	}
	b, err := artifact.ReadAll(ctx, store, ref)
	if err != nil {
		return fmt.Errorf("read the dossier of %s: %w", id, err)
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
