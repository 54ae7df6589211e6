package privacy

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// RiskOptions bounds the search for risky combinations. The zero value takes the defaults.
type RiskOptions struct {
	MaxSize int // columns in a combination; 0 takes 3
	K       int // class size below which rows count as poorly hidden; 0 takes SmallClass
	Most    int // combinations kept of each size; 0 takes 10
	MaxSets int // combinations that may be examined; 0 takes 5,000
}

// Combination is a set of quasi-identifiers and how well rows hide from someone who knows these of a person. It holds counts
// only.
type Combination struct {
	Columns     []string `json:"columns"`
	Classes     int      `json:"classes"`
	KMin        int      `json:"k_min"` // rows in the smallest class
	UniqueRows  int      `json:"unique_rows"`
	UniqueShare float64  `json:"unique_share"`
	RowsBelowK  int      `json:"rows_below_k"`
	// Gain is the unique rows beyond those that the worst of its subsets with one column less already has: what knowing all
	// of these columns adds.
	Gain int `json:"unique_rows_gained"`
}

// SizeBand counts the classes of From to To rows; To is 0 in the last band, which has no end.
type SizeBand struct {
	From    int `json:"from"`
	To      int `json:"to"`
	Classes int `json:"classes"`
	Rows    int `json:"rows"`
}

func (o RiskOptions) filled(columns int) (RiskOptions, error) {
	for _, v := range []struct {
		name  string
		value *int
		usual int
	}{{"MaxSize", &o.MaxSize, 3}, {"K", &o.K, SmallClass}, {"Most", &o.Most, 10}, {"MaxSets", &o.MaxSets, 5000}} {
		if *v.value < 0 {
			return o, fmt.Errorf("the option %s is %d; expected a number above 0, or 0 for the usual one", v.name, *v.value)
		}
		if *v.value == 0 {
			*v.value = v.usual
		}
	}
	sets, ofSize := 0, 1
	for size := 1; size <= min(o.MaxSize, columns); size++ {
		ofSize = ofSize * (columns - size + 1) / size
		if sets += ofSize; sets > o.MaxSets {
			return o, fmt.Errorf("%d quasi-identifiers have more than %d combinations of up to %d; name fewer columns or lower MaxSize", columns, o.MaxSets, o.MaxSize)
		}
	}
	return o, nil
}

// Riskiest examines every set of one to MaxSize quasi-identifiers and ranks them by rows that are alone in their class, then
// by rows in classes below K, then by fewer columns, then by the order of the columns (special unique detection, after Elliot,
// Manning and Ford, 2002, "A computational algorithm for handling the special uniques problem", which asks for the smallest
// sets that single a row out). Since a set never has fewer unique rows than its subsets, the Most worst of each size are kept.
//
// Without quasi-identifiers or rows there is nothing to rank. It is an error when columns differ in length or share a name,
// when an option is negative, or when there are more than MaxSets sets.
func Riskiest(quasi []Column, o RiskOptions) ([]Combination, error) {
	o, err := o.filled(len(quasi))
	if err == nil {
		err = checkQuasi(quasi)
	}
	if err != nil {
		return nil, fmt.Errorf("rank combinations of quasi-identifiers: %w", err)
	}
	if len(quasi) == 0 || len(quasi[0].Values) == 0 {
		return []Combination{}, nil
	}
	s := riskSearch{o: o, quasi: quasi, rows: len(quasi[0].Values)}
	for _, c := range quasi {
		codes, levels := codeTexts(c.Values)
		s.codes, s.levels = append(s.codes, codes), append(s.levels, levels)
	}
	return s.ranked(s.all()), nil
}

func checkQuasi(quasi []Column) error {
	names := map[string]bool{}
	for _, c := range quasi {
		if names[c.Name] {
			return fmt.Errorf("column %q is listed twice; name it once", c.Name)
		}
		names[c.Name] = true
		if len(c.Values) != len(quasi[0].Values) {
			return fmt.Errorf("column %q has %d values and column %q has %d; expected one per row of each",
				c.Name, len(c.Values), quasi[0].Name, len(quasi[0].Values))
		}
	}
	return nil
}

type riskSearch struct {
	o      RiskOptions
	quasi  []Column
	rows   int
	codes  [][]int32
	levels []int
}

// columnSet is a combination by the places of its columns, in order.
type columnSet struct {
	places []int
	Combination
}

// all finds the sets that begin with each column at a time, in parallel, and joins them in order.
func (s riskSearch) all() []columnSet {
	byFirst := make([][]columnSet, len(s.quasi))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(s.quasi)) {
		group.Go(func() {
			for k := int(next.Add(1)) - 1; k < len(s.quasi); k = int(next.Add(1)) - 1 {
				s.extend(nil, k, make([]int32, s.rows), 1, &byFirst[k])
			}
		})
	}
	group.Wait()
	return slices.Concat(byFirst...)
}

// extend adds one column to a set, and then every later one.
func (s riskSearch) extend(places []int, column int, class []int32, classes int, found *[]columnSet) {
	places = append(slices.Clone(places), column)
	class, classes = refined(class, classes, s.codes[column], s.levels[column])
	*found = append(*found, columnSet{places, s.count(places, class, classes)})
	if len(places) == s.o.MaxSize {
		return
	}
	for later := column + 1; later < len(s.quasi); later++ {
		s.extend(places, later, class, classes, found)
	}
}

func (s riskSearch) count(places []int, class []int32, classes int) Combination {
	c := Combination{Classes: classes, KMin: s.rows}
	for _, k := range places {
		c.Columns = append(c.Columns, s.quasi[k].Name)
	}
	for _, n := range classSizes(class, classes) {
		c.KMin = min(c.KMin, n)
		if n == 1 {
			c.UniqueRows++
		}
		if n < s.o.K {
			c.RowsBelowK += n
		}
	}
	c.UniqueShare = float64(c.UniqueRows) / float64(s.rows)
	return c
}

func (s riskSearch) ranked(sets []columnSet) []Combination {
	unique := map[string]int{}
	for _, set := range sets {
		unique[fmt.Sprint(set.places)] = set.UniqueRows
	}
	for i := range sets {
		worst := 0
		for k := range sets[i].places {
			worst = max(worst, unique[fmt.Sprint(slices.Delete(slices.Clone(sets[i].places), k, k+1))])
		}
		sets[i].Gain = sets[i].UniqueRows - worst
	}
	slices.SortFunc(sets, func(a, b columnSet) int {
		return cmp.Or(b.UniqueRows-a.UniqueRows, b.RowsBelowK-a.RowsBelowK, len(a.places)-len(b.places), slices.Compare(a.places, b.places))
	})
	kept := make([]int, s.o.MaxSize+1)
	out := []Combination{}
	for _, set := range sets {
		if size := len(set.places); kept[size] < s.o.Most {
			kept[size]++
			out = append(out, set.Combination)
		}
	}
	return out
}

// mostDense is how many pairs of class and value are counted in an array, which is faster than a map and costs 16 MiB.
const mostDense = 4 << 20

// refined divides classes by the values of one more column, and numbers the new ones by their first row.
func refined(class []int32, classes int, codes []int32, levels int) ([]int32, int) {
	out, next := make([]int32, len(class)), int32(0)
	if classes*levels <= mostDense {
		seen := make([]int32, classes*levels)
		for i, c := range class {
			pair := &seen[int(c)*levels+int(codes[i])]
			if *pair == 0 {
				next++
				*pair = next
			}
			out[i] = *pair - 1
		}
		return out, int(next)
	}
	seen := map[uint64]int32{}
	for i, c := range class {
		pair := uint64(c)<<32 | uint64(codes[i])
		number, ok := seen[pair]
		if !ok {
			number = next
			seen[pair] = number
			next++
		}
		out[i] = number
	}
	return out, int(next)
}

func classSizes(class []int32, classes int) []int {
	sizes := make([]int, classes)
	for _, c := range class {
		sizes[c]++
	}
	return sizes
}

// ClassSizes counts the classes of all the quasi-identifiers together by their size: 1, 2 to 4, 5 to 9, 10 to 19, 20 to 49, 50
// to 99, and 100 rows or more. Without quasi-identifiers or rows the counts are 0. It is an error when columns differ in
// length or share a name.
func ClassSizes(quasi []Column) ([]SizeBand, error) {
	if err := checkQuasi(quasi); err != nil {
		return nil, fmt.Errorf("count classes by size: %w", err)
	}
	bands := []SizeBand{{From: 1, To: 1}, {From: 2, To: 4}, {From: 5, To: 9}, {From: 10, To: 19}, {From: 20, To: 49}, {From: 50, To: 99}, {From: 100}}
	if len(quasi) == 0 || len(quasi[0].Values) == 0 {
		return bands, nil
	}
	class := classCodes(quasi, len(quasi[0].Values))
	for _, n := range classSizes(class, int(slices.Max(class))+1) {
		k := 0
		for bands[k].To != 0 && n > bands[k].To {
			k++
		}
		bands[k].Classes++
		bands[k].Rows += n
	}
	return bands, nil
}
