package spec

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/gate"
)

func reference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/spec.md")
	require.NoError(t, err)
	return string(text)
}

func TestReferenceListsEveryField(t *testing.T) {
	text := reference(t)
	walkFields(reflect.TypeFor[Spec](), "", func(path string, _ reflect.StructField, r rule) {
		if strings.HasPrefix(path, "data.split.test_source.") {
			return // described as data.source is
		}
		row := ""
		for line := range strings.Lines(text) {
			if row == "" && strings.HasPrefix(line, "| `"+path+"` |") {
				row = line
			}
		}
		require.NotEmpty(t, row, "docs/spec.md has no row for %s", path)
		for _, e := range r.enum {
			require.Contains(t, row, "`"+e+"`", path)
		}
		if r.standard != nil {
			require.Contains(t, row, fmt.Sprintf("`%s`", strings.ReplaceAll(fmt.Sprint(r.standard), " ", ", ")), "default of %s", path)
		}
		require.Equal(t, r.required, strings.Contains(row, "| required"), "required: %s", path)
	})
}

func TestReferenceListsWhatTheLogisticTrainerTakes(t *testing.T) {
	text := reference(t)
	for _, r := range logisticRules {
		row := regexp.MustCompile("(?m)^\\| `train.parameters." + r.name + "` \\| [a-z ]+ \\| `" + strings.Replace(fmt.Sprint(r.standard), "1e-07", "1e-7", 1) + "` \\| ")
		require.True(t, row.MatchString(text), "docs/spec.md has no row for train.parameters.%s with its default", r.name)
	}
	for _, metric := range logisticMetrics {
		require.True(t, strings.Contains(text, "`"+metric+"`"), metric)
	}
}

func TestDocsDefineEveryMetricOfConditions(t *testing.T) {
	statistics, err := os.ReadFile("../../docs/statistics.md")
	require.NoError(t, err)
	for _, metric := range gate.MetricNames(gate.ScopeGate) {
		require.Contains(t, reference(t), "`"+metric+"`")
		require.Contains(t, string(statistics), "`"+metric+"`")
	}
}

func TestReferenceListsWhatIsNotAvailableYet(t *testing.T) {
	text := reference(t)
	for _, u := range later {
		require.Contains(t, text, fmt.Sprintf("| `%s` | %s | %s |\n", u.path, u.value, u.instead))
	}
}

// The YAML of the reference together is a legal spec, with the built-in trainer and with a program.
func TestReferenceExamplesAreLegal(t *testing.T) {
	var rest, builtIn strings.Builder
	for _, block := range blocks(reference(t), "yaml") {
		if strings.HasPrefix(block, "train:") {
			builtIn.WriteString(block)
		} else {
			rest.WriteString(block)
		}
	}
	filled := strings.NewReplacer("[region]", "[sex]", "${ADULT_DIR}", "/data").Replace(rest.String())
	s := parse(t, filled+builtIn.String())
	require.Equal(t, "adult-income", s.Model)
	require.Equal(t, 3, s.Retrain.MaxPerWeek)

	programs := blocks(reference(t), "yaml program")
	require.Len(t, programs, 1)
	s = parse(t, filled+programs[0])
	require.Equal(t, TrainerCommand, s.Train.Trainer)
	require.NotNil(t, s.Train.Sweep)
	require.NotEmpty(t, s.Serve.Run)
}

// Every mistake of the reference, made in an otherwise legal spec, gets the answer printed there.
func TestReferenceMistakesGetTheirAnswers(t *testing.T) {
	for _, c := range []struct {
		language, legal string
		least           int
	}{{"mistake", minimal, 25}, {"mistake program", program, 15}} {
		count := 0
		for _, block := range blocks(reference(t), c.language) {
			lines := strings.Split(strings.TrimSpace(block), "\n")
			for i := 0; i+1 < len(lines); i += 2 {
				path, value, ok := strings.Cut(lines[i], ": ")
				require.True(t, ok, lines[i])
				answer, ok := strings.CutPrefix(lines[i+1], "-> ")
				require.True(t, ok, lines[i+1])
				field, message, _ := strings.Cut(answer, ": ")
				got := strings.Join(refused(t, c.legal, path+"="+value), "\n")
				require.Contains(t, got, field, lines[i])
				require.Contains(t, got, ": "+message, lines[i])
				count++
			}
		}
		require.Greater(t, count, c.least, c.language)
	}
}

func blocks(text, language string) []string {
	var found []string
	for i, part := range strings.Split(text, "```") {
		if body, ok := strings.CutPrefix(part, language+"\n"); ok && i%2 == 1 {
			found = append(found, body)
		}
	}
	return found
}

func TestReferenceBlocksAreYAML(t *testing.T) {
	found := blocks(reference(t), "yaml")
	require.GreaterOrEqual(t, len(found), 10)
	found = append(found, blocks(reference(t), "yaml program")...)
	for _, block := range found {
		var v any
		require.NoError(t, yaml.Unmarshal([]byte(block), &v), block)
	}
}
