package model

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

func served(inputs Schema) Served {
	inputs.Target = "y"
	inputs.Features = []Feature{{Name: "x", Kind: table.Numeric}}
	folder := artifact.Ref{Digest: artifact.Sum(nil), MediaType: artifact.MediaFolder}
	return Served{Kind: KindServed, Format: ServedFormat, Inputs: inputs, Files: folder, Code: folder, Serve: spec.Serve{Run: []string{"serve"}}}
}

func TestModelsOfAllTasksAreReadAsTheyWereWritten(t *testing.T) {
	for _, c := range []struct {
		schema Schema
		task   stats.Task
		width  int
	}{
		{Schema{Positive: "yes", Negative: "no"}, stats.Binary, 1},
		{Schema{Task: stats.Regression}, stats.Regression, 1},
		{Schema{Task: stats.Multiclass, Classes: []string{"1", "2", "10", ""}}, stats.Multiclass, 4},
	} {
		m := served(c.schema)
		b, err := m.Encode()
		require.NoError(t, err)
		again, err := DecodeServed(b)
		require.NoError(t, err)
		require.Equal(t, m, again)
		require.Equal(t, c.task, again.Schema().TaskOf())
		require.Equal(t, c.width, again.Schema().Width())
	}
}

func TestABinaryModelNamesNoTask(t *testing.T) {
	without, err := served(Schema{Positive: "yes", Negative: "no"}).Encode()
	require.NoError(t, err)
	require.NotContains(t, string(without), "task")
	require.NotContains(t, string(without), "classes")
	with, err := served(Schema{Positive: "yes", Negative: "no", Task: stats.Binary}).Encode()
	require.NoError(t, err)
	require.Equal(t, string(without), string(with), "equal models have equal bytes")

	b, err := json.Marshal(Manifest{})
	require.NoError(t, err)
	require.NotContains(t, string(b), "task")
	require.NotContains(t, string(b), "classes")
}

func TestSchemasThatContradictTheirTask(t *testing.T) {
	many := make([]string, table.MostClasses+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for _, c := range []struct {
		schema Schema
		want   string
	}{
		{Schema{Positive: "yes", Negative: "yes"}, "the positive and the negative value of target \"y\" are equal"},
		{Schema{}, "are equal"},
		{Schema{Positive: "yes", Negative: "no", Classes: []string{"a", "b"}}, `task binary: target "y" has 2 classes listed; expected these of a multiclass model only`},
		{Schema{Task: stats.Regression, Positive: "yes"}, `task regression: target "y" has a positive or a negative value`},
		{Schema{Task: stats.Regression, Classes: []string{"a", "b"}}, "expected these of a multiclass model only"},
		{Schema{Task: stats.Multiclass, Negative: "no", Classes: []string{"a", "b"}}, "has a positive or a negative value"},
		{Schema{Task: stats.Multiclass}, `target "y" has 0 classes; expected 2 to 1000`},
		{Schema{Task: stats.Multiclass, Classes: many}, `target "y" has 1001 classes; expected 2 to 1000`},
		{Schema{Task: stats.Multiclass, Classes: []string{"a", "b", "a"}}, `class 2 of target "y" is there twice`},
		{Schema{Task: stats.Multiclass, Classes: []string{"a", "\xff"}}, `class 1 of target "y" is not valid UTF-8`},
		{Schema{Task: "ranking"}, `unknown task "ranking"; expected binary, multiclass or regression`},
	} {
		_, err := served(c.schema).Encode()
		require.ErrorContains(t, err, c.want)
	}
	m := served(Schema{Task: stats.Regression})
	m.Serve.PositiveIndex = new(0)
	_, err := m.Encode()
	require.ErrorContains(t, err, "serve.positive_index is given for a model of task regression")

	logistic := example()
	logistic.Inputs.Task = stats.Regression
	_, err = logistic.Encode()
	require.ErrorContains(t, err, `its task is "regression"; a logistic model tells two classes apart`)
}

func TestClassIndicesAreThoseOfTheSchemaWhateverTheOrderOfLevels(t *testing.T) {
	s := Schema{Task: stats.Multiclass, Classes: []string{"1", "2", "10"}}
	c := &table.Column{Name: "y", Kind: table.Categorical, Levels: []string{"1", "10", "2"}, Codes: []int32{2, 0, -1, 1}}
	got, err := s.ClassIndices(c)
	require.NoError(t, err)
	require.Equal(t, []int32{1, 0, -1, 2}, got)

	got, err = s.ClassIndices(&table.Column{Name: "y", Kind: table.Numeric, Numbers: []float64{10, 1}})
	require.NoError(t, err, "a column of numbers names its classes alike")
	require.Equal(t, []int32{2, 0}, got)

	c.Levels = slices.Concat(c.Levels[:2], []string{"s3cr3t"})
	_, err = s.ClassIndices(c)
	require.ErrorContains(t, err, `read the target "y": row 0 has a value that is none of the model's 3 classes`)
	require.False(t, strings.Contains(err.Error(), "s3cr3t"))
}
