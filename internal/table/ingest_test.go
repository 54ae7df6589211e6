package table

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/spec"
)

func TestBadSourcesAreRefusedWithPlaceAndRemedy(t *testing.T) {
	manyInts := "a,b\n" + strings.Repeat("1,2\n", 30000)
	for _, c := range []struct {
		name, file, content string
		csv                 spec.CSV
		want                []string
	}{
		{name: "empty file", content: "", want: []string{"the file is empty; expected a header line and at least one row"}},
		{name: "blank file", content: "\n\n", want: []string{"the file is empty"}},
		{name: "header only", content: "a,b\n", want: []string{"a header line and nothing after it; expected at least one row"}},
		{name: "wrong separator set", content: "a;b;c\n1;2;3\n4;5;6\n", csv: spec.CSV{Separator: ","},
			want: []string{`with the separator ',' the header is one column, but it holds ';' 2 times; set csv.separator to ';'`}},
		{name: "separator that is not detected", content: "a^b^c\n1^2^3\n", want: []string{`set csv.separator to '^'`}},
		{name: "separator of two characters", content: "a;b\n1;2\n", csv: spec.CSV{Separator: ";;"}, want: []string{"expected one ASCII character"}},
		{name: "not UTF-8", content: "a,b\n1,secret\n2,gr\xfcn\n", want: []string{"line 3, byte 18 of the file", "not UTF-8", "iconv"}},
		{name: "not UTF-8, far into the file", content: manyInts + "7,gr\xfcn\n", want: []string{"line 30002, byte 120009 of the file"}},
		{name: "not UTF-8 in the header", content: "a,gr\xfcn\n1,2\n", want: []string{"line 1, byte 5 of the file"}},
		{name: "UTF-16", content: "\xff\xfea\x00,\x00b\x00\n\x001\x00,\x002\x00\n\x00", want: []string{"UTF-16", "expected UTF-8"}},
		{name: "zero byte", content: "a,b\n1,\x00\n", want: []string{"byte 7 of the file is zero"}},
		{name: "duplicate names", content: "id,x,y,x\n1,2,3,4\n", want: []string{`columns 2 and 4 are both named "x"`}},
		{name: "names that differ in case", content: "Age,age\n1,2\n", want: []string{`columns 1 and 2 are both named "age" (case is ignored)`}},
		{name: "name missing", content: "a,,b\n1,2,3\n", want: []string{"column 2 has no name"}},
		{name: "reserved name", content: "a,_row\n1,2\n", want: []string{`column 2 is named "_row", which is reserved`}},
		{name: "too many fields", content: "a,b\n1,2\nsecret,2,3\n", want: []string{"line 3 has 3 fields; expected 2"}},
		{name: "too few fields", content: "a,b\n1,2\n\nsecret\n", want: []string{"line 4 has 1 field; expected 2"}},
		{name: "quote never closed", content: "a,b\n1,2\n3,\"secret\n4,5\n", want: []string{"line 3: a quoted field is never closed"}},
		{name: "text after a quote", content: "a,b\n1,2\n3,\"secret\"x\n4,5\n", want: []string{"line 3, field 2: text follows a closing quote"}},
		{name: "infinite number", content: "a,b\n1,2.5\n2,inf\n3,1e999\n", want: []string{`column "b" holds 2 infinite numbers (in rows 2, 3`, "expected finite numbers"}},
		{name: "comment that is not set", content: "# secret\na,b\n1,2\n3,4\n", want: []string{"line 1 has 1 field where the lines after it have 2", "set csv.comment"}},
		{name: "not Parquet", file: "x.parquet", content: "a,b\n1,2\n", want: []string{"not Parquet"}},
		{name: "not JSON", file: "x.jsonl", content: "{\"a\": 1}\nsecret\n", want: []string{"not a JSON object", "line 2"}},
		{name: "nested JSON", file: "x.jsonl", content: `{"a": 1, "b": {"c": "secret"}}`, want: []string{`column "b" is of type`, "flatten"}},
		{name: "unknown extension", file: "x.xlsx", content: "PK", want: []string{`the extension ".xlsx" does not tell the format; set format`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := c.file
			if file == "" {
				file = "x.csv"
			}
			src := write(t, file, c.content)
			src.CSV = c.csv
			_, err := take(t, newStore(t), src)
			require.Error(t, err)
			require.ErrorContains(t, err, src.URI)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestMissingFile(t *testing.T) {
	_, err := take(t, newStore(t), spec.Source{URI: "no/such/file.csv"})
	require.ErrorContains(t, err, `there is no file "no/such/file.csv"; expected the path of a file this worker can read`)
}

func TestCSVIsReadAsWritten(t *testing.T) {
	late := strings.Repeat("1,1,x\n", 30000)
	for _, c := range []struct {
		name, content string
		csv           spec.CSV
		types         map[string]string
		values        map[string][]string // the last rows
	}{
		{name: "types", content: "i,n,t,b,d,s\n1,1.5,x,true,2011-01-01,2018-10-30 18:00:00.000\n-2,2,y,FALSE,2011-01-02,2018-10-30 18:08:43.152\n",
			types:  map[string]string{"i": Integer, "n": Number, "t": Text, "b": Boolean, "d": Date, "s": Timestamp},
			values: map[string][]string{"i": {"1", "-2"}, "n": {"1.5", "2"}, "b": {"true", "false"}, "d": {"2011-01-01", "2011-01-02"}}},
		{name: "semicolons, quotes, carriage returns, empty lines", content: "\"a b\";c\r\n1;\"x;\"\"y\"\"\r\nz\"\r\n\r\n2;\"\"\r\n",
			types: map[string]string{"a b": Integer, "c": Text}, values: map[string][]string{"a b": {"1", "2"}, "c": {"x;\"y\"\r\nz", ""}}},
		{name: "tabs and a byte order mark", content: "\xef\xbb\xbfa\tb\n1\tx y\n", types: map[string]string{"a": Integer, "b": Text}, values: map[string][]string{"b": {"x y"}}},
		{name: "blanks around values and names", content: " a , b\n 1 , x \n 2 , y z\n", types: map[string]string{"a": Integer, "b": Text},
			values: map[string][]string{"a": {"1", "2"}, "b": {"x", "y z"}}},
		{name: "a late fraction in a column of integers is not rounded", content: "i,n,t\n" + late + "1.5,2,y\n",
			types: map[string]string{"i": Number, "n": Integer, "t": Text}, values: map[string][]string{"i": {"1.5"}, "n": {"2"}}},
		{name: "a late word in a column of integers", content: "i,n,t\n" + late + "many,?,y\n",
			types: map[string]string{"i": Text, "n": Integer, "t": Text}, values: map[string][]string{"i": {"many"}, "n": {""}}},
		{name: "a column that begins empty", content: "a,b\n" + strings.Repeat("x,\n", 30000) + "y,7\n",
			types: map[string]string{"a": Text, "b": Integer}, values: map[string][]string{"b": {"7"}}},
		{name: "markers of missing numbers, kept in text", content: "n,t\n1,NA\nNA,x\n2,?\n",
			types: map[string]string{"n": Integer, "t": Text}, values: map[string][]string{"n": {"1", "", "2"}, "t": {"NA", "x", "?"}}},
		{name: "unknown texts", content: "n,t\n1,?\n99,x\n2, ?\n", csv: spec.CSV{Unknown: []string{"?", "99"}},
			types: map[string]string{"n": Integer, "t": Text}, values: map[string][]string{"n": {"1", "", "2"}, "t": {"", "x", ""}}},
		{name: "comments begin lines only", content: "# made by hand\na,b\n1,x#1\n# the rest\n2,#\n", csv: spec.CSV{Comment: "#"},
			types: map[string]string{"a": Integer, "b": Text}, values: map[string][]string{"a": {"1", "2"}, "b": {"x#1", "#"}}},
		{name: "no header", content: "1,x\n2,y\n", csv: spec.CSV{Header: new(bool), Columns: []string{"a", "b"}},
			types: map[string]string{"a": Integer, "b": Text}, values: map[string][]string{"a": {"1", "2"}}},
		{name: "no header and no names", content: "1,x\n2,y\n", csv: spec.CSV{Header: new(bool)},
			types: map[string]string{"column_1": Integer, "column_2": Text}},
		{name: "another quote", content: "a,b\n1,'x,y'\n", csv: spec.CSV{Quote: "'"}, types: map[string]string{"a": Integer, "b": Text},
			values: map[string][]string{"b": {"x,y"}}},
		{name: "one column", content: "a\n1\n2\n", types: map[string]string{"a": Integer}, values: map[string][]string{"a": {"1", "2"}}},
		{name: "a column without any value", content: "a,b\n1,\n2,\n", types: map[string]string{"a": Integer, "b": Text}, values: map[string][]string{"b": {"", ""}}},
		{name: "no line feed at the end", content: "a,b\n1,2\n3,4", types: map[string]string{"a": Integer, "b": Integer}, values: map[string][]string{"b": {"2", "4"}}},
		{name: "non-ASCII", content: "größe,b\n20K - 20K €,2\n", types: map[string]string{"größe": Text, "b": Integer}, values: map[string][]string{"größe": {"20K - 20K €"}}},
		{name: "names that SQL would take for its own", content: "select,\"a\"\"b\"\n1,2\n", types: map[string]string{"select": Integer, `a"b`: Integer}},
		{name: "mixed line ends", content: "a,b\r\n1,2\n3,4\r\n", types: map[string]string{"a": Integer, "b": Integer}, values: map[string][]string{"b": {"2", "4"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newStore(t)
			src := write(t, "x.csv", c.content)
			src.CSV = c.csv
			snap := mustTake(t, store, src)
			require.Equal(t, c.types, types(snap))
			for name, want := range c.values {
				got := column(t, store, snap.Data, name)
				require.Equal(t, want, got[len(got)-len(want):], name)
			}
		})
	}
}

func TestParquetAndJSONLinesKeepTheirTypes(t *testing.T) {
	store := newStore(t)
	json := write(t, "x.jsonl", `{"i": 1, "n": 1.5, "t": "x", "b": true}`+"\n"+`{"i": 2, "n": null, "t": "y"}`+"\n")
	snap := mustTake(t, store, json)
	want := map[string]string{"i": Integer, "n": Number, "t": Text, "b": Boolean}
	require.Equal(t, want, types(snap))
	require.Equal(t, []string{"true", ""}, column(t, store, snap.Data, "b"))

	path, release, err := store.Local(t.Context(), snap.Data)
	require.NoError(t, err)
	defer release()
	again := mustTake(t, store, spec.Source{URI: path, Format: FormatParquet})
	require.Equal(t, want, types(again))
	require.Equal(t, snap.Data, again.Data)
	require.Equal(t, snap.Profile, again.Profile)
}

func TestTheSameBytesGiveTheSameBlobsWhateverTheLimits(t *testing.T) {
	var b strings.Builder
	b.WriteString("i,n,t\n")
	for i := range 400_000 {
		fmt.Fprintf(&b, "%d,%g,level %d\n", i, float64(i*7919%1000003)/7, i%13)
	}
	src := write(t, "x.csv", b.String())
	store := newStore(t)
	local, err := Fetch(t.Context(), src, t.TempDir())
	require.NoError(t, err)
	var first Snapshot
	for i, lim := range []Limits{{MemoryBytes: 256 << 20, Threads: 1}, {MemoryBytes: 256 << 20, Threads: 2}, {MemoryBytes: 1 << 30, Threads: 4}, {MemoryBytes: 1 << 30, Threads: 7}} {
		snap, err := Ingest(t.Context(), store, local, src, lim, nil)
		require.NoError(t, err)
		if i == 0 {
			first = snap
		}
		require.Equal(t, profileOf(t, store, first.Profile), profileOf(t, store, snap.Profile), "%+v", lim)
		require.Equal(t, first, snap, "%+v", lim)
	}
}

func TestIngestStopsWhenItsContextEnds(t *testing.T) {
	src := write(t, "x.csv", "a,b\n"+strings.Repeat("1,2\n", 100_000))
	local, err := Fetch(t.Context(), src, t.TempDir())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Ingest(ctx, newStore(t), local, src, small, nil)
	require.ErrorIs(t, err, ctx.Err())
}

func TestProgressEndsWithTheNumberOfRows(t *testing.T) {
	src := write(t, "x.csv", people(500))
	local, err := Fetch(t.Context(), src, t.TempDir())
	require.NoError(t, err)
	var last int64
	_, err = Ingest(t.Context(), newStore(t), local, src, small, func(rows int64) { last = rows })
	require.NoError(t, err)
	require.EqualValues(t, 500, last)
}

func TestOnlyFailuresOfTheMachineAreTransient(t *testing.T) {
	lim := small
	lim.TempDir = filepath.Join(t.TempDir(), "absent")
	src := write(t, "x.csv", people(50))
	local, err := Fetch(t.Context(), src, t.TempDir())
	require.NoError(t, err)
	_, err = Ingest(t.Context(), newStore(t), local, src, lim, nil)
	require.True(t, Transient(err), err)

	_, err = take(t, newStore(t), write(t, "x.csv", "a,a\n1,2\n"))
	require.False(t, Transient(err), err)
	_, err = take(t, newStore(t), spec.Source{URI: "no/such/file.csv"})
	require.False(t, Transient(err), err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Ingest(ctx, newStore(t), local, src, small, nil)
	require.True(t, Transient(err), err)
}

func TestTemporaryFilesAreRemoved(t *testing.T) {
	lim := small
	lim.TempDir = t.TempDir()
	src := write(t, "x.csv", "# c\na,b\n1,2\n")
	src.CSV.Comment = "#"
	local, err := Fetch(t.Context(), src, t.TempDir())
	require.NoError(t, err)
	_, err = Ingest(t.Context(), newStore(t), local, src, lim, nil)
	require.NoError(t, err)
	left, err := os.ReadDir(lim.TempDir)
	require.NoError(t, err)
	require.Empty(t, left)

	lim.TempDir = filepath.Join(lim.TempDir, "absent")
	_, err = Ingest(t.Context(), newStore(t), local, src, lim, nil)
	require.ErrorContains(t, err, "make a folder for temporary files")
}
