package naivebayes

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
)

// metric is a user's own metric of a binary model: what a decision earns. A yes to a good loan earns 1, one to a bad loan costs
// 5, and a no is worth nothing.
func metric() error {
	in, err := os.Open(os.Getenv("ASSAY_ROWS"))
	if err != nil {
		return err
	}
	defer in.Close()
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		return err
	}
	place := func(name string) int { return slices.Index(rows[0], name) }
	row, label, score := place("row"), place("label"), place("score")
	if row < 0 || label < 0 || score < 0 {
		return fmt.Errorf("the rows have the columns %v; expected row, label and score", rows[0])
	}
	out, err := os.Create(os.Getenv("ASSAY_VALUES"))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "row,value")
	for _, line := range rows[1:] {
		p, err := strconv.ParseFloat(line[score], 64)
		if err != nil {
			return err
		}
		earned := 0
		if p >= 0.5 {
			earned = -5
			if line[label] == "1" {
				earned = 1
			}
		}
		fmt.Fprintf(out, "%s,%d\n", line[row], earned)
	}
	return out.Close()
}
