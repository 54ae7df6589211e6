// Package spelling finds the name that somebody meant who wrote another.
package spelling

import "strings"

// longest bounds, in bytes, the words and names that are compared: nobody mistypes a longer one, and the time grows with the
// product of the lengths.
const longest = 64

// Nearest is the name with the fewest slips from word, upper and lower case counting as the same, when these are few enough to
// be slips: fewer than a third of the word's bytes and one more, and fewer than two in any case. Of equally near names it is
// the first.
func Nearest(word string, names []string) (string, bool) {
	if len(word) > longest {
		return "", false
	}
	best, fewest, found := "", max(2, len(word)/3+1), false
	for _, name := range names {
		if len(name) > longest {
			continue
		}
		if d := slips(strings.ToLower(word), strings.ToLower(name)); d < fewest {
			best, fewest, found = name, d, true
		}
	}
	return best, found
}

// slips is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string
// alignment distance), over bytes.
func slips(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(replace, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
