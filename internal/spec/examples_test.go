package spec

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/synthetic"
)

func exampleFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../examples/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 3, "examples/*.yaml")
	inFolders, err := filepath.Glob("../../examples/*/*.yaml")
	require.NoError(t, err)
	for _, file := range inFolders {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(raw), "kind: "+Kind) { // a program's folder holds YAML of its own as well
			files = append(files, file)
		}
	}
	return files
}

// exampleEnv has every variable, as if for folders.
func exampleEnv(name string) (string, bool) {
	return "/data/" + strings.ToLower(name), true
}

func TestExamplesAreReadAndMeetTheSchema(t *testing.T) {
	var schema map[string]any
	require.NoError(t, json.Unmarshal(Schema(), &schema))
	for _, file := range exampleFiles(t) {
		t.Run(strings.TrimPrefix(file, "../../examples/"), func(t *testing.T) {
			s, err := Load(file, Options{Env: exampleEnv})
			require.NoError(t, err)
			require.NotEmpty(t, s.Gates.Conditions)

			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			var written any
			require.NoError(t, yaml.Unmarshal(raw, &written))
			require.Empty(t, violations(schema, schema, asJSON(t, written), "as written"))
			require.Empty(t, violations(schema, schema, asJSON(t, s), "with defaults"))
		})
	}
}

func TestCreditExampleNamesColumnsOfTheGeneratedData(t *testing.T) {
	s, err := Load("../../examples/credit.yaml", Options{})
	require.NoError(t, err)
	columns := slices.Concat(s.Data.Protected, s.Data.Exclude, []string{s.Data.Target.Column})
	for _, e := range s.Data.Expect {
		if e.Column != "" {
			columns = append(columns, e.Column)
		}
	}
	for _, c := range columns {
		require.Contains(t, synthetic.Columns, c)
	}
	require.Equal(t, "synthetic://credit?rows=20000&seed=7", s.Data.Source.URI)
	require.Equal(t, []Seat{{"ethics", 2}, {"risk", 1}}, s.Review.Quorum)
	require.Equal(t, []string{"requester"}, s.Review.Separate)
}

func TestAdultExampleSaysWhichVariableIsMissing(t *testing.T) {
	_, err := Load("../../examples/adult.yaml", Options{Env: func(string) (string, bool) { return "", false }})
	require.ErrorContains(t, err, "data.source.uri")
	require.ErrorContains(t, err, "data.split.test_source.uri")
	require.ErrorContains(t, err, "the environment variable ADULT_DIR is not set")
}

func asJSON(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	var out any
	require.NoError(t, json.Unmarshal(b, &out))
	return out
}

// violations is a validator for the part of JSON Schema that Schema uses.
func violations(root, schema map[string]any, v any, path string) []string {
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/$defs/")
		return violations(root, root["$defs"].(map[string]any)[name].(map[string]any), v, path)
	}
	if condition, ok := schema["if"].(map[string]any); ok {
		branch := "then"
		if len(violations(root, condition, v, path)) > 0 {
			branch = "else"
		}
		rest := maps.Clone(schema)
		delete(rest, "if")
		out := violations(root, rest, v, path)
		if extra, ok := schema[branch].(map[string]any); ok {
			out = append(out, violations(root, extra, v, path)...)
		}
		return out
	}
	switch v := v.(type) {
	case map[string]any:
		return objectViolations(root, schema, v, path)
	case []any:
		if schema["type"] != "array" {
			return []string{path + ": a list"}
		}
		var out []string
		for i, item := range v {
			out = append(out, violations(root, schema["items"].(map[string]any), item, index(path, i))...)
		}
		return out
	default:
		return scalarViolations(schema, v, path)
	}
}

func objectViolations(root, schema map[string]any, v map[string]any, path string) []string {
	if kind, has := schema["type"]; has && kind != "object" {
		return []string{path + ": an object"}
	}
	var out []string
	properties, _ := schema["properties"].(map[string]any)
	names, _ := schema["propertyNames"].(map[string]any)
	for key, value := range v {
		if pattern, has := names["pattern"].(string); has && !regexp.MustCompile(pattern).MatchString(key) {
			out = append(out, join(path, key)+": a name that is refused")
		}
		property, has := properties[key]
		if !has {
			property = schema["additionalProperties"]
		}
		switch property := property.(type) {
		case bool:
			if !property {
				out = append(out, join(path, key)+": unknown")
			}
		case map[string]any:
			out = append(out, violations(root, property, value, join(path, key))...)
		}
	}
	required, _ := schema["required"].([]any)
	for _, key := range required {
		if _, ok := v[key.(string)]; !ok {
			out = append(out, join(path, key.(string))+": missing")
		}
	}
	return out
}

func scalarViolations(schema map[string]any, v any, path string) []string {
	if choices, has := schema["anyOf"].([]any); has {
		for _, choice := range choices {
			if len(violations(schema, choice.(map[string]any), v, path)) == 0 {
				return nil
			}
		}
		return []string{path + ": none of the choices"}
	}
	if constant, has := schema["const"]; has {
		if constant != v {
			return []string{path + ": another constant"}
		}
		return nil
	}
	ok := false
	switch v := v.(type) {
	case string:
		ok = schema["type"] == "string"
		if pattern, has := schema["pattern"].(string); has {
			ok = ok && regexp.MustCompile(pattern).MatchString(v)
		}
	case bool:
		ok = schema["type"] == "boolean"
	case float64:
		ok = schema["type"] == "number" || schema["type"] == "integer" && v == float64(int64(v))
		if least, has := schema["minimum"].(float64); has {
			ok = ok && v >= least
		}
		if least, has := schema["exclusiveMinimum"].(float64); has {
			ok = ok && v > least
		}
		if most, has := schema["maximum"].(float64); has {
			ok = ok && v <= most
		}
	}
	if enum, has := schema["enum"].([]any); has {
		ok = ok && slices.Contains(enum, v)
	}
	if !ok {
		return []string{path + ": refused"}
	}
	return nil
}
