package table

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/spec"
)

// The data sets of this file are public but no part of the repository; every test skips without them.

var adultColumns = []string{"age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race", "sex",
	"capital-gain", "capital-loss", "hours-per-week", "native-country", "income"}

func adultData() spec.Data {
	return spec.Data{
		Target: spec.Target{Column: "income", Positive: ">50K"}, Protected: []string{"sex", "race"}, Exclude: []string{"fnlwgt"},
		Transform: "select * replace (rtrim(income, '.') as income) from data",
		Split:     spec.Split{By: "hash", Train: 0.8, Validation: 0.2, Seed: 7},
	}
}

func TestAdultWithItsRawTestFile(t *testing.T) {
	store := newStore(t)
	train := mustTake(t, store, spec.Source{URI: shared(t, "adult/adult_train.csv"), CSV: spec.CSV{Unknown: []string{"?"}}})
	raw := spec.Source{URI: shared(t, "adult/adult.test"), CSV: spec.CSV{Header: new(bool), Columns: adultColumns, Comment: "|", Unknown: []string{"?"}}}
	test := mustTake(t, store, raw)
	require.EqualValues(t, 32561, train.Rows)
	require.EqualValues(t, 16281, test.Rows)
	require.Equal(t, types(train), types(test))
	require.EqualValues(t, 1836, profileOf(t, store, train.Profile).Column("workclass").Nulls)
	require.EqualValues(t, 963, profileOf(t, store, test.Profile).Column("workclass").Nulls)

	clean := mustTake(t, store, spec.Source{URI: shared(t, "adult/adult_test.csv"), CSV: spec.CSV{Unknown: []string{"?"}}})
	for _, name := range []string{"age", "occupation", "native-country"} {
		require.Equal(t, column(t, store, clean.Data, name), column(t, store, test.Data, name))
	}

	report, err := Validate(t.Context(), store, train, adultData(), small)
	require.NoError(t, err)
	require.EqualValues(t, 7841, report.Positives)
	require.Equal(t, Group{Value: "Male", Rows: 21790, Share: 21790.0 / 32561, Positives: 6662, PositiveShare: 6662.0 / 21790}, report.Groups[0].Groups[0])

	p, err := Prepare(t.Context(), store, train, &test, adultData(), small)
	require.NoError(t, err)
	require.EqualValues(t, 16281, p.Rows.Test)
	require.EqualValues(t, 24, p.Duplicates.Within.Train+p.Duplicates.Within.Validation)
	require.Len(t, p.Features, 13)

	data := adultData()
	data.Transform = ""
	_, err = Prepare(t.Context(), store, train, &test, data, small)
	require.ErrorContains(t, err, `the test part: the target column "income" never has the value ">50K" set as positive; its classes are "<=50K." and ">50K."`)

	start := time.Now()
	wanted := make([]Wanted, len(p.Features))
	for i, f := range p.Features {
		wanted[i] = Wanted{f.Name, f.Kind}
	}
	_, err = ReadFrame(t.Context(), store, p.Train, wanted, small)
	require.NoError(t, err)
	t.Logf("read %d rows of %d features in %v", p.Rows.Train, len(wanted), time.Since(start))
}

func TestAdultTestFileWithoutSettingsSaysWhatToSet(t *testing.T) {
	_, err := take(t, newStore(t), spec.Source{URI: shared(t, "adult/adult.test")})
	require.ErrorContains(t, err, "line 1 has 1 field where the lines after it have 15")
	require.ErrorContains(t, err, "set csv.comment")
}

func TestRealDataSets(t *testing.T) {
	for _, c := range []struct {
		file   string
		csv    spec.CSV
		format string
		rows   int64
		types  map[string]string
		nulls  map[string]int64
	}{
		{file: "bank/bank-additional-full.csv", rows: 41188, types: map[string]string{"age": Integer, "pdays": Integer, "emp.var.rate": Number, "y": Text, "default": Text}},
		{file: "california_housing/housing.csv", rows: 20640, types: map[string]string{"total_bedrooms": Number, "ocean_proximity": Text}, nulls: map[string]int64{"total_bedrooms": 207}},
		{file: "compas/compas_two_years_noid.csv", rows: 7214, types: map[string]string{"age": Integer, "decile_score.1": Integer, "race": Text, "days_b_screening_arrest": Integer}},
		{file: "nannyml_car_loan/reference_synthetic_car_loan.csv", rows: 50000, types: map[string]string{"salary_range": Text, "repaid_loan_on_prev_car": Boolean, "timestamp": Timestamp, "y_pred_proba": Number}},
		{file: "nannyml_car_loan/monitoring_synthetic_car_loan.csv", rows: 50000, types: map[string]string{"salary_range": Text}},
		{file: "elec2/electricity.csv", rows: 45312, types: map[string]string{"class": Text, "vicprice": Number}},
		{file: "bike/hour.csv", rows: 17379, types: map[string]string{"dteday": Date, "temp": Number, "cnt": Integer}},
		{file: "wine/winequality.csv", rows: 6497, types: map[string]string{"quality": Integer, "colour": Text}},
		{file: "digits/digits.csv", rows: 1797, types: map[string]string{"digit": Integer}},
		{file: "nannyml_employment/employment_MA_reference.csv.gz", rows: 68785, types: map[string]string{"employed": Integer, "SEX": Integer}},
		{file: "kddcup99/kddcup.data_10_percent.gz", csv: spec.CSV{Header: new(bool)}, format: FormatCSV, rows: 494021, types: map[string]string{"column_1": Integer, "column_42": Text}},
	} {
		t.Run(c.file, func(t *testing.T) {
			store := newStore(t)
			snap := mustTake(t, store, spec.Source{URI: shared(t, c.file), CSV: c.csv, Format: c.format})
			require.Equal(t, c.rows, snap.Rows)
			got := types(snap)
			for name, want := range c.types {
				require.Equal(t, want, got[name], name)
			}
			for name, want := range c.nulls {
				require.Equal(t, want, profileOf(t, store, snap.Profile).Column(name).Nulls)
			}
		})
	}
}

func TestBankDuplicatesAndCategories(t *testing.T) {
	store := newStore(t)
	snap := mustTake(t, store, spec.Source{URI: shared(t, "bank/bank-additional-full.csv")})
	data := spec.Data{Target: spec.Target{Column: "y", Positive: "yes"}, Protected: []string{"marital"}, Split: spec.Split{By: "hash", Train: 0.6, Validation: 0.2, Test: 0.2}}
	p, err := Prepare(t.Context(), store, snap, nil, data, small)
	require.NoError(t, err)
	require.EqualValues(t, 12, p.Duplicates.Within.Train+p.Duplicates.Within.Validation+p.Duplicates.Within.Test)
	require.Contains(t, profileOf(t, store, p.Profile).Column("default").Frequent[1].Value, "unknown", "a category, since nothing says otherwise")
}

func TestCarLoanTargetsAgreeAcrossTypes(t *testing.T) {
	store := newStore(t)
	for _, file := range []string{"reference", "monitoring"} {
		snap := mustTake(t, store, spec.Source{URI: shared(t, "nannyml_car_loan/"+file+"_synthetic_car_loan.csv")})
		report, err := Validate(t.Context(), store, snap, spec.Data{Target: spec.Target{Column: "repaid", Positive: "1"}, Protected: []string{"salary_range"}}, small)
		require.NoError(t, err)
		require.Positive(t, report.Positives)
		var named []string
		for _, g := range report.Groups[0].Groups {
			named = append(named, g.Value)
		}
		require.Contains(t, named, "20K - 20K €")
	}
}
