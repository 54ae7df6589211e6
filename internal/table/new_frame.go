package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// What is wrong with a feature of a record. Test with errors.Is.
var (
	ErrFeatureMissing  = errors.New("is missing")
	ErrFeatureMistyped = errors.New("has a value of the wrong type")
)

// FeatureError says which feature of which record NewFrame cannot use. It never holds the value.
type FeatureError struct {
	Feature string
	Row     int  // index of the record, from 0
	Kind    Kind // expected
	Err     error
}

func (e *FeatureError) Error() string {
	expected := "a finite number or null"
	if e.Kind == Categorical {
		expected = "a text, a boolean, a number that names a category, or null"
	}
	return fmt.Sprintf("record %d: feature %q %v; expected %s", e.Row, e.Feature, e.Err, expected)
}

func (e *FeatureError) Unwrap() error { return e.Err }

// NewFrame makes a frame of records as decoded from JSON, or as a program holds them. Every record has an entry for every
// feature; nil means that the value is missing. Entries that are no features are ignored. The error is a *FeatureError.
func NewFrame(features []ColumnInfo, rows []map[string]any) (*Frame, error) {
	f := &Frame{Rows: len(rows), Columns: make([]Column, len(features))}
	for i, feature := range features {
		var err error
		if feature.Kind == Numeric {
			f.Columns[i], err = numbersOf(feature, rows)
		} else {
			f.Columns[i], err = categoriesOf(feature, rows)
		}
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

func numbersOf(feature ColumnInfo, rows []map[string]any) (Column, error) {
	c := Column{Name: feature.Name, Kind: Numeric, Numbers: make([]float64, len(rows))}
	for i, row := range rows {
		v, present := row[feature.Name]
		if !present {
			return c, &FeatureError{feature.Name, i, Numeric, ErrFeatureMissing}
		}
		number, ok := toNumber(v)
		if !ok {
			return c, &FeatureError{feature.Name, i, Numeric, ErrFeatureMistyped}
		}
		c.Numbers[i] = number
	}
	return c, nil
}

func toNumber(v any) (float64, bool) {
	var f float64
	switch v := v.(type) {
	case nil:
		return math.NaN(), true
	case float64:
		f = v
	case float32:
		f = float64(v)
	case int:
		f = float64(v)
	case int64:
		f = float64(v)
	case int32:
		f = float64(v)
	case json.Number:
		var err error
		if f, err = v.Float64(); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	return f, !math.IsInf(f, 0)
}

func categoriesOf(feature ColumnInfo, rows []map[string]any) (Column, error) {
	b := &categoryBuilder{codes: map[any]int32{}}
	for i, row := range rows {
		v, present := row[feature.Name]
		if !present {
			return Column{}, &FeatureError{feature.Name, i, Categorical, ErrFeatureMissing}
		}
		level, known, ok := toLevel(v)
		if !ok {
			return Column{}, &FeatureError{feature.Name, i, Categorical, ErrFeatureMistyped}
		}
		if !known {
			b.add(nil)
			continue
		}
		b.add(level)
	}
	return b.column(feature.Name), nil
}

// toLevel is the text that names a category; known is false where the value is missing.
func toLevel(v any) (level string, known, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", false, true
	case string:
		return v, true, true
	case bool:
		return strconv.FormatBool(v), true, true
	}
	f, ok := toNumber(v)
	if !ok || math.IsNaN(f) {
		return "", false, ok
	}
	return NumberText(f), true, true
}
