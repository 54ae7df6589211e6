package gate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says where a condition cannot be understood.
type SyntaxError struct {
	Text    string // the condition as written
	Column  int    // byte the message is about, from 1; one past the end for what is missing there
	Message string
}

// Error is the message, below it the condition, and below that a mark under the place:
//
//	unknown metric "recal"; did you mean "recall"?
//	    n - o > 0 /\ recal > 0.6
//	                 ^
func (e *SyntaxError) Error() string {
	const indent = "\n    "
	line, at := e.excerpt()
	return e.Message + indent + line + indent + strings.Repeat(" ", at) + "^"
}

// shown is how many characters of a condition are shown on each side of a place.
const shown = 60

// excerpt is the condition on one line, cut around the place when it is long, and the place in it, counted in characters.
func (e *SyntaxError) excerpt() (line string, at int) {
	const cut = "..."
	end := min(max(e.Column-1, 0), len(e.Text))
	before, after := []rune(oneLine(e.Text[:end])), []rune(oneLine(e.Text[end:]))
	if len(before) > shown {
		before = append([]rune(cut), before[len(before)-shown:]...)
	}
	if len(after) > shown {
		after = append(after[:shown:shown], []rune(cut)...)
	}
	return strings.TrimRightFunc(string(before)+string(after), unicode.IsSpace), len(before)
}

// oneLine makes every character take one place: what would move the mark away from its place is shown as a blank.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '\uFFFD'
		case !unicode.IsPrint(r):
			return ' '
		}
		return r
	}, text)
}
