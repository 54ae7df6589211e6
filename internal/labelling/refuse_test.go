package labelling_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/labelling"
)

func TestAskRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*labelling.Request)
		want   string
	}{
		"another id":         {func(r *labelling.Request) { r.ID = "0123" }, `id "0123": expected none, or`},
		"model":              {func(r *labelling.Request) { r.Model = ".." }, "lower-case letters"},
		"no test set":        {func(r *labelling.Request) { r.TestSet = artifact.Digest{} }, "no test set is named"},
		"no lifecycle":       {func(r *labelling.Request) { r.Lifecycle = "" }, `lifecycle "": expected text`},
		"no column":          {func(r *labelling.Request) { r.Column = " " }, `column " ": expected text`},
		"long column":        {func(r *labelling.Request) { r.Column = strings.Repeat("x", labelling.MaxName+1) }, "column of 1001 bytes"},
		"no reason":          {func(r *labelling.Request) { r.Reason = "" }, `reason "": expected text`},
		"reason in lines":    {func(r *labelling.Request) { r.Reason = "a\nb" }, "expected one line"},
		"reason not UTF-8":   {func(r *labelling.Request) { r.Reason = "\xff" }, "expected UTF-8"},
		"no sheet":           {func(r *labelling.Request) { r.Sheet = artifact.Ref{} }, "expected the ref of a stored CSV"},
		"no time":            {func(r *labelling.Request) { r.Created = time.Time{} }, "expected a time"},
		"time far off":       {func(r *labelling.Request) { r.Created = noon.AddDate(9000, 0, 0) }, "in the years 0 to 9999"},
		"no classes":         {func(r *labelling.Request) { r.Classes = nil }, "0 classes: expected at least two"},
		"one class":          {func(r *labelling.Request) { r.Classes = r.Classes[:1] }, "1 classes: expected at least two"},
		"classes of numbers": {func(r *labelling.Request) { r.Numeric = true }, "2 classes for numbers"},
		"blank class":        {func(r *labelling.Request) { r.Classes = []string{"yes", ""} }, `class "": expected text`},
		"long class":         {func(r *labelling.Request) { r.Classes = []string{"yes", strings.Repeat("x", labelling.MaxLabel+1)} }, "class of 1001 bytes"},
		"class not UTF-8":    {func(r *labelling.Request) { r.Classes = []string{"yes", "\xff"} }, "expected UTF-8"},
		"class twice":        {func(r *labelling.Request) { r.Classes = []string{"yes", "no", "yes"} }, `class "yes" is there twice`},
		"no rows":            {func(r *labelling.Request) { r.Rows = nil }, "0 rows: expected 1 to 1000000"},
		"row 0":              {func(r *labelling.Request) { r.Rows = []int64{0, 3} }, "row 0 at place 1"},
		"rows not sorted":    {func(r *labelling.Request) { r.Rows = []int64{5, 3, 8, 13} }, "row 3 at place 2"},
		"row twice":          {func(r *labelling.Request) { r.Rows = []int64{3, 5, 5, 8, 13} }, "row 5 at place 3"},
		"chosen twice":       {func(r *labelling.Request) { r.Chosen = []int64{8, 8, 13} }, "row 8 at place 2"},
		"row for no reason":  {func(r *labelling.Request) { r.Chosen = nil }, "4 rows, and 3 that are representative or chosen"},
		"reason for no row":  {func(r *labelling.Request) { r.Chosen = []int64{8, 13, 21} }, "4 rows, and 5 that are representative or chosen"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			r := classes(t, s)
			c.change(&r)
			_, err := labelling.Ask(t.Context(), s, r)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "ask for labels of model")
			documents, err := s.List(t.Context(), "labels")
			require.NoError(t, err)
			require.Empty(t, documents)
		})
	}
}

func TestSheetMustBeThere(t *testing.T) {
	s := openStore(t)
	r := classes(t, s)
	r.Sheet.Digest = artifact.Sum([]byte("elsewhere"))
	_, err := labelling.Ask(t.Context(), s, r)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, r.Sheet.Digest.String())
}

func TestLabelsThatWereNotAskedForAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		numeric bool
		given   []labelling.Answer
		want    string
	}{
		"row not asked for":     {false, []labelling.Answer{answer(3, "yes"), answer(4, "yes")}, "labels refused: line 40, row 4: request"},
		"slip":                  {false, []labelling.Answer{answer(3, "yess")}, `line 30, row 3: label "yess": did you mean "yes"?`},
		"capitals":              {false, []labelling.Answer{answer(3, "NO")}, `label "NO": did you mean "no"?`},
		"no class":              {false, []labelling.Answer{answer(3, "perhaps")}, `label "perhaps": expected one of "yes", "no"`},
		"no label":              {false, []labelling.Answer{answer(3, " ")}, "line 30, row 3: it has no label"},
		"long label":            {false, []labelling.Answer{answer(3, strings.Repeat("x", labelling.MaxLabel+1))}, "its label has 1001 bytes; expected at most 1000"},
		"no UTF-8":              {false, []labelling.Answer{answer(3, "\xff")}, `label "\xff": expected one of`},
		"twice":                 {false, []labelling.Answer{answer(3, "yes"), answer(5, "no"), {Row: 3, Label: "no", Line: 77}}, `line 77, row 3: it is there twice, as "yes" on line 30 and as "no"`},
		"twice without a line":  {false, []labelling.Answer{{Row: 3, Label: "yes"}, {Row: 3, Label: "no"}}, `labels refused: row 3: it is there twice, as "yes" and as "no"`},
		"word for a number":     {true, []labelling.Answer{answer(3, "many")}, `line 30, row 3: label "many": expected a number, such as 12, -0.5 or 1e6`},
		"decimal comma":         {true, []labelling.Answer{answer(3, "1,5")}, "expected a number with a decimal point, such as 1.5"},
		"NaN":                   {true, []labelling.Answer{answer(3, "NaN")}, "expected a number"},
		"infinity":              {true, []labelling.Answer{answer(3, "Inf")}, "expected a number"},
		"hexadecimal":           {true, []labelling.Answer{answer(3, "0x10")}, "expected a number"},
		"too large":             {true, []labelling.Answer{answer(3, "1e999")}, "expected a number of at most 1.79"},
		"a point":               {true, []labelling.Answer{answer(3, ".")}, "expected a number"},
		"two different numbers": {true, []labelling.Answer{answer(3, "1"), answer(3, "2")}, `it is there twice, as "1" on line 30 and as "2"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			r := classes(t, s)
			if c.numeric {
				r = numbers(t, s)
			}
			r = ask(t, s, r)
			_, err := labelling.Submit(t.Context(), s, r, c.given, "ben", noon)
			require.ErrorAs(t, err, new(*labelling.RefusedError))
			require.ErrorContains(t, err, c.want)
			require.Empty(t, values(t, s), "all or nothing")
		})
	}
}

func TestRefusalCountsWhatItDoesNotShow(t *testing.T) {
	s := openStore(t)
	r := ask(t, s, classes(t, s))
	var given []labelling.Answer
	for row := range int64(8) {
		given = append(given, answer(row+100, "yes"))
	}
	_, err := labelling.Submit(t.Context(), s, r, given, "ben", noon)
	var refused *labelling.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 8, refused.Count)
	require.Len(t, refused.Problems, 5)
	require.ErrorContains(t, err, "; and 3 more")
}

func TestManyClassesAreNotAllShown(t *testing.T) {
	s := openStore(t)
	r := classes(t, s)
	r.Classes = nil
	for i := range 30 {
		r.Classes = append(r.Classes, fmt.Sprintf("species number %d", i))
	}
	r = ask(t, s, r)
	_, err := labelling.Submit(t.Context(), s, r, []labelling.Answer{answer(3, "a rose")}, "ben", noon)
	require.ErrorContains(t, err, `"species number 19" and 10 more`)
	require.NotContains(t, err.Error(), "species number 20")
}

func TestLabelThatStandsIsNotReplaced(t *testing.T) {
	s := openStore(t)
	r := ask(t, s, classes(t, s))
	submit(t, s, r, answer(3, "yes"), answer(5, "no"))
	_, err := labelling.Submit(t.Context(), s, r, []labelling.Answer{answer(13, "yes"), answer(3, "no"), answer(5, "no")}, "cid", noon)
	var conflict *labelling.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, &labelling.ConflictError{Model: model, TestSet: testSet, Count: 1,
		Conflicts: []labelling.Conflict{{Line: 30, Row: 3, Standing: "yes", Given: "no"}}}, conflict)
	require.ErrorContains(t, err, `line 30, row 3: it is "yes", not "no"`)
	require.Equal(t, map[int64]string{3: "yes", 5: "no"}, values(t, s))
}

func TestConflictCountsWhatItDoesNotShow(t *testing.T) {
	s := openStore(t)
	r := classes(t, s)
	r.Rows = []int64{1, 2, 3, 4, 5, 6, 7}
	r.Representative, r.Chosen = r.Rows, nil
	r = ask(t, s, r)
	var yes, no []labelling.Answer
	for _, row := range r.Rows {
		yes, no = append(yes, answer(row, "yes")), append(no, answer(row, "no"))
	}
	submit(t, s, r, yes...)
	_, err := labelling.Submit(t.Context(), s, r, no, "ben", noon)
	require.ErrorContains(t, err, "7 of them")
	require.ErrorContains(t, err, "; and 2 more")
}

func TestTestSetHasLabelsOfOneColumn(t *testing.T) {
	s := openStore(t)
	submit(t, s, ask(t, s, classes(t, s)), answer(3, "yes"))
	other := ask(t, s, numbers(t, s))
	_, err := labelling.Submit(t.Context(), s, other, []labelling.Answer{answer(5, "1")}, "ben", noon)
	require.ErrorContains(t, err, `the labels of the test set are of column "repaid"; expected them, not those of "price"`)
	require.Equal(t, map[int64]string{3: "yes"}, values(t, s))
}

func TestSubmitRefuses(t *testing.T) {
	s := openStore(t)
	asked := ask(t, s, classes(t, s))
	for name, c := range map[string]struct {
		change func(*labelling.Request)
		by     string
		at     time.Time
		want   string
	}{
		"model":           {func(r *labelling.Request) { r.Model = "" }, "ben", noon, "lower-case letters"},
		"no set":          {func(r *labelling.Request) { r.TestSet = artifact.Digest{} }, "ben", noon, "no test set is named"},
		"id with a path":  {func(r *labelling.Request) { r.ID = "../../x" }, "ben", noon, "expected an id of 16 hexadecimal digits"},
		"part of an id":   {func(r *labelling.Request) { r.ID = r.ID[:8] }, "ben", noon, "expected an id of 16 hexadecimal digits"},
		"nobody":          {func(*labelling.Request) {}, " ", noon, `person " ": expected text`},
		"a long name":     {func(*labelling.Request) {}, strings.Repeat("x", labelling.MaxName+1), noon, "person of 1001 bytes"},
		"name with lines": {func(*labelling.Request) {}, "a\nb", noon, "expected one line"},
		"no time":         {func(*labelling.Request) {}, "ben", time.Time{}, "expected a time"},
		"not asked":       {func(r *labelling.Request) { r.ID = "0123456789abcdef" }, "ben", noon, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			r := asked
			c.change(&r)
			_, err := labelling.Submit(t.Context(), s, r, []labelling.Answer{answer(3, "yes")}, c.by, c.at)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "submit labels for request")
			require.Empty(t, values(t, s))
		})
	}
}

func TestSubmitGoesByWhatWasAsked(t *testing.T) {
	s := openStore(t)
	forged := ask(t, s, classes(t, s))
	forged.Rows, forged.Classes = []int64{1000}, []string{"anything", "else"}
	_, err := labelling.Submit(t.Context(), s, forged, []labelling.Answer{answer(1000, "anything")}, "ben", noon)
	require.ErrorContains(t, err, "does not ask for it")
}

func TestFindListAndAnswersRefuse(t *testing.T) {
	s := openStore(t)
	for _, id := range []string{"", "ABC", "../x", "0123456789abcdef0"} {
		_, err := labelling.Find(t.Context(), s, "", id)
		require.ErrorContains(t, err, "expected its id of 16 hexadecimal digits, or how it begins")
	}
	_, err := labelling.Find(t.Context(), s, "..", "ab")
	require.ErrorContains(t, err, "lower-case letters")
	_, err = labelling.List(t.Context(), s, "..")
	require.ErrorContains(t, err, "lower-case letters")
	_, _, err = labelling.Answers(t.Context(), s, "..", testSet)
	require.ErrorContains(t, err, "lower-case letters")
	_, _, err = labelling.Answers(t.Context(), s, model, artifact.Digest{})
	require.ErrorContains(t, err, "no test set is named")
	for _, name := range []string{"labels/requests/x.json", "labels/requests/credit/" + testSet.Hex() + "/short.json", "labels/requests/credit/" + testSet.Hex() + "/deep/0123456789abcdef.json"} {
		s := openStore(t)
		_, err := s.PutIfAbsent(t.Context(), name, []byte("x"))
		require.NoError(t, err)
		_, err = labelling.List(t.Context(), s, "")
		require.ErrorContains(t, err, `"`+name+`" is not a request's name`)
	}
}

func TestCancelledContextStops(t *testing.T) {
	s := openStore(t)
	r := ask(t, s, classes(t, s))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := labelling.Ask(ctx, s, r)
	require.ErrorIs(t, err, context.Canceled)
	_, err = labelling.Submit(ctx, s, r, nil, "ben", noon)
	require.ErrorIs(t, err, context.Canceled)
}

// rewrite stores content that was changed by somebody who computed its digest anew.
func rewrite(t *testing.T, s *artifact.Dir, name, old, with string) {
	t.Helper()
	path := filepath.Join(s.String(), name)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	_, content, found := strings.Cut(string(data), `,"content":`)
	require.True(t, found)
	content = strings.TrimSuffix(content, "}\n")
	changed := strings.Replace(content, old, with, 1)
	require.NotEqual(t, content, changed, "the change must find what it replaces")
	require.NoError(t, os.WriteFile(path, []byte(`{"digest":"`+artifact.Sum([]byte(changed)).String()+`","content":`+changed+"}\n"), 0o644))
}

func TestRequestThatCannotBeIsCorrupt(t *testing.T) {
	for name, c := range map[string]struct{ old, with, want string }{
		"another format":    {"label-request/v1", "label-request/v2", `format "assay/label-request/v2"`},
		"unknown field":     {`"format"`, `"extra":1,"format"`, `unknown field "extra"`},
		"field in capitals": {`"column"`, `"Column"`, "not how this content is written"},
		"another model":     {`"model":"credit"`, `"model":"debit"`, `of model "debit"`},
		"another row":       {`"rows":[3,5`, `"rows":[3,4`, "but what it asks gives the id"},
		"another class":     {`"classes":["yes"`, `"classes":["YES"`, "but what it asks gives the id"},
		"no lifecycle":      {"lifecycle/credit/1", "", "lifecycle"},
		"row for no reason": {`"chosen":[8,13]`, `"chosen":[8]`, "representative or chosen"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			r := ask(t, s, classes(t, s))
			document := labelling.RequestName(model, testSet, r.ID)
			rewrite(t, s, document, c.old, c.with)
			for what, err := range readRequest(t, s, r) {
				require.ErrorIs(t, err, artifact.ErrCorrupt, what)
				require.ErrorContains(t, err, c.want, what)
				require.ErrorContains(t, err, document, what)
			}
		})
	}
}

func readRequest(t *testing.T, s artifact.Store, r labelling.Request) map[string]error {
	_, asked := labelling.Ask(t.Context(), s, r)
	_, found := labelling.Find(t.Context(), s, "", r.ID)
	_, listed := labelling.List(t.Context(), s, "")
	_, submitted := labelling.Submit(t.Context(), s, r, nil, "ben", noon)
	return map[string]error{"ask": asked, "find": found, "list": listed, "submit": submitted}
}

func TestLabelsThatCannotBeAreCorrupt(t *testing.T) {
	for name, c := range map[string]struct{ old, with, want string }{
		"another format":     {"assay/labels/v1", "assay/labels/v2", `format "assay/labels/v2"`},
		"unknown field":      {`"value"`, `"extra":1,"value"`, `unknown field "extra"`},
		"another model":      {`"model":"credit"`, `"model":"debit"`, `of model "debit"`},
		"another test set":   {testSet.String(), artifact.Sum(nil).String(), "expected " + testSet.String()},
		"no column":          {"repaid", "", `column ""`},
		"rows not sorted":    {`"row":3`, `"row":6`, "row 5 at place 2"},
		"a row twice":        {`"row":3`, `"row":5`, "row 5 at place 2"},
		"row 0":              {`"row":3`, `"row":0`, "row 0 at place 1"},
		"no value":           {`"value":"yes"`, `"value":""`, "row 3: label"},
		"nobody":             {`"by":"ben"`, `"by":""`, "row 3: person"},
		"no time":            {`"time":"2026-03-01T12:00:00.123456789Z"`, `"time":"0001-01-01T00:00:00Z"`, "row 3: time"},
		"request that is no": {`"request":"`, `"request":"x`, "row 3: request"},
		"no labels":          {`"labels":[`, `"labels":[],"Labels":[`, "not how this content is written"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			r := ask(t, s, classes(t, s))
			submit(t, s, r, answer(3, "yes"), answer(5, "no"))
			document := labelling.AnswersName(model, testSet)
			rewrite(t, s, document, c.old, c.with)
			for what, err := range readLabels(t, s, r) {
				require.ErrorIs(t, err, artifact.ErrCorrupt, what)
				require.ErrorContains(t, err, c.want, what)
				require.ErrorContains(t, err, document, what)
			}
		})
	}
}

func readLabels(t *testing.T, s artifact.Store, r labelling.Request) map[string]error {
	_, _, read := labelling.Answers(t.Context(), s, model, testSet)
	_, listed := labelling.List(t.Context(), s, model)
	_, submitted := labelling.Submit(t.Context(), s, r, nil, "ben", noon)
	return map[string]error{"answers": read, "list": listed, "submit": submitted}
}

func TestEveryDamageIsCorrupt(t *testing.T) {
	s := openStore(t)
	r := ask(t, s, classes(t, s))
	submit(t, s, r, answer(3, "yes"), answer(5, "no"))
	for document, calls := range map[string]func(*testing.T, artifact.Store, labelling.Request) map[string]error{
		labelling.RequestName(model, testSet, r.ID): readRequest,
		labelling.AnswersName(model, testSet):       readLabels,
	} {
		path := filepath.Join(s.String(), document)
		good, err := os.ReadFile(path)
		require.NoError(t, err)
		rapid.Check(t, func(rt *rapid.T) {
			bad := append([]byte(nil), good...)
			at := rapid.IntRange(0, len(good)-1).Draw(rt, "at")
			if rapid.Bool().Draw(rt, "cut") {
				bad = bad[:at]
			} else {
				bad[at] ^= rapid.ByteRange(1, 255).Draw(rt, "bits")
			}
			require.NoError(rt, os.WriteFile(path, bad, 0o644))
			for what, err := range calls(t, s, r) {
				require.ErrorIs(rt, err, artifact.ErrCorrupt, what)
			}
		})
		require.NoError(t, os.WriteFile(path, good, 0o644))
	}
}
