package functional

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/search"
	"github.com/assay-ml/assay/tests/naivebayes"
	"github.com/stretchr/testify/require"
)

// ownProgram makes a spec train with the test's own program.
func ownProgram(t *testing.T, parameters document, changes ...func(document)) func(document) {
	t.Helper()
	code := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(code, "README"), []byte(t.Name()), 0o600))
	program, err := os.Executable()
	require.NoError(t, err)
	return func(spec document) {
		with("train", document{
			"trainer": "command", "parameters": parameters,
			"command": document{"code": code, "run": []any{program}, "environment": document{naivebayes.Role: "train"}},
		})(spec)
		with("serve", document{"run": []any{program}, "environment": document{naivebayes.Role: "serve"}})(spec)
		for _, change := range changes {
			change(spec)
		}
	}
}

func TestAUsersOwnProgramTrainsServesAndIsNamed(t *testing.T) {
	t.Parallel()
	l := start(t, credit("own-program", oneReviewer, ownProgram(t, document{"rows": 500, "smoothing": 0.01})))
	l.deploys()
	s := l.status()
	require.Contains(t, s.Stages[4].Summary, "log_likelihood")
	require.Contains(t, s.Stages[5].Summary, "auc")

	m := manifestOf(t, "own-program", 1)
	require.Equal(t, "0.01", m.Parameters["smoothing"])
	var trained model.Manifest
	require.NoError(t, artifact.ReadJSON(t.Context(), local.Store, m.ModelManifest, &trained))
	require.Equal(t, model.KindServed, trained.Kind)
	require.NotEmpty(t, trained.Program.Executable.Hex())
	code, err := artifact.ReadFolder(t.Context(), local.Store, trained.Program.Code)
	require.NoError(t, err)
	require.Equal(t, "README", code.Files[0].Path)
	output, err := artifact.ReadAll(t.Context(), local.Store, trained.Program.Output)
	require.NoError(t, err)
	require.Contains(t, string(output), `"validation_accuracy"`)
	require.Equal(t, "validation_accuracy", trained.Metrics[1].Name)

	// Online: the gateway asks the same server.
	waitUntil(t, "the gateway answers with the program's model", func() bool {
		code, _ := post(t, "/v2/models/own-program/infer", document{"instances": applications(1, 5, 0)})
		return code == 200
	})
}

func TestWhatAProgramDidWrongIsSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(document)
		typ    string
		says   []string
	}{
		"exits with a status": {ownProgram(t, document{"exit": 3}), "ProgramExit", []string{"exited with status 3", "the last words of the program", "train.command.retry.on"}},
		"is not allowed":      {ownProgram(t, document{}, with("train.command.run", []any{"/bin/true"})), "ProgramRefused", []string{"/bin/true", "--allow-programs"}},
		"is not there":        {ownProgram(t, document{}, with("train.command.code", "/nowhere/at/all")), "InvalidData", []string{"train.command.code", "/nowhere/at/all"}},
		"serves nothing":      {ownProgram(t, document{}, with("serve.environment", document{naivebayes.Role: "none"})), "ServeFailed", []string{`expected train, serve or metric`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failure := start(t, credit("wrong-"+strings.ReplaceAll(name, " ", "-"), c.change)).fails()
			for _, text := range c.says {
				require.Contains(t, failure.Message(), text)
			}
			require.Contains(t, failure.Unwrap().Error()+failure.Error(), c.typ)
		})
	}
}

func TestASweepOfTheBuiltInTrainerChoosesAndIsReported(t *testing.T) {
	t.Parallel()
	l := start(t, credit("swept", oneReviewer, with("train.sweep", document{
		"method": "random", "metric": "validation_log_loss", "goal": "minimize", "trials": 30, "parallel": 3, "seed": 5,
		"parameters": document{"l2": document{"min": 0.01, "max": 10000, "scale": "log"}},
	})))
	l.deploys()
	require.Contains(t, l.status().Stages[4].Summary, "of 30 is best")
	m := manifestOf(t, "swept", 1)
	var report search.Report
	require.NoError(t, artifact.ReadJSON(t.Context(), local.Store, m.Sweep, &report))
	require.Len(t, report.Trials, 30, "trials on every page are in the report")
	best := report.Trials[report.Chosen-1]
	for i, r := range report.Trials {
		require.Equal(t, search.Trial(i+1), r.Trial)
		require.Equal(t, search.OutcomeFinished, r.Outcome)
		require.GreaterOrEqual(t, *r.Value, *best.Value)
	}
	require.Equal(t, best.Parameters["l2"].String(), m.Parameters["l2"])
	require.Equal(t, best.Model, m.ModelArtifact.Digest.Short())
}

func TestASweepOfOwnProgramsStopsBadTrialsEarly(t *testing.T) {
	t.Parallel()
	l := start(t, credit("swept-own", oneReviewer, ownProgram(t, document{"rows": 200, "delay": 0.8}, // a trial learns with its heartbeats, every three seconds, that it is stopped
		with("train.sweep", document{
			"method": "asha", "metric": "log_likelihood", "trials": 8, "parallel": 4, "seed": 3,
			"parameters": document{"smoothing": document{"min": 0.00001, "max": 100.0, "scale": "log"}},
			"early_stop": document{"by": "step", "first": 1, "factor": 3},
		}))))
	l.deploys()
	var report search.Report
	require.NoError(t, artifact.ReadJSON(t.Context(), local.Store, manifestOf(t, "swept-own", 1).Sweep, &report))
	require.Equal(t, 8, report.Finished+report.Stopped)
	require.Positive(t, report.Stopped)
	for _, r := range report.Trials {
		if r.Outcome == search.OutcomeStopped {
			require.Contains(t, r.Reason, "are better")
		}
	}
}

func TestASweepWhoseMetricIsNotANumberEndsSoon(t *testing.T) {
	t.Parallel()
	failure := start(t, credit("swept-to-nan", ownProgram(t, document{"nan": 1}, with("train.sweep", document{
		"method": "random", "metric": "validation_accuracy", "trials": 1000, "parameters": document{"smoothing": document{"min": 0.1, "max": 1.0}},
	})))).fails()
	require.Contains(t, failure.Message(), `the metric "validation_accuracy" was NaN at the end`)
}

func TestASweepWhoseMetricNeverAppearsEndsSoon(t *testing.T) {
	t.Parallel()
	failure := start(t, credit("swept-in-vain", ownProgram(t, document{}, with("train.sweep", document{
		"method": "random", "metric": "f1", "trials": 1000, "parameters": document{"smoothing": document{"min": 0.1, "max": 1.0}},
	})))).fails()
	require.Contains(t, failure.Message(), `the metric "f1" never appeared in the output`)
	require.Contains(t, failure.Message(), "validation_accuracy")
}

func TestJobsOfSeveralDevicesHaveAQueueOfTheirOwn(t *testing.T) {
	t.Parallel()
	l := start(t, credit("two-devices", with("train", document{"trainer": "logistic", "queue": "gpu", "gpus": 2})))
	l.waitFor("it says what it waits for", func(s status) bool { return strings.Contains(s.Stages[4].Summary, "assay-gpu-x2") })
	require.NoError(t, local.Client.CancelWorkflow(t.Context(), l.id, ""))
}
