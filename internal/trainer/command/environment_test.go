package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
	"github.com/stretchr/testify/require"
)

// found is what the program tell found, with ROOT in place of its working folder.
func (b *bench) found(t *testing.T, j Job) told {
	t.Helper()
	text := b.files(t, b.succeeds(t, j).Files)["told.json"]
	var plain told
	require.NoError(t, json.Unmarshal([]byte(text), &plain))
	root := filepath.Dir(plain.Folder)
	require.True(t, strings.HasPrefix(root, b.runner.Scratch), "the program runs in %s", plain.Folder)
	var f told
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(text, root, "ROOT")), &f))
	return f
}

func (b *bench) table(t *testing.T, f *table.Frame) artifact.Ref {
	t.Helper()
	ref, err := table.WriteFrame(t.Context(), b.store, f, b.runner.Limits)
	require.NoError(t, err)
	return ref
}

func TestAProgramFindsExactlyWhatTheConventionsPromise(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the worker's own")
	t.Setenv("HTTPS_PROXY", "http://proxy")
	b := newBench(t)
	b.runner.Policy.PassEnv = []string{"HTTPS_PROXY"}
	j := b.acts(t, "tell", "LANG", "de_CH.UTF-8")
	j.Command.Run = append(j.Command.Run, "--fixed", "first")
	j.Parameters = spec.Parameters{
		"a": spec.Number(1), "lr": spec.Number(0.1), "epochs": spec.Number(10), "bias": spec.Truth(true), "shuffle": spec.Truth(false),
		"name": spec.Text("a <b> & c"), "large": spec.Number(1e20), "Z": spec.Text(""), "negative": spec.Number(-3),
	}
	j.Training, j.Columns = b.table(t, frame), []string{"age", "job", "income"}
	j.Validation = b.table(t, &table.Frame{Rows: 1, Columns: []table.Column{
		{Name: "age", Kind: table.Numeric, Numbers: []float64{-2}},
		{Name: "job", Kind: table.Categorical, Codes: []int32{0}, Levels: []string{"baker"}},
		{Name: "income", Kind: table.Categorical, Codes: []int32{0}, Levels: []string{"<=50K"}},
	}})
	j.Weight = "weight"
	j.Devices = []device.Device{{Index: 3}, {Index: 1}, {Index: 0, Simulated: true}}
	j = handedOut(j, 2)
	f := b.found(t, j)

	require.Equal(t, []string{
		"--fixed", "first", "-Z", "", "-a", "1", "--bias", "True", "--epochs", "10", "--large", "1e+20", "--lr", "0.1",
		"--name", "a <b> & c", "--negative", "-3", "--shuffle", "False",
	}, f.Arguments, "in the order of the names, one dash before one letter")
	require.Equal(t, "ROOT/code", f.Folder)
	cpus := strconv.Itoa(runtime.NumCPU())
	want := []string{
		"ACT=tell", "ASSAY_ATTEMPT=2", "ASSAY_CHECKPOINT_DIR=ROOT/checkpoints", "ASSAY_POSITIVE=>50K", "ASSAY_SEED=7",
		"ASSAY_SIMULATED_DEVICES=1", "ASSAY_TARGET=income", "ASSAY_TASK=binary", "ASSAY_WEIGHT=weight", "CUDA_VISIBLE_DEVICES=3,1",
		"HOME=ROOT/home", "HTTPS_PROXY=http://proxy", "LANG=de_CH.UTF-8",
		"PATH=" + filepath.Dir(b.self) + ":/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1",
		`SM_CHANNELS=["train","validation"]`, "SM_CHANNEL_TRAIN=ROOT/input/data/train", "SM_CHANNEL_VALIDATION=ROOT/input/data/validation",
		"SM_CURRENT_HOST=algo-1", `SM_HOSTS=["algo-1"]`,
		`SM_HPS={"Z":"","a":1,"bias":true,"epochs":10,"large":100000000000000000000,"lr":0.1,"name":"a <b> & c","negative":-3,"shuffle":false}`,
		"SM_HP_A=1", "SM_HP_BIAS=True", "SM_HP_EPOCHS=10", "SM_HP_LARGE=1e+20", "SM_HP_LR=0.1", "SM_HP_NAME=a <b> & c", "SM_HP_NEGATIVE=-3",
		"SM_HP_SHUFFLE=False", "SM_HP_Z=",
		"SM_INPUT_CONFIG_DIR=ROOT/input/config", "SM_INPUT_DIR=ROOT/input", "SM_LOG_LEVEL=20", "SM_MODEL_DIR=ROOT/model",
		"SM_MODULE_DIR=ROOT/code", "SM_NUM_CPUS=" + cpus, "SM_NUM_GPUS=2", "SM_OUTPUT_DATA_DIR=ROOT/output/data", "SM_OUTPUT_DIR=ROOT/output",
		`SM_USER_ARGS=["-Z","","-a","1","--bias","True","--epochs","10","--large","1e+20","--lr","0.1","--name","a <b> & c","--negative","-3","--shuffle","False"]`,
		"SYNC=" + b.sync, "TMPDIR=ROOT/tmp",
	}
	slices.Sort(want)
	slices.Sort(f.Environment)
	require.Equal(t, want, f.Environment, "and nothing else of the worker's environment")
	require.Equal(t, map[string]string{
		"code/program.txt":                     "code",
		"input/data/train/train.csv":           "age,job,income\n41.0,cook,>50K\n0.5,,<=50K\n,\"cook, \"\"chief\"\"\",>50K\n",
		"input/data/validation/validation.csv": "age,job,income\n-2.0,baker,<=50K\n",
		"input/config/hyperparameters.json":    `{"Z":"","a":"1","bias":"True","epochs":"10","large":"1e+20","lr":"0.1","name":"a <b> & c","negative":"-3","shuffle":"False"}` + "\n",
		"input/config/resourceconfig.json":     `{"current_host":"algo-1","hosts":["algo-1"],"network_interface_name":"lo"}` + "\n",
	}, f.Files)
}

func TestAProgramWithoutValidationDevicesOrParametersIsToldSo(t *testing.T) {
	b := newBench(t)
	b.runner.Policy.CPUs = 1
	f := b.found(t, b.acts(t, "tell"))
	require.Empty(t, f.Arguments)
	for _, v := range []string{`SM_CHANNELS=["train"]`, "SM_HPS={}", "SM_USER_ARGS=[]", "SM_NUM_GPUS=0", "CUDA_VISIBLE_DEVICES=", "ASSAY_SIMULATED_DEVICES=0", "SM_NUM_CPUS=1", "ASSAY_WEIGHT=", "OMP_NUM_THREADS=1"} {
		require.Contains(t, f.Environment, v)
	}
	for _, v := range f.Environment {
		require.False(t, strings.HasPrefix(v, "SM_CHANNEL_VALIDATION=") || strings.HasPrefix(v, "SM_HP_"), v)
	}
	require.Equal(t, "{}\n", f.Files["input/config/hyperparameters.json"])
}

func TestAProgramIsToldWhatItPredicts(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		target  spec.Target
		classes []string
		want    []string
	}{
		{spec.Target{Column: "job", Task: "multiclass"}, []string{"<a>", `"b"`, "10"}, []string{`ASSAY_CLASSES=["<a>","\"b\"","10"]`, "ASSAY_TARGET=job", "ASSAY_TASK=multiclass"}},
		{spec.Target{Column: "age", Task: "regression"}, nil, []string{"ASSAY_TARGET=age", "ASSAY_TASK=regression"}},
		{spec.Target{Column: "job", Positive: "cook"}, nil, []string{"ASSAY_POSITIVE=cook", "ASSAY_TARGET=job", "ASSAY_TASK=binary"}},
	} {
		j := b.acts(t, "tell")
		j.Execution += c.target.Task
		j.Target, j.Classes = c.target, c.classes
		var got []string
		for _, v := range b.found(t, j).Environment {
			name, _, _ := strings.Cut(v, "=")
			if slices.Contains([]string{"ASSAY_CLASSES", "ASSAY_TARGET", "ASSAY_TASK", "ASSAY_POSITIVE"}, name) {
				got = append(got, v)
			}
		}
		slices.Sort(got)
		require.Equal(t, c.want, got)
	}
}

func TestDataIsDeliveredAsParquetWithTheWantedColumnsOnly(t *testing.T) {
	b := newBench(t)
	j := b.script(t, `cp "$SM_CHANNEL_TRAIN"/* "$SM_MODEL_DIR"; ls "$SM_CHANNEL_TRAIN"`)
	j.Command.Data = "parquet"
	j.Training, j.Columns = b.table(t, frame), []string{"income", "age"}
	res := b.succeeds(t, j)
	require.Equal(t, "train.parquet\n", b.text(t, res.Program.Output))
	folder, err := artifact.ReadFolder(t.Context(), b.store, res.Files)
	require.NoError(t, err)
	wanted := []table.Wanted{{Name: "age", Kind: table.Numeric}, {Name: "income", Kind: table.Categorical}}
	got, err := table.ReadFrame(t.Context(), b.store, folder.Files[0].Ref, wanted, b.runner.Limits)
	require.NoError(t, err)
	require.Equal(t, 3, got.Rows)
	require.Equal(t, frame.Columns[3], got.Columns[1])
	_, err = table.ReadFrame(t.Context(), b.store, folder.Files[0].Ref, []table.Wanted{{Name: "secret", Kind: table.Numeric}}, b.runner.Limits)
	require.ErrorContains(t, err, `the table has ["income" "age"]`)
}

func TestAColumnThatIsNotThereIsNamed(t *testing.T) {
	b := newBench(t)
	j := b.script(t, "model")
	j.Training, j.Columns = b.table(t, frame), []string{"agee"}
	_, err := b.run(t, t.Context(), j)
	require.ErrorContains(t, err, `no column "agee"; the table has ["age" "secret" "job" "income"]`)
}

func TestAnInterpreterIsAskedWhatItIs(t *testing.T) {
	b := newBench(t)
	interpreter := filepath.Join(t.TempDir(), "python3.14")
	b.runner.Policy.Allowed = append(b.runner.Policy.Allowed, interpreter)
	write := func(answer string) {
		require.NoError(t, os.WriteFile(interpreter, []byte("#!/bin/sh\nif [ \"$1\" = -c ]; then "+answer+"; else echo model > $SM_MODEL_DIR/model; fi\n"), 0o700))
	}
	// As many packages as describePython prints in several lines.
	write(`echo a banner; echo '{"interpreter": "CPython 3.14.1"}'; for i in $(seq 3000); do echo "{\"packages\": [\"p$i==1\"]}"; done`)
	res := b.succeeds(t, b.job(t, interpreter, "train.py"))
	require.Equal(t, "CPython 3.14.1", res.Program.Interpreter)
	require.Len(t, res.Program.Packages, mostPackages)
	require.Equal(t, "p1==1", res.Program.Packages[0])
	require.Equal(t, interpreter, res.Program.Path)
	script, err := os.ReadFile(interpreter)
	require.NoError(t, err)
	require.Equal(t, artifact.Sum(script), res.Program.Executable)

	write("echo cannot start; exit 3")
	f := b.fails(t, handedOut(b.job(t, interpreter, "train.py"), 2), Refused, false)
	require.ErrorContains(t, f, "ask the interpreter "+interpreter)
	require.ErrorContains(t, f, "cannot start")
	write("echo nonsense")
	_, err = b.run(t, t.Context(), handedOut(b.job(t, interpreter, "train.py"), 3))
	require.ErrorContains(t, err, "its answer is not understood")

	require.Empty(t, b.succeeds(t, handedOut(b.script(t, "model"), 4)).Program.Interpreter, "of other programs nothing is said")
}

func TestPythonAnswersWhatItIsAsked(t *testing.T) {
	b := newBench(t)
	python := ""
	for _, p := range []string{"/usr/bin/python3", "/usr/local/bin/python3"} {
		if _, err := os.Stat(p); err == nil {
			python = p
		}
	}
	if python == "" {
		t.Skip("python3 is missing from /usr/bin and /usr/local/bin")
	}
	b.runner.Policy.Allowed = []string{python}
	d, err := b.runner.describe(t.Context(), python, t.TempDir(), []string{"PATH=/usr/bin:/bin"})
	require.NoError(t, err)
	require.Regexp(t, `^\S+ 3\.\d+\.\d+`, d.Interpreter)
	require.True(t, slices.IsSorted(d.Packages))
}
