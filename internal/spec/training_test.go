package spec

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// program is the minimal spec with a program of the user's and a sweep over it; the tests below change single lines.
var program = withTraining(`train:
  trainer: command
  command:
    code: code
    run: [python3, train.py]
    environment:
      MODE: fast
    metric_definitions:
      - {name: loss, regex: "loss=([0-9.]+)"}
  sweep:
    method: tpe
    metric: loss
    goal: minimize
    trials: 20
    parameters:
      lr: {min: 0.0001, max: 0.1, scale: log}
      depth: {values: [2, 4, 8]}
serve:
  run: [python3, serve.py]
`)

func withTraining(text string) string {
	return strings.Replace(minimal, "train:\n  trainer: logistic\n", text, 1)
}

func changeProgram(t testing.TB, old, new string) string {
	t.Helper()
	require.Contains(t, program, old)
	return strings.Replace(program, old, new, 1)
}

func TestProgramsAreReadInEveryPart(t *testing.T) {
	s := parse(t, withTraining(`train:
  trainer: command
  queue: gpu
  gpus: 2
  priority: 1
  team: vision
  command:
    code: ../code
    run: [python3, train.py, "--port={port}", ""]
    data: parquet
    environment: {MODE: "1", EMPTY: "", _a9: "$${HOME}"}
    metric_definitions: [{name: "validation:auc", regex: 'auc: ([0-9\.]+)'}]
    time_limit: 2d
    silence: 1h
    grace: 5m
    retry: {attempts: 1, on: [signal, silence, exit, out_of_memory, time_limit]}
  parameters: {lr: 1e-3, layers: 3, name: resnet, amp: true, quoted: "3", optimizer.name: adam, empty: ""}
  sweep:
    method: random
    metric: validation:auc
    goal: maximize
    parameters:
      lr: {min: 1e-5, max: 1, scale: log}
      layers: {min: -2, max: 8, integer: true}
      drop: {min: 0, max: 0.5, scale: linear}
      mixed: {values: [1, "two", false]}
    trials: 10
    hours: 1.5
    gpu_hours: 20
    parallel: 4
    seed: -3
    early_stop: {by: epoch, first: 2, factor: 4}
serve:
  run: [serve, "{port}"]
  format: dataframe_split
  positive_index: 0
  batch_rows: 1
  in_flight: 64
  ready_within: 10s
  time_limit: 5s
  environment: {A: b}
`))
	minute := Duration(time.Minute)
	require.Empty(t, cmp.Diff(Train{
		Trainer: "command", Queue: "gpu", GPUs: 2, Priority: 1, Team: "vision",
		Command: &Command{
			Code: "../code", Run: []string{"python3", "train.py", "--port={port}", ""}, Data: "parquet",
			Environment: map[string]string{"MODE": "1", "EMPTY": "", "_a9": "${HOME}"},
			Metrics:     []MetricDefinition{{"validation:auc", `auc: ([0-9\.]+)`}},
			TimeLimit:   48 * 60 * minute, Silence: 60 * minute, Grace: 5 * minute,
			Retry: Retry{Attempts: 1, On: []string{"signal", "silence", "exit", "out_of_memory", "time_limit"}},
		},
		Parameters: Parameters{"lr": Number(1e-3), "layers": Number(3), "name": Text("resnet"), "amp": Truth(true), "quoted": Text("3"),
			"optimizer.name": Text("adam"), "empty": Text("")},
		Sweep: &Sweep{
			Method: "random", Metric: "validation:auc", Goal: "maximize",
			Parameters: map[string]SweepRange{
				"lr":     {Min: new(1e-5), Max: new(1.0), Scale: "log"},
				"layers": {Min: new(-2.0), Max: new(8.0), Integer: true},
				"drop":   {Min: new(0.0), Max: new(0.5), Scale: "linear"},
				"mixed":  {Values: []Value{Number(1), Text("two"), Truth(false)}},
			},
			Trials: 10, Hours: 1.5, GPUHours: 20, Parallel: 4, Seed: -3, EarlyStop: &EarlyStop{By: "epoch", First: 2, Factor: 4},
		},
	}, s.Train))
	require.Empty(t, cmp.Diff(&Serve{
		Run: []string{"serve", "{port}"}, Format: "dataframe_split", PositiveIndex: new(0), BatchRows: 1, InFlight: 64,
		ReadyWithin: minute / 6, TimeLimit: minute / 12, Environment: map[string]string{"A": "b"},
	}, s.Serve))
	again, err := ParseJSON(s.Canonical())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(s, again))
}

func TestDefaultsOfAProgram(t *testing.T) {
	s := parse(t, program, "train.sweep.method=asha")
	shown := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return string(b)
	}
	require.JSONEq(t, `{"code":"code","run":["python3","train.py"],"data":"csv","environment":{"MODE":"fast"},"metric_definitions":[{"name":"loss","regex":"loss=([0-9.]+)"}],
		"time_limit":"12h","silence":"10m","grace":"8s","retry":{"attempts":3,"on":["signal","silence"]}}`, shown(s.Train.Command))
	require.JSONEq(t, `{"run":["python3","serve.py"],"format":"csv","positive_index":1,"batch_rows":1000,"in_flight":2,"ready_within":"2m","time_limit":"1m"}`, shown(s.Serve))
	require.JSONEq(t, `{"first":1,"factor":3}`, shown(s.Train.Sweep.EarlyStop))
	require.Equal(t, 2, s.Train.Sweep.Parallel)
	require.Zero(t, s.Train.Priority)
	require.Nil(t, s.Train.Parameters, "a command has no parameters but those it is given")

	s = parse(t, program)
	require.Nil(t, s.Train.Sweep.EarlyStop, "only asha always stops early")
	require.Equal(t, "maximize", parse(t, program, "train.sweep.goal=maximize").Train.Sweep.Goal)
	require.Equal(t, "maximize", parse(t, strings.Replace(program, "    goal: minimize\n", "", 1)).Train.Sweep.Goal)

	s = parse(t, program, "train.command.time_limit=4m")
	require.Equal(t, Duration(2*time.Minute), s.Train.Command.Silence, "the default follows a short time limit")
	s = parse(t, program, "train.sweep.early_stop={by: epoch}")
	require.Equal(t, EarlyStop{By: "epoch", First: 1, Factor: 3}, *s.Train.Sweep.EarlyStop)

	grid := strings.Replace(strings.Replace(program, "method: tpe", "method: grid", 1), "    trials: 20\n", "", 1)
	s = parse(t, grid, "train.sweep.parameters.lr={min: 1, max: 2, points: 5}", "train.sweep.parameters.layers={min: 1, max: 4, integer: true}")
	require.Equal(t, 5*3*4, s.Train.Sweep.Trials, "a grid is tried as a whole")
}

func TestEmptyMappingsOfNamesAreNone(t *testing.T) {
	s := parse(t, program, "train.parameters={}", "train.command.environment={}", "serve.environment={}")
	require.Nil(t, s.Train.Parameters)
	require.Nil(t, s.Train.Command.Environment)
	require.Nil(t, s.Serve.Environment)
	require.Equal(t, parse(t, minimal).Digest(), parse(t, minimal, "train.parameters={}").Digest())
}

func TestWithDefaultsLeavesTheOriginalAlone(t *testing.T) {
	sweep := &Sweep{Method: SweepGrid, EarlyStop: &EarlyStop{}, Parameters: map[string]SweepRange{"a": {Values: []Value{Number(1)}}}}
	for _, s := range []*Spec{
		{Train: Train{Trainer: TrainerLogistic, Parameters: Parameters{"l2": Number(2)}, Sweep: sweep}},
		{Train: Train{Trainer: TrainerCommand, Command: &Command{Code: "code"}, Sweep: sweep}, Serve: &Serve{}},
	} {
		before, err := json.Marshal(s)
		require.NoError(t, err)
		filled := s.WithDefaults()
		filled.ResolvePaths("/folder")
		after, err := json.Marshal(s)
		require.NoError(t, err)
		require.JSONEq(t, string(before), string(after))
		require.Empty(t, cmp.Diff(filled, filled.WithDefaults()), "twice is once")
	}
	first, second := (&Spec{Train: Train{Command: &Command{}}}).WithDefaults(), (&Spec{Train: Train{Command: &Command{}}}).WithDefaults()
	first.Train.Command.Retry.On[0] = "changed"
	require.Equal(t, RetrySignal, second.Train.Command.Retry.On[0])
}

func TestCodeIsTakenFromTheFolderOfTheSpec(t *testing.T) {
	folder := t.TempDir()
	for code, want := range map[string]string{"code": filepath.Join(folder, "code"), ".": folder, "../shared": filepath.Join(filepath.Dir(folder), "shared"), "/opt/code": "/opt/code"} {
		s := parse(t, program, "train.command.code="+code)
		shared := s.Train.Command
		s.ResolvePaths(folder)
		require.Equal(t, want, s.Train.Command.Code)
		require.Equal(t, code, shared.Code, "a copy of the spec keeps its command")
	}
}

func TestParametersFromOverridesAndVariablesAreWhatTheyReadAs(t *testing.T) {
	require.Equal(t, Number(0.5), parse(t, minimal, "train.parameters.l2=0.5").Train.Parameters["l2"])
	s := parse(t, program, "train.parameters.anything=3", "train.parameters.on=true", "train.parameters.name=resnet 50", "train.parameters.e=+1e-3",
		"train.parameters.padded= 7", "train.parameters.hex=0x10", "train.parameters.optimizer.lr=1", "train.parameters.empty=", "train.parameters.list=[1]",
		"train.sweep.parameters.optimizer.lr={min: 1, max: 2}", "train.sweep.parameters.optimizer.lr.max=3", "train.sweep.parameters.depth.values[1]=16",
		"train.command.environment.MODE=5")
	require.Empty(t, cmp.Diff(Parameters{"anything": Number(3), "on": Truth(true), "name": Text("resnet 50"), "e": Number(1e-3), "padded": Number(7), "hex": Text("0x10"),
		"optimizer.lr": Number(1), "empty": Text(""), "list": Text("[1]")}, s.Train.Parameters))
	require.Equal(t, 3.0, *s.Train.Sweep.Parameters["optimizer.lr"].Max)
	require.Empty(t, cmp.Diff([]Value{Number(2), Number(16), Number(8)}, s.Train.Sweep.Parameters["depth"].Values))
	require.Equal(t, "5", s.Train.Command.Environment["MODE"])

	env := func(name string) (string, bool) {
		return map[string]string{"RATE": "0.1", "FLAG": "false", "NAME": "x y"}[name], true
	}
	s, err := Parse("a.yaml", []byte(changeProgram(t, "  sweep:", "  parameters:\n    rate: ${RATE}\n    flag: ${FLAG}\n    name: ${NAME}-1\n    text: \"${RATE}\"\n  sweep:")), Options{Env: env})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(Parameters{"rate": Number(0.1), "flag": Truth(false), "name": Text("x y-1"), "text": Text("0.1")}, s.Train.Parameters))
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	for _, text := range []string{"9007199254740992", "-9007199254740992", "1e300", "1152921504606847000", "-0", "1.", ".5", "123456789.123456789123456789", "1e-400"} {
		s := parse(t, program, "train.parameters={x: "+text+"}")
		again, err := ParseJSON(s.Canonical())
		require.NoError(t, err, text)
		require.Empty(t, cmp.Diff(s, again))
	}
}

// Each case changes the program's spec and gives the only problem that must be reported.
func TestContradictionsAndWrongValuesOfPrograms(t *testing.T) {
	const environment, parameters = "      MODE: fast", "  sweep:"
	for _, c := range []struct{ old, new, want string }{
		// the parts that belong together
		{"serve:\n  run: [python3, serve.py]\n", "", `1:1: serve: found trainer: command without a server; add serve.run: only a program of yours can read what the command trained`},
		{"serve:", "serv:", `28:1: serv: there is no field "serv" here; did you mean "serve"?`},
		{"  trainer: command\n  command:", "  trainer: command\n  comand:", `13:3: train.comand: there is no field "comand" here; did you mean "command"?`},
		{"    code: code\n", "", `14:5: train.command.code: this field is missing; expected folder (relative to the spec's)`},
		{"    run: [python3, train.py]\n", "", `14:5: train.command.run: this field is missing; expected the program and its fixed arguments`},
		{"  run: [python3, serve.py]", "  format: csv", `serve.run: this field is missing; expected the server and its arguments`},

		// the command
		{"code: code", "code: https://example.org/x.git", `14:11: train.command.code: found "https://example.org/x.git"; expected the path of a folder on this machine`},
		{"code: code", "code: \"a\\nb\"", `14:11: train.command.code: found "a\nb"; expected the path of a folder, on one line`},
		{"run: [python3, train.py]", "run: python3 train.py", `15:10: train.command.run: found "python3 train.py"; expected a list, such as [first, second]`},
		{"run: [python3, train.py]", "run: []", `15:10: train.command.run: found an empty list; expected at least one element`},
		{"run: [python3, train.py]", "run: [\" \", train.py]", `15:11: train.command.run[0]: found no program; expected its name or path, such as python3`},
		{"run: [python3, train.py]", "run: [python3, 5]", `15:20: train.command.run[1]: found the number 5; expected text; if this is meant, put it in quotes: "5"`},
		{"run: [python3, train.py]", "run: [python3, \"\\0\"]", `15:20: train.command.run[1]: found "\x00"; expected text`},
		{"run: [python3, serve.py]", "run: [python3, {port}]", `serve.run[1]: found a mapping; expected text; if this is meant, put it in quotes: "{port}"`},
		{"run: [python3, serve.py]", "run: [\"\"]", `29:9: serve.run[0]: found no program; expected its name or path, such as python3`},
		{"code: code", "code: code\n    data: jsonl", `15:11: train.command.data: found "jsonl"; expected one of csv, parquet`},
		{"code: code", "code: code\n    time_limit: 500ms", `15:17: train.command.time_limit: found a time limit of 500ms; expected at least 1s`},
		{"code: code", "code: code\n    silence: 12h", `15:14: train.command.silence: found a silence of 12h with a time limit of 12h; expected less than time_limit`},
		{"code: code", "code: code\n    silence: 1h\n    time_limit: 30m", `15:14: train.command.silence: found a silence of 1h with a time limit of 30m; expected less than time_limit`},
		{"code: code", "code: code\n    grace: 301s", `15:12: train.command.grace: found a grace of 5m1s; expected at most 5m; let the program write checkpoints as it goes`},
		{"code: code", "code: code\n    grace: 0s", `15:12: train.command.grace: found "0s"; expected a duration above 0`},
		{"code: code", "code: code\n    retry: {attempts: 0}", `train.command.retry.attempts: found the number 0; expected a whole number at least 1 and at most 20`},
		{"code: code", "code: code\n    retry: {attempts: 21}", `train.command.retry.attempts: found the number 21; expected a whole number at least 1 and at most 20`},
		{"code: code", "code: code\n    retry: {on: [crash]}", `15:18: train.command.retry.on[0]: found "crash"; expected one of signal, silence, exit, out_of_memory, time_limit`},
		{"code: code", "code: code\n    retry: {on: [exit, exit]}", `15:24: train.command.retry.on[1]: found "exit" a second time`},
		{"code: code", "code: code\n    retry: {on: []}", `15:17: train.command.retry.on: found an empty list`},
		{"trainer: command", "trainer: command\n  priority: 6", `13:13: train.priority: found the number 6; expected a whole number at least 1 and at most 5`},
		{"trainer: command", "trainer: command\n  priority: 0", `13:13: train.priority: found the number 0; expected a whole number at least 1 and at most 5`},
		{"trainer: command", "trainer: command\n  team: \" a\"", `13:9: train.team: found " a"; expected a name on one line`},
		{"trainer: command", "trainer: command\n  gpus: 2", `13:9: train.gpus: found gpus without queue: gpu`},

		// metrics of the output
		{`"loss=([0-9.]+)"`, `"loss=([0-9.]+"`, `19:29: train.command.metric_definitions[0].regex: found "loss=([0-9.]+"; expected a regular expression (RE2, as Go has it): missing closing ) at "loss=([0-9.]+"`},
		{`"loss=([0-9.]+)"`, `"(?<=loss=)(.*)"`, `train.command.metric_definitions[0].regex: found "(?<=loss=)(.*)"; expected a regular expression (RE2, as Go has it): invalid`},
		{`"loss=([0-9.]+)"`, `"loss=[0-9.]+"`, `19:29: train.command.metric_definitions[0].regex: found "loss=[0-9.]+", which has no group; expected the number in brackets, as in loss=([0-9.]+)`},
		{`"loss=([0-9.]+)"`, `"loss=(?:[0-9.]+)"`, `which has no group`},
		{`"loss=([0-9.]+)"}`, `"loss=([0-9.]+)"}` + "\n      - {name: loss, regex: (.*)}", `20:16: train.command.metric_definitions[1].name: found the metric "loss" a second time (first in element 0); expected one definition a metric`},
		{"- {name: loss, ", "- {", `19:10: train.command.metric_definitions[0].name: this field is missing`},

		// environments
		{environment, "      SM_MODEL_DIR: /x", `17:7: train.command.environment.SM_MODEL_DIR: found the variable SM_MODEL_DIR; leave it out: Assay sets it for the program`},
		{environment, "      ASSAY_X: y", `train.command.environment.ASSAY_X: found the variable ASSAY_X; leave it out`},
		{environment, "      CUDA_VISIBLE_DEVICES: \"0\"", `found the variable CUDA_VISIBLE_DEVICES; leave it out`},
		{environment, "      HOME: /x", `found the variable HOME; leave it out`},
		{environment, "      MODE: 1", `17:13: train.command.environment.MODE: found the number 1; expected text; if this is meant, put it in quotes: "1"`},
		{environment, "      MODE: true", `17:13: train.command.environment.MODE: found the truth value true; expected text; if this is meant, put it in quotes: "true"`},
		{environment, "      MODE:", `17:7: train.command.environment.MODE: found nothing; expected text`},
		{environment, "      MODE: [a]", `17:13: train.command.environment.MODE: found a list; expected text`},
		{environment, "      A-B: x", `17:7: train.command.environment.A-B: found the name "A-B"; expected a letter or _, then at most 255 letters, digits and _`},
		{environment, "      1A: x", `17:7: train.command.environment.1A: found the name "1A"; expected a letter or _`},
		{environment, "      MODE: ${TOKEN}", `17:13: train.command.environment.MODE: found text made from "${TOKEN}"; expected a text that may be stored: a spec is kept in Temporal's history and in the model's record; leave MODE out and name it on the worker with --pass-env MODE`},
		{"    environment:\n" + environment, "    environment: [A]", `16:18: train.command.environment: found a list; expected a mapping of names, such as {first: ..., second: ...}`},
		{"  run: [python3, serve.py]", "  run: [serve]\n  environment: {PATH: /bin}", `30:17: serve.environment.PATH: found the variable PATH; leave it out: Assay sets it for the program`},
		{"  run: [python3, serve.py]", "  run: [serve]\n  environment: {TOKEN: \"a-${TOKEN}\"}", `30:24: serve.environment.TOKEN: found text made from "a-${TOKEN}"; expected a text that may be stored`},

		// parameters
		{parameters, "  parameters: {lr: [1]}\n  sweep:", `20:20: train.parameters.lr: found a list; expected a finite decimal number, a text, true or false`},
		{parameters, "  parameters: {lr: {a: 1}}\n  sweep:", `train.parameters.lr: found a mapping; expected a finite decimal number, a text, true or false`},
		{parameters, "  parameters: {lr: }\n  sweep:", `20:16: train.parameters.lr: found nothing; expected a finite decimal number, a text, true or false`},
		{parameters, "  parameters: {lr: .nan}\n  sweep:", `20:20: train.parameters.lr: found ".nan"; expected a finite decimal number`},
		{parameters, "  parameters: {lr: -.Inf}\n  sweep:", `20:20: train.parameters.lr: found "-.Inf"; expected a finite decimal number`},
		{parameters, "  parameters: {lr: 1e999}\n  sweep:", `20:20: train.parameters.lr: found the number 1e999; expected a finite decimal number`},
		{parameters, "  parameters: {lr: 0x10}\n  sweep:", `20:20: train.parameters.lr: found the number 0x10; expected a finite decimal number`},
		{parameters, "  parameters: {id: 9007199254740993}\n  sweep:", `train.parameters.id: found the number 9007199254740993; expected a number of at most 15 digits, which is what all programs keep; if every digit matters, put it in quotes`},
		{parameters, "  parameters: {lr: \"a\\0\"}\n  sweep:", `train.parameters.lr: found "a\x00"; expected a text without zero characters`},
		{parameters, "  parameters: {--lr: 1}\n  sweep:", `20:16: train.parameters.--lr: found the name "--lr"; expected a letter or _, then at most 63 letters, digits and any of _ . -`},
		{parameters, "  parameters: {" + strings.Repeat("a", 65) + ": 1}\n  sweep:", `found the name "` + strings.Repeat("a", 65) + `"; expected a letter`},
		{parameters, "  parameters: 3\n  sweep:", `20:15: train.parameters: found the number 3; expected a mapping of names`},
		{parameters, "  parameters: {lr: 1, lr: 2}\n  sweep:", `20:23: the key "lr" is written a second time (first on line 20); keep one of the two`},

		// the server
		{"  run: [python3, serve.py]", "  run: [serve]\n  format: json", `30:11: serve.format: found "json"; expected one of csv, csv_no_header, dataframe_split, dataframe_records, instances`},
		{"  run: [python3, serve.py]", "  run: [serve]\n  positive_index: -1", `30:19: serve.positive_index: found the number -1; expected a whole number at least 0 and at most 1000`},
		{"  run: [python3, serve.py]", "  run: [serve]\n  batch_rows: 0", `serve.batch_rows: found the number 0; expected a whole number at least 1 and at most 100000`},
		{"  run: [python3, serve.py]", "  run: [serve]\n  in_flight: 65", `serve.in_flight: found the number 65; expected a whole number at least 1 and at most 64`},
		{"  run: [python3, serve.py]", "  run: [serve]\n  ready_within: 5", `serve.ready_within: found the number 5; expected a duration such as`},
		{"  run: [python3, serve.py]", "  run: [serve]\n  command: x", `30:3: serve.command: there is no field "command" here; it belongs to train; here, expected one of run, format`},
	} {
		lines := refused(t, changeProgram(t, c.old, c.new))
		require.Len(t, lines, 1, "%s: %v", c.new, lines)
		require.Contains(t, lines[0], c.want, c.new)
	}
}

// Each case changes the sweep of the program's spec and gives the only problem that must be reported.
func TestContradictionsAndWrongValuesOfSweeps(t *testing.T) {
	const lr = "lr: {min: 0.0001, max: 0.1, scale: log}"
	for _, c := range []struct{ old, new, want string }{
		{"method: tpe", "method: bayes", `21:13: train.sweep.method: found "bayes"; expected one of grid, random, sobol, latin_hypercube, tpe, asha`},
		{"    method: tpe\n", "", `21:5: train.sweep.method: this field is missing`},
		{"    metric: loss\n", "", `21:5: train.sweep.metric: this field is missing; expected what trials are compared by`},
		{"goal: minimize", "goal: minimise", `23:11: train.sweep.goal: found "minimise"; expected one of maximize, minimize; did you mean "minimize"?`},
		{"    trials: 20\n", "", `21:5: train.sweep.trials: found a sweep without an end; give trials, hours or gpu_hours, as in trials: 50`},
		{"trials: 20", "trials: 100001", `24:13: train.sweep.trials: found the number 100001; expected a whole number at least 1 and at most 100000`},
		{"trials: 20", "trials: 0", `train.sweep.trials: found the number 0; expected a whole number at least 1 and at most 100000`},
		{"trials: 20", "hours: 0", `train.sweep.hours: found the number 0; expected a number above 0`},
		{"trials: 20", "gpu_hours: 4", `24:16: train.sweep.gpu_hours: found gpu_hours without queue: gpu; write queue: gpu, or give hours in their place`},
		{"trials: 20", "trials: 20\n    parallel: 65", `25:15: train.sweep.parallel: found the number 65; expected a whole number at least 1 and at most 64`},
		{"trials: 20", "trials: 20\n    early_stop: {factor: 1}", `train.sweep.early_stop.factor: found the number 1; expected a whole number at least 2 and at most 100`},
		{"trials: 20", "trials: 20\n    early_stop: {first: 0}", `train.sweep.early_stop.first: found the number 0; expected a whole number at least 1`},
		{"trials: 20", "trials: 20\n    early_stop: true", `25:17: train.sweep.early_stop: found the truth value true; expected a mapping with by, first, factor`},
		{"tpe", "grid\n    early_stop: {by: epoch}", `train.sweep.parameters.lr: found a range without points with method: grid; give points, how many values to try from min to max, or values`},
		{"    parameters:\n      " + lr + "\n      depth: {values: [2, 4, 8]}", "    parameters: {}", `25:17: train.sweep.parameters: found an empty mapping; expected at least one name`},
		{"    parameters:\n      " + lr + "\n      depth: {values: [2, 4, 8]}", "    parameters: [lr]", `25:17: train.sweep.parameters: found a list; expected a mapping of names`},
		{lr, "--lr: {values: [1]}", `26:7: train.sweep.parameters.--lr: found the name "--lr"; expected a letter or _`},
		{lr, "lr: 0.1", `26:11: train.sweep.parameters.lr: found the number 0.1; expected a mapping with min, max, scale, integer, points, values`},
		{lr, "lr: {}", `26:11: train.sweep.parameters.lr: found neither min and max nor values; expected {min: 0.001, max: 0.1} or {values: [16, 32]}`},
		{lr, "lr: {min: 1}", `26:12: train.sweep.parameters.lr: found min without max; expected both ends of the range`},
		{lr, "lr: {max: 1}", `26:12: train.sweep.parameters.lr: found max without min; expected both ends of the range`},
		{lr, "lr: {min: 1, max: 2, values: [1]}", `26:12: train.sweep.parameters.lr: found values beside min or max; expected one or the other`},
		{lr, "lr: {min: 2, max: 1}", `26:12: train.sweep.parameters.lr: found a reversed range: min 2 above max 1; expected min below max`},
		{lr, "lr: {min: 2, max: 2}", `26:12: train.sweep.parameters.lr: found min and max both 2; expected min below max`},
		{lr, "lr: {min: -1.7e308, max: 1.7e308}", `26:12: train.sweep.parameters.lr: found a range from -1.7e+308 to 1.7e+308`},
		{lr, "lr: {min: 0, max: 1, scale: log}", `26:17: train.sweep.parameters.lr.min: found min 0 with scale: log; expected min above 0, or scale: linear`},
		{lr, "lr: {min: 0, max: 1, scale: ln}", `train.sweep.parameters.lr.scale: found "ln"; expected one of linear, log`},
		{lr, "lr: {min: 0.5, max: 2, integer: true}", `26:17: train.sweep.parameters.lr.min: found min 0.5 with integer: true; expected a whole number of at most 15 digits`},
		{lr, "lr: {min: 0, max: 1e300, integer: true}", `26:25: train.sweep.parameters.lr.max: found max 1e+300 with integer: true; expected a whole number of at most 15 digits`},
		{lr, "lr: {min: 0, max: 1, points: 3}", `26:36: train.sweep.parameters.lr.points: found points with method: tpe; leave it out: only a grid has points`},
		{lr, "lr: {values: []}", `26:20: train.sweep.parameters.lr.values: found an empty list`},
		{lr, "lr: {values: [1, 2, 1.0]}", `26:27: train.sweep.parameters.lr.values[2]: found the number 1.0 a second time; expected every value once`},
		{lr, "lr: {values: [1, \"1\"]}", `train.sweep.parameters.lr.values[1]: found "1" a second time; expected every value once`},
		{lr, "lr: {values: [1, ~]}", `train.sweep.parameters.lr.values[1]: found nothing; expected a finite decimal number, a text, true or false`},
		{lr, "lr: {values: [1, [2]]}", `train.sweep.parameters.lr.values[1]: found a list; expected a finite decimal number, a text, true or false`},
		{lr, "lr: {values: [1], scale: log}", `train.sweep.parameters.lr.scale: found scale beside values; leave it out`},
		{lr, "lr: {values: [1], integer: true}", `train.sweep.parameters.lr.integer: found integer beside values; leave it out`},
		{lr, "lr: {values: [1], points: 2}", `train.sweep.parameters.lr.points: found points beside values; leave it out`},
		{lr, "lr: {min: 1, max: 2, step: 1}", `26:28: train.sweep.parameters.lr.step: there is no field "step" here; expected one of min, max, scale, integer, points, values`},
	} {
		lines := refused(t, changeProgram(t, c.old, c.new))
		if strings.Contains(c.new, "grid") {
			require.Len(t, lines, 2, "%v", lines)
			require.Contains(t, lines[0], `train.sweep.early_stop: found early_stop with method: grid; leave it out`)
			lines = lines[1:]
		}
		require.Len(t, lines, 1, "%s: %v", c.new, lines)
		require.Contains(t, lines[0], c.want, c.new)
	}
	require.Contains(t, refused(t, program, "train.sweep.parameters={"+manyNames(21)+"}")[0], `found 21 parameters; expected at most 20: keep the others in train.parameters`)
	require.Contains(t, refused(t, program, "train.sweep.parameters.depth.values=["+strings.Repeat("1, ", mostValues)+"2]")[0], `found 10001 values; expected at most 10000`)
	require.Contains(t, refused(t, changeProgram(t, "trials: 20", "hours: 2"), "train.sweep.method=latin_hypercube")[0],
		`train.sweep.trials: found method: latin_hypercube without trials; give trials, since a hypercube has as many strata`)
	large := changeProgram(t, "method: tpe", "method: grid")
	require.Contains(t, refused(t, large, "train.sweep.parameters={a: {min: 1, max: 50000, integer: true}}")[0], `train.sweep.parameters.a: found 50000 whole numbers with method: grid; give points`)
	lines := refused(t, large, "train.sweep.parameters={a: {min: 1, max: 10000, integer: true}, b: {min: 0, max: 1, points: 15}}")
	require.Equal(t, []string{`--set train.sweep.parameters: train.sweep.parameters: found a grid of 150000 combinations; expected at most 100000; give fewer points or values, or write method: sobol`}, lines)
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d: {values: [1, 2]}, ", i)
	}
	return b.String()
}

func TestSweepsOfTheLogisticTrainer(t *testing.T) {
	sweep := func(parameters, metric string, more ...string) string {
		return withTraining("train:\n  trainer: logistic\n  sweep:\n    method: random\n    trials: 9\n    parameters: {" + parameters + "}\n    metric: " + metric + "\n" + strings.Join(more, ""))
	}
	const l2, minimized = "l2: {min: 0.001, max: 10, scale: log}", "    goal: minimize\n"
	parse(t, sweep(l2+", max_iterations: {min: 10, max: 100, integer: true}, tolerance: {values: [1e-3, 1e-6]}", "validation_auc"))
	parse(t, sweep(l2, "validation_accuracy"))
	s := parse(t, sweep(l2, "validation_log_loss", minimized))
	require.Equal(t, Number(1000), s.Train.Parameters["max_iterations"])
	parse(t, sweep(l2, "validation_brier", minimized))

	for _, c := range []struct{ text, want string }{
		{sweep("l3: {values: [1]}", "validation_auc"), `16:18: train.sweep.parameters.l3: the logistic trainer has no parameter "l3"; did you mean "l2"?`},
		{sweep("depth: {values: [1]}", "validation_auc"), `16:18: train.sweep.parameters.depth: the logistic trainer has no parameter "depth"; expected one of l2, max_iterations, tolerance`},
		{sweep("l2: {values: [1, -1]}", "validation_auc"), `16:35: train.sweep.parameters.l2.values[1]: found the number -1; expected a number of at least 0`},
		{sweep("l2: {values: [one]}", "validation_auc"), `train.sweep.parameters.l2.values[0]: found "one"; expected a number of at least 0`},
		{sweep("l2: {min: -1, max: 1}", "validation_auc"), `16:28: train.sweep.parameters.l2.min: found the number -1; expected a number of at least 0`},
		{sweep("tolerance: {min: 0.1, max: 2}", "validation_auc"), `train.sweep.parameters.tolerance.max: found the number 2; expected a number above 0 and at most 1`},
		{sweep("max_iterations: {min: 10, max: 100}", "validation_auc"), `16:35: train.sweep.parameters.max_iterations: found a range with fractions; add integer: true: max_iterations is a whole number`},
		{strings.Replace(sweep(l2, "validation_auc"), "method: random", "method: asha", 1), `train.sweep.method: found method: asha with trainer: logistic; the logistic trainer reports its metric once`},
		{sweep(l2, "auc"), `17:13: train.sweep.metric: found "auc", which the logistic trainer does not report; expected one of validation_auc, validation_accuracy, validation_log_loss, validation_brier`},
		{sweep(l2, "validation_acuracy"), `; did you mean "validation_accuracy"?`},
		{sweep(l2, "validation_log_loss"), `train.sweep.goal: found the goal to maximize validation_log_loss; write goal: minimize: of a loss, less is better`},
		{sweep(l2, "validation_auc", minimized), `18:11: train.sweep.goal: found the goal to minimize validation_auc; write goal: maximize: more of it is better`},
		{strings.Replace(sweep(l2, "validation_auc"), "train: 0.6, validation: 0.2", "train: 0.8", 1), `data.split.validation: found no validation rows, by which a sweep compares its trials; give a validation share above 0, such as 0.2`},
	} {
		lines := refused(t, c.text)
		require.Len(t, lines, 1, "%v", lines)
		require.Contains(t, lines[0], c.want)
	}
	parse(t, changeProgram(t, "train: 0.6, validation: 0.2", "train: 0.8"), "train.sweep.metric=whatever it prints")
}

func TestTrainerCommandNeedsBothPrograms(t *testing.T) {
	require.Equal(t, []string{
		`a.yaml:1:1: serve: found trainer: command without a server; add serve.run: only a program of yours can read what the command trained, and evaluation, audits and the gateway ask it for scores`,
		`a.yaml:12:3: train.command: found trainer: command without a command; add train.command with code, the folder of the program, and run, how it is started`,
	}, refused(t, change(t, "trainer: logistic", "trainer: command")))
}

// A variable that stands in a program's environment is refused, whether it is set or not, and its value never read.
func TestEnvironmentsOfProgramsNeverHoldVariablesOfTheReader(t *testing.T) {
	var asked []string
	env := func(name string) (string, bool) {
		asked = append(asked, name)
		return "hunter2", name != "ABSENT"
	}
	for _, name := range []string{"SECRET", "ABSENT"} {
		for old, new := range map[string]string{"MODE: fast": "MODE: ${" + name + "}", "run: [python3, serve.py]": "run: [serve]\n  environment: {MODE: \"${" + name + "}\"}"} {
			_, err := Parse("a.yaml", []byte(changeProgram(t, old, new)), Options{Env: env})
			lines := problemsOf(t, err)
			require.Len(t, lines, 1)
			require.Contains(t, lines[0], "name it on the worker with --pass-env MODE")
			require.NotContains(t, lines[0], "hunter2")
		}
	}
	require.Empty(t, asked)

	_, err := Parse("a.yaml", []byte(changeProgram(t, `"loss=([0-9.]+)"`, `"(${SECRET}"`)), Options{Env: env})
	require.ErrorContains(t, err, `found text made from "(${SECRET}"; expected a regular expression (RE2, as Go has it): missing closing )`)
	require.NotContains(t, err.Error(), "hunter2")
	_, err = Parse("a.yaml", []byte(changeProgram(t, "  sweep:", "  parameters: {lr: \"${SECRET}\\0\"}\n  sweep:")), Options{Env: env})
	require.ErrorContains(t, err, "train.parameters.lr: found text made from")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestValuesKeepTheirKindInJSON(t *testing.T) {
	for text, want := range map[string]Value{`1`: Number(1), `1e-7`: Number(1e-7), `"1"`: Text("1"), `true`: Truth(true), `"<&>"`: Text("<&>"), `""`: Text("")} {
		var v Value
		require.NoError(t, json.Unmarshal([]byte(text), &v))
		require.True(t, want.Equal(v), text)
		b, err := v.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, text, string(b))
	}
	for _, text := range []string{`null`, `[]`, `{}`, `1e999`, ``} {
		require.Error(t, json.Unmarshal([]byte(text), new(Value)), text)
	}
	for want, v := range map[string]Value{"1000000": Number(1e6), "-3": Number(-3), "0.001": Number(1e-3), "1e+20": Number(1e20), "True": Truth(true), "False": Truth(false), "x": Text("x")} {
		require.Equal(t, want, v.String())
	}
	require.Panics(t, func() { Number(infinity) })
}
