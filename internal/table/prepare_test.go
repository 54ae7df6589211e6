package table

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
)

var hash = spec.Split{By: "hash", Train: 0.6, Validation: 0.2, Test: 0.2, Seed: 7}

// people is a table of n rows: id, x, group, when, target.
func people(n int) string {
	var b strings.Builder
	b.WriteString("id,x,group,day,y\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,%g,%s,%d,%s\n", i, float64(i%17)/4, []string{"a", "b", "c"}[i%3], i/4, []string{"no", "yes"}[i*7%11%2])
	}
	return b.String()
}

func peopleData() spec.Data {
	return spec.Data{Target: spec.Target{Column: "y", Positive: "yes"}, Protected: []string{"group"}, Exclude: []string{"id"}, Split: hash}
}

func rows(t testing.TB, store artifact.Store, ref artifact.Ref) []string {
	if ref.IsZero() {
		return nil
	}
	return column(t, store, ref, RowColumn)
}

func TestHashSplitIsDisjointCompleteAndStable(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", people(3000)))
	p, err := Prepare(t.Context(), store, snap, nil, peopleData(), small)
	require.NoError(t, err)
	require.Equal(t, PartCounts{Train: 1790, Validation: 577, Test: 633}, p.Rows) // fixed for ever: a stored model must meet the same rows
	part := map[string]int{}
	for i, ref := range []artifact.Ref{p.Train, p.Validation, p.Test} {
		for _, r := range rows(t, store, ref) {
			require.NotContains(t, part, r)
			part[r] = i
		}
	}
	require.Len(t, part, 3000)

	longer := mustTake(t, store, write(t, "x.csv", people(3500)))
	q, err := Prepare(t.Context(), store, longer, nil, peopleData(), Limits{Threads: 1})
	require.NoError(t, err)
	for i, ref := range []artifact.Ref{q.Train, q.Validation, q.Test} {
		for _, r := range rows(t, store, ref) {
			if old, ok := part[r]; ok {
				require.Equal(t, old, i, "row %s changed its part when rows were added", r)
			}
		}
	}
	other := peopleData()
	other.Split.Seed = 8
	o, err := Prepare(t.Context(), store, snap, nil, other, small)
	require.NoError(t, err)
	require.NotEqual(t, p.Train, o.Train)
}

func TestPreparingTwiceGivesTheSameBytesWhateverTheLimits(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", people(3000)))
	for _, query := range []string{"", "select * from data where x > 1", `select "group", day, count(*) as n, max(y) as y from data group by all`} {
		data := peopleData()
		data.Transform, data.Exclude = query, nil
		p, err := Prepare(t.Context(), store, snap, nil, data, Limits{Threads: 1})
		require.NoError(t, err)
		q, err := Prepare(t.Context(), store, snap, nil, data, Limits{Threads: 5})
		require.NoError(t, err)
		require.Equal(t, p, q)
	}
}

func TestFeaturesAreTheColumnsThatAreNeitherTargetNorWeightNorExcluded(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", people(300)))
	data := peopleData()
	data.Weight = "x"
	p, err := Prepare(t.Context(), store, snap, nil, data, small)
	require.NoError(t, err)
	require.Equal(t, []ColumnInfo{{"group", Text, Categorical}, {"day", Integer, Numeric}}, p.Features)
	f, err := ReadFrame(t.Context(), store, p.Train, []Wanted{{"id", Numeric}, {"x", Numeric}, {"group", Categorical}, {"y", Categorical}, {RowColumn, Numeric}}, small)
	require.NoError(t, err)
	require.EqualValues(t, p.Rows.Train, f.Rows)
	for i := range f.Rows {
		require.Equal(t, f.Columns[0].Numbers[i]+1, f.Columns[4].Numbers[i], "_row counts the snapshot's rows from 1")
	}
	profile := profileOf(t, store, p.Profile)
	require.EqualValues(t, p.Rows.Train, profile.Rows)
	require.NotNil(t, profile.Column("y"))
	require.Nil(t, profile.Column("id"))
}

func TestTimeSplitKeepsOrderAndTies(t *testing.T) {
	s, err := small.open(t.Context())
	require.NoError(t, err)
	defer s.close()
	rapid.Check(t, func(r *rapid.T) {
		days := rapid.SliceOfN(rapid.IntRange(0, 12), 1, 60).Draw(r, "days")
		split := spec.Split{By: "time", Column: "day", Train: 0.5, Validation: 0.25, Test: 0.25}
		query := fmt.Sprintf("SELECT day, %s FROM unnest(%s) t(day)", timePart(split), strings.ReplaceAll(fmt.Sprint(days), " ", ", "))
		var partOf [13]int64
		var sizes, lowest, highest [3]int64
		err := s.each(t.Context(), query, func(v []any) error {
			day, part := integer(v[0]), integer(v[1])
			if sizes[part] == 0 {
				lowest[part], highest[part] = day, day
			}
			sizes[part]++
			lowest[part], highest[part] = min(lowest[part], day), max(highest[part], day)
			if old := partOf[day]; old != 0 {
				require.Equal(r, old, part+1, "rows of one day stay on one side")
			}
			partOf[day] = part + 1
			return nil
		})
		require.NoError(r, err)
		for later := 1; later < 3; later++ {
			for earlier := range later {
				if sizes[earlier] > 0 && sizes[later] > 0 {
					require.Less(r, highest[earlier], lowest[later])
				}
			}
		}
		require.GreaterOrEqual(r, float64(sizes[0]), 0.5*float64(len(days))-0.5)
	})
}

func TestTimeSplitOfATable(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", people(400)))
	data := peopleData()
	data.Split = spec.Split{By: "time", Column: "day", Train: 0.5, Validation: 0.25, Test: 0.25}
	p, err := Prepare(t.Context(), store, snap, nil, data, small)
	require.NoError(t, err)
	require.Equal(t, PartCounts{Train: 200, Validation: 100, Test: 100}, p.Rows)
	require.Equal(t, "201", rows(t, store, p.Validation)[0])
	require.Equal(t, "301", rows(t, store, p.Test)[0])

	data.Transform = "select * replace (case when id > 5 then day end as day) from data"
	_, err = Prepare(t.Context(), store, snap, nil, data, small)
	require.ErrorContains(t, err, `the time column "day" is missing in 6 rows`)
}

func TestRowsEqualInTheKeyStayTogetherAndDuplicatesAreCounted(t *testing.T) {
	store := newStore(t)
	content := people(1000)
	twice := content + strings.SplitN(content, "\n", 2)[1]
	snap := mustTake(t, store, write(t, "x.csv", twice))
	p, err := Prepare(t.Context(), store, snap, nil, peopleData(), small)
	require.NoError(t, err)
	within := p.Duplicates.Within
	require.EqualValues(t, 1000, within.Train+within.Validation+within.Test)
	require.Zero(t, p.Duplicates.TestInTrain+p.Duplicates.ValidationInTrain+p.Duplicates.TestInValidation)

	data := peopleData()
	data.Split.Key = []string{"day"}
	p, err = Prepare(t.Context(), store, snap, nil, data, small)
	require.NoError(t, err)
	seen := map[string]int{}
	for i, ref := range []artifact.Ref{p.Train, p.Validation, p.Test} {
		for _, day := range column(t, store, ref, "day") {
			if old, ok := seen[day]; ok {
				require.Equal(t, old, i)
			}
			seen[day] = i
		}
	}
}

func TestATestSourceIsTheTestPart(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "train.csv", people(400)))
	test := mustTake(t, store, write(t, "test.csv", people(60)))
	data := peopleData()
	data.Split = spec.Split{By: "hash", Train: 0.75, Validation: 0.25}
	data.Transform = "select * from data where id >= 10"
	p, err := Prepare(t.Context(), store, snap, &test, data, small)
	require.NoError(t, err)
	require.EqualValues(t, 50, p.Rows.Test)
	require.Equal(t, "11", rows(t, store, p.Test)[0], "rows of a test source keep their own numbers")
	require.EqualValues(t, 50, p.Duplicates.TestInTrain+p.Duplicates.TestInValidation)
	require.NotEmpty(t, p.Warnings)

	labels := mustTake(t, store, write(t, "test.csv", strings.ReplaceAll(strings.ReplaceAll(people(60), "yes", "yes."), "no", "no.")))
	_, err = Prepare(t.Context(), store, snap, &labels, data, small)
	require.ErrorContains(t, err, `the test part: the target column "y" never has the value "yes" set as positive; its classes are "no." and "yes."`)

	fewer := mustTake(t, store, write(t, "test.csv", strings.ReplaceAll(people(60), ",x,", ",z,")))
	_, err = Prepare(t.Context(), store, snap, &fewer, data, small)
	require.ErrorContains(t, err, `the columns differ from the training source's (missing: ["x"], not in training: ["z"])`)
}

func TestPrepareRefuses(t *testing.T) {
	store := newStore(t)
	table := "x,empty,when,name,w,y\n"
	for i := range 40 {
		table += fmt.Sprintf("%d,,2020-01-%02d,n%d,%d,%s\n", i, i%28+1, i, i-1, []string{"no", "yes"}[i%2])
	}
	snap := mustTake(t, store, write(t, "x.csv", table))
	for _, c := range []struct {
		name   string
		change func(d *spec.Data)
		want   string
	}{
		{"a feature without values", func(d *spec.Data) { d.Exclude = []string{"when"} }, `the feature "empty" has no value in the training part; add it to data.exclude`},
		{"a date as a feature", func(d *spec.Data) { d.Exclude = []string{"empty"} }, `the column "when" is a date, which no model can use as it is; add it to data.exclude`},
		{"an absent target", func(d *spec.Data) { d.Target.Column = "z" }, `data.target.column names the column "z"; the table has`},
		{"a misspelt exclusion", func(d *spec.Data) { d.Exclude = append(d.Exclude, "nmae") }, `data.exclude names the column "nmae"`},
		{"an absent positive class", func(d *spec.Data) { d.Target.Positive = "Yes" }, `never has the value "Yes" set as positive; its classes are "no" and "yes"`},
		{"an absent positive class of a protected target", func(d *spec.Data) { d.Target.Positive, d.Protected = "Yes", []string{"y"} }, `never has the value set as positive; expected`},
		{"more than two classes", func(d *spec.Data) { d.Target.Column = "name" }, `the target column "name" has 40 classes; expected two`},
		{"a negative weight", func(d *spec.Data) { d.Weight = "w" }, `the weight column "w" is negative in 1 row (row 1, in the `},
		{"a weight of text", func(d *spec.Data) { d.Weight = "name" }, `the weight column "name" is of type text; expected numbers`},
		{"no rows left", func(d *spec.Data) { d.Transform = "select * from data where x < 0" }, "there are no rows"},
		{"one class left", func(d *spec.Data) { d.Transform = "select * from data where y = 'yes'" }, `the target column "y" has one class in all 20 rows; expected two`},
		{"no feature left", func(d *spec.Data) { d.Transform, d.Exclude = "select y from data", nil }, "no column is left as a feature"},
		{"a missing class", func(d *spec.Data) { d.Transform = "select * replace (case when x > 3 then y end as y) from data" }, `the target column "y" is missing in 4 rows`},
		{"SQL of two statements", func(d *spec.Data) { d.Transform = "select 1; select * from data" }, "holds 2 statements; expected one SELECT"},
		{"SQL that is no SELECT", func(d *spec.Data) { d.Transform = "drop view data" }, "not a SELECT statement"},
		{"SQL that does not parse", func(d *spec.Data) { d.Transform = "selec * from data" }, `syntax error at or near "selec"`},
		{"SQL on an absent column", func(d *spec.Data) { d.Transform = "select zz from data" }, `Referenced column "zz" not found`},
		{"SQL that fails on a value", func(d *spec.Data) { d.Transform = "select *, name::integer as k from data" }, "Conversion Error on some value"},
		{"SQL that closes a parenthesis", func(d *spec.Data) { d.Transform = "select * from data) union all (select * from data" }, "syntax error"},
		{"SQL that changes each time", func(d *spec.Data) { d.Transform = "select *, random() as r from data" }, "uses random(), which answers differently each time"},
		{"SQL that tells the time", func(d *spec.Data) { d.Transform = "select *, now() as r from data" }, "uses now()"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := spec.Data{Target: spec.Target{Column: "y", Positive: "yes"}, Exclude: []string{"empty", "when"}, Split: spec.Split{By: "hash", Train: 0.7, Test: 0.3}}
			c.change(&data)
			_, err := Prepare(t.Context(), store, snap, nil, data, small)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, snap.Source)
			require.NotContains(t, err.Error(), "n13")
		})
	}
}

func TestUserSQLReachesNoFilesNoNetworkAndNoSettings(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", people(50)))
	secret := write(t, "secret.csv", "k\nhidden\n").URI
	for _, query := range []string{
		"select * from read_csv('" + secret + "')",
		"select * from '" + secret + "'",
		"select * from read_text('" + secret + "')",
		"select content from read_blob('/etc/passwd')",
		"select * from glob('/*')",
		"select * from read_parquet('https://example.com/x.parquet')",
		"select * from read_json('s3://bucket/x.json')",
		"from (copy data to '/tmp/stolen.csv')",
		"select * from data; copy data to '/tmp/stolen.csv'",
		"install httpfs",
		"set enable_external_access = true",
		"attach '/tmp/x.db'",
		"select getenv('HOME')",
	} {
		data := peopleData()
		data.Transform = query
		_, err := Prepare(t.Context(), store, snap, nil, data, small)
		require.Error(t, err, query)
		require.NotContains(t, err.Error(), "hidden")

		data = peopleData()
		data.Expect = []spec.Expectation{{Name: "sneaky", SQL: strings.Replace(query, "select *", "select count(*) > 0", 1)}}
		report, err := Validate(t.Context(), store, snap, data, small)
		require.NoError(t, err)
		require.False(t, report.Passed, query)
	}
}

func TestTenThousandCategoriesWorkWithAWarning(t *testing.T) {
	var b strings.Builder
	b.WriteString("c,x,y\n")
	for i := range 30000 {
		fmt.Fprintf(&b, "c%d,%d,%s\n", i%10000, i, []string{"no", "yes"}[i%2])
	}
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", b.String()))
	data := spec.Data{Target: spec.Target{Column: "y", Positive: "yes"}, Split: spec.Split{By: "hash", Train: 1}}
	p, err := Prepare(t.Context(), store, snap, nil, data, small)
	require.NoError(t, err)
	require.Equal(t, []string{`the feature "c" has 10000 categories in 30000 training rows; is it an identifier? (data.exclude keeps it from the model)`}, p.Warnings)
	require.True(t, p.Test.IsZero())
	f, err := ReadFrame(t.Context(), store, p.Train, []Wanted{{"c", Categorical}}, small)
	require.NoError(t, err)
	require.Len(t, f.Columns[0].Levels, 10000)
}

func TestATransformLargerThanItsMemoryGoesToDisk(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, spec.Source{URI: "synthetic://credit?rows=400000&seed=1"})
	data := spec.Data{Target: spec.Target{Column: "approved", Positive: "yes"}, Exclude: []string{"application_id"}, Split: hash,
		Transform: "select * from data order by md5(application_id)"}
	p, err := Prepare(t.Context(), store, snap, nil, data, Limits{MemoryBytes: 100 << 20, Threads: 1})
	require.NoError(t, err)
	require.EqualValues(t, 400_000, p.Rows.Train+p.Rows.Validation+p.Rows.Test)
}
