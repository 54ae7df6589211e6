package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/evaluation"
	"github.com/assay-ml/assay/internal/stats"
)

// groupMetrics are those that tables of groups have room for.
var groupMetrics = map[stats.Task][]string{
	stats.Binary:     {stats.Accuracy, stats.AreaUnderROC, stats.Precision, stats.Recall},
	stats.Multiclass: {stats.Accuracy, stats.BalancedAccuracy, stats.F1Macro, stats.LogLoss},
	stats.Regression: {stats.MAE, stats.RMSE, stats.MeanError, stats.R2},
}

// crossedMetrics are those of groups made by two columns: of a binary target what the audit compares.
var crossedMetrics = map[stats.Task][]string{
	stats.Binary:     {stats.SelectionRate, stats.Recall, stats.FPR, stats.Accuracy},
	stats.Multiclass: groupMetrics[stats.Multiclass],
	stats.Regression: groupMetrics[stats.Regression],
}

// Sizes that keep tables of groups readable; the dossier's JSON holds all groups.
const (
	mostGroups      = 100 // rows of a table of groups
	mostSmallGroups = 200 // groups named as too small
)

// sliceGrids give one table per column, so that groups stand under each other where they can be compared.
func sliceGrids(d Dossier) []grid {
	var grids []grid
	for _, part := range byColumn(d.Evaluation.Slices) {
		column := part[0].Column
		g := groupGrid("The same by "+column, column, groupMetrics[taskOf(d)])
		shown := largest(part, func(s evaluation.Slice) int { return s.Rows })
		for _, s := range shown {
			g.Rows = append(g.Rows, groupRow(or(s.Group, "(empty)"), s.Rows, s.Result, groupMetrics[taskOf(d)]))
		}
		g.Note = leftOut(len(part) - len(shown))
		grids = append(grids, g)
	}
	return grids
}

// byColumn divides slices into the stretches that are of one column.
func byColumn(all []evaluation.Slice) [][]evaluation.Slice {
	var parts [][]evaluation.Slice
	for i, s := range all {
		if i == 0 || all[i-1].Column != s.Column {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], s)
	}
	return parts
}

// largest keeps the groups with the most rows, in their order, when there are too many for a table.
func largest[T any](all []T, rows func(T) int) []T {
	if len(all) <= mostGroups {
		return all
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rows(all[b]), rows(all[a])) })
	order = order[:mostGroups]
	slices.Sort(order)
	kept := make([]T, mostGroups)
	for k, i := range order {
		kept[k] = all[i]
	}
	return kept
}

func leftOut(groups int) string {
	if groups <= 0 {
		return ""
	}
	return countOf(groups, "smaller group is", "smaller groups are") + " not shown; the dossier’s JSON holds all."
}

func groupGrid(caption, column string, metrics []string) grid {
	g := grid{Caption: caption, Class: "wide", Head: []cell{{Text: column}, {Text: "Cases", Number: true}}}
	for _, name := range metrics {
		g.Head = append(g.Head, cell{Text: termOf(name).Name, Number: true})
	}
	return g
}

func groupRow(name string, rows int, r evaluation.Result, metrics []string) []cell {
	cases := cell{Text: count(rows), Number: true}
	if n := casesOf(r); n != rows {
		cases.Note = count(n) + " labelled"
	}
	row := []cell{{Text: name}, cases}
	for _, metric := range metrics {
		row = append(row, metricCell(r.Metrics(), metric))
	}
	return row
}

// crossing is two protected columns together.
type crossing struct {
	Title string
	Table *grid
	Small *smallGroups
}

// smallGroups are named, so that nobody takes them for well treated.
type smallGroups struct {
	Lead  string
	Names []string
	More  string
}

func crossingsOf(d Dossier) []crossing {
	var all []crossing
	for _, x := range d.Evaluation.Intersections {
		c := crossing{Title: "By " + list(x.Columns) + " together"}
		if len(x.Groups) > 0 {
			metrics := crossedMetrics[taskOf(d)]
			g := groupGrid("Groups that "+list(x.Columns)+" make together", list(x.Columns), metrics)
			shown := largest(x.Groups, func(c evaluation.Crossed) int { return c.Rows })
			for _, group := range shown {
				g.Rows = append(g.Rows, groupRow(crossedName(group.Values), group.Rows, group.Result, metrics))
			}
			g.Note = strings.TrimSpace("A person belongs to a group of each column, and may be treated unlike either group. " + leftOut(len(x.Groups)-len(shown)))
			c.Table = &g
		}
		c.Small = smallOf(x)
		all = append(all, c)
	}
	return all
}

func crossedName(values []string) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = or(v, "(empty)")
	}
	return strings.Join(names, ", ")
}

func smallOf(x evaluation.Intersection) *smallGroups {
	if len(x.Small) == 0 {
		return nil
	}
	s := &smallGroups{Lead: fmt.Sprintf("Too small to be measured: %s fewer than %s in the test data. Nothing is known of how the model treats them.",
		countOf(len(x.Small), "group has", "groups have"), countOf(x.MinGroup, "row", "rows"))}
	for _, g := range x.Small[:min(len(x.Small), mostSmallGroups)] {
		s.Names = append(s.Names, fmt.Sprintf("%s: %s", crossedName(g.Values), countOf(g.Rows, "row", "rows")))
	}
	if left := len(x.Small) - len(s.Names); left > 0 {
		s.More = countOf(left, "further group is", "further groups are") + " named in the dossier’s JSON."
	}
	return s
}
