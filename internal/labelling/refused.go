package labelling

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spelling"
)

// mostShown is how many problems an error spells out; it counts the others.
const mostShown = 5

// Problem is what is wrong with one answer.
type Problem struct {
	Line    int   // of the file; 0: unknown
	Row     int64 // 0: none could be read
	Message string
}

func (p Problem) String() string {
	var where []string
	if p.Line > 0 {
		where = append(where, fmt.Sprintf("line %d", p.Line))
	}
	if p.Row != 0 {
		where = append(where, fmt.Sprintf("row %d", p.Row))
	}
	if len(where) == 0 {
		return p.Message
	}
	return strings.Join(where, ", ") + ": " + p.Message
}

// RefusedError says why labels are not accepted. Nothing of them was kept.
type RefusedError struct {
	Problems []Problem // the first few, in the order of the file
	Count    int       // of all answers with a problem
}

func (e *RefusedError) add(p Problem) {
	if e.Count++; e.Count <= mostShown {
		e.Problems = append(e.Problems, p)
	}
}

// Error implements error.
func (e *RefusedError) Error() string {
	return "labels refused: " + list(e.Problems, e.Count)
}

// ConflictError says that rows have another label already. Nothing of what was submitted was kept.
type ConflictError struct {
	Model     string
	TestSet   artifact.Digest
	Conflicts []Conflict // the first few
	Count     int
}

// Conflict is a row with two labels.
type Conflict struct {
	Line            int // of the file; 0: unknown
	Row             int64
	Standing, Given string
}

// Error implements error.
func (e *ConflictError) Error() string {
	problems := make([]Problem, len(e.Conflicts))
	for i, c := range e.Conflicts {
		problems[i] = Problem{c.Line, c.Row, fmt.Sprintf("it is %q, not %q", c.Standing, c.Given)}
	}
	return fmt.Sprintf("labels refused: rows of test set %s of model %q have other labels already, %d of them: %s; a label that stands is not replaced: take these rows out, or agree and bring a new test set",
		e.TestSet.Short(), e.Model, e.Count, list(problems, e.Count))
}

func list(problems []Problem, count int) string {
	shown := make([]string, len(problems))
	for i, p := range problems {
		shown[i] = p.String()
	}
	text := strings.Join(shown, "; ")
	if more := count - len(problems); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// parseNumber reads a decimal number; one that is too large is infinite.
func parseNumber(text string) (float64, bool) {
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, (err == nil || errors.Is(err, strconv.ErrRange)) && !math.IsNaN(v)
}

// expectedClass ends a message about a label that is no class.
func expectedClass(label string, classes []string) string {
	if near, ok := spelling.Nearest(strings.TrimSpace(label), classes); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	const most = 20
	quoted := make([]string, min(len(classes), most))
	for i := range quoted {
		quoted[i] = strconv.Quote(classes[i])
	}
	expected := "expected one of " + strings.Join(quoted, ", ")
	if more := len(classes) - len(quoted); more > 0 {
		expected += fmt.Sprintf(" and %d more", more)
	}
	return expected
}
