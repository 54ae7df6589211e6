package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/gate"
	"github.com/assay-ml/assay/internal/privacy"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/spelling"
	"github.com/assay-ml/assay/internal/stats"
	"github.com/assay-ml/assay/internal/table"
)

// personalParams are what the search for personal data depends on besides the rows.
type personalParams struct {
	Handling string   `json:"handling"`
	Allow    []string `json:"allow,omitempty"`
	Weight   string   `json:"weight,omitempty"`
	Seed     int64    `json:"seed"`
}

func personalParamsOf(s *spec.Spec) personalParams {
	if s.Privacy.Handling() == spec.PersonalOff {
		return personalParams{Handling: spec.PersonalOff}
	}
	return personalParams{s.Privacy.Handling(), s.Privacy.Allow, s.Data.Weight, s.Data.Split.Seed}
}

// Sizes of what is searched at once, so that it fits into memory.
const (
	mostScannedRows  = 200_000
	mostScannedCells = 20_000_000
	fewestScanned    = 1000
)

func scannedRows(columns int) int {
	return max(min(mostScannedRows, mostScannedCells/max(columns, 1)), fewestScanned)
}

// personal looks for personal data in the columns the model would be given and in all others: those excluded, and those that
// data.transform leaves behind.
func (d *Data) personal(ctx context.Context, s *spec.Spec, snap table.Snapshot) (*privacy.ScanReport, error) {
	if s.Privacy.Handling() == spec.PersonalOff {
		return nil, nil
	}
	wish := table.SampleWish{Transform: s.Data.Transform, Rows: scannedRows(len(snap.Columns)), Seed: s.Data.Split.Seed}
	made, err := table.ReadSample(ctx, d.Store, snap, wish, d.Limits)
	if err != nil {
		return nil, err
	}
	names := namesOf(made.Columns)
	var left table.Sample
	if s.Data.Transform != "" {
		wish.Transform, wish.Keep = "", func(c table.ColumnInfo) bool { return !slices.Contains(names, c.Name) }
		if left, err = table.ReadSample(ctx, d.Store, snap, wish, d.Limits); err != nil {
			return nil, err
		}
	}
	if err := checkAllowed(s.Privacy.Allow, slices.Concat(names, namesOf(left.Columns))); err != nil {
		return nil, err
	}
	kept := slices.Concat(s.Data.Exclude, []string{s.Data.Weight})
	report, err := scanSample(s, made, func(name string) bool { return slices.Contains(kept, name) })
	if err != nil || len(left.Columns) == 0 {
		return &report, err
	}
	rest, err := scanSample(s, left, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	report = report.Joined(rest)
	return &report, nil
}

func namesOf(columns []table.ColumnInfo) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

func checkAllowed(allow, names []string) error {
	for _, name := range allow {
		if slices.Contains(names, name) {
			continue
		}
		advice := ""
		if near, ok := spelling.Nearest(name, names); ok {
			advice = fmt.Sprintf("; did you mean %q?", near)
		}
		return fmt.Errorf("privacy.allow names the column %q; the table has %s%s", name, table.Listed(names), advice)
	}
	return nil
}

func scanSample(s *spec.Spec, sample table.Sample, unread func(name string) bool) (privacy.ScanReport, error) {
	o := privacy.ScanOptions{Seed: uint64(s.Data.Split.Seed)}
	var columns []privacy.ScanColumn
	for _, c := range sample.Frame.Columns {
		columns = append(columns, privacy.ScanColumn{Name: c.Name, Numbers: c.Numbers, Codes: c.Codes, Levels: c.Levels})
		if slices.Contains(s.Privacy.Allow, c.Name) {
			o.Allow = append(o.Allow, c.Name)
		}
		if unread(c.Name) {
			o.Unread = append(o.Unread, c.Name)
		}
	}
	report, err := privacy.Scan(columns, o)
	report.Rows = int(sample.Rows)
	return report, err
}

// personalSummary says what was found, and whether nothing may be trained on it.
func personalSummary(s *spec.Spec, r *privacy.ScanReport) (string, gate.Verdict) {
	if r == nil {
		return "personal data not looked for", gate.Pass
	}
	if certain := r.Counting(privacy.Certain); len(certain) > 0 && s.Privacy.Handling() == spec.PersonalRefuse {
		return fmt.Sprintf("personal data in %s, and privacy.personal_data is refuse: keep it from the model with data.exclude or data.transform, or declare the column fine in privacy.allow, with the reason beside it",
			privacy.NamedColumns(certain)), gate.Fail
	}
	if found := r.Counting(privacy.Likely); len(found) > 0 {
		return "personal data in " + privacy.NamedColumns(found), gate.Pass
	}
	return "no personal data found", gate.Pass
}

// personalColumns is the number of columns with personal data, as the validation found it.
func (a *Audit) personalColumns(ctx context.Context, validation artifact.Ref) (stats.Estimate, error) {
	var found table.ValidationReport
	if !validation.IsZero() {
		if err := artifact.ReadJSON(ctx, a.Store, validation, &found); err != nil {
			return stats.Estimate{}, err
		}
	}
	if found.Personal == nil {
		return stats.NoValue(1, 0, "personal data was not looked for; set privacy.personal_data to review or refuse"), nil
	}
	e, ok := privacy.Report{Metrics: found.Personal.Metrics}.Metric(privacy.MetricPersonalColumns)
	if !ok {
		return stats.NoValue(1, 0, "columns with personal data were not counted"), nil
	}
	return e, nil
}
