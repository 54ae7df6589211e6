package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/chain"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/spf13/cobra"
)

func (a *app) modelsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "models [MODEL]",
		Short: "List models, or the versions of one",
		Args:  between(0, 1, "at most a model"),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := a.openStore()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return a.versions(c, store, args[0])
			}
			return a.models(c, store)
		},
	}
}

type modelRow struct {
	Model    string    `json:"model"`
	Versions int       `json:"versions"`
	Champion int       `json:"champion,omitempty"` // 0: none serves
	Since    time.Time `json:"since,omitzero"`
}

func (a *app) models(c *cobra.Command, store artifact.Store) error {
	names, err := registry.Models(c.Context(), store)
	if err != nil {
		return err
	}
	rows := []modelRow{}
	for _, name := range names {
		versions, err := registry.Versions(c.Context(), store, name)
		if err != nil {
			return err
		}
		row := modelRow{Model: name, Versions: len(versions)}
		champion, err := registry.GetChampion(c.Context(), store, name)
		if err != nil && !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
		row.Champion, row.Since = champion.Version, champion.Since
		rows = append(rows, row)
	}
	return a.show(rows, func(w io.Writer) {
		if len(rows) == 0 {
			fmt.Fprintf(w, "there are no models in %s yet; start a lifecycle with `starter run SPEC`\n", store)
			return
		}
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "MODEL\tVERSIONS\tCHAMPION\tSINCE")
		for _, r := range rows {
			champion, since := "none", ""
			if r.Champion > 0 {
				champion, since = strconv.Itoa(r.Champion), r.Since.Local().Format(time.DateTime)
			}
			fmt.Fprintf(tw, "%s\t%d\t%s\t%s\n", r.Model, r.Versions, champion, since)
		}
		tw.Flush()
	})
}

func (a *app) versions(c *cobra.Command, store artifact.Store, name string) error {
	versions, err := registry.Versions(c.Context(), store, name)
	if errors.Is(err, artifact.ErrNotFound) {
		return wrongUse("%v", err)
	}
	if err != nil {
		return err
	}
	champion, err := registry.GetChampion(c.Context(), store, name)
	if err != nil && !errors.Is(err, artifact.ErrNotFound) {
		return err
	}
	return a.show(versions, func(w io.Writer) {
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "VERSION\tCREATED\tTRIGGER\tVERDICT\tAUC\tAPPROVED BY\tMODEL")
		for _, v := range versions {
			var by []string
			for _, d := range v.Decisions {
				by = append(by, d.Reviewer+" ("+d.Role+")")
			}
			mark := ""
			if v.Version == champion.Version {
				mark = " champion"
			}
			auc := "-" // another task, or figures that are for some roles only
			if value, known := v.Metrics["auc"]; known {
				auc = fmt.Sprintf("%.4f", value)
			}
			fmt.Fprintf(tw, "%d%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Version, mark, v.Created.Local().Format(time.DateTime), v.Trigger, v.Verdict, auc, strings.Join(by, ", "), v.ModelArtifact.Digest.Short())
		}
		tw.Flush()
	})
}

func (a *app) predictCommand() *cobra.Command {
	var input, key string
	c := &cobra.Command{
		Use:   "predict MODEL --input FILE",
		Short: "Ask the gateway for predictions",
		Long: `FILE holds a request of the Open Inference Protocol, or {"instances": [{"feature": value, ...}]}; - reads standard input.
The answer is printed as the gateway gave it.`,
		Args: exactly(1, "a model"),
		RunE: func(c *cobra.Command, args []string) error {
			if input == "" {
				return wrongUse("predict needs --input FILE (- for standard input)")
			}
			body, err := readInput(c.InOrStdin(), input)
			if err != nil {
				return err
			}
			address := strings.TrimSuffix(a.gateway, "/") + "/v2/models/" + url.PathEscape(args[0]) + "/infer"
			request, err := http.NewRequestWithContext(c.Context(), http.MethodPost, address, bytes.NewReader(body))
			if err != nil {
				return wrongUse("--gateway %q: %v", a.gateway, err)
			}
			request.Header.Set("Content-Type", "application/json")
			if key != "" {
				request.Header.Set("X-Assay-Key", key)
			}
			return a.ask(request)
		},
	}
	c.Flags().StringVar(&input, "input", "", "file with the request; - for standard input")
	c.Flags().StringVar(&key, "key", "", "routing key: the same key goes to the same version during a canary")
	return c
}

func readInput(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, wrongUse("read the request: %v", err)
	}
	return b, nil
}

func (a *app) ask(request *http.Request) error {
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the gateway at %s: %w; start a stack with `make run`, or set --gateway", a.gateway, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("read the gateway's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway answered %s: %s", answer.Status, problem(body))
	}
	_, err = fmt.Fprintln(a.out, strings.TrimSpace(string(body)))
	return err
}

// problem is the sentence in an answer of the protocol's form {"error": "..."}, or the answer as it is.
func problem(body []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) == nil && said.Error != "" {
		return said.Error
	}
	return strings.TrimSpace(string(body))
}

func (a *app) verifyCommand() *cobra.Command {
	var trust string
	c := &cobra.Command{
		Use:   "verify MODEL",
		Short: "Walk a model's chain offline and check every record, manifest and artifact",
		Args:  exactly(1, "a model"),
		RunE: func(c *cobra.Command, args []string) error {
			store, err := a.openStore()
			if err != nil {
				return err
			}
			if trust == "" {
				trust = filepath.Join(a.keys, "chain.pub")
			}
			keys, err := chain.ReadTrust(trust)
			if err != nil {
				return err
			}
			found, err := chain.Verify(c.Context(), store, keys, args[0])
			if err != nil {
				return err
			}
			return a.show(found, func(w io.Writer) {
				fmt.Fprintf(w, "the record of %s is whole: %d chain entries, %d versions, %d artifacts (%d bytes) checked against their digests\nhead %s, signed by %s\n",
					found.Model, found.Records, found.Versions, found.Blobs, found.Bytes, found.Head, strings.Join(found.Signers, ", "))
			})
		},
	}
	c.Flags().StringVar(&trust, "trust", "", "file of trusted public keys (default: chain.pub in --keys)")
	return c
}

// openStore opens the store for reading; unlike a worker, the starter never makes a new one.
func (a *app) openStore() (artifact.Store, error) {
	if _, err := os.Stat(a.store); err != nil {
		return nil, wrongUse("there is no store at %s; name it with --store or ASSAY_STORE", a.store)
	}
	return artifact.OpenDir(a.store)
}
