package table

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/spec"
)

// wrongType is the text of the error that a value outside its column's type raises while DuckDB converts a file.
const wrongType = "assay: value outside the type"

// csvTable reads a CSV file through DuckDB. Every column is read as text and converted here, because DuckDB's own reader
// rounds 1.5 to 2 in a column that its sample took for integers, and takes text after a comment character anywhere in a
// line for a comment.
type csvTable struct {
	layout
	path    string
	unknown []string // texts that mean "missing", beside the empty one
	types   []columnType
	sampled bool // types were decided by a sample, so that later values may disagree
}

func newCSVTable(path string, l layout, o spec.CSV) *csvTable {
	return &csvTable{layout: l, path: path, unknown: trimAll(o.Unknown)}
}

func (t *csvTable) raw(i int) string { return fmt.Sprintf("c%d", i) }

// relation is the table function that reads the file as columns c0, c1, ... of text.
func (t *csvTable) relation() string {
	columns := make([]string, len(t.names))
	for i := range columns {
		columns[i] = fmt.Sprintf("'c%d': 'VARCHAR'", i)
	}
	char := func(b byte) string {
		if b == 0 {
			return "''"
		}
		return text(string(b))
	}
	compression := "none"
	if t.gzip {
		compression = "gzip"
	}
	return fmt.Sprintf("read_csv(%s, auto_detect = false, header = false, skip = %d, delim = %s, quote = %s, escape = %s, comment = '', "+
		"compression = '%s', strict_mode = true, null_padding = false, columns = {%s})",
		text(t.path), t.skip, char(t.separator), char(t.quote), char(t.quote), compression, strings.Join(columns, ", "))
}

// query converts the file to typed columns.
func (t *csvTable) query() string {
	out := make([]string, len(t.names))
	for i, name := range t.names {
		out[i] = t.convert(i) + " AS " + ident(name)
	}
	return "SELECT " + strings.Join(out, ", ") + " FROM " + t.relation()
}

// without makes texts that mean "missing" missing. (An IN list would do, but DuckDB makes a join of each.)
func without(x string, list []string) string {
	for _, s := range list {
		x = "nullif(" + x + ", " + text(s) + ")"
	}
	return x
}

// convert is the SQL expression of a column.
func (t *csvTable) convert(i int) string {
	c := &t.types[i]
	x := t.raw(i)
	if c.name() == Text || c.padded || len(t.unknown)+len(c.markers) > 0 || !t.sampled {
		x = "trim(" + x + ")"
	}
	x = without("nullif("+x+", '')", t.unknown)
	if c.name() == Text {
		return x
	}
	x = without(x, c.markers)
	switch fail := "error('" + wrongType + "')"; c.name() {
	case Integer: // a cast alone would round
		return fmt.Sprintf("CASE WHEN contains(%s, '.') THEN %s ELSE CAST(%s AS BIGINT) END", x, fail, x)
	case Number:
		return "nullif(CAST(" + x + " AS DOUBLE), 'nan'::DOUBLE)"
	case Boolean: // a cast alone would take yes and 1
		return fmt.Sprintf("CASE WHEN %s IS NULL THEN NULL WHEN lower(%s) = 'true' THEN true WHEN lower(%s) = 'false' THEN false ELSE %s END", x, x, x, fail)
	case Date: // a cast alone would drop the time of day
		return fmt.Sprintf("CASE WHEN length(%s) > 10 THEN %s ELSE CAST(%s AS DATE) END", x, fail, x)
	}
	return "CAST(" + x + " AS TIMESTAMP)"
}

func (t *csvTable) columns() []ColumnInfo {
	out := make([]ColumnInfo, len(t.names))
	for i, name := range t.names {
		out[i] = newColumnInfo(name, t.types[i].name())
	}
	return out
}
