package evaluation

import (
	"fmt"
	"strings"
)

// suggestion ends a message about an unknown name with the name that was meant, when one is near enough.
func suggestion(word string, names []string) string {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	best, fewest := "", len(word)/3+2
	for _, name := range names {
		if len(name) > longest {
			continue
		}
		if d := edits(strings.ToLower(word), strings.ToLower(name)); d < fewest {
			best, fewest = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// edits is Levenshtein's distance, over bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
