package naivebayes_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/explain"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/program"
	"github.com/assay-ml/assay/internal/serve"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/internal/trainer/command"
	"github.com/assay-ml/assay/tests/naivebayes"
)

// grades are rows whose number price is a line in size and rooms, with the classes 1, 2 and 10 of it, and sold for the dear
// ones.
func grades(n int) string {
	random := rand.New(rand.NewPCG(5, 6))
	var b strings.Builder
	b.WriteString("size,rooms,noise,price,grade,sold\n")
	for range n {
		size, rooms := 50+100*random.Float64(), float64(1+random.IntN(5))
		price := 3*size + 20*rooms + random.NormFloat64()
		grade := 10
		if price < 300 {
			grade = 1
		} else if price < 400 {
			grade = 2
		}
		fmt.Fprintf(&b, "%.3f,%g,%.3f,%.3f,%d,%v\n", size, rooms, random.NormFloat64(), price, grade, price > 350)
	}
	return b.String()
}

// A target of every task goes from a file to predictions: divided, trained on by the program, answered for by its server.
func TestEveryTaskGoesFromRowsToPredictions(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("programs run on Linux only")
	}
	store, err := artifact.OpenDir(filepath.Join(t.TempDir(), "store"))
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	policy := program.Policy{Allowed: []string{self}}
	limits := table.Limits{Threads: 1}
	file := filepath.Join(t.TempDir(), "grades.csv")
	require.NoError(t, os.WriteFile(file, []byte(grades(900)), 0o600))
	local, err := table.Fetch(t.Context(), spec.Source{URI: file}, t.TempDir())
	require.NoError(t, err)
	snap, err := table.Ingest(t.Context(), store, local, spec.Source{URI: file}, limits, nil)
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "code.txt"), []byte("code"), 0o600))
	code, _, err := command.Pack(t.Context(), store, folder)
	require.NoError(t, err)

	for _, target := range []spec.Target{
		{Column: "sold", Positive: "true"}, {Column: "grade", Task: string(stats.Multiclass)}, {Column: "price", Task: string(stats.Regression)},
	} {
		t.Run(string(target.TaskOf()), func(t *testing.T) {
			data := spec.Data{Target: target, Split: spec.Split{By: "hash", Train: 0.6, Validation: 0.2, Test: 0.2, Seed: 1}}
			for _, other := range []string{"sold", "grade", "price"} {
				if other != target.Column {
					data.Exclude = append(data.Exclude, other)
				}
			}
			parts, err := table.Prepare(t.Context(), store, snap, nil, data, limits)
			require.NoError(t, err)

			job := command.Job{
				Command: spec.Command{Run: []string{self}, Data: "csv", Environment: map[string]string{naivebayes.Role: "train"},
					TimeLimit: spec.Duration(time.Minute), Silence: spec.Duration(30 * time.Second), Grace: spec.Duration(time.Second), Retry: spec.Retry{Attempts: 1}},
				Parameters: spec.Parameters{"rows": spec.Number(100)}, Code: code, Training: parts.Train, Validation: parts.Validation,
				Target: target, Classes: parts.Classes, Execution: "training " + t.Name(), Attempt: 1, Begun: time.Now(),
			}
			schema := model.Schema{Target: target.Column, Task: stats.Task(target.Task), Classes: parts.Classes}
			if target.Positive != "" {
				schema.Positive, schema.Negative = target.Positive, "false"
			}
			for _, f := range parts.Features {
				schema.Features = append(schema.Features, model.Feature{Name: f.Name, Kind: f.Kind})
				job.Columns = append(job.Columns, f.Name)
			}
			job.Columns = append(job.Columns, target.Column)
			runner := command.Runner{Store: store, Policy: policy, Limits: limits, Scratch: t.TempDir(), Logger: slog.New(slog.DiscardHandler), StopGrace: time.Second}
			trained, err := runner.Run(t.Context(), job)
			require.NoError(t, err)

			b, err := model.Served{Kind: model.KindServed, Format: model.ServedFormat, Inputs: schema, Files: trained.Files, Code: code,
				Serve: spec.Serve{Run: []string{self}, Environment: map[string]string{naivebayes.Role: "serve"}, BatchRows: 50}}.Encode()
			require.NoError(t, err)
			ref, err := store.Put(t.Context(), bytes.NewReader(b), artifact.MediaModel)
			require.NoError(t, err)
			loader := serve.Loader{Store: store, Policy: policy, Scratch: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
			m, err := loader.Open(t.Context(), ref)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, m.Close()) })

			kind := table.Categorical
			if target.TaskOf() == stats.Regression {
				kind = table.Numeric
			}
			wanted := []table.Wanted{{Name: target.Column, Kind: kind}}
			for _, f := range parts.Features {
				wanted = append(wanted, table.Wanted{Name: f.Name, Kind: f.Kind})
			}
			test, err := table.ReadFrame(t.Context(), store, parts.Test, wanted, limits)
			require.NoError(t, err)
			scores, err := m.Predict(t.Context(), test)
			require.NoError(t, err)
			require.Len(t, scores, test.Rows*m.Schema().Width())

			judge(t, m, test, scores)
		})
	}
}

// judge makes sure that predictions are good, and that they rest on size.
func judge(t *testing.T, m model.Predictor, test *table.Frame, scores []float64) {
	t.Helper()
	y := &test.Columns[0]
	n := float64(test.Rows)
	var found explain.Report
	var err error
	switch m.Schema().TaskOf() {
	case stats.Multiclass:
		require.Equal(t, []string{"1", "2", "10"}, m.Schema().Classes)
		classes, classErr := m.Schema().ClassIndices(y)
		require.NoError(t, classErr)
		right := 0.0
		for i, class := range classes {
			if stats.MostProbable(scores[3*i:3*i+3]) == int(class) {
				right++
			}
		}
		require.Greater(t, right/n, 0.8)
		found, err = explain.PermutationOfClasses(t.Context(), m, test, classes, explain.Options{Repeats: 2})
	case stats.Regression:
		squares := 0.0
		for i, price := range y.Numbers {
			squares += (scores[i] - price) * (scores[i] - price)
		}
		require.InDelta(t, 1, math.Sqrt(squares/n), 0.25, "what is left is the noise that was added")
		found, err = explain.PermutationOfNumbers(t.Context(), m, test, y.Numbers, explain.Options{Repeats: 2})
	default:
		right, positive := 0.0, make([]bool, test.Rows)
		for i := range positive {
			text, _ := y.Text(i)
			positive[i] = text == m.Schema().Positive
			if positive[i] == (scores[i] >= 0.5) {
				right++
			}
		}
		require.Greater(t, right/n, 0.9)
		found, err = explain.Permutation(t.Context(), m, test, positive, explain.Options{Repeats: 2})
	}
	require.NoError(t, err)
	require.Equal(t, "size", found.Features[0].Feature)
	require.Greater(t, found.Features[0].Leading().Value, 0.1)
}
