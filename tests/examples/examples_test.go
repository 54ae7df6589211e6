//go:build python

// Package examples runs the examples of users' own programs for real, through the whole lifecycle, as their README says.
// It needs the Python packages that `make test-python` installs.
package examples

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/synthetic"
	"github.com/assay-ml/assay/internal/table"
	"github.com/assay-ml/assay/starter/cli"
	"github.com/assay-ml/assay/tests/stacktest"
	"github.com/assay-ml/assay/workflows"
	"github.com/stretchr/testify/require"
)

// local is the stack all tests share. It has two simulated devices.
var local *stacktest.Stack

// bin is the folder of the virtual environment's programs.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if bin, err = filepath.Abs("../../.venv-examples/bin"); err == nil {
		_, err = os.Stat(filepath.Join(bin, "python3"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the examples need their virtual environment: run `make test-python`:", err)
		return 1
	}
	if local, err = stacktest.Start("cpu:2", filepath.Join(bin, "python3"), filepath.Join(bin, "mlflow")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for name, value := range local.Environment() {
		os.Setenv(name, value)
	}
	code := m.Run()
	if err := local.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func example(elements ...string) string {
	return filepath.Join(append([]string{"..", "..", "examples"}, elements...)...)
}

// starter runs a command of the starter and gives its output and exit status.
func starter(t *testing.T, args ...string) (string, int) {
	t.Helper()
	var out, complaints bytes.Buffer
	status := cli.Main(t.Context(), args, &out, &complaints)
	return out.String() + complaints.String(), status
}

// deploys takes an example through its whole life and gives the version's manifest.
func deploys(t *testing.T, file, id string, set ...string) (registry.Manifest, workflows.Status) {
	t.Helper()
	args := []string{"run", file, "--id", id, "--requester", "rita", "-o", "json"}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	out, code := starter(t, args...)
	require.Zero(t, code, out)
	var started struct{ Lifecycle string }
	require.NoError(t, json.Unmarshal([]byte(out), &started), out)
	s := waitFor(t, started.Lifecycle, func(s workflows.Status) bool { return s.Review != nil && s.Review.Outcome == "open" })
	for _, seat := range s.Review.Missing {
		for i := range seat.Approvals {
			out, code := starter(t, "approve", started.Lifecycle, "--as", fmt.Sprintf("%s %d", seat.Role, i), "--role", seat.Role, "--reason", "a test", "--dossier", s.Review.Dossier.String())
			require.Zero(t, code, out)
		}
	}
	out, code = starter(t, "watch", started.Lifecycle)
	t.Log(out)
	require.Zero(t, code, out)
	require.Contains(t, out, "deployed")
	s = status(t, started.Lifecycle)
	m, _, err := registry.Get(t.Context(), local.Store, s.Model, s.Version)
	require.NoError(t, err)
	return m, s
}

func status(t *testing.T, id string) workflows.Status {
	t.Helper()
	out, code := starter(t, "status", id, "-o", "json")
	require.Zero(t, code, out)
	var s workflows.Status
	require.NoError(t, json.Unmarshal([]byte(out), &s))
	return s
}

// waitFor waits for a status; a lifecycle that ends before fails the test with its reason.
func waitFor(t *testing.T, id string, ok func(workflows.Status) bool) workflows.Status {
	t.Helper()
	deadline := time.After(10 * time.Minute)
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		s := status(t, id)
		if ok(s) {
			return s
		}
		require.Nil(t, s.Result, "%s ended: %+v", id, s.Result)
		select {
		case <-tick.C:
		case <-deadline:
			require.FailNow(t, "waited too long", "%s is in stage %s", id, s.Stage)
		}
	}
}

func trainedBy(t *testing.T, m registry.Manifest) (model.Manifest, model.Served) {
	t.Helper()
	var manifest model.Manifest
	require.NoError(t, artifact.ReadJSON(t.Context(), local.Store, m.ModelManifest, &manifest))
	b, err := artifact.ReadAll(t.Context(), local.Store, m.ModelArtifact)
	require.NoError(t, err)
	served, err := model.DecodeServed(b)
	require.NoError(t, err)
	return manifest, served
}

func TestEveryExampleIsDeployed(t *testing.T) {
	for name, packageOf := range map[string]string{"sklearn": "scikit-learn==", "xgboost": "xgboost", "pytorch": "torch==", "mlflow": "mlflow"} {
		t.Run(name, func(t *testing.T) {
			m, _ := deploys(t, example(name, "spec.yaml"), "first")
			manifest, _ := trainedBy(t, m)
			require.Contains(t, manifest.Program.Interpreter, "CPython 3")
			require.Contains(t, strings.Join(manifest.Program.Packages, "\n"), packageOf)
			require.NotEmpty(t, manifest.Metrics)
			require.NotEmpty(t, m.Usage)
			asked(t, m.Model)
		})
	}
}

// asked has the gateway answer with what the example trained.
func asked(t *testing.T, name string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rows.json")
	var rows []map[string]any
	for application := range synthetic.Applications(synthetic.Options{Rows: 3, Seed: 9}) {
		row := map[string]any{}
		for _, column := range synthetic.Columns {
			row[column] = application.Values[column]
		}
		rows = append(rows, row)
	}
	b, err := json.Marshal(map[string]any{"instances": rows})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, b, 0o600))
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		out, code := starter(t, "predict", name, "--input", file)
		if code == 0 {
			require.Contains(t, out, `"score"`)
			return
		}
		require.Contains(t, out, "503", "while the model's server starts, and only then, there is no answer")
		select {
		case <-tick.C:
		case <-deadline:
			require.FailNow(t, "the gateway never answered", out)
		}
	}
}

// The forest is the one that the same program makes by hand from the same files, and its accuracy is the same number.
func TestTheForestIsTheOneMadeByHand(t *testing.T) {
	file := example("sklearn", "adult.yaml")
	if os.Getenv("ADULT_DIR") == "" {
		t.Log("ADULT_DIR names no folder with adult_train.csv and adult_test.csv: the generated data take their place")
		file = example("sklearn", "spec.yaml")
	}
	m, _ := deploys(t, file, "by-hand")
	manifest, served := trainedBy(t, m)

	folder := t.TempDir()
	train, validation, test, byHand := filepath.Join(folder, "train"), filepath.Join(folder, "validation"), filepath.Join(folder, "test.csv"), filepath.Join(folder, "model")
	columns := append(append([]string(nil), manifest.Features...), manifest.Target)
	for path, ref := range map[string]artifact.Ref{filepath.Join(train, "train.csv"): m.TrainData, filepath.Join(validation, "validation.csv"): manifest.Validation.Ref, test: m.TestData} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, table.Export(t.Context(), local.Store, ref, columns, table.FormatCSV, path, table.Limits{}))
	}
	args := []string{train, validation, byHand, manifest.Target, manifest.Positive}
	for name, value := range manifest.Parameters {
		args = append(args, "--"+name, value.String())
	}
	python(t, fmt.Sprintf("ASSAY_SEED=%d", manifest.Seed), exec.Command(example("sklearn", "by_hand.sh"), args...))
	files, _, err := artifact.PutFolder(t.Context(), local.Store, byHand, artifact.FolderLimits{})
	require.NoError(t, err)
	require.Equal(t, files, served.Files, "the same files, byte for byte")

	predict := exec.Command(filepath.Join(bin, "python3"), "predict.py", byHand, test)
	predict.Dir = example("sklearn")
	scores := strings.Fields(python(t, "PYTHONDONTWRITEBYTECODE=1", predict))
	f, err := table.ReadFrame(t.Context(), local.Store, m.TestData, []table.Wanted{{Name: manifest.Target, Kind: table.Categorical}}, table.Limits{})
	require.NoError(t, err)
	require.Len(t, scores, f.Rows)
	right := 0
	for i, text := range scores {
		var score float64
		_, err := fmt.Sscan(text, &score)
		require.NoError(t, err)
		label, _ := f.Columns[0].Text(i)
		if (score >= 0.5) == (label == manifest.Positive) {
			right++
		}
	}
	var evaluated evaluation.Report
	require.NoError(t, artifact.ReadJSON(t.Context(), local.Store, m.Evaluation, &evaluated))
	accuracy, _ := evaluated.Overall.Metric(stats.Accuracy)
	require.Equal(t, float64(right)/float64(f.Rows), accuracy.Value)
	t.Logf("accuracy %.6f on %d test rows, by hand and under Assay", accuracy.Value, f.Rows)
}

// python runs a command with the virtual environment's interpreter and gives what it printed.
func python(t *testing.T, variable string, cmd *exec.Cmd) string {
	t.Helper()
	cmd.Env = append(os.Environ(), variable, "PYTHON="+filepath.Join(bin, "python3"))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, "%s: %s", cmd, complaints.String())
	return string(out)
}

func TestTheSweepShowsItsTrialsAndItsBestIsServed(t *testing.T) {
	m, s := deploys(t, example("sklearn", "sweep.yaml"), "swept")
	out, code := starter(t, "watch", s.Lifecycle)
	require.Zero(t, code)
	require.Contains(t, out, "trial ")
	require.Contains(t, out, "validation_auc")
	var found search.Report
	require.NoError(t, artifact.ReadJSON(t.Context(), local.Store, m.Sweep, &found))
	require.Positive(t, found.Finished)
	require.Zero(t, found.Failed)
	for _, r := range found.Trials {
		require.LessOrEqual(t, *r.Value, *found.Trials[found.Chosen-1].Value)
	}
}

// Two jobs hold a device each, at the same time, and their manifests say which.
func TestPytorchTrainsUnderTheDeviceQueue(t *testing.T) {
	held := make(chan int, 2)
	t.Run("at once", func(t *testing.T) {
		for i := range 2 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				m, s := deploys(t, example("pytorch", "gpu.yaml"), fmt.Sprintf("device-%d", i), fmt.Sprintf("model=on-device-%d", i), fmt.Sprintf("train.parameters.hidden=%d", 16+i), "train.parameters.step_delay=0.02")
				manifest, _ := trainedBy(t, m)
				require.NotNil(t, manifest.Device)
				require.Equal(t, manifest.Device.Name, m.Environment["device"])
				require.Contains(t, s.Stages[4].Summary, "simulated device")
				require.Positive(t, s.Stages[4].Usage.GPUSeconds)
				held <- manifest.Device.Index
			})
		}
	})
	require.NotEqual(t, <-held, <-held, "two jobs at once hold different devices")
}
