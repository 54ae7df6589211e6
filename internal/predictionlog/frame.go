package predictionlog

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// Frame lays out the features of records as columns, one row for each record, in the order of features. A feature
// a record does not have, or has as nil, is missing. All records count: to compare what was asked with what was
// trained on, pass those of one version and status 200, because a request that fell back to the champion is in the
// log twice. A value of the wrong kind is an error that names the record and the feature, not the value.
func Frame(records []Record, features []model.Feature) (*table.Frame, error) {
	f := &table.Frame{Rows: len(records), Columns: make([]table.Column, 0, len(features))}
	for _, feature := range features {
		column, err := column(records, feature)
		if err != nil {
			return nil, err
		}
		f.Columns = append(f.Columns, column)
	}
	return f, nil
}

func column(records []Record, feature model.Feature) (table.Column, error) {
	if feature.Kind == table.Numeric {
		return numbers(records, feature.Name)
	}
	return names(records, feature.Name)
}

func numbers(records []Record, feature string) (table.Column, error) {
	c := table.Column{Name: feature, Kind: table.Numeric, Numbers: make([]float64, len(records))}
	for i, r := range records {
		switch v := r.Features[feature].(type) {
		case nil:
			c.Numbers[i] = math.NaN()
		case float64:
			c.Numbers[i] = v
		default:
			return c, fmt.Errorf("prediction %q: feature %q holds a %T; expected a number", r.ID, feature, v)
		}
	}
	return c, nil
}

func names(records []Record, feature string) (table.Column, error) {
	c := table.Column{Name: feature, Kind: table.Categorical, Codes: make([]int32, len(records))}
	seen := map[string]int32{}
	for _, r := range records {
		switch v := r.Features[feature].(type) {
		case nil:
		case string:
			seen[v] = 0
		default:
			return c, fmt.Errorf("prediction %q: feature %q holds a %T; expected a text", r.ID, feature, v)
		}
	}
	for level := range seen {
		c.Levels = append(c.Levels, level)
	}
	slices.Sort(c.Levels)
	for code, level := range c.Levels {
		seen[level] = int32(code)
	}
	for i, r := range records {
		c.Codes[i] = -1
		if v, ok := r.Features[feature].(string); ok {
			c.Codes[i] = seen[v]
		}
	}
	return c, nil
}
