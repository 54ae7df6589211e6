package table

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// RowColumn is the name of the column of row numbers that prepared tables carry. No source may have a column of that name.
const RowColumn = "_row"

// Types a column of a snapshot can have: the words a spec uses in expect.
const (
	Integer   = "integer"   // 64 bits, signed
	Number    = "number"    // 64-bit floating point, never infinite, never NaN
	Text      = "text"      // UTF-8
	Boolean   = "boolean"   // true or false
	Date      = "date"      // a calendar day
	Timestamp = "timestamp" // UTC, microseconds
)

// ColumnInfo names a column, its type, and how a model may use it; Kind is empty where it may not (dates and timestamps).
type ColumnInfo struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Kind Kind   `json:"kind,omitempty"`
}

func newColumnInfo(name, typ string) ColumnInfo {
	return ColumnInfo{Name: name, Type: typ, Kind: kindOf(typ)}
}

func kindOf(typ string) Kind {
	switch typ {
	case Integer, Number:
		return Numeric
	case Text, Boolean:
		return Categorical
	}
	return ""
}

// mostListed bounds the names in a message: tables have up to thousands of columns, and messages are stored and shown.
const mostListed = 20

// Listed is names as a message shows them: the first twenty, quoted, and how many more there are.
func Listed(names []string) string {
	if len(names) <= mostListed {
		return fmt.Sprintf("%q", names)
	}
	return fmt.Sprintf("%q and %d more", names[:mostListed], len(names)-mostListed)
}

// typeOf is the snapshot type of a DuckDB type, and whether there is one.
func typeOf(duck string) (string, bool) {
	switch base, _, _ := strings.Cut(duck, "("); base {
	case "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT":
		return Integer, true
	case "DOUBLE", "FLOAT", "DECIMAL", "HUGEINT", "UBIGINT", "UHUGEINT":
		if strings.HasSuffix(duck, "]") {
			return "", false
		}
		return Number, true
	case "BOOLEAN":
		return Boolean, true
	case "DATE":
		return Date, true
	case "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return Timestamp, true
	case "VARCHAR", "UUID", "ENUM", "TIME", "JSON":
		if strings.HasSuffix(duck, "]") {
			return "", false
		}
		return Text, true
	}
	return "", false
}

// duckOf is the DuckDB type a snapshot type is stored in.
func duckOf(typ string) string {
	switch typ {
	case Integer:
		return "BIGINT"
	case Number:
		return "DOUBLE"
	case Boolean:
		return "BOOLEAN"
	case Date:
		return "DATE"
	case Timestamp:
		return "TIMESTAMP"
	}
	return "VARCHAR"
}

// normalised turns an expression of a DuckDB type into its snapshot type; NaN becomes missing.
func normalised(expr, duck, typ string) string {
	switch {
	case typ == Number:
		return "nullif(CAST(" + expr + " AS DOUBLE), 'nan'::DOUBLE)"
	case duck == "JSON":
		return expr + " ->> '$'"
	default:
		return "CAST(" + expr + " AS " + duckOf(typ) + ")"
	}
}

// NumberText is how a number is written when it names a group or a class: whole numbers without a point, others with
// the fewest digits that read back as the same number. So 1 in an integer column and 1.0 in a number column agree.
func NumberText(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// valueText is a database value as the text that names its group, and whether it is present.
func valueText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return NumberText(v), true
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly), true
		}
		return v.Format("2006-01-02 15:04:05.999999"), true
	}
	return fmt.Sprint(v), true
}

// integer and float read numbers of the several types a query answers with; a missing one is 0 and NaN.
func integer(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case int32:
		return int64(v)
	case float64:
		return int64(v)
	case *big.Int:
		return v.Int64()
	case uint64:
		return int64(v)
	}
	return 0
}

func float(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	case int32:
		return float64(v)
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	}
	return math.NaN()
}
