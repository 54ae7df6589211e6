package ownmetric

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/table"
)

var everything = bounds{math.Inf(-1), math.Inf(1)}

func TestValuesThatAreRead(t *testing.T) {
	for name, text := range map[string]string{
		"in any order":             "row,value\n9,3\n4,1\n2,2\n",
		"without a last line feed": "row,value\n4,1\n2,2\n9,3",
		"with carriage returns":    "row,value\r\n4,1\r\n2,2\r\n9,3\r\n",
		"with a byte-order mark":   "\ufeffrow,value\n4,1\n2,2\n9,3\n",
		"with quotes":              "\"row\",\"value\"\n\"4\",\"1\"\n2,\"2\"\n9,3\n",
		"with blanks":              "row, value\n4, 1\n 2,2 \n9,\t3\n",
		"with blank lines":         "\nrow,value\n\n4,1\n2,2\n9,3\n\n\n",
		"rows as floating point":   "row,value\n4.0,1\n2.000000000000000000e+00,2.0\n9e0,3.000000e+00\n",
		"numbers of other kinds":   "row,value\n4,+1\n2,0.02e2\n9,0x1.8p+1\n",
	} {
		t.Run(name, func(t *testing.T) {
			values, err := parse(strings.NewReader(text), []int64{4, 2, 9}, everything)
			require.NoError(t, err)
			require.Equal(t, []float64{1, 2, 3}, values)
		})
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	long := strings.Repeat("7331", 200)
	for name, given := range map[string]struct {
		text string
		want Error // but for its words
		says string
	}{
		"an empty file":            {"", Error{Kind: BadHeader}, "expected the line row,value"},
		"blank lines alone":        {"\n \n", Error{Kind: BadHeader}, "are empty"},
		"no header":                {"4,7331\n2,7331\n9,7331\n", Error{Kind: BadHeader, Line: 1}, "2 cells"},
		"a secret header":          {"secret\n", Error{Kind: BadHeader, Line: 1}, "1 cell that"},
		"another order":            {"value,row\n7331,4\n", Error{Kind: BadHeader, Line: 1}, "expected the header row,value"},
		"an index of its own":      {"\n,row,value\n0,4,7331\n", Error{Kind: BadHeader, Line: 2}, "index=False"},
		"another separator":        {"row;value\n4;7331\n", Error{Kind: BadHeader, Line: 1}, "1 cell that"},
		"a line of one cell":       {"row,value\n4\n", Error{Kind: BadLine, Line: 2}, "has 1 cell;"},
		"a comma for decimals":     {"row,value\n4,7331,5\n", Error{Kind: BadLine, Line: 2}, "point for decimals"},
		"a quote that stays open":  {"row,value\n\"4,7331\n2,1\n9,1\n", Error{Kind: BadLine, Line: 2}, "whole number"},
		"a row that is no number":  {"row,value\nsecret,7331\n", Error{Kind: BadLine, Line: 2}, "does not begin with a whole number"},
		"a row between two":        {"row,value\n4.5,7331\n", Error{Kind: BadLine, Line: 2}, "whole number"},
		"a row that is not a row":  {"row,value\nNaN,7331\n", Error{Kind: BadLine, Line: 2}, "whole number"},
		"an empty row":             {"row,value\n,7331\n", Error{Kind: BadLine, Line: 2}, "whole number"},
		"a row beyond all":         {"row,value\n1e300,7331\n", Error{Kind: BadLine, Line: 2}, "whole number"},
		"a line without an end":    {"row,value\n4,1\n2," + long + "\n9,1\n", Error{Kind: TooLarge, Line: 3}, "line 3"},
		"a missing row":            {"row,value\n4,7331\n9,7331\n", Error{Kind: MissingRow, Row: 2, Rows: 1}, "no value for row 2;"},
		"missing rows":             {"row,value\n2,7331\n", Error{Kind: MissingRow, Row: 4, Rows: 2}, "2 of 3 rows, row 4 first"},
		"a header alone":           {"row,value\n", Error{Kind: MissingRow, Row: 4, Rows: 3}, "3 of 3"},
		"a row twice":              {"row,value\n4,7331\n2,1\n4,7331\n9,1\n", Error{Kind: TwiceRow, Row: 4, Line: 4}, "row 4 has two values, the second on line 4"},
		"an unknown row":           {"row,value\n4,7331\n2,1\n9,1\n10,7331\n", Error{Kind: UnknownRow, Row: 10, Line: 5, Rows: 1}, "row 10 (line 5)"},
		"rows from 0":              {"row,value\n0,7331\n1,7331\n2,7331\n", Error{Kind: UnknownRow, Row: 0, Line: 2, Rows: 2}, "2 rows that it was not given, row 0 (line 2) first"},
		"a value that is missing":  {"row,value\n4,1\n2,\n9,1\n", Error{Kind: NotFinite, Row: 2, Line: 3}, "row 2"},
		"a value that is no value": {"row,value\n4,1\n2,nan\n9,1\n", Error{Kind: NotFinite, Row: 2, Line: 3}, "no finite number"},
		"an infinite value":        {"row,value\n4,-Inf\n", Error{Kind: NotFinite, Row: 4, Line: 2}, "no finite number"},
		"a value beyond all":       {"row,value\n4,1e400\n", Error{Kind: NotFinite, Row: 4, Line: 2}, "no finite number"},
		"a text":                   {"row,value\n4,secret\n", Error{Kind: NotFinite, Row: 4, Line: 2}, "no finite number"},
		"a truth value":            {"row,value\n4,True\n", Error{Kind: NotFinite, Row: 4, Line: 2}, "1 or 0"},
		"bytes that are no text":   {"row,value\n4,\xff\x00\xfe\n", Error{Kind: NotFinite, Row: 4, Line: 2}, "no finite number"},
	} {
		t.Run(name, func(t *testing.T) {
			values, err := parse(strings.NewReader(given.text), []int64{4, 2, 9}, everything)
			require.Nil(t, values)
			e := failed(t, err, given.want.Kind)
			require.Equal(t, given.want, Error{Kind: e.Kind, Row: e.Row, Rows: e.Rows, Line: e.Line})
			require.ErrorContains(t, err, given.says)
			for _, hidden := range []string{"7331", "secret"} {
				require.NotContains(t, err.Error(), hidden, "no value of the data is shown")
			}
			require.False(t, e.Transient())
		})
	}
}

func TestTheLongestLine(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", ""} {
		line := "1,0." + strings.Repeat("5", mostLine-4)
		values, err := parse(strings.NewReader("row,value\n"+line+end), []int64{1}, everything)
		require.NoError(t, err)
		require.Equal(t, []float64{5.0 / 9}, values)
		_, err = parse(strings.NewReader("row,value\n"+line+"555"+end), []int64{1}, everything)
		require.Equal(t, 2, failed(t, err, TooLarge).Line)
	}
}

func TestAProgramsBadAnswerIsTold(t *testing.T) {
	b := newBench(t)
	_, usage, err := b.measure(t, b.script(`printf 'row,value\n1,0.5\n3,7331\n' > "$ASSAY_VALUES"; echo done`), numbered(1, 2, 3))
	e := failed(t, err, MissingRow)
	require.EqualValues(t, 2, e.Row)
	require.EqualError(t, err, `measure "cost": its program gave no value for row 2; expected every row of ASSAY_ROWS exactly once`)
	require.Positive(t, usage.Wall)
}

func TestTheRangeOfValues(t *testing.T) {
	up, down := math.Nextafter(1, 2), math.Nextafter(-1, -2)
	for name, given := range map[string]struct {
		least, most *float64
		value       float64
		says        string // empty: it is in the range
	}{
		"no range":           {nil, nil, -7331.25, ""},
		"within":             {new(-1.0), new(1.0), 0, ""},
		"at least":           {new(-1.0), new(1.0), -1, ""},
		"at most":            {new(-1.0), new(1.0), 1, ""},
		"just below":         {new(-1.0), new(1.0), down, "expected a number between -1 and 1"},
		"just above":         {new(-1.0), new(1.0), up, "expected a number between -1 and 1"},
		"far above":          {new(0.0), new(0.25), 7331.25, "between 0 and 0.25"},
		"one end, below":     {new(0.5), nil, -7331.25, "at least 0.5"},
		"one end, above it":  {new(0.5), nil, 7331.25, ""},
		"other end, above":   {nil, new(0.5), 7331.25, "at most 0.5"},
		"other end, below":   {nil, new(0.5), -7331.25, ""},
		"one number, met":    {new(3.0), new(3.0), 3, ""},
		"one number, missed": {new(3.0), new(3.0), 7331.25, "between 3 and 3"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			m := b.metric([]string{b.self}, act, "copy")
			m.Least, m.Most = given.least, given.most
			inside := 0.0
			if given.least != nil {
				inside = *given.least
			} else if given.most != nil {
				inside = *given.most
			}
			values, _, err := b.measure(t, m, numbered(inside, given.value))
			if given.says == "" {
				require.NoError(t, err)
				require.Equal(t, []float64{inside, given.value}, values)
				return
			}
			e := failed(t, err, OutOfRange)
			require.EqualValues(t, 2, e.Row)
			require.ErrorContains(t, err, "row 2")
			require.ErrorContains(t, err, given.says)
			require.NotContains(t, err.Error(), "7331", "no value of the data is shown")
		})
	}
}

func TestEveryPermutationAndWayToWriteNumbersReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfNDistinct(rapid.Int64Range(-mostRow, mostRow), 0, 20, rapid.ID).Draw(t, "rows")
		want := make([]float64, len(rows))
		at := make([]int, len(rows))
		for i := range rows {
			want[i], at[i] = rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "value"), i
		}
		var b strings.Builder
		b.WriteString("row,value\n")
		for _, i := range rapid.Permutation(at).Draw(t, "order") {
			row := strconv.FormatInt(rows[i], 10)
			if rapid.Bool().Draw(t, "row as floating point") {
				row = strconv.FormatFloat(float64(rows[i]), 'e', 18, 64)
			}
			form := rapid.SampledFrom([]byte("geE")).Draw(t, "form")
			digits := rapid.SampledFrom([]int{-1, 17, 30}).Draw(t, "digits")
			fmt.Fprintf(&b, "%s,%s\n", row, strconv.FormatFloat(want[i], form, digits, 64))
		}
		got, err := parse(strings.NewReader(b.String()), rows, everything)
		require.NoError(t, err)
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, math.Float64bits(want[i]), math.Float64bits(got[i]))
		}
	})
}

func TestWhateverAProgramWritesGivesValuesInTheRangeOrAnError(t *testing.T) {
	piece := rapid.SampledFrom([]string{"row", "value", ",", "\n", "\r", "\"", " ", "1", "2", "-", ".", "e", "0", "nan", "inf", "0x", "_", "\ufeff", "\xff", "\x00", "row,value\n", "1,0.5\n", "2,1\n"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(t, "pieces"), "")
		if rapid.Bool().Draw(t, "with a header") {
			text = "row,value\n" + text
		}
		values, err := parse(strings.NewReader(text), []int64{1, 2}, bounds{0, 1})
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.NotEmpty(t, e.Problem)
			require.NotEmpty(t, e.Advice)
			return
		}
		require.Len(t, values, 2)
		for _, v := range values {
			require.True(t, v >= 0 && v <= 1)
		}
	})
}

func TestRowsReadBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 10).Draw(t, "rows")
		f := &table.Frame{Rows: n, Columns: []table.Column{{Name: table.RowColumn, Kind: table.Numeric}}}
		for i := range n {
			f.Columns[0].Numbers = append(f.Columns[0].Numbers, float64(i*1_000_000))
		}
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ab,"\r\n ;]{0,6}`))
		for k := range rapid.IntRange(0, 4).Draw(t, "columns") {
			// A name is told from all others by its end.
			c := table.Column{Name: text.Draw(t, "name") + strconv.Itoa(k), Kind: table.Numeric}
			if rapid.Bool().Draw(t, "categorical") {
				c.Kind, c.Levels = table.Categorical, rapid.SliceOfNDistinct(text, 1, 5, rapid.ID).Draw(t, "levels")
			}
			for range n {
				if c.Kind == table.Categorical {
					c.Codes = append(c.Codes, int32(rapid.IntRange(-1, len(c.Levels)-1).Draw(t, "code")))
					continue
				}
				c.Numbers = append(c.Numbers, rapid.OneOf(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), rapid.Just(math.NaN())).Draw(t, "number"))
			}
			f.Columns = append(f.Columns, c)
		}
		g, err := gridOf(f)
		require.NoError(t, err)
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		require.NoError(t, g.write(t.Context(), w))
		require.NoError(t, w.Flush())
		// The reader takes "\r\n" in a cell for "\n".
		same := func(want, got string) {
			require.Equal(t, strings.ReplaceAll(want, "\r\n", "\n"), got)
		}
		lines, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		require.Len(t, lines, n+1)
		require.Equal(t, "row", lines[0][0])
		for j, c := range f.Columns {
			if j > 0 {
				same(c.Name, lines[0][j])
			}
			for i, line := range lines[1:] {
				if c.Kind == table.Categorical {
					want, _ := c.Text(i)
					same(want, line[j])
					continue
				}
				if math.IsNaN(c.Numbers[i]) {
					require.Empty(t, line[j])
					continue
				}
				got, err := strconv.ParseFloat(line[j], 64)
				require.NoError(t, err)
				require.True(t, got == c.Numbers[i], "%v is written as %s", c.Numbers[i], line[j])
			}
		}
	})
}

func TestAnEmptyTextIsToldFromAMissingValue(t *testing.T) {
	g, err := gridOf(frame())
	require.NoError(t, err)
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	require.NoError(t, g.write(t.Context(), w))
	require.NoError(t, w.Flush())
	require.Equal(t, "job,row,x,label\n\"cook, \"\"secret\"\"\",4,7331,1\n,2,,0\n\"\",9,0.1,1\n", b.String())
}
