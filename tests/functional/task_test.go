package functional

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// flats writes rows whose price is a line in size and rooms, with a grade of three by it.
func flats(t *testing.T, rows int) string {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	var b strings.Builder
	b.WriteString("size,rooms,quarter,price,grade\n")
	for range rows {
		size, rooms := 50+100*r.Float64(), float64(1+r.IntN(5))
		price := 3*size + 20*rooms + 10*r.NormFloat64()
		grade := "high"
		if price < 300 {
			grade = "low"
		} else if price < 400 {
			grade = "middle"
		}
		fmt.Fprintf(&b, "%.3f,%g,%s,%.3f,%s\n", size, rooms, []string{"east", "west"}[r.IntN(2)], price, grade)
	}
	path := filepath.Join(t.TempDir(), "flats.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// ofTask is a spec of a task that the test's own program learns.
func ofTask(t *testing.T, model, uri, task, target string, exclude []any, conditions ...any) document {
	t.Helper()
	return credit(model, oneReviewer, ownProgram(t, document{}),
		with("data.source", document{"uri": uri}), with("data.target", document{"column": target, "task": task}), with("data.protected", []any{"quarter"}),
		with("data.exclude", exclude), with("data.expect", nil), with("gates", document{"conditions": conditions}), with("rollout", nil))
}

func TestSeveralClassesGoTheWholeWay(t *testing.T) {
	t.Parallel()
	l := start(t, ofTask(t, "grades", flats(t, 4000), "multiclass", "grade", []any{"price"},
		"accuracy > 0.5 +/- 0.1", "recall(high) > 0.3 +/- 0.2", "f1_macro > 0.4 +/- 0.1", "precision(low)[quarter=east] > 0.2 +/- 0.2", "k_anonymity >= 1"))
	l.deploys()
	require.Equal(t, "pass", l.status().Verdict, dossierOf(t, l.id).Gate.Results)

	var p struct {
		Outputs []struct {
			Name  string `json:"name"`
			Shape []int  `json:"shape"`
			Data  []any  `json:"data"`
		} `json:"outputs"`
	}
	waitUntil(t, "the gateway answers", func() bool {
		code, body := post(t, "/v2/models/grades/infer", document{"instances": []document{{"size": 60, "rooms": 1, "quarter": "east"}}})
		return code == 200 && json.Unmarshal(body, &p) == nil
	})
	byName := map[string][]any{}
	for _, o := range p.Outputs {
		byName[o.Name] = o.Data
	}
	require.Len(t, byName["probabilities"], 3)
	require.Equal(t, []any{"low"}, byName["class"])
}

func TestNumbersGoTheWholeWay(t *testing.T) {
	t.Parallel()
	const model = "prices"
	uri := flats(t, 4000)
	conditions := []any{"rmse < 20 +/- 5", "r2 > 0.8 +/- 0.1", "mean_error[quarter=west] < 5 +/- 2", "new.rmse - old.rmse < 5 +/- 2"}
	l := start(t, ofTask(t, model, uri, "regression", "price", []any{"grade"}, conditions...))
	l.deploys()
	require.Equal(t, "pass", l.status().Verdict, dossierOf(t, l.id).Gate.Results)

	// The second candidate sees one column less and is worse than the champion by more than it may be.
	worse := another(t, "t2", ofTask(t, model, uri, "regression", "price", []any{"grade", "rooms"}, "new.rmse - old.rmse < 5 +/- 2"))
	r := worse.ends()
	require.Equal(t, "gated", r.Outcome, r.Reason)
	require.Contains(t, r.Reason, "old.rmse")
}

func TestAMetricThatTheTaskDoesNotHaveIsRefused(t *testing.T) {
	t.Parallel()
	failure := start(t, ofTask(t, "wrong-metric", flats(t, 100), "regression", "price", []any{"grade"}, "auc > 0.8 +/- 0.1")).fails()
	require.Contains(t, failure.Message(), "auc is not defined for regression")
}
