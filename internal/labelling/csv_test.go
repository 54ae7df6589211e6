package labelling_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/labelling"
)

func TestFilesOfLabelsAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		want []labelling.Answer
	}{
		"plain":                    {"row,label\n3,yes\n5,no\n", []labelling.Answer{{3, "yes", 2}, {5, "no", 3}}},
		"without a last line end":  {"row,label\n3,yes", []labelling.Answer{{3, "yes", 2}}},
		"other order":              {"label,row\nyes,3\n", []labelling.Answer{{3, "yes", 2}}},
		"byte order mark and CRLF": {"\ufeffrow,label\r\n3,yes\r\n", []labelling.Answer{{3, "yes", 2}}},
		"capitals and blanks":      {" Row , LABEL \n 3 ,yes\n", []labelling.Answer{{3, "yes", 2}}},
		"quotes":                   {"\"row\",\"label\"\n\"3\",\"a, \"\"b\"\"\"\n", []labelling.Answer{{3, `a, "b"`, 2}}},
		"a label of two lines":     {"row,label\n3,\"a\nb\"\n5,no\n", []labelling.Answer{{3, "a\nb", 2}, {5, "no", 4}}},
		"blanks are kept":          {"row,label\n3, >50K\n", []labelling.Answer{{3, " >50K", 2}}},
		"no label yet":             {"row,label\n3,\n5, \n8,no\n", []labelling.Answer{{8, "no", 4}}},
		"empty lines":              {"\n\nrow,label\n\n3,yes\n\n", []labelling.Answer{{3, "yes", 5}}},
		"records of nothing":       {"row,label,\n,,\n3,yes,\n", []labelling.Answer{{3, "yes", 3}}},
		"the sheet filled in":      {"row,age,label,city\n3,20,yes,\"Rome, Italy\"\n5,30,,Oslo\n", []labelling.Answer{{3, "yes", 2}}},
		"the same row again":       {"row,label\n3,yes\n3,no\n", []labelling.Answer{{3, "yes", 2}, {3, "no", 3}}},
		"nothing but a header":     {"row,label\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.file), iotest.OneByteReader(strings.NewReader(c.file))} {
				got, err := labelling.ReadAnswers(r)
				require.NoError(t, err)
				require.Equal(t, c.want, got)
			}
		})
	}
}

func TestFilesThatAreNoLabelsAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"empty":               {"", "line 1: the file is empty; expected the header row,label"},
		"only a mark":         {"\ufeff", "the file is empty"},
		"no header":           {"3,yes\n", `line 1: expected the header row,label, found "3", "yes"`},
		"header further down": {"\n\nrows,label\n", `line 3: expected the header row,label, found "rows", "label"`},
		"another header":      {"row,lable\n3,yes\n", `expected the header row,label, found "row", "lable"`},
		"a column twice":      {"row,label,Label\n3,yes,no\n", "line 1: the column label is there twice"},
		"semicolons":          {"row;label\n3;yes\n", "the columns must be divided by commas"},
		"tabs":                {"row\tlabel\n3\tyes\n", "the columns must be divided by commas"},
		"too few values":      {"row,label\n3,yes\n5\n", "line 3: found 1 values; expected 2, as in the header"},
		"a comma too many":    {"row,label\n3,1,5\n", "line 2: found 3 values; expected 2, as in the header; a value with a comma stands in quotes"},
		"a quote inside":      {"row,label\n3,a\"b\n", "line 2: it is no CSV"},
		"an open quote":       {"row,label\n3,\"yes\n5,no\n", "it is no CSV"},
		"a word for a row":    {"row,label\n3,yes\nfive,no\n", `line 3: row "five": expected a whole number from 1, as in the sheet`},
		"no row":              {"row,label\n,yes\n", `line 2: row "": expected a whole number`},
		"row 0":               {"row,label\n0,yes\n", `line 2: row "0": expected a whole number from 1`},
		"a fraction":          {"row,label\n3.0,yes\n", `line 2: row "3.0": expected a whole number`},
		"a row past counting": {"row,label\n9223372036854775808,yes\n", "expected a whole number"},
		"no UTF-8":            {"row,label\n3,caf\xe9\n", `line 2, row 3: label "caf\xe9": expected UTF-8; save the file in UTF-8`},
		"a long label":        {"row,label\n3," + strings.Repeat("x", labelling.MaxLabel+1) + "\n", "line 2, row 3: its label has 1001 bytes; expected at most 1000"},
		"UTF-16":              {"\xff\xfer\x00o\x00w\x00", "the file is in UTF-16; save it as CSV in UTF-8"},
		"UTF-16 the other":    {"\xfe\xff\x00r\x00o\x00w", "the file is in UTF-16"},
		"a workbook":          {"PK\x03\x04...", "save the sheet as CSV in UTF-8"},
		"several":             {"row,label\nx,yes\ny,yes\n", `line 2: row "x": expected a whole number from 1, as in the sheet; line 3: row "y"`},
		"a long header":       {strings.Repeat("h", 1000) + "\n", `found "` + strings.Repeat("h", 60) + `..."`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := labelling.ReadAnswers(strings.NewReader(c.file))
			require.ErrorAs(t, err, new(*labelling.RefusedError))
			require.ErrorContains(t, err, "labels refused: ")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestSourceThatFailsIsNoRefusal(t *testing.T) {
	broken := errors.New("the connection broke")
	for _, start := range []string{"", "row,label\n3,yes\n"} {
		_, err := labelling.ReadAnswers(io.MultiReader(strings.NewReader(start), iotest.ErrReader(broken)))
		require.ErrorIs(t, err, broken)
		require.False(t, errors.As(err, new(*labelling.RefusedError)))
	}
}

// endless gives the same bytes for ever.
type endless struct{ line []byte }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e.line) <= len(p) {
		n += copy(p[n:], e.line)
	}
	return n, nil
}

func TestFilesWithoutEndAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"labels":         {"3,yes\n", "more than 1000000 labels; divide it"},
		"faults":         {"x,yes\n", "more than 1000000 labels; divide it"},
		"one long value": {"x", "more than 64 MiB; divide it"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := labelling.ReadAnswers(io.MultiReader(strings.NewReader("row,label\n"), endless{[]byte(c.line)}))
			require.ErrorAs(t, err, new(*labelling.RefusedError))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestWhatACSVWriterWritesIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.StringMatching(`[a-z",; é\n]{0,8}[a-z"]`), 0, 20).Draw(t, "labels")
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.UseCRLF = rapid.Bool().Draw(t, "CRLF")
		require.NoError(t, w.Write([]string{"note", "label", "row"}))
		for i, label := range labels {
			require.NoError(t, w.Write([]string{"x", label, strconv.Itoa(i + 1)}))
		}
		w.Flush()
		got, err := labelling.ReadAnswers(&file)
		require.NoError(t, err)
		require.Len(t, got, len(labels))
		for i, a := range got {
			require.Equal(t, int64(i+1), a.Row)
			require.Equal(t, labels[i], a.Label)
		}
	})
}

func FuzzReadAnswers(f *testing.F) {
	f.Add([]byte("row,label\n3,yes\n"))
	f.Add([]byte("\ufeffrow,\"label\"\r\n3,\"a\"\"b\"\r\n"))
	f.Add([]byte("label;row\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		answers, err := labelling.ReadAnswers(bytes.NewReader(file))
		if err != nil {
			require.ErrorAs(t, err, new(*labelling.RefusedError))
			return
		}
		for _, a := range answers {
			require.Positive(t, a.Row)
			require.Greater(t, a.Line, 1)
			require.NotEmpty(t, strings.TrimSpace(a.Label))
		}
	})
}
