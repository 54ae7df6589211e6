package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
)

// Prepared is a snapshot made ready for training: transformed, divided, described. Every part holds all columns, those the
// model never sees included, and the integer column _row: the 1-based number of the row in its snapshot.
type Prepared struct {
	Train      artifact.Ref `json:"train"`
	Validation artifact.Ref `json:"validation,omitzero"` // zero when the spec asks for none
	Test       artifact.Ref `json:"test,omitzero"`       // zero when the spec asks for none
	Rows       PartCounts   `json:"rows"`
	Columns    []string     `json:"columns"`  // of every part, _row not among them
	Features   []ColumnInfo `json:"features"` // columns given to the model, in the table's order
	Profile    artifact.Ref `json:"profile"`  // of the features and the target in the training part
	Duplicates Duplicates   `json:"duplicates"`
	Warnings   []string     `json:"warnings,omitempty"`

	// Classes are the values of a multiclass target in all parts together, in the order of a model's scores: numbers by size,
	// everything else byte by byte. The levels of a column that is read as Categorical are in the order of bytes always.
	Classes     []string     `json:"classes,omitempty"`
	ClassCounts *ClassCounts `json:"class_counts,omitempty"` // of a multiclass target
	Target      *PartMoments `json:"target,omitempty"`       // of a regression
	Unlabelled  int64        `json:"unlabelled,omitempty"`   // test rows without the target, where they may lack it

	// Weight is the column of the training and the validation part that holds a weight computed for each row; empty when none
	// was. It takes the place of the spec's own, which it has in it.
	Weight string `json:"weight,omitempty"`
}

// PartCounts counts rows by part.
type PartCounts struct {
	Train      int64 `json:"train"`
	Validation int64 `json:"validation"`
	Test       int64 `json:"test"`
}

// Duplicates counts rows that equal another row in every column. A row of a later part that also stands in an earlier one
// makes the model look better than it is.
type Duplicates struct {
	Within            PartCounts `json:"within"`              // rows that repeat a row of their own part
	ValidationInTrain int64      `json:"validation_in_train"` // validation rows that also stand in train
	TestInTrain       int64      `json:"test_in_train"`
	TestInValidation  int64      `json:"test_in_validation"`
}

// manyCategories is the number of categories from which a feature is worth a warning.
const manyCategories = 1000

// Prepare transforms a snapshot, divides its rows and stores the parts.
//
// By hash, a row goes where the first 13 hexadecimal digits of the MD5 of the seed and the texts of its key columns fall,
// read as a fraction of 16^13, among the cumulated shares of train, validation and test: rows equal in the key stay together
// and a row keeps its part when others come or go. By time, rows are ordered by the split's column; a part begins at the
// first row of its share and rows of the same time stay with the earlier part. test, if not nil, is the snapshot of the
// spec's test source, which goes through the same transform and is the test part as a whole.
//
// Features are the columns that are neither target, weight nor excluded; protected columns are features unless excluded.
// Refused are: columns the spec names that do not exist, dates and timestamps as features, a feature without any value in
// the training part, a part without rows, weights that are missing, negative or infinite, and a target that is not what its task
// predicts: binary, two classes in every part; multiclass, two to MostClasses classes, all of them in the training part; regression,
// finite numbers that differ in every part. The target may be missing in no row, but for MissingTestLabels.
func Prepare(ctx context.Context, store artifact.Store, snap Snapshot, test *Snapshot, data spec.Data, lim Limits, opts ...Option) (Prepared, error) {
	p, err := prepare(ctx, store, snap, test, data, lim, chosen(opts))
	if err != nil {
		return Prepared{}, fmt.Errorf("prepare %q: %w", snap.Source, readable(ctx, err))
	}
	return p, nil
}

// Option changes what Prepare and Validate accept.
type Option func(*options)

type options struct{ missingTest bool }

// MissingTestLabels says whether rows of the test part may lack the target, because people give it later to those that need
// it. Rows of the other parts never may; Validate, which knows no parts, then leaves missing targets to Prepare.
func MissingTestLabels(allow bool) Option {
	return func(o *options) { o.missingTest = allow }
}

func chosen(opts []Option) (o options) {
	for _, set := range opts {
		set(&o)
	}
	return o
}

func prepare(ctx context.Context, store artifact.Store, snap Snapshot, test *Snapshot, data spec.Data, lim Limits, opt options) (Prepared, error) {
	s, err := lim.open(ctx)
	if err != nil {
		return Prepared{}, err
	}
	defer s.close()
	columns, err := transform(ctx, store, snap, data.Transform, s.path("main.parquet"), lim)
	if err != nil {
		return Prepared{}, err
	}
	features, err := chooseFeatures(columns, data)
	if err != nil {
		return Prepared{}, err
	}
	all := &division{s: s, names: namesIn(columns), data: data, missingTest: opt.missingTest}
	if err := all.divide(ctx, columns); err != nil {
		return Prepared{}, err
	}
	if err := checkTarget(ctx, s, "divided", all.names, data, all.excused()); err != nil {
		return Prepared{}, err
	}
	if test != nil {
		if err := all.addTest(ctx, store, *test, columns, lim); err != nil {
			return Prepared{}, err
		}
	}
	if err := all.check(ctx); err != nil {
		return Prepared{}, err
	}
	return all.store(ctx, store, features)
}

// chooseFeatures refuses columns the spec names in vain and columns no model can use, and returns the others.
func chooseFeatures(columns []ColumnInfo, data spec.Data) ([]ColumnInfo, error) {
	names := namesIn(columns)
	for _, named := range []struct {
		field string
		names []string
	}{{"target.column", []string{data.Target.Column}}, {"protected", data.Protected}, {"exclude", data.Exclude},
		{"weight", []string{data.Weight}}, {"split.key", data.Split.Key}, {"split.column", []string{data.Split.Column}}} {
		for _, name := range named.names {
			if name != "" && !slices.Contains(names, name) {
				return nil, fmt.Errorf("data.%s names the column %q; the table has %s", named.field, name, Listed(names))
			}
		}
	}
	var features []ColumnInfo
	for _, c := range columns {
		if c.Name == data.Target.Column || c.Name == data.Weight || slices.Contains(data.Exclude, c.Name) {
			continue
		}
		if c.Kind == "" {
			return nil, fmt.Errorf("the column %q is a %s, which no model can use as it is; add it to data.exclude, or make numbers of it with data.transform", c.Name, c.Type)
		}
		features = append(features, c)
	}
	if len(features) == 0 {
		return nil, errors.New("no column is left as a feature; expected at least one beside target, weight and excluded columns")
	}
	return features, nil
}

// store writes the parts and the profile of the training part.
func (d *division) store(ctx context.Context, store artifact.Store, features []ColumnInfo) (Prepared, error) {
	p := Prepared{Columns: d.names, Features: features, Rows: d.rows, Classes: d.kept.classes, ClassCounts: d.kept.counts, Unlabelled: d.kept.unlabelled}
	var err error
	if p.Duplicates, err = d.duplicates(ctx); err != nil {
		return Prepared{}, err
	}
	for i, part := range []struct {
		rows int64
		ref  *artifact.Ref
	}{{d.rows.Train, &p.Train}, {d.rows.Validation, &p.Validation}, {d.rows.Test, &p.Test}} {
		if part.rows == 0 {
			continue
		}
		path := d.partPath(i)
		if err := d.s.writeParquet(ctx, d.partQuery(i), path); err != nil {
			return Prepared{}, err
		}
		if *part.ref, err = put(ctx, store, path, artifact.MediaParquet); err != nil {
			return Prepared{}, err
		}
	}
	target, err := d.target(ctx)
	if err != nil {
		return Prepared{}, err
	}
	profile, err := profileParquet(ctx, d.s, d.partPath(0), append(slices.Clone(features), target), func(int64) {})
	if err != nil {
		return Prepared{}, err
	}
	if p.Target, err = d.moments(ctx, target); err != nil {
		return Prepared{}, err
	}
	if p.Warnings, err = d.warnings(profile, features, p.Duplicates); err != nil {
		return Prepared{}, err
	}
	p.Profile, err = putJSON(ctx, store, profile)
	return p, err
}

// warnings says what a reviewer should know, and refuses features without a value.
func (d *division) warnings(profile *Profile, features []ColumnInfo, dup Duplicates) ([]string, error) {
	var empty, out []string
	for _, f := range features {
		c := profile.Column(f.Name)
		switch {
		case c.AllNull:
			empty = append(empty, fmt.Sprintf("%q", f.Name))
		case c.Kind == Categorical && c.Distinct >= manyCategories:
			out = append(out, fmt.Sprintf("the feature %q has %d categories in %d training rows; is it an identifier? (data.exclude keeps it from the model)",
				f.Name, c.Distinct, d.rows.Train))
		case c.Distinct == 1 && c.Nulls == 0:
			out = append(out, fmt.Sprintf("the feature %q has one value in all training rows", f.Name))
		}
	}
	if len(empty) > 0 {
		return nil, fmt.Errorf("the feature %s has no value in the training part; add it to data.exclude", strings.Join(empty, ", "))
	}
	if across := dup.ValidationInTrain + dup.TestInTrain + dup.TestInValidation; across > 0 {
		out = append(out, fmt.Sprintf("%s of a later part also in an earlier one (%d of validation and %d of test in train, %d of test in validation)",
			plural(across, "row"), dup.ValidationInTrain, dup.TestInTrain, dup.TestInValidation))
	}
	return append(out, d.warnClasses()...), nil
}

func (d *division) partPath(part int) string { return d.s.path(fmt.Sprintf("part-%d.parquet", part)) }
