package spec

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Fairness says how protected groups are formed and what they are compared with.
type Fairness struct {
	Bands      []Bands      `json:"bands,omitempty" yaml:"bands,omitempty"`
	Reference  []Reference  `json:"reference,omitempty" yaml:"reference,omitempty"`
	Population []Population `json:"population,omitempty" yaml:"population,omitempty"`
	Strata     []string     `json:"strata,omitempty" yaml:"strata,omitempty"` // columns whose values people are compared within
}

// Bands makes groups of a protected column of numbers.
type Bands struct {
	Column string    `json:"column" yaml:"column"`
	From   []float64 `json:"from" yaml:"from"` // where a band begins, rising; below the first is a band too
}

// Reference is the group that the others of a protected column are compared with.
type Reference struct {
	Column string `json:"column" yaml:"column"`
	Group  string `json:"group" yaml:"group"`
}

// Population is who the model is for, by a protected column.
type Population struct {
	Column string       `json:"column" yaml:"column"`
	Groups []GroupShare `json:"groups" yaml:"groups"`
}

// GroupShare is a group's share of the population, 0 to 1.
type GroupShare struct {
	Group string  `json:"group" yaml:"group"`
	Share float64 `json:"share" yaml:"share"`
}

// ReferenceOf is the group that the others of a column are compared with; empty when none is named.
func (f Fairness) ReferenceOf(column string) string {
	for _, r := range f.Reference {
		if r.Column == column {
			return r.Group
		}
	}
	return ""
}

// BandsOf are where the bands of a column begin; nil when its values are groups as they are.
func (f Fairness) BandsOf(column string) []float64 {
	for _, b := range f.Bands {
		if b.Column == column {
			return b.From
		}
	}
	return nil
}

// Band names the band of a number among those that begin at from: "under 25", "25 to under 45", "65 and over".
func Band(x float64, from []float64) string {
	text := func(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.15g", v), ".0") }
	k := 0
	for k < len(from) && x >= from[k] {
		k++
	}
	switch k {
	case 0:
		return "under " + text(from[0])
	case len(from):
		return text(from[k-1]) + " and over"
	}
	return text(from[k-1]) + " to under " + text(from[k])
}

func (d *decoder) checkFairness(s *Spec) {
	f := s.Fairness
	var banded, referred, described []string
	for i, b := range f.Bands {
		path := index("fairness.bands", i)
		d.checkGroupColumn(s, b.Column, path+".column", &banded)
		for k := 1; k < len(b.From); k++ {
			if b.From[k] <= b.From[k-1] {
				d.complain(index(path+".from", k), fmt.Sprintf("found %.15g after %.15g", b.From[k], b.From[k-1]), "expected rising numbers")
			}
		}
	}
	for i, r := range f.Reference {
		d.checkGroupColumn(s, r.Column, index("fairness.reference", i)+".column", &referred)
	}
	for i, p := range f.Population {
		path := index("fairness.population", i)
		d.checkGroupColumn(s, p.Column, path+".column", &described)
		sum := 0.0
		var groups []string
		for k, g := range p.Groups {
			sum += g.Share
			if slices.Contains(groups, g.Group) {
				d.complain(index(path+".groups", k)+".group", fmt.Sprintf("found %q a second time", g.Group), "give every group once")
			}
			groups = append(groups, g.Group)
		}
		if len(p.Groups) > 0 && math.Abs(sum-1) > 0.01 && !d.known(path) {
			d.complain(path+".groups", fmt.Sprintf("found shares that sum to %.15g", sum), "expected 1: give every group of the population")
		}
	}
	for i, column := range f.Strata {
		if column == s.Data.Target.Column {
			d.complain(index("fairness.strata", i), fmt.Sprintf("found %q, which is the target column", column), "take it out: people are compared within what is known of them beforehand")
		}
	}
}

// checkGroupColumn refuses a column that is not protected, or was there before.
func (d *decoder) checkGroupColumn(s *Spec, column, path string, seen *[]string) {
	switch {
	case column == "":
		return
	case !slices.Contains(s.Data.Protected, column):
		d.complainUnprotected(s, column, path)
	case slices.Contains(*seen, column):
		d.complain(path, fmt.Sprintf("found %q a second time", column), "give every column once")
	}
	*seen = append(*seen, column)
}
