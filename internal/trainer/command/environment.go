package command

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/device"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// arguments are the parameters as SageMaker's training toolkit passes them (sagemaker_training.mapping.to_cmd_args): in
// the order of their names, --name value, with one dash before a name of one letter.
func arguments(p spec.Parameters) []string {
	args := []string{} // null in JSON would not be an empty list
	for _, name := range slices.Sorted(maps.Keys(p)) {
		dashes := "--"
		if len(name) == 1 {
			dashes = "-"
		}
		args = append(args, dashes+name, p[name].String())
	}
	return args
}

// environment is what the program finds besides the clean environment of package program: SageMaker's variables, with
// their names and meanings from the documentation of the sagemaker-training toolkit, and Assay's own.
func (j Job) environment(l layout, cpus int) map[string]string {
	if cpus == 0 {
		cpus = runtime.NumCPU()
	}
	real, simulated := split(j.Devices)
	channels := []string{"train"}
	env := map[string]string{
		"SM_CHANNEL_TRAIN": l.train, "SM_MODEL_DIR": l.model, "SM_OUTPUT_DATA_DIR": l.output,
		"SM_OUTPUT_DIR": filepath.Dir(l.output), "SM_INPUT_DIR": filepath.Join(l.root, "input"), "SM_INPUT_CONFIG_DIR": l.config,
		"SM_NUM_CPUS": strconv.Itoa(cpus), "SM_NUM_GPUS": strconv.Itoa(len(real)),
		"SM_CURRENT_HOST": "algo-1", "SM_HOSTS": `["algo-1"]`, "SM_MODULE_DIR": l.code, "SM_LOG_LEVEL": "20",
		"SM_HPS": text(j.parameters()), "SM_USER_ARGS": text(arguments(j.Parameters)),
		"CUDA_VISIBLE_DEVICES": indices(real),

		"ASSAY_CHECKPOINT_DIR": l.checkpoints, "ASSAY_SEED": strconv.FormatInt(j.Seed, 10),
		"ASSAY_TARGET": j.Target.Column, "ASSAY_TASK": string(j.Target.TaskOf()), "ASSAY_WEIGHT": j.Weight,
		"ASSAY_ATTEMPT": strconv.Itoa(int(j.Attempt)), "ASSAY_SIMULATED_DEVICES": strconv.Itoa(simulated),
		"PYTHONUNBUFFERED": "1", // progress is read line by line
	}
	switch j.Target.TaskOf() {
	case stats.Binary:
		env["ASSAY_POSITIVE"] = j.Target.Positive
	case stats.Multiclass:
		env["ASSAY_CLASSES"] = text(j.Classes)
	}
	if l.validation != "" {
		channels = append(channels, "validation")
		env["SM_CHANNEL_VALIDATION"] = l.validation
	}
	env["SM_CHANNELS"] = text(channels)
	for name, value := range j.Parameters {
		env["SM_HP_"+strings.ToUpper(name)] = value.String()
	}
	maps.Copy(env, j.Command.Environment)
	return env
}

// parameters never is null in JSON.
func (j Job) parameters() spec.Parameters {
	if j.Parameters == nil {
		return spec.Parameters{}
	}
	return j.Parameters
}

// writeConfig leaves what containers find in /opt/ml/input/config. There, every hyperparameter is a string.
func (j Job) writeConfig(l layout) error {
	texts := map[string]string{}
	for name, value := range j.Parameters {
		texts[name] = value.String()
	}
	resources := map[string]any{"current_host": "algo-1", "hosts": []string{"algo-1"}, "network_interface_name": "lo"}
	for name, v := range map[string]any{"hyperparameters.json": texts, "resourceconfig.json": resources} {
		if err := os.WriteFile(filepath.Join(l.config, name), []byte(text(v)+"\n"), 0o600); err != nil {
			return fmt.Errorf("write the program's configuration: %w", err)
		}
	}
	return nil
}

// text is v as JSON; what is passed here always has one.
func text(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func split(devices []device.Device) (real []device.Device, simulated int) {
	for _, d := range devices {
		if d.Simulated {
			simulated++
			continue
		}
		real = append(real, d)
	}
	return real, simulated
}

// indices is what CUDA_VISIBLE_DEVICES takes; without a device it is empty, which hides all of them.
func indices(devices []device.Device) string {
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = strconv.Itoa(d.Index)
	}
	return strings.Join(names, ",")
}
