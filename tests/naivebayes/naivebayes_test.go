package naivebayes

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// trained runs the program on a CSV and gives its model and what it printed.
func trained(t *testing.T, csv string, environment ...string) (*Model, string) {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"train", "validation", "model", "checkpoints"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
	}
	for _, part := range []string{"train", "validation"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, part, part+".csv"), []byte(csv), 0o600))
	}
	self, err := os.Executable()
	require.NoError(t, err)
	program := exec.CommandContext(t.Context(), self, "--rows", "37")
	program.Env = append(environment, Role+"=train", "ASSAY_TARGET=y", "SM_CHANNEL_TRAIN="+filepath.Join(dir, "train"),
		"SM_CHANNEL_VALIDATION="+filepath.Join(dir, "validation"), "SM_MODEL_DIR="+filepath.Join(dir, "model"), "ASSAY_CHECKPOINT_DIR="+filepath.Join(dir, "checkpoints"))
	output, err := program.CombinedOutput()
	require.NoError(t, err, string(output))
	m, err := Open(filepath.Join(dir, "model", "model.json"))
	require.NoError(t, err)
	return m, string(output)
}

func TestLinearRegressionFindsTheLineThatMadeTheRows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var csv strings.Builder
	csv.WriteString("a,b,c,same,name,y\n")
	for range 200 {
		a, b := random.Float64()*10, random.NormFloat64()
		fmt.Fprintf(&csv, "%v,%v,%v,3,x,%v\n", a, b, 2*a, 5+3*a-2*b)
	}
	m, output := trained(t, csv.String(), "ASSAY_TASK=regression")
	require.Contains(t, output, `"validation_rmse"`)
	for _, c := range [][2]float64{{0, 0}, {1, 0}, {4, -2}} {
		got := m.Predict(map[string]float64{"a": c[0], "b": c[1], "c": 2 * c[0], "same": 3})
		require.InDelta(t, 5+3*c[0]-2*c[1], got[0], 1e-4)
	}
	answers, err := m.Answer(bytes.NewReader([]byte("a,b,c,same,name\n1,0,2,3,x\n,,,,\n")))
	require.NoError(t, err)
	require.Len(t, answers, 2)
	require.InDelta(t, 8, answers[0], 1e-4)
	require.False(t, math.IsNaN(answers[1]), "a row without values counts as the mean")
}

func TestSeveralClassesAreToldApart(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var csv strings.Builder
	csv.WriteString("a,b,y\n")
	for i := range 300 {
		class := i % 3
		fmt.Fprintf(&csv, "%v,%v,%s\n", random.NormFloat64()+float64(10*class), random.NormFloat64()-float64(10*class), []string{"1.0", "2.0", "10.0"}[class])
	}
	m, output := trained(t, csv.String(), "ASSAY_TASK=multiclass", `ASSAY_CLASSES=["1","2","10"]`)
	require.Contains(t, output, `{"validation_accuracy": 1}`)
	for class := range 3 {
		p := m.Predict(map[string]float64{"a": float64(10 * class), "b": -float64(10 * class)})
		require.Len(t, p, 3)
		require.Greater(t, p[class], 0.99)
		require.InDelta(t, 1, p[0]+p[1]+p[2], 1e-5)
	}
}
