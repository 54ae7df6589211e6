package spec

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

func TestEveryFieldHasARuleAndEveryRuleAField(t *testing.T) {
	fields := map[string]bool{}
	for _, typ := range append(structTypes(), reflect.TypeFor[Spec]()) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			yamlKey, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			jsonKey, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			require.Equal(t, yamlKey, jsonKey, "%s.%s", typ.Name(), f.Name)
			field := typ.Name() + "." + yamlKey
			fields[field] = true
			require.NotEmpty(t, ruleOf[field].says, field)
		}
	}
	for _, r := range rules {
		require.True(t, fields[r.field], "rule for %s", r.field)
	}
	require.Len(t, rules, len(fields), "one rule a field")
}

func TestSchemaDescribesEveryField(t *testing.T) {
	var schema map[string]any
	require.NoError(t, json.Unmarshal(Schema(), &schema))
	require.Equal(t, "https://json-schema.org/draft/2020-12/schema", schema["$schema"])
	require.Equal(t, false, schema["additionalProperties"])
	definitions := schema["$defs"].(map[string]any)
	require.NotContains(t, definitions, "Duration")
	for _, r := range rules {
		typ, key, _ := strings.Cut(r.field, ".")
		holder := schema
		if typ != "Spec" {
			holder = definitions[typ].(map[string]any)
		}
		require.Equal(t, false, holder["additionalProperties"], typ)
		property, ok := holder["properties"].(map[string]any)[key].(map[string]any)
		require.True(t, ok, r.field)
		require.Equal(t, r.says, property["description"], r.field)
		required, _ := holder["required"].([]any)
		require.Equal(t, r.required, contains(required, key), "required: %s", r.field)
	}
}

func TestSchemaShowsPatternsEnumsRangesAndDefaults(t *testing.T) {
	var schema map[string]any
	require.NoError(t, json.Unmarshal(Schema(), &schema))
	at := func(typ, key string) map[string]any {
		return schema["$defs"].(map[string]any)[typ].(map[string]any)["properties"].(map[string]any)[key].(map[string]any)
	}
	require.Equal(t, modelPattern, schema["properties"].(map[string]any)["model"].(map[string]any)["pattern"])
	require.Equal(t, durationPattern, at("Review", "deadline")["pattern"])
	require.Equal(t, []any{"cpu", "gpu"}, at("Train", "queue")["enum"])
	require.Equal(t, "cpu", at("Train", "queue")["default"])
	require.Equal(t, 0.0, at("CanaryStep", "traffic")["exclusiveMinimum"])
	require.Equal(t, 100.0, at("CanaryStep", "traffic")["maximum"])
	require.Equal(t, []any{"requester"}, at("Review", "separate")["items"].(map[string]any)["enum"])
	require.Equal(t, 1.0, at("Review", "quorum")["minItems"])
	require.Equal(t, parameterPattern, at("Train", "parameters")["propertyNames"].(map[string]any)["pattern"])
	require.Len(t, at("Train", "parameters")["additionalProperties"].(map[string]any)["anyOf"], 3)
	require.Equal(t, map[string]any{"type": "string", "pattern": `^[^\x00]*$`}, at("Serve", "environment")["additionalProperties"])
	require.Equal(t, map[string]any{"$ref": "#/$defs/SweepRange"}, at("Sweep", "parameters")["additionalProperties"])
	require.Equal(t, 1.0, at("Sweep", "parameters")["minProperties"])
	require.Len(t, at("SweepRange", "values")["items"].(map[string]any)["anyOf"], 3)
	require.NotContains(t, schema["$defs"], "Value")
	require.NotContains(t, schema["$defs"], "Parameters")
	require.NotContains(t, string(Schema()), `"signatures"`, "fields that are not available yet are not offered")
}

func TestSchemaAcceptsProgramsAndKnowsWhatEachTrainerTakes(t *testing.T) {
	var schema map[string]any
	require.NoError(t, json.Unmarshal(Schema(), &schema))
	inSchema := func(text string) []string {
		var written any
		require.NoError(t, yaml.Unmarshal([]byte(text), &written))
		return violations(schema, schema, asJSON(t, written), "spec")
	}
	require.Empty(t, inSchema(program))
	require.Empty(t, violations(schema, schema, asJSON(t, parse(t, program, "train.parameters={a: 1, b: x, c: true}", "train.sweep.method=asha")), "spec"))
	for text, want := range map[string]string{
		change(t, "trainer: logistic", "trainer: logistic\n  parameters: {epochs: 3}"):                   "spec.train.parameters.epochs: unknown",
		change(t, "trainer: logistic", "trainer: logistic\n  parameters: {l2: -1}"):                      "spec.train.parameters.l2: refused",
		change(t, "trainer: logistic", "trainer: logistic\n  parameters: {max_iterations: 1.5}"):         "spec.train.parameters.max_iterations: refused",
		change(t, "trainer: logistic", "trainer: logistic\n  command: {code: ., run: [x]}"):              "spec.train.command: unknown",
		change(t, "trainer: logistic", "trainer: command"):                                               "spec.train.command: missing",
		changeProgram(t, "  sweep:", "  parameters: {--lr: 1}\n  sweep:"):                                "spec.train.parameters.--lr: a name that is refused",
		changeProgram(t, "  sweep:", "  parameters: {lr: [1]}\n  sweep:"):                                "spec.train.parameters.lr: a list",
		changeProgram(t, "MODE: fast", "MODE: 1"):                                                        "spec.train.command.environment.MODE: refused",
		changeProgram(t, "lr: {min: 0.0001, max: 0.1, scale: log}", "lr: {min: 1, max: 2, scale: cube}"): "spec.train.sweep.parameters.lr.scale: refused",
	} {
		require.Contains(t, inSchema(text), want)
	}
}

// The defaults the schema announces are those WithDefaults fills in.
func TestDefaultsOfTheSchemaAreApplied(t *testing.T) {
	s := parse(t, minimal)
	applied := asJSON(t, s)
	for path, want := range map[string]any{
		"data.split.by": "hash", "train.queue": "cpu", "train.parameters.l2": 1.0, "train.parameters.max_iterations": 1000.0,
		"train.parameters.tolerance": 1e-7, "evaluate.threshold": 0.5, "gates.inconclusive": "review", "rollout.target": "gateway",
		"monitor.every": "1h", "monitor.drift.false_alarms": 0.01, "monitor.drift.min_rows": 50.0, "monitor.drift.correction": "holm",
	} {
		value := applied
		for _, key := range strings.Split(path, ".") {
			value = value.(map[string]any)[key]
		}
		require.Equal(t, want, value, path)
	}
	announced := 0
	walkFields(reflect.TypeFor[Spec](), "", func(path string, _ reflect.StructField, r rule) {
		// Not filled in, so that digests stay; see StatedReliability, SmallestGroup, MostPredictions, Handling and OwnMetric's defaults.
		if path == "gates.reliability" || path == "gates.failing" || path == "evaluate.min_group" || path == "explain.predictions" || path == "privacy.personal_data" || strings.HasPrefix(path, "privacy.attack.") || strings.HasPrefix(path, "train.private.") || strings.HasPrefix(path, "evaluate.metrics[]") {
			return
		}
		if r.standard != nil && !strings.Contains(path, ".csv.") && !strings.HasSuffix(path, ".scale") {
			announced++
		}
	})
	require.Equal(t, 25, announced, "a new default needs a line above or in the test of a program's defaults")
	require.Equal(t, 1, parse(t, minimal, "train.queue=gpu").Train.GPUs)
}

func contains(list []any, key string) bool {
	for _, v := range list {
		if v == key {
			return true
		}
	}
	return false
}
