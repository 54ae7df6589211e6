package table

import (
	"context"
	"fmt"
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// labels are what the parts hold of the target, beside the rows.
type labels struct {
	classes    []string     // multiclass
	counts     *ClassCounts // multiclass
	unlabelled int64        // rows of the test part without the target
}

// ClassCounts counts rows by part and class, in the order of Prepared.Classes; a part without rows has none.
type ClassCounts struct {
	Train      []int64 `json:"train"`
	Validation []int64 `json:"validation,omitempty"`
	Test       []int64 `json:"test,omitempty"`
}

// PartMoments describes the target of a regression by part; a part without a labelled row is zero.
type PartMoments struct {
	Train      Moments `json:"train"`
	Validation Moments `json:"validation,omitzero"`
	Test       Moments `json:"test,omitzero"`
}

// Moments describes numbers.
type Moments struct {
	Rows int64   `json:"rows"` // with a number
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"` // divisor Rows - 1; 0 of a single one
}

// runningMoments describes the numbers so far, one by one (Welford 1962).
type runningMoments struct {
	n       int64
	mean    float64
	squares float64 // sum of squared distances from the mean
}

func (m *runningMoments) add(x float64) {
	m.n++
	step := x - m.mean
	m.mean += step / float64(m.n)
	m.squares += step * (x - m.mean)
}

func (m *runningMoments) moments() Moments {
	out := Moments{Rows: m.n, Mean: m.mean}
	if m.n > 1 {
		out.SD = math.Sqrt(m.squares / float64(m.n-1))
	}
	return out
}

// label finds the classes of all parts together and refuses those that cannot be learnt.
func (d *division) label(ctx context.Context) error {
	x := ident(d.data.Target.Column)
	missing, err := d.s.counts(ctx, "SELECT count(*) - count("+x+") FROM divided")
	if err != nil {
		return err
	}
	d.kept.unlabelled = missing[0]
	if d.data.Target.TaskOf() != stats.Multiclass {
		return nil
	}
	target, err := d.target(ctx)
	if err != nil {
		return err
	}
	if d.kept.classes, err = d.s.classes(ctx, "divided", target.Name); err != nil {
		return err
	}
	orderClasses(d.kept.classes, target.Kind)
	counts, err := d.countClasses(ctx, x)
	if err != nil {
		return err
	}
	d.kept.counts = &ClassCounts{Train: counts[0], Validation: counts[1], Test: counts[2]}
	if absent := d.absent(counts[0]); len(absent) > 0 {
		shown := fmt.Sprintf(": %s", Listed(absent))
		if secret(d.data) {
			shown = ""
		}
		return fmt.Errorf("%d of the %d classes of the target column %q have no row in the train part%s; a model cannot learn them: bring more of their rows, change data.split, or join or remove them with data.transform",
			len(absent), len(d.kept.classes), target.Name, shown)
	}
	return nil
}

// countClasses counts rows by part and class.
func (d *division) countClasses(ctx context.Context, x string) (counts [3][]int64, err error) {
	for part, rows := range []int64{d.rows.Train, d.rows.Validation, d.rows.Test} {
		if rows > 0 {
			counts[part] = make([]int64, len(d.kept.classes))
		}
	}
	place := make(map[string]int, len(d.kept.classes))
	for i, class := range d.kept.classes {
		place[class] = i
	}
	err = d.s.each(ctx, fmt.Sprintf("SELECT %s, %s, count(*) FROM divided GROUP BY ALL", partColumn, x), func(v []any) error {
		if class, ok := valueText(v[1]); ok {
			counts[integer(v[0])][place[class]] += integer(v[2])
		}
		return nil
	})
	return counts, err
}

// absent lists the classes of which there is no row.
func (d *division) absent(counts []int64) []string {
	var names []string
	for i, n := range counts {
		if n == 0 {
			names = append(names, d.kept.classes[i])
		}
	}
	return names
}

// warnClasses says which later parts lack classes: nothing is measured of them there.
func (d *division) warnClasses() []string {
	if d.kept.counts == nil {
		return nil
	}
	var out []string
	for part, counts := range [][]int64{nil, d.kept.counts.Validation, d.kept.counts.Test} {
		absent := d.absent(counts)
		if len(absent) == 0 || part == testPart && d.missingTest {
			continue
		}
		shown := fmt.Sprintf(" (%s)", Listed(absent))
		if secret(d.data) {
			shown = ""
		}
		out = append(out, fmt.Sprintf("the %s part has no row of %d of the %d classes of %q%s", partNames[part], len(absent), len(d.kept.classes), d.data.Target.Column, shown))
	}
	return out
}

// moments describes the target of a regression in the parts' files.
func (d *division) moments(ctx context.Context, target ColumnInfo) (*PartMoments, error) {
	if d.data.Target.TaskOf() != stats.Regression {
		return nil, nil
	}
	var out PartMoments
	for part, into := range []*Moments{&out.Train, &out.Validation, &out.Test} {
		if []int64{d.rows.Train, d.rows.Validation, d.rows.Test}[part] == 0 {
			continue
		}
		var err error
		if *into, err = momentsOf(ctx, d.s, d.partPath(part), target); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// momentsOf describes one column of numbers of a file, the same whatever the number of threads.
func momentsOf(ctx context.Context, s *session, path string, column ColumnInfo) (Moments, error) {
	p := &profiler{s: s, path: path, columns: []ColumnInfo{column}, out: []ColumnProfile{{Name: column.Name, Type: column.Type, Kind: Numeric}}}
	if err := s.row(ctx, "SELECT count(*) FROM "+parquet(path), &p.rows); err != nil {
		return Moments{}, err
	}
	if err := p.extremes(ctx, 0, 1); err != nil {
		return Moments{}, err
	}
	if err := p.moments(ctx, 0, 1); err != nil {
		return Moments{}, err
	}
	m := Moments{Rows: p.rows - p.out[0].Nulls}
	if p.out[0].Mean != nil {
		m.Mean = *p.out[0].Mean
	}
	if p.out[0].StdDev != nil {
		m.SD = *p.out[0].StdDev
	}
	return m, nil
}
