package ownmetric

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/table"
)

// Bounds on what a program writes, in bytes. A float64 with all its digits takes 24; the longest that a fixed number of
// decimals makes, some 330.
const (
	mostHead = 1 << 16 // for the header and blank lines, besides what each row may take
	mostLine = 512     // of one row
)

// header is the first line of the values, in lower case, without blanks and quotes.
const header = rowName + ",value"

// bounds is the range of a row's number; an end that is infinite is not given.
type bounds struct{ least, most float64 }

func rangeOf(m spec.OwnMetric) (bounds, error) {
	b := bounds{math.Inf(-1), math.Inf(1)}
	if m.Least != nil {
		b.least = *m.Least
	}
	if m.Most != nil {
		b.most = *m.Most
	}
	if !(b.least <= b.most) {
		return b, fmt.Errorf("its range is from %g to %g; expected least to be no more than most", b.least, b.most)
	}
	return b, nil
}

func (b bounds) holds(v float64) bool { return b.least <= v && v <= b.most }

func (b bounds) String() string {
	switch {
	case math.IsInf(b.most, 1):
		return "at least " + table.NumberText(b.least)
	case math.IsInf(b.least, -1):
		return "at most " + table.NumberText(b.most)
	}
	return fmt.Sprintf("between %s and %s", table.NumberText(b.least), table.NumberText(b.most))
}

// readValues reads what the program wrote: a value for each of rows, in their order.
func readValues(path string, rows []int64, allowed bounds) ([]float64, error) {
	f, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if most := mostHead + mostLine*int64(len(rows)); size > most {
		return nil, &Error{Kind: TooLarge, Problem: fmt.Sprintf("the file that its program left at ASSAY_VALUES has %d bytes", size),
			Advice: fmt.Sprintf("expected at most %d for %d rows: a line of the header, and for each row its number and one value", most, len(rows))}
	}
	return parse(f, rows, allowed)
}

// open opens the program's file. What else may be at its path must be neither waited for nor followed.
func open(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, 0, &Error{Kind: NoValues, Problem: "its program exited with status 0 and left no file at the path that ASSAY_VALUES names",
			Advice: "expected a CSV file with the header row,value; exit with another status when there are no values"}
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO): // a link, a socket
		return nil, 0, irregular()
	case errors.Is(err, os.ErrPermission):
		return nil, 0, &Error{Kind: NoValues, Problem: "what its program left at the path that ASSAY_VALUES names may not be read", Advice: "expected a file that its owner may read"}
	case err != nil:
		return nil, 0, fmt.Errorf("read the values that its program wrote: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = irregular()
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func irregular() error {
	return &Error{Kind: NoValues, Problem: "what its program left at the path that ASSAY_VALUES names is no regular file", Advice: "expected a CSV file there, and no link to one"}
}

// parse reads a row and a value from each line. No cell can hold a comma, a quote or a line break and be a number, so the
// lines are cut without regard to quotes, which keeps a quote that is never closed from swallowing the file.
func parse(r io.Reader, rows []int64, allowed bounds) ([]float64, error) {
	a := newAnswer(rows, allowed)
	lines := bufio.NewScanner(bufio.NewReaderSize(r, 1<<16))
	const room = mostLine + 2 // with what ends it
	lines.Buffer(make([]byte, 0, room), room)
	number, headed := 0, false
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if number == 1 {
			line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("\ufeff"))) // as some writers of UTF-8 begin a file
		}
		if len(line) == 0 {
			continue
		}
		if !headed {
			if err := checkHeader(line, number); err != nil {
				return nil, err
			}
			headed = true
			continue
		}
		if err := a.take(string(line), number); err != nil {
			return nil, err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, &Error{Kind: TooLarge, Line: number + 1, Problem: fmt.Sprintf("line %d of the values that its program wrote is longer than %d bytes", number+1, mostLine),
			Advice: "expected a row's number and one value on each line"}
	case err != nil:
		return nil, fmt.Errorf("read the values that its program wrote: %w", err)
	case !headed:
		return nil, &Error{Kind: BadHeader, Problem: "the values that its program wrote are empty", Advice: "expected the line row,value and then a line for each row"}
	}
	return a.complete()
}

// checkHeader refuses without showing what it found: without a header, that is a row.
func checkHeader(line []byte, number int) error {
	cells := strings.Split(string(line), ",")
	for i := range cells {
		cells[i] = bare(cells[i])
	}
	if strings.Join(cells, ",") == header {
		return nil
	}
	advice := "expected the header row,value"
	if len(cells) == 3 {
		advice += ": write no index or row names of their own (index=False in pandas, row.names=FALSE in R)"
	}
	return &Error{Kind: BadHeader, Line: number, Problem: fmt.Sprintf("the values that its program wrote begin with a line of %s that is not the header", count(len(cells), "cell")), Advice: advice}
}

// bare is a cell without blanks and quotes around it.
func bare(cell string) string {
	cell = strings.TrimSpace(cell)
	if len(cell) >= 2 && cell[0] == '"' && cell[len(cell)-1] == '"' {
		cell = strings.TrimSpace(cell[1 : len(cell)-1])
	}
	return cell
}

// answer collects the values.
type answer struct {
	rows    []int64
	allowed bounds
	at      map[int64]int // where in rows a row is
	values  []float64     // NaN where there is none yet
	unknown *Error        // the first
}

func newAnswer(rows []int64, allowed bounds) *answer {
	a := &answer{rows: rows, allowed: allowed, at: make(map[int64]int, len(rows)), values: make([]float64, len(rows))}
	for i, row := range rows {
		a.at[row], a.values[i] = i, math.NaN()
	}
	return a
}

// take takes one line. Rows that were not given are only counted: their number tells more than the first of them.
func (a *answer) take(line string, number int) error {
	first, second, ok := strings.Cut(line, ",")
	if !ok || strings.ContainsRune(second, ',') {
		return &Error{Kind: BadLine, Line: number, Problem: fmt.Sprintf("line %d of the values that its program wrote has %s", number, count(strings.Count(line, ",")+1, "cell")),
			Advice: "expected a row's number and one value, with a comma between them and a point for decimals"}
	}
	row, ok := wholeNumber(bare(first))
	if !ok {
		return &Error{Kind: BadLine, Line: number, Problem: fmt.Sprintf("line %d of the values that its program wrote does not begin with a whole number", number),
			Advice: "expected the number of a row, as the column row of ASSAY_ROWS has it"}
	}
	i, given := a.at[row]
	if !given {
		if a.unknown == nil {
			a.unknown = &Error{Kind: UnknownRow, Row: row, Line: number, Advice: "expected the numbers that the column row of ASSAY_ROWS has, and no others"}
		}
		a.unknown.Rows++
		return nil
	}
	if a.values[i] == a.values[i] {
		return &Error{Kind: TwiceRow, Row: row, Line: number, Problem: fmt.Sprintf("row %d has two values, the second on line %d", row, number), Advice: "expected every row exactly once"}
	}
	value, err := a.value(bare(second), row, number)
	a.values[i] = value
	return err
}

// wholeNumber reads a row's number, also as libraries write it that hold all numbers as floating point: 17.0, 1.7e+01.
func wholeNumber(text string) (int64, bool) {
	if row, err := strconv.ParseInt(text, 10, 64); err == nil {
		return row, true
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v != math.Trunc(v) || math.Abs(v) > mostRow {
		return 0, false
	}
	return int64(v), true
}

func (a *answer) value(text string, row int64, line int) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		advice := "expected one for every row: leave none empty or NaN"
		if _, err := strconv.ParseBool(text); err == nil {
			advice = "expected 1 or 0 for what is true or false"
		}
		return 0, &Error{Kind: NotFinite, Row: row, Line: line, Problem: fmt.Sprintf("the value of row %d (line %d) is no finite number", row, line), Advice: advice}
	}
	if !a.allowed.holds(v) {
		return 0, &Error{Kind: OutOfRange, Row: row, Line: line, Problem: fmt.Sprintf("the value of row %d (line %d) is out of the metric's range", row, line),
			Advice: fmt.Sprintf("expected a number %s: correct the program, or least and most, which the error rate rests on", a.allowed)}
	}
	return v, nil
}

// complete gives the values when there is one for every row and none for others.
func (a *answer) complete() ([]float64, error) {
	if e := a.unknown; e != nil {
		e.Problem = fmt.Sprintf("its program gave a value for row %d (line %d), which it was not given", e.Row, e.Line)
		if e.Rows > 1 {
			e.Problem = fmt.Sprintf("its program gave values for %d rows that it was not given, row %d (line %d) first", e.Rows, e.Row, e.Line)
		}
		return nil, e
	}
	missing := &Error{Kind: MissingRow, Advice: "expected every row of ASSAY_ROWS exactly once"}
	for i, v := range a.values {
		if v == v {
			continue
		}
		if missing.Rows++; missing.Rows == 1 {
			missing.Row = a.rows[i]
		}
	}
	switch missing.Rows {
	case 0:
		return a.values, nil
	case 1:
		missing.Problem = fmt.Sprintf("its program gave no value for row %d", missing.Row)
	default:
		missing.Problem = fmt.Sprintf("its program gave no value for %d of %d rows, row %d first", missing.Rows, len(a.rows), missing.Row)
	}
	return nil, missing
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
