package spec

import "strings"

// nearest is the candidate with the fewest edits from word, when these are few enough to be a slip of the fingers.
func nearest(word string, candidates []string) (string, bool) {
	if len(word) > 64 {
		return "", false
	}
	best, fewest := "", max(2, len(word)/3+1)
	for _, c := range candidates {
		if d := edits(strings.ToLower(word), c); d < fewest {
			best, fewest = c, d
		}
	}
	return best, best != ""
}

// edits is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string
// alignment distance), over bytes.
func edits(a, b string) int {
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
