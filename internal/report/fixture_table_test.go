package report

import (
	"github.com/assay-ml/assay/internal/table"
)

// addTable gives a dossier what was found in its data.
func addTable(d *Dossier) {
	d.Data.Unknown = []Unknown{{"years_employed", 412}, {"sex", 38}}
	d.Validation = table.ValidationReport{
		Rows: 20000, Passed: false, Positives: 10644,
		Results: []table.ExpectationResult{
			{Name: "rows: at least 1,000", Passed: true, Message: "20000 rows; expected at least 1000"},
			{Name: "income: type number, min 0", Passed: true, Message: "every value is a number of at least 0"},
			{Name: "age_band: in a list of 4", Passed: true, Message: "every value is in the list"},
			{Name: "debts are not negative", Offending: 3, Rows: []int64{17, 4021, 9977}, Message: "3 rows are below 0 (rows 17, 4021, 9977); expected at least 0"},
		},
		Groups: []table.GroupReport{
			{Column: "sex", Groups: []table.Group{
				{Value: "male", Rows: 10510, Share: 0.5255, Positives: 5557, PositiveShare: 0.5287},
				{Value: "female", Rows: 9452, Share: 0.4726, Positives: 5071, PositiveShare: 0.5365},
				{Missing: true, Rows: 38, Share: 0.0019, Positives: 16, PositiveShare: 0.4211},
			}},
			{Column: "age_band", Omitted: 2, Groups: []table.Group{
				{Value: "40-64", Rows: 8210, Share: 0.4105, Positives: 4400, PositiveShare: 0.5359},
				{Value: "25-39", Rows: 7602, Share: 0.3801, Positives: 4000, PositiveShare: 0.5262},
				{Value: "18-24", Rows: 2198, Share: 0.1099, Positives: 1144, PositiveShare: 0.5205},
				{Value: "65+", Rows: 1970, Share: 0.0985, Positives: 1090, PositiveShare: 0.5533},
				{Value: "", Rows: 20, Share: 0.001, Positives: 10, PositiveShare: 0.5},
			}},
		},
	}
	d.Prepared = table.Prepared{
		Train: ref("train", 700_000), Validation: ref("validation", 230_000), Test: ref("test", 231_000),
		Rows:       table.PartCounts{Train: 12014, Validation: 3986, Test: 4000},
		Duplicates: table.Duplicates{Within: table.PartCounts{Train: 4}, TestInTrain: 2},
	}
}

// hostileTable gives the data section names that try to be markup.
func hostileTable(d *Dossier) {
	d.Data.Unknown[0].Column = script
	d.Validation.Results[0].Name, d.Validation.Results[0].Message = script, script
	d.Validation.Groups[0].Column, d.Validation.Groups[0].Groups[0].Value = script, script
}
