package functional

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// loans is a small CSV file with two columns that tell good loans from bad ones, a third that does not, and a target.
// A change sees each line, the header at 0, as its fields.
func loans(rows int, changes ...func(line int, fields []string) []string) string {
	var b strings.Builder
	for i := range rows + 1 {
		fields := []string{"income", "debt", "city", "approved"}
		if i > 0 {
			fields = []string{fmt.Sprint(1000 + i*37%900), fmt.Sprint(i * 13 % 100), "city-" + fmt.Sprint(i%5), "no"}
			if (i*37%900)/9+(100-i*13%100)+i*7%60 > 130 {
				fields[3] = "yes"
			}
		}
		for _, change := range changes {
			fields = change(i, fields)
		}
		b.WriteString(strings.Join(fields, ",") + "\n")
	}
	return b.String()
}

// set writes a value into a field of the lines that are chosen.
func set(field int, value string, chosen func(line int) bool) func(int, []string) []string {
	return func(line int, fields []string) []string {
		if chosen(line) {
			fields[field] = value
		}
		return fields
	}
}

// shortened cuts the last field off a line.
func shortened(number int) func(int, []string) []string {
	return func(line int, fields []string) []string {
		if line == number {
			return fields[:len(fields)-1]
		}
		return fields
	}
}

func rows(line int) bool   { return line > 0 }
func header(line int) bool { return line == 0 }

func the(number int) func(int) bool { return func(line int) bool { return line == number } }

// loanSpec reads a file and needs one approval.
func loanSpec(model, uri string, changes ...func(document)) document {
	base := []func(document){
		with("data.source", document{"uri": uri}), with("data.protected", nil), with("data.exclude", nil), with("data.expect", nil),
		with("gates", nil), oneReviewer, with("rollout", nil),
	}
	return credit(model, append(base, changes...)...)
}

// Each of these can only end in a failed lifecycle, at the first attempt, with a message that names the thing and says
// what to do.
func TestUnusableData(t *testing.T) {
	t.Parallel()
	good := loans(200)
	for name, c := range map[string]struct {
		file    string // its name; "" leaves it out
		content string
		change  func(document)
		stage   string
		says    []string
	}{
		"missing file":      {"", "", nil, "ingest", []string{"there is no file", "/absent.csv", "expected the path of a file"}},
		"empty file":        {"loans.csv", "", nil, "ingest", []string{"loans.csv", "the file is empty", "expected a header line and at least one row"}},
		"blank file":        {"loans.csv", "\n\n  \n", nil, "ingest", []string{"loans.csv", "the file is empty"}},
		"header only":       {"loans.csv", loans(0), nil, "ingest", []string{"loans.csv", "a header line and nothing after it", "expected at least one row"}},
		"unknown format":    {"loans.xls", good, nil, "ingest", []string{"loans.xls", `".xls"`, "set format to csv, parquet or jsonl"}},
		"not parquet":       {"loans.parquet", good, nil, "ingest", []string{"loans.parquet", "the file is not Parquet"}},
		"not JSON lines":    {"loans.jsonl", good, nil, "ingest", []string{"loans.jsonl", "line 1"}},
		"not text":          {"loans.csv", "a,b\n\x00\x01,2\n", nil, "ingest", []string{"loans.csv", "is zero", "set format"}},
		"not UTF-8":         {"loans.csv", loans(200, set(2, "K\xf6ln", the(17))), nil, "ingest", []string{"line 18", "not UTF-8", "iconv -f latin1 -t utf-8"}},
		"UTF-16":            {"loans.csv", "\xff\xfea\x00,\x00b\x00\n\x00", nil, "ingest", []string{"UTF-16", "iconv"}},
		"two names alike":   {"loans.csv", loans(200, set(1, "Income", header)), nil, "ingest", []string{"columns 1 and 2", `"Income"`, "expected different names"}},
		"a nameless column": {"loans.csv", loans(200, set(1, " ", header)), nil, "ingest", []string{"column 2 has no name", "expected a name"}},
		"a ragged row": {
			"loans.csv", loans(200, shortened(30)), nil, "ingest", []string{"line 31", "3 fields", "expected 4"},
		},
		"an open quote":       {"loans.csv", loans(200, set(2, `"city`, the(40))), nil, "ingest", []string{"line 41", "never closed", "csv.quote"}},
		"infinite numbers":    {"loans.csv", loans(200, set(0, "inf", the(5))), nil, "ingest", []string{`"income"`, "rows 5", "infinite"}},
		"another separator":   {"loans.csv", strings.ReplaceAll(good, ",", "^"), nil, "ingest", []string{"set csv.separator to '^'"}},
		"the wrong separator": {"loans.csv", good, with("data.source.csv", document{"separator": ";"}), "ingest", []string{"separator ';'", "set csv.separator to ','"}},
		"target absent":       {"loans.csv", good, with("data.target.column", "granted"), "validate", []string{"target", `"granted"`, `"approved"`}},
		"one class":           {"loans.csv", loans(200, set(3, "yes", rows)), nil, "validate", []string{`"approved"`, "one class in all 200 rows", "expected two"}},
		"three classes":       {"loans.csv", loans(200, set(3, "maybe", the(9))), nil, "validate", []string{`"approved"`, "3 classes", "data.transform"}},
		"positive absent":     {"loans.csv", good, with("data.target.positive", "Y"), "validate", []string{`"Y"`, `"no" and "yes"`}},
		"target missing":      {"loans.csv", loans(200, set(3, "", the(9))), nil, "validate", []string{`"approved"`, "missing in 1 row", "data.transform"}},
		"an all-null feature": {"loans.csv", loans(200, set(1, "", rows)), nil, "prepare", []string{`"debt"`, "no value", "data.exclude"}},
		"a date as feature":   {"loans.csv", loans(200, set(1, "2024-05-06", rows)), nil, "prepare", []string{`"debt"`, "date", "data.exclude"}},
		"no feature left":     {"loans.csv", good, with("data.exclude", []any{"income", "debt", "city"}), "prepare", []string{"no column is left as a feature"}},
		"unknown exclusion":   {"loans.csv", good, with("data.exclude", []any{"zip"}), "prepare", []string{"data.exclude", `"zip"`}},
		"unknown slice":       {"loans.csv", good, with("evaluate", document{"slices": []any{"zip"}}), "prepare", []string{"evaluate.slices", `"zip"`}},
		"unknown quasi-identifier": {
			"loans.csv", good, with("privacy", document{"quasi_identifiers": []any{"zip"}}), "prepare", []string{"privacy.quasi_identifiers", `"zip"`},
		},
		"too few rows":         {"loans.csv", loans(4, set(3, "yes", the(1))), nil, "prepare", []string{"part", "data.split"}},
		"SQL that reads files": {"loans.csv", good, with("data.transform", "select * from read_csv('/etc/passwd')"), "validate", []string{"data.transform"}},
		"SQL with a mistake":   {"loans.csv", good, with("data.transform", "select incme from data"), "validate", []string{"data.transform", "incme"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "absent.csv")
			if c.file != "" {
				path = filepath.Join(t.TempDir(), c.file)
				require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			}
			model := "data-" + strings.ReplaceAll(strings.ToLower(name), " ", "-")
			spec := loanSpec(model, path)
			if c.change != nil {
				c.change(spec)
			}
			requireFailsAt(t, start(t, spec), c.stage, c.says...)
		})
	}
}

// requireFailsAt checks how a lifecycle failed: in which stage, saying what, without having been tried twice.
func requireFailsAt(t *testing.T, l lifecycle, stage string, says ...string) {
	t.Helper()
	failure := l.fails()
	require.Equal(t, "LifecycleFailed", failure.Type())
	for _, text := range says {
		require.Contains(t, failure.Message(), text)
	}
	var r result
	require.NoError(t, failure.Details(&r))
	require.Equal(t, "failed", r.Outcome)
	require.Equal(t, failure.Message(), r.Reason)
	s := l.status()
	require.Equal(t, r, *s.Result)
	require.Equal(t, stage, s.Stage)
	for _, e := range events(t, l.id) {
		require.LessOrEqual(t, e.GetActivityTaskStartedEventAttributes().GetAttempt(), int32(1), "tried again, though it can only fail")
	}
	last := record(t, r.Model)
	require.Equal(t, "failed", last[len(last)-1].Detail["outcome"])
}

func TestAddressThatIsNotThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	requireFailsAt(t, start(t, loanSpec("data-address", server.URL+"/loans.csv")), "ingest", server.URL+"/loans.csv", "404 Not Found")
}

// Tables have thousands of columns: what is said about them is bounded all the same.
func TestManyColumns(t *testing.T) {
	t.Parallel()
	const model, columns = "many-columns", 150
	name := func(c int) string { return fmt.Sprintf("a_column_with_a_name_of_some_length_%03d", c) }
	path := filepath.Join(t.TempDir(), "wide.csv")
	content := loans(200, func(line int, f []string) []string {
		for c := range columns {
			if line == 0 {
				f = append(f, name(c))
				continue
			}
			f = append(f, fmt.Sprint((line*31+c*line)%97))
		}
		return f
	})
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	failure := another(t, "absent", loanSpec(model, path, with("data.target.column", "granted"))).fails()
	require.Contains(t, failure.Message(), "more")
	require.Less(t, len(failure.Message()), 2000)

	l := start(t, loanSpec(model, path, with("monitor", document{"drift": document{"false_alarms": 1e-6}})))
	l.deploys()
	var rows []document
	for range 100 {
		row := document{"income": 1, "debt": 1, "city": "elsewhere"}
		for c := range columns {
			row[name(c)] = 1000
		}
		rows = append(rows, row)
	}
	predict(t, model, "", rows)
	c := checkUntil(t, model, conclusive)
	require.Equal(t, "drift", c.Verdict)
	require.Len(t, c.Drifted, 10)
	require.Contains(t, c.Summary, "and 143 more")
	for _, id := range []string{l.id, "monitor/" + model} {
		for _, e := range events(t, id) {
			requireSmallPayloads(t, e)
		}
	}
}

func TestManyCategories(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "loans.csv")
	content := loans(12000, func(line int, f []string) []string {
		if line > 0 {
			f[2] = fmt.Sprintf("city-%d", line%10000)
		}
		return f
	})
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	l := start(t, loanSpec("many-categories", path))
	l.deploys()
	answer := predict(t, "many-categories", "", []document{{"income": 1500, "debt": 20, "city": "city-unheard-of"}})
	require.Len(t, answer.Outputs[0].Data, 1)
}
