package cli

import (
	"fmt"
	"io"

	"github.com/assay-ml/assay/workflows"
	"github.com/spf13/cobra"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/contrib/envconfig"
)

func (a *app) setupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "setup",
		Short: "Register Assay's search attributes on a Temporal cluster (once; repeating does no harm)",
		Args:  exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			options, err := envconfig.LoadDefaultClientOptions()
			if err != nil {
				return fmt.Errorf("read Temporal's connection settings: %w", err)
			}
			namespace := options.Namespace
			if namespace == "" {
				namespace = "default"
			}
			t, err := a.dial(c.Context())
			if err != nil {
				return err
			}
			defer t.Close()
			op := t.OperatorService()
			have, err := op.ListSearchAttributes(c.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
			if err != nil {
				return fmt.Errorf("list the search attributes of namespace %s: %w; on Temporal Cloud, add them with tcld or in its web interface", namespace, err)
			}
			missing := workflows.SearchAttributes()
			for name := range have.CustomAttributes {
				delete(missing, name)
			}
			if len(missing) > 0 {
				if _, err := op.AddSearchAttributes(c.Context(), &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing}); err != nil {
					return fmt.Errorf("add search attributes to namespace %s: %w", namespace, err)
				}
			}
			return a.show(map[string]any{"namespace": namespace, "added": len(missing)}, func(w io.Writer) {
				fmt.Fprintf(w, "namespace %s is ready: %d search attributes added, %d were there\n", namespace, len(missing), len(workflows.SearchAttributes())-len(missing))
			})
		},
	}
}
