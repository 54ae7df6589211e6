package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Problem is one thing wrong with a spec.
type Problem struct {
	File     string `json:"file"`           // the file, or the --set argument, it was found in
	Line     int    `json:"line,omitempty"` // from 1; 0 in a --set argument
	Column   int    `json:"column,omitempty"`
	Path     string `json:"path,omitempty"` // of the field, e.g. review.quorum[0].role
	Found    string `json:"found"`          // what stands there; text with ${NAME} as it was written, never filled in
	Expected string `json:"expected"`       // what should stand there, or what to do
}

// String is the problem on one line, beginning with file:line:column as editors and compilers write it.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Found)
	if p.Expected != "" {
		b.WriteString("; " + p.Expected)
	}
	return visible(b.String())
}

// visible writes control characters as escapes, so that a file cannot move the cursor of whoever reads about it.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Error is everything wrong with a spec, in the order of the file. Find it with errors.As.
type Error struct {
	Name     string    `json:"name"` // the file
	Problems []Problem `json:"problems"`
}

// shownProblems bounds the message of a file that is wrong all over; Problems holds every one.
const shownProblems = 50

// Error lists the problems, one a line.
func (e *Error) Error() string {
	var b strings.Builder
	if len(e.Problems) == 1 {
		fmt.Fprintf(&b, "spec %s: 1 problem", e.Name)
	} else {
		fmt.Fprintf(&b, "spec %s: %d problems", e.Name, len(e.Problems))
	}
	for i, p := range e.Problems {
		if i == shownProblems {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Problems)-i)
			break
		}
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// fault makes the error of a spec that could not be read at all.
func fault(name string, line, column int, found, expected string) *Error {
	return &Error{Name: name, Problems: []Problem{{File: name, Line: line, Column: column, Found: found, Expected: expected}}}
}

// sortProblems puts those of the file first, from its top, then those of --set arguments.
func sortProblems(file string, problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if inA, inB := a.File == file, b.File == file; inA != inB {
			if inA {
				return -1
			}
			return 1
		}
		if a.File != file {
			return 0
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
