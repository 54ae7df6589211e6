package gate

import (
	"fmt"
	"strings"
)

// longestSlip bounds the words that are looked at for slips: nobody mistypes a longer name, and distances grow with the square.
const longestSlip = 64

// nearest is the name with the fewest edits from word, when these are few enough to be a slip.
func nearest(word string, names []string) (string, bool) {
	if len(word) > longestSlip {
		return "", false
	}
	best, fewest := "", len(word)/3+2
	for _, name := range names {
		if d := editDistance(strings.ToLower(word), strings.ToLower(name)); d < fewest {
			best, fewest = name, d
		}
	}
	return best, best != ""
}

// editDistance is Levenshtein's, over bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// didYouMean ends a message about an unknown word.
func didYouMean(word string, names []string) string {
	if name, ok := nearest(word, names); ok {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return "expected one of " + strings.Join(names, ", ")
}
