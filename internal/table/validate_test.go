package table

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/spec"
)

func ptr[T any](v T) *T { return &v }

const staff = `age,sex,pay,code,flag,y
25,F,1.5,A,true,yes
17,M,2.0,B,false,no
130,F,,A,true,yes
40,,3.25,C,,no
41,M,4,x1,true,no
`

func TestExpectations(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", staff))
	for _, c := range []struct {
		expect spec.Expectation
		want   ExpectationResult
	}{
		{spec.Expectation{Column: "age", Type: "integer", Min: ptr(17.0), Max: ptr(130.0), Nulls: ptr(0.0)},
			ExpectationResult{Name: "age is integer, at least 17, at most 130, missing in at most 0 %", Passed: true, Message: "every row meets it"}},
		{spec.Expectation{Column: "age", Min: ptr(18.0), Max: ptr(100.0)},
			ExpectationResult{Name: "age at least 18, at most 100", Offending: 2, Rows: []int64{2, 3}, Message: "1 row below 18; 1 row above 100"}},
		{spec.Expectation{Name: "sex is known", Column: "sex", Nulls: ptr(0.1)},
			ExpectationResult{Name: "sex is known", Offending: 1, Rows: []int64{4}, Message: "1 row missing where at most 10 % may be"}},
		{spec.Expectation{Column: "sex", Nulls: ptr(0.2)}, ExpectationResult{Name: "sex missing in at most 20 %", Passed: true, Message: "every row meets it"}},
		{spec.Expectation{Column: "code", In: []string{"A", "B", "C"}},
			ExpectationResult{Name: "code one of 3 values", Offending: 1, Rows: []int64{5}, Message: "1 row with a value outside the list"}},
		{spec.Expectation{Column: "pay", In: []string{"1.5", "2", "3.25", "4.0"}}, ExpectationResult{Name: "pay one of 4 values", Passed: true, Message: "every row meets it"}},
		{spec.Expectation{Column: "flag", In: []string{"true"}}, ExpectationResult{Name: "flag one of 1 values", Offending: 1, Rows: []int64{2}, Message: "1 row with a value outside the list"}},
		{spec.Expectation{Column: "code", Unique: true}, ExpectationResult{Name: "code unique", Offending: 1, Rows: []int64{3}, Message: "1 row that repeat an earlier value"}},
		{spec.Expectation{Column: "age", Unique: true}, ExpectationResult{Name: "age unique", Passed: true, Message: "every row meets it"}},
		{spec.Expectation{Column: "pay", Type: "integer"}, ExpectationResult{Name: "pay is integer", Offending: 2, Rows: []int64{1, 4}, Message: "2 rows not of type integer"}},
		{spec.Expectation{Column: "age", Type: "number"}, ExpectationResult{Name: "age is number", Passed: true, Message: "every row meets it"}},
		{spec.Expectation{Column: "code", Type: "integer"}, ExpectationResult{Name: "code is integer", Offending: 5, Rows: []int64{1, 2, 3, 4, 5}, Message: "5 rows not of type integer"}},
		{spec.Expectation{Column: "age", Type: "text"}, ExpectationResult{Name: "age is text", Message: "the column is of type integer; expected text"}},
		{spec.Expectation{Column: "code", Min: ptr(1.0)}, ExpectationResult{Name: "code at least 1", Message: "the column is of type text; min and max need numbers"}},
		{spec.Expectation{Column: "zip", Unique: true}, ExpectationResult{Name: "zip unique", Message: `there is no column "zip"; the table has ["age" "sex" "pay" "code" "flag" "y"]`}},
		{spec.Expectation{Rows: &spec.Range{Min: ptr(int64(5))}}, ExpectationResult{Name: "rows at least 5", Passed: true, Message: "there are 5 rows"}},
		{spec.Expectation{Rows: &spec.Range{Min: ptr(int64(6)), Max: ptr(int64(9))}}, ExpectationResult{Name: "rows at least 6, at most 9", Message: "there are 5 rows"}},
		{spec.Expectation{Name: "adults", SQL: "select count(*) = 0 from data where age < 10 -- none"}, ExpectationResult{Name: "adults", Passed: true, Message: "the SQL answers true"}},
		{spec.Expectation{SQL: "select count(*) = 0\nfrom data"}, ExpectationResult{Name: "select count(*) = 0 from data", Message: "the SQL answers false"}},
		{spec.Expectation{Name: "count", SQL: "select count(*) from data"}, ExpectationResult{Name: "count", Message: "the SQL does not answer with true or false; expected one boolean"}},
		{spec.Expectation{Name: "many", SQL: "select age > 1 from data"}, ExpectationResult{Name: "many", Message: "the SQL answers with more or less than one value; expected one boolean"}},
		{spec.Expectation{Name: "null", SQL: "select null::boolean"}, ExpectationResult{Name: "null", Message: "the SQL does not answer with true or false; expected one boolean"}},
	} {
		t.Run(c.want.Name, func(t *testing.T) {
			data := spec.Data{Target: spec.Target{Column: "y", Positive: "yes"}, Expect: []spec.Expectation{c.expect}}
			report, err := Validate(t.Context(), store, snap, data, small)
			require.NoError(t, err)
			require.Equal(t, []ExpectationResult{c.want}, report.Results)
			require.Equal(t, c.want.Passed, report.Passed)
		})
	}
}

func TestProtectedGroupsAreCounted(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", strings.Repeat("a,1,yes\n", 0)+"g,n,y\n"+strings.Repeat("a,1,yes\n", 30)+strings.Repeat("a,1,no\n", 30)+strings.Repeat("b,2,yes\n", 39)+",2,no\n"))
	data := spec.Data{Target: spec.Target{Column: "y", Positive: "yes"}, Protected: []string{"g", "n"}}
	report, err := Validate(t.Context(), store, snap, data, small)
	require.NoError(t, err)
	require.Equal(t, ValidationReport{
		Rows: 100, Passed: true, Positives: 69, Results: []ExpectationResult{},
		Groups: []GroupReport{
			{Column: "g", Groups: []Group{
				{Value: "a", Rows: 60, Share: 0.6, Positives: 30, PositiveShare: 0.5},
				{Value: "b", Rows: 39, Share: 0.39, Positives: 39, PositiveShare: 1},
				{Missing: true, Rows: 1, Share: 0.01},
			}},
			{Column: "n", Groups: []Group{
				{Value: "1", Rows: 60, Share: 0.6, Positives: 30, PositiveShare: 0.5},
				{Value: "2", Rows: 40, Share: 0.4, Positives: 39, PositiveShare: 0.975},
			}},
		},
		Warnings: []string{`the protected column "g" has 3 groups, 1 of them with fewer than 30 rows, of which little can be said`},
	}, report)
}

func TestTargetsNoModelCanBeTrainedOn(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, write(t, "x.csv", staff))
	for _, c := range []struct {
		name string
		data spec.Data
		want string
	}{
		{"absent", spec.Data{Target: spec.Target{Column: "z", Positive: "1"}}, `the target column "z" is absent; the table has ["age" "sex"`},
		{"too many classes", spec.Data{Target: spec.Target{Column: "code", Positive: "A"}}, `has 4 classes; expected two`},
		{"missing", spec.Data{Target: spec.Target{Column: "flag", Positive: "true"}}, `is missing in 1 row`},
		{"positive absent", spec.Data{Target: spec.Target{Column: "y", Positive: "1"}}, `never has the value "1" set as positive; its classes are "no" and "yes"`},
		{"positive absent, excluded target", spec.Data{Target: spec.Target{Column: "y", Positive: "1"}, Exclude: []string{"y"}}, `never has the value set as positive; expected`},
		{"one class", spec.Data{Target: spec.Target{Column: "y", Positive: "yes"}, Transform: "select * from data where y = 'no'"}, `one class in all 3 rows`},
		{"absent protected column", spec.Data{Target: spec.Target{Column: "y", Positive: "yes"}, Protected: []string{"race"}}, `data.protected names the column "race"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Validate(t.Context(), store, snap, c.data, small)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestATargetOfNumbersIsNamedAlikeInEveryType(t *testing.T) {
	store := newStore(t)
	for _, content := range []string{"x,y\n1,0\n2,1\n", "x,y\n1,0.0\n2,1.0\n"} {
		snap := mustTake(t, store, write(t, "x.csv", content))
		report, err := Validate(t.Context(), store, snap, spec.Data{Target: spec.Target{Column: "y", Positive: "1"}}, small)
		require.NoError(t, err)
		require.EqualValues(t, 1, report.Positives)
	}
}
