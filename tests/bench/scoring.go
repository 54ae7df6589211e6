package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/serve"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/tests/bench/figures"
	"github.com/assay-ml/assay/tests/naivebayes"
)

// scored is a trained program and the rows it is asked about, in the forms that the three ways of asking take.
type scored struct {
	store artifact.Store
	model artifact.Ref
	own   *naivebayes.Model
	frame *table.Frame
	csv   []byte
	rows  []map[string]float64
}

// scoring compares scores asked of a program through /invocations with the program's own in process, on the same rows.
func (b *bench) scoring() error {
	n, rounds := 100_000, 5
	if b.quick {
		n, rounds = 20_000, 2
	}
	folder, err := os.MkdirTemp("", "assay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	s, err := prepareScoring(b.ctx, b.self, folder, n)
	if err != nil {
		return err
	}
	loader := serve.Loader{Store: s.store, Policy: program.Policy{Allowed: []string{b.self}}, Scratch: folder, Logger: slog.New(slog.DiscardHandler)}
	served, err := loader.Open(b.ctx, s.model)
	if err != nil {
		return err
	}
	defer served.Close()

	var asked, parsed, plain, ratios []float64
	for range rounds {
		through, err := perSecond(n, func() ([]float64, error) { return served.Predict(b.ctx, s.frame) })
		if err != nil {
			return err
		}
		whole, err := perSecond(n, func() ([]float64, error) { return s.own.Answer(bytes.NewReader(s.csv)) })
		if err != nil {
			return err
		}
		bare, err := perSecond(n, s.inProcess)
		if err != nil {
			return err
		}
		if err := same(through.scores, whole.scores, bare.scores); err != nil {
			return err
		}
		asked, parsed, plain = append(asked, through.rate), append(parsed, whole.rate), append(plain, bare.rate)
		ratios = append(ratios, through.rate/bare.rate)
	}
	b.add(fmt.Sprintf("scores of %d rows through /invocations, median", n), fmt.Sprintf("%.0f rows/s", figures.Quantile(asked, 0.5)), "",
		fmt.Sprintf("CSV of %d columns, 1000 rows a request, 2 requests at once; %d rounds", len(s.frame.Columns), rounds))
	b.add("  the program's own scoring, in process", fmt.Sprintf("%.0f rows/s", figures.Quantile(plain, 0.5)), "", "one thread, rows in memory")
	b.add("  ... reading the rows from CSV as well", fmt.Sprintf("%.0f rows/s", figures.Quantile(parsed, 0.5)), "", "one thread; what its server does besides HTTP and JSON")
	b.add("  ratio of the first to the second, median", fmt.Sprintf("%.2f", figures.Quantile(ratios, 0.5)), "", "")
	return nil
}

// prepareScoring trains the program by hand and lays out n rows.
func prepareScoring(ctx context.Context, self, folder string, n int) (scored, error) {
	var s scored
	hand, err := newHandFolder(filepath.Join(folder, "hand"))
	if err != nil {
		return s, err
	}
	store, err := artifact.OpenDir(filepath.Join(folder, "store"))
	if err != nil {
		return s, err
	}
	s.store = store
	source, lim := spec.Source{URI: fmt.Sprintf("synthetic://credit?rows=%d&seed=7", n)}, table.Limits{TempDir: folder}
	local, err := table.Fetch(ctx, source, folder)
	if err != nil {
		return s, err
	}
	snapshot, err := table.Ingest(ctx, store, local, source, lim, nil)
	if err != nil {
		return s, err
	}
	schema := model.Schema{Target: "approved", Positive: "yes", Negative: "no"}
	var wanted []table.Wanted
	var columns []string
	for _, c := range snapshot.Columns {
		if c.Name != "application_id" && c.Name != schema.Target {
			schema.Features = append(schema.Features, model.Feature{Name: c.Name, Kind: c.Kind})
			wanted, columns = append(wanted, table.Wanted{Name: c.Name, Kind: c.Kind}), append(columns, c.Name)
		}
	}
	training, asked := hand.path("train", "train.csv"), filepath.Join(folder, "asked.csv")
	if err := table.Export(ctx, store, snapshot.Data, append(columns[:len(columns):len(columns)], schema.Target), table.FormatCSV, training, lim); err != nil {
		return s, err
	}
	if err := table.Export(ctx, store, snapshot.Data, columns, table.FormatCSV, asked, lim); err != nil {
		return s, err
	}
	if _, err := hand.train(self, map[string]any{"rows": n}); err != nil {
		return s, err
	}
	if s.own, err = naivebayes.Open(hand.path("model", "model.json")); err != nil {
		return s, err
	}
	if s.model, err = storeServed(ctx, store, hand, schema, self); err != nil {
		return s, err
	}
	if s.csv, err = os.ReadFile(asked); err != nil {
		return s, err
	}
	if s.frame, err = table.ReadFrame(ctx, store, snapshot.Data, wanted, lim); err != nil {
		return s, err
	}
	s.rows = numbers(s.frame)
	return s, nil
}

// storeServed stores what the program left as the model that it serves.
func storeServed(ctx context.Context, store artifact.Store, hand handFolder, schema model.Schema, self string) (artifact.Ref, error) {
	files, err := hand.model(ctx, store)
	if err != nil {
		return files, err
	}
	folder, err := codeFolder(string(hand))
	if err != nil {
		return files, err
	}
	code, _, err := artifact.PutFolder(ctx, store, folder, artifact.FolderLimits{})
	if err != nil {
		return code, err
	}
	encoded, err := model.Served{
		Kind: model.KindServed, Format: model.ServedFormat, Inputs: schema, Files: files, Code: code,
		Serve: spec.Serve{Run: []string{self}, Environment: map[string]string{naivebayes.Role: "serve"}},
	}.Encode()
	if err != nil {
		return code, err
	}
	return store.Put(ctx, bytes.NewReader(encoded), artifact.MediaModel)
}

// numbers are the rows of a frame as the program's own scoring takes them.
func numbers(f *table.Frame) []map[string]float64 {
	rows := make([]map[string]float64, f.Rows)
	for i := range rows {
		rows[i] = map[string]float64{}
	}
	for _, c := range f.Columns {
		for i, v := range c.Numbers {
			if !math.IsNaN(v) {
				rows[i][c.Name] = v
			}
		}
	}
	return rows
}

func (s scored) inProcess() ([]float64, error) {
	scores := make([]float64, len(s.rows))
	for i, r := range s.rows {
		scores[i] = s.own.Score(r)
	}
	return scores, nil
}

type answered struct {
	scores []float64
	rate   float64 // rows a second
}

func perSecond(n int, ask func() ([]float64, error)) (answered, error) {
	begun := time.Now()
	scores, err := ask()
	return answered{scores, float64(n) / time.Since(begun).Seconds()}, err
}

// same makes sure that all ways of asking gave the same answers: the program rounds to six digits, of which the last may
// differ with the order of its sums.
func same(first []float64, others ...[]float64) error {
	for _, other := range others {
		if len(first) != len(other) {
			return fmt.Errorf("one way of asking gave %d scores, another %d", len(first), len(other))
		}
		for i := range first {
			if math.Abs(first[i]-other[i]) > 1.5e-6 {
				return fmt.Errorf("row %d has the score %g when asked one way and %g when asked another", i, first[i], other[i])
			}
		}
	}
	return nil
}
