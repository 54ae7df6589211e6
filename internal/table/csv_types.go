package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/assay-ml/assay/internal/spec"
)

// sampleRows is how many rows decide the types of columns at first. A later value of another type makes the types be
// decided from all rows.
const sampleRows = 20480

// markers are texts that mean "missing" in a column whose other values are all numbers, dates or booleans. In a column of
// text they stay what they are, unless csv.unknown lists them.
var markers = []string{"?", "-", "NA", "N/A", "n/a", "na", "NULL", "null", "Null", "NaN", "nan", "None", "none"}

// columnType is what the values of one column have in common so far.
type columnType struct {
	unsuited [5]bool  // by candidate: some value is not of that type
	markers  []string // those seen
	values   int64    // neither missing nor a marker
	padded   bool     // some text has blanks around it
}

var candidates = [5]string{Integer, Number, Boolean, Date, Timestamp}

// inferTypes decides the types of the columns of a CSV file from its first rows, or from all when limit is 0.
func inferTypes(ctx context.Context, path string, l layout, o spec.CSV, limit int) ([]columnType, error) {
	in, err := openText(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	types := make([]columnType, len(l.names))
	rs := newRecords(contextReader{ctx, in}, l.dialect)
	for n := 0; limit == 0 || n < limit; n++ {
		rec, err := rs.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(rec.fields) != len(types) {
			return nil, fieldsError(rec, len(types))
		}
		if n == 0 && l.header {
			continue
		}
		for i, field := range rec.fields {
			types[i].see(field, o.Unknown)
		}
	}
	return types, nil
}

func fieldsError(rec record, want int) error {
	return fmt.Errorf("line %d has %s; expected %d, as many as there are columns", rec.line, plural(int64(len(rec.fields)), "field"), want)
}

// see takes one value into account.
func (c *columnType) see(field string, unknown []string) {
	x := trimBlanks(field)
	c.padded = c.padded || len(x) != len(field)
	if x == "" || slices.Contains(unknown, x) {
		return
	}
	if slices.Contains(markers, x) {
		if !slices.Contains(c.markers, x) {
			c.markers = append(c.markers, x)
			slices.Sort(c.markers)
		}
		return
	}
	c.values++
	for i, is := range [5]func(string) bool{isInteger, isNumber, isBoolean, isDate, isTimestamp} {
		c.unsuited[i] = c.unsuited[i] || !is(x)
	}
}

// trimBlanks does what DuckDB's trim does.
func trimBlanks(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.Is(unicode.Zs, r) })
}

func (c *columnType) name() string {
	for i, name := range candidates {
		if c.values > 0 && !c.unsuited[i] {
			return name
		}
	}
	return Text
}

// isInteger: an optional sign and up to 18 digits, which 64 bits always hold.
func isInteger(s string) bool {
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || len(digits) == 0 || len(digits) > 18 {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// isNumber: decimal, with an exponent if need be, or an infinity, which is refused later by its column and row.
func isNumber(s string) bool {
	switch strings.ToLower(strings.TrimLeft(s, "+-")) {
	case "inf", "infinity":
		return true
	}
	if strings.Trim(s, "+-0123456789.eE") != "" {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

func isBoolean(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

func isTimestamp(s string) bool {
	if len(s) < len("2006-01-02 15:04") {
		return isDate(s)
	}
	b := []byte(s)
	if b[10] == 'T' {
		b[10] = ' '
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05Z07:00"} {
		if _, err := time.Parse(layout, string(b)); err == nil {
			return len(bytes.TrimLeft(b, "0123456789- :.Z+")) == 0
		}
	}
	return false
}
