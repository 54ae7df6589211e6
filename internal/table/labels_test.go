package table

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/stats"
)

// digits is a table of n rows whose target has the classes 1, 2 and 10, by weight w.
func digits(n int) string {
	var b strings.Builder
	b.WriteString("x,g,w,y\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,%s,%d,%d\n", i, []string{"a", "b"}[i%2], 1+i%3, []int{1, 2, 10}[i*7%11%3])
	}
	return b.String()
}

func multiclass() spec.Data {
	return spec.Data{Target: spec.Target{Column: "y", Task: string(stats.Multiclass)}, Protected: []string{"g"}, Split: hash}
}

func regression() spec.Data {
	return spec.Data{Target: spec.Target{Column: "x", Task: string(stats.Regression)}, Protected: []string{"g"}, Split: hash}
}

func TestClassesAreThoseOfTheWholeTableInTheOrderOfTheirKind(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", digits(300)))
	p, err := Prepare(t.Context(), store, snap, nil, multiclass(), small)
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2", "10"}, p.Classes, "numbers by size")
	require.Empty(t, p.Warnings)
	require.Nil(t, p.Target)
	for i, part := range []struct {
		ref    artifact.Ref
		counts []int64
	}{{p.Train, p.ClassCounts.Train}, {p.Validation, p.ClassCounts.Validation}, {p.Test, p.ClassCounts.Test}} {
		want := make([]int64, 3)
		for _, text := range column(t, store, part.ref, "y") {
			want[map[string]int{"1": 0, "2": 1, "10": 2}[text]]++
		}
		require.Equal(t, want, part.counts, "part %d", i)
	}

	data := multiclass()
	data.Transform = "select x, g, 'c' || y as y from data"
	p, err = Prepare(t.Context(), store, snap, nil, data, small)
	require.NoError(t, err)
	require.Equal(t, []string{"c1", "c10", "c2"}, p.Classes, "texts byte by byte")

	data.Transform, data.Target.Column = "select * from data", "g"
	data.Protected = nil
	p, err = Prepare(t.Context(), store, snap, nil, data, small)
	require.NoError(t, err, "two classes are enough")
	require.Equal(t, []string{"a", "b"}, p.Classes)
}

func TestABinaryTargetLeavesNoTraceOfOtherTasks(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", people(300)))
	p, err := Prepare(t.Context(), store, snap, nil, peopleData(), small)
	require.NoError(t, err)
	report, err := Validate(t.Context(), store, snap, peopleData(), small)
	require.NoError(t, err)
	for _, v := range []any{p, report} {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		for _, field := range []string{"classes", "class_counts", `"target"`, "unlabelled"} {
			require.NotContains(t, string(b), field)
		}
	}
}

func TestARegressionTargetIsDescribedByPart(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", digits(300)))
	p, err := Prepare(t.Context(), store, snap, nil, regression(), small)
	require.NoError(t, err)
	require.Nil(t, p.Classes)
	require.Nil(t, p.ClassCounts)
	for _, part := range []struct {
		ref  artifact.Ref
		rows int64
		got  Moments
	}{{p.Train, p.Rows.Train, p.Target.Train}, {p.Validation, p.Rows.Validation, p.Target.Validation}, {p.Test, p.Rows.Test, p.Target.Test}} {
		f, err := ReadFrame(t.Context(), store, part.ref, []Wanted{{"x", Numeric}}, small)
		require.NoError(t, err)
		var m runningMoments
		for _, x := range f.Columns[0].Numbers {
			m.add(x)
		}
		want := m.moments()
		require.Equal(t, part.rows, part.got.Rows)
		require.InDelta(t, want.Mean, part.got.Mean, 1e-6)
		require.InDelta(t, want.SD, part.got.SD, 1e-6)
	}
	again, err := Prepare(t.Context(), store, snap, nil, regression(), Limits{Threads: 5})
	require.NoError(t, err)
	require.Equal(t, p, again, "whatever the number of threads")
}

func TestTargetsThatAreNotWhatTheirTaskPredicts(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", digits(300)))
	for _, c := range []struct {
		name   string
		data   spec.Data
		change func(d *spec.Data)
		want   string
	}{
		{"one class", multiclass(), func(d *spec.Data) { d.Transform = "select * from data where y = 10" }, `the target column "y" has one class in all `},
		{"a class too many", multiclass(), func(d *spec.Data) { d.Transform = "select x, g, range as y from data, range(1001) where x < 3" },
			`the target column "y" has 1001 classes; expected at most 1000: join rare ones with data.transform, or write target.task: regression`},
		{"a missing class", multiclass(), func(d *spec.Data) { d.Transform = "select * replace (nullif(y, 10) as y) from data" }, `the target column "y" is missing in `},
		{"no rows", multiclass(), func(d *spec.Data) { d.Transform = "select * from data where x < 0" }, "there are no rows"},
		{"a class that training does not see", multiclass(), func(d *spec.Data) {
			d.Transform = "select * replace (case when x = 299 then 'rare' else 'c' || y end as y) from data"
			d.Split = spec.Split{By: "time", Column: "x", Train: 0.6, Validation: 0.2, Test: 0.2}
		}, `1 of the 4 classes of the target column "y" have no row in the train part: ["rare"]; a model cannot learn them`},
		{"a class that must not be shown", multiclass(), func(d *spec.Data) {
			d.Transform = "select * replace (case when x = 299 then 'rare' else 'c' || y end as y) from data"
			d.Split = spec.Split{By: "time", Column: "x", Train: 0.6, Validation: 0.2, Test: 0.2}
			d.Protected = []string{"y"}
		}, `have no row in the train part; a model cannot learn them`},
		{"texts for numbers", regression(), func(d *spec.Data) { d.Target.Column, d.Protected = "g", nil }, `the target column "g" is of type text; expected numbers with target.task: regression`},
		{"a missing number", regression(), func(d *spec.Data) { d.Transform = "select * replace (nullif(x, 7) as x) from data" }, `the target column "x" is missing in 1 row; expected a number in every row`},
		{"a constant", regression(), func(d *spec.Data) { d.Transform = "select * replace (5 as x), x as z from data" }, `the target column "x" has the same number in all 300 rows`},
		{"no number", regression(), func(d *spec.Data) { d.Transform = "select * replace (null::double as x), x as z from data" }, `the target column "x" is missing in 300 rows`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.change(&c.data)
			_, err := Prepare(t.Context(), store, snap, nil, c.data, small)
			require.ErrorContains(t, err, c.want)
			if c.data.Split.By == "hash" {
				_, err = Validate(t.Context(), store, snap, c.data, small)
				require.ErrorContains(t, err, c.want)
			}
		})
	}
}

func TestALaterPartWithoutAClassIsAWarning(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", digits(300)))
	data := multiclass()
	data.Transform = "select * replace (case when x = 3 then 'rare' else 'c' || y end as y) from data"
	data.Split = spec.Split{By: "time", Column: "x", Train: 0.6, Validation: 0.2, Test: 0.2}
	p, err := Prepare(t.Context(), store, snap, nil, data, small)
	require.NoError(t, err)
	require.Equal(t, []string{
		`the validation part has no row of 1 of the 4 classes of "y" (["rare"])`,
		`the test part has no row of 1 of the 4 classes of "y" (["rare"])`,
	}, p.Warnings)
	require.Equal(t, []string{"c1", "c10", "c2", "rare"}, p.Classes)
	require.EqualValues(t, 0, p.ClassCounts.Test[3])
}

func TestAClassOfTheTestSourceAloneIsRefused(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", digits(300)))
	test := mustTake(t, store, write(t, "test.csv", digits(60)+"1,a,1,11\n"))
	data := multiclass()
	data.Split = spec.Split{By: "hash", Train: 1}
	_, err := Prepare(t.Context(), store, snap, &test, data, small)
	require.ErrorContains(t, err, `1 of the 4 classes of the target column "y" have no row in the train part: ["11"]`)
}

// Labels of test rows may come later: from the people that are asked for those which are needed.
func TestTestRowsMayLackTheirLabelWhereThatIsAllowed(t *testing.T) {
	store := newStore(t)
	allow := MissingTestLabels(true)
	snap := mustTake(t, store, write(t, "x.csv", digits(300)))
	lacking := func(column, when string) string {
		return fmt.Sprintf("select * replace (case when %s then %s end as %s) from data", when, column, column)
	}
	byTime := spec.Split{By: "time", Column: "z", Train: 0.6, Validation: 0.2, Test: 0.2}
	for name, data := range map[string]spec.Data{
		"binary":     {Target: spec.Target{Column: "g", Positive: "a"}},
		"multiclass": {Target: spec.Target{Column: "y", Task: string(stats.Multiclass)}},
		"regression": {Target: spec.Target{Column: "x", Task: string(stats.Regression)}},
	} {
		t.Run(name, func(t *testing.T) {
			data.Split = byTime
			inTest := strings.Replace(lacking(data.Target.Column, "x < 240 or x > 280"), "from data", ", x as z from data", 1)
			data.Transform = inTest
			_, err := Prepare(t.Context(), store, snap, nil, data, small)
			require.ErrorContains(t, err, "is missing in 41 rows")
			_, err = Prepare(t.Context(), store, snap, nil, data, small, MissingTestLabels(false))
			require.ErrorContains(t, err, "is missing in 41 rows")
			_, err = Validate(t.Context(), store, snap, data, small)
			require.ErrorContains(t, err, "is missing in 41 rows")

			p, err := Prepare(t.Context(), store, snap, nil, data, small, allow)
			require.NoError(t, err)
			require.EqualValues(t, 60, p.Rows.Test)
			require.EqualValues(t, 41, p.Unlabelled)
			if p.Target != nil {
				require.EqualValues(t, 19, p.Target.Test.Rows)
				require.InDelta(t, 290, p.Target.Test.Mean, 1e-6)
			}
			report, err := Validate(t.Context(), store, snap, data, small, allow)
			require.NoError(t, err)
			require.EqualValues(t, 300, report.Rows)

			data.Transform = strings.Replace(inTest, "x > 280", "false", 1)
			p, err = Prepare(t.Context(), store, snap, nil, data, small, allow)
			require.NoError(t, err, "no test row has a label")
			require.EqualValues(t, 60, p.Unlabelled)
			require.Empty(t, p.Warnings)

			for part, when := range map[string]string{"train": "x <> 5", "validation": "x <> 200"} {
				data.Transform = strings.Replace(lacking(data.Target.Column, when), "from data", ", x as z from data", 1)
				_, err = Prepare(t.Context(), store, snap, nil, data, small, allow)
				require.ErrorContains(t, err, "is missing in 1 row", part)
			}
		})
	}

	data := spec.Data{Target: spec.Target{Column: "g", Positive: "a"}, Split: spec.Split{By: "hash", Train: 1}}
	test := mustTake(t, store, write(t, "test.csv", "x,g,w,y\n1,,1,1\n2,a,1,1\n3,,2,2\n"))
	p, err := Prepare(t.Context(), store, snap, &test, data, small, allow)
	require.NoError(t, err, "a test source of its own")
	require.EqualValues(t, 2, p.Unlabelled)
	test = mustTake(t, store, write(t, "test.csv", "x,g,w,y\n1,,1,1\n2,c,1,1\n"))
	_, err = Prepare(t.Context(), store, snap, &test, data, small, allow)
	require.ErrorContains(t, err, `the parts together: the target column "g" has 3 classes; expected two`, "what labels there are is still checked")
}

func TestBadWeightsAreNamedByTheirFirstRow(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", digits(300)))
	for _, c := range []struct{ weight, want string }{
		{"case when x in (250, 120, 7) then -w else w end", `the weight column "w" is negative in 3 rows (the first is row 8, in the train part); expected finite numbers of at least 0`},
		{"case when x = 7 then -0.5 else w end", `the weight column "w" is negative in 1 row (row 8, in the train part)`},
		{"case when x in (250, 260) then null else w end", `the weight column "w" is missing or infinite in 2 rows (the first is row 251, in the test part)`},
		{"case when x = 200 then 'inf'::double else w end", `the weight column "w" is missing or infinite in 1 row (row 201, in the validation part)`},
		{"case when x = 200 then '-inf'::double else w end", `the weight column "w" is missing or infinite in 1 row (row 201, in the validation part)`},
		{"0", `the weight column "w" is 0 in every row; expected some above 0`},
	} {
		data := multiclass()
		data.Weight = "w"
		data.Split = spec.Split{By: "time", Column: "x", Train: 0.6, Validation: 0.2, Test: 0.2}
		data.Transform = "select * replace (" + c.weight + " as w) from data"
		_, err := Prepare(t.Context(), store, snap, nil, data, small)
		require.ErrorContains(t, err, c.want)
	}
	data := multiclass()
	data.Weight = "w"
	p, err := Prepare(t.Context(), store, snap, nil, data, small)
	require.NoError(t, err)
	require.NotContains(t, namesIn(p.Features), "w")
}

func TestGroupsOfOtherTargetsAreDescribed(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", "g,x,y\na,1,1\na,2,1\na,3,10\nb,5,2\n,7,2\n"))
	report, err := Validate(t.Context(), store, snap, multiclass(), small)
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2", "10"}, report.Classes)
	require.Equal(t, []int64{2, 2, 1}, report.ClassCounts)
	require.Zero(t, report.Positives)
	require.Equal(t, []Group{
		{Value: "a", Rows: 3, Share: 0.6, ClassCounts: []int64{2, 0, 1}},
		{Missing: true, Rows: 1, Share: 0.2, ClassCounts: []int64{0, 1, 0}},
		{Value: "b", Rows: 1, Share: 0.2, ClassCounts: []int64{0, 1, 0}},
	}, report.Groups[0].Groups)

	report, err = Validate(t.Context(), store, snap, regression(), small)
	require.NoError(t, err)
	require.EqualValues(t, 5, report.Target.Rows)
	require.InDelta(t, 3.6, report.Target.Mean, 1e-8)
	require.InDelta(t, 2.4083189157584592, report.Target.SD, 1e-8)
	require.Equal(t, []Group{
		{Value: "a", Rows: 3, Share: 0.6, Target: &Moments{Rows: 3, Mean: 2, SD: 1}},
		{Missing: true, Rows: 1, Share: 0.2, Target: &Moments{Rows: 1, Mean: 7}},
		{Value: "b", Rows: 1, Share: 0.2, Target: &Moments{Rows: 1, Mean: 5}},
	}, report.Groups[0].Groups)
}
