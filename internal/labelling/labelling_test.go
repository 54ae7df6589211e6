package labelling_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/labelling"
)

const model = "credit"

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	testSet = artifact.Sum([]byte("test set"))
)

func openStore(t *testing.T) *artifact.Dir {
	t.Helper()
	d, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	return d
}

// classes asks whether applications 3, 5, 8 and 13 were repaid; the sheet is stored.
func classes(t *testing.T, s artifact.Store) labelling.Request {
	t.Helper()
	sheet, err := s.Put(t.Context(), strings.NewReader("row,age\n3,20\n5,30\n8,40\n13,50\n"), "text/csv")
	require.NoError(t, err)
	return labelling.Request{
		Model: model, Lifecycle: "lifecycle/credit/1", TestSet: testSet, Column: "repaid", Classes: []string{"yes", "no"},
		Rows: []int64{3, 5, 8, 13}, Representative: []int64{3, 5, 8}, Chosen: []int64{8, 13},
		Sheet: sheet, Created: noon, Reason: "Candidate and champion differ on 2 rows.",
	}
}

func numbers(t *testing.T, s artifact.Store) labelling.Request {
	r := classes(t, s)
	r.Classes, r.Numeric, r.Column = nil, true, "price"
	return r
}

func ask(t *testing.T, s artifact.Store, r labelling.Request) labelling.Request {
	t.Helper()
	standing, err := labelling.Ask(t.Context(), s, r)
	require.NoError(t, err)
	return standing
}

func submit(t *testing.T, s artifact.Store, r labelling.Request, given ...labelling.Answer) labelling.Progress {
	t.Helper()
	p, err := labelling.Submit(t.Context(), s, r, given, "ben", noon)
	require.NoError(t, err)
	return p
}

func answer(row int64, label string) labelling.Answer {
	return labelling.Answer{Row: row, Label: label, Line: int(row) * 10}
}

func values(t *testing.T, s artifact.Store) map[int64]string {
	t.Helper()
	labels, _, err := labelling.Answers(t.Context(), s, model, testSet)
	require.NoError(t, err)
	values := map[int64]string{}
	for row, label := range labels {
		require.Equal(t, row, label.Row)
		values[row] = label.Value
	}
	return values
}

func TestRequestIsKeptOnce(t *testing.T) {
	s := openStore(t)
	want := classes(t, s)
	want.Created = noon.In(time.FixedZone("CET", 3600))
	first := ask(t, s, want)
	require.Regexp(t, "^[0-9a-f]{16}$", first.ID)
	want.Created, want.ID, want.Format = noon, first.ID, "assay/label-request/v1"
	require.Equal(t, want, first)
	again := classes(t, s)
	again.Lifecycle, again.Created, again.Reason, again.Chosen = "lifecycle/credit/2", noon.Add(time.Hour), "Again.", again.Rows
	require.Equal(t, first, ask(t, s, again), "the one that stands")
	require.Equal(t, first, ask(t, s, first), "with its id")
	found, err := labelling.Find(t.Context(), s, model, first.ID)
	require.NoError(t, err)
	require.Equal(t, first, found)
	documents, err := s.List(t.Context(), "labels")
	require.NoError(t, err)
	require.Equal(t, []string{"labels/requests/credit/" + testSet.Hex() + "/" + first.ID + ".json"}, documents)
}

func TestIDNamesWhatIsAsked(t *testing.T) {
	s := openStore(t)
	base := ask(t, s, classes(t, s))
	require.Equal(t, "208fbf7951543e04", base.ID, "an id of an earlier release must stay what it is")
	ids := map[string]string{base.ID: "the first"}
	for name, change := range map[string]func(*labelling.Request){
		"model":    func(r *labelling.Request) { r.Model = "debit" },
		"test set": func(r *labelling.Request) { r.TestSet = artifact.Sum([]byte("another")) },
		"column":   func(r *labelling.Request) { r.Column = "late" },
		"classes":  func(r *labelling.Request) { r.Classes = []string{"yes", "no", "partly"} },
		"numeric":  func(r *labelling.Request) { r.Classes, r.Numeric = nil, true },
		"rows":     func(r *labelling.Request) { r.Rows, r.Representative, r.Chosen = r.Rows[:3], r.Rows[:3], nil },
	} {
		r := classes(t, s)
		change(&r)
		id := ask(t, s, r).ID
		require.NotContains(t, ids, id, "%s and %s", name, ids[id])
		ids[id] = name
	}
}

func TestConcurrentRequestsForTheSameAreOne(t *testing.T) {
	const askers = 8
	s := openStore(t)
	standing := make([]labelling.Request, askers)
	errs := make([]error, askers)
	var wg sync.WaitGroup
	for i := range askers {
		r := classes(t, s)
		r.Lifecycle = fmt.Sprint("lifecycle/credit/", i)
		wg.Go(func() { standing[i], errs[i] = labelling.Ask(t.Context(), s, r) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	for _, r := range standing {
		require.Equal(t, standing[0], r)
	}
}

func TestLabelsAreGivenInParts(t *testing.T) {
	s := openStore(t)
	r := ask(t, s, classes(t, s))
	require.Empty(t, values(t, s))
	_, version, err := labelling.Answers(t.Context(), s, model, testSet)
	require.NoError(t, err)
	require.Empty(t, version)
	require.Equal(t, labelling.Progress{Missing: 4}, submit(t, s, r))

	require.Equal(t, labelling.Progress{Given: 2, New: 2, Missing: 2}, submit(t, s, r, answer(13, "no"), answer(5, "yes")))
	_, first, err := labelling.Answers(t.Context(), s, model, testSet)
	require.NoError(t, err)
	require.NotEmpty(t, first)
	require.Equal(t, labelling.Progress{Given: 2, Missing: 2}, submit(t, s, r, answer(5, "yes")), "the same again")
	_, same, err := labelling.Answers(t.Context(), s, model, testSet)
	require.NoError(t, err)
	require.Equal(t, first, same)

	_, err = labelling.Submit(t.Context(), s, r, []labelling.Answer{answer(3, "no"), answer(5, "yes"), answer(8, "no"), answer(8, "no")}, "cid", noon.In(time.FixedZone("CET", 3600)))
	require.NoError(t, err)
	labels, version, err := labelling.Answers(t.Context(), s, model, testSet)
	require.NoError(t, err)
	require.NotEqual(t, first, version)
	require.Equal(t, map[int64]labelling.Label{
		3:  {Row: 3, Value: "no", By: "cid", Time: noon, Request: r.ID},
		5:  {Row: 5, Value: "yes", By: "ben", Time: noon, Request: r.ID},
		8:  {Row: 8, Value: "no", By: "cid", Time: noon, Request: r.ID},
		13: {Row: 13, Value: "no", By: "ben", Time: noon, Request: r.ID},
	}, labels)
}

func TestLabelsServeEveryRequest(t *testing.T) {
	s := openStore(t)
	first := ask(t, s, classes(t, s))
	submit(t, s, first, answer(5, "yes"), answer(8, "no"))
	second := classes(t, s)
	second.Rows, second.Representative, second.Chosen, second.Created = []int64{5, 21}, []int64{5}, []int64{21}, noon.Add(time.Hour)
	second = ask(t, s, second)
	all, err := labelling.List(t.Context(), s, "")
	require.NoError(t, err)
	require.Equal(t, []labelling.Status{{Request: first, Given: 2, Missing: 2}, {Request: second, Given: 1, Missing: 1}}, all)
	require.Equal(t, labelling.Progress{Given: 2, New: 1}, submit(t, s, second, answer(21, "no"), answer(5, "yes")))
	require.Equal(t, map[int64]string{5: "yes", 8: "no", 21: "no"}, values(t, s))
}

func TestNumbersAreComparedByValueAndKeptAsWritten(t *testing.T) {
	s := openStore(t)
	r := ask(t, s, numbers(t, s))
	submit(t, s, r, answer(3, " 1.50 "), answer(3, "1.5"), answer(5, "-1e3"), answer(8, "0"))
	require.Equal(t, labelling.Progress{Given: 3, Missing: 1}, submit(t, s, r, answer(3, "1.5"), answer(5, "-1000"), answer(8, "-0.0")))
	require.Equal(t, map[int64]string{3: "1.50", 5: "-1e3", 8: "0"}, values(t, s))
	_, err := labelling.Submit(t.Context(), s, r, []labelling.Answer{answer(3, "1.51")}, "ben", noon)
	require.ErrorAs(t, err, new(*labelling.ConflictError))
}

func TestBlanksAroundAClassDoNotMatter(t *testing.T) {
	s := openStore(t)
	r := classes(t, s)
	r.Classes = []string{" >50K", "<=50K", "x", " x"}
	r = ask(t, s, r)
	submit(t, s, r, answer(3, ">50K"), answer(5, "<=50K\t"), answer(8, " x"), answer(13, "x"))
	require.Equal(t, map[int64]string{3: " >50K", 5: "<=50K", 8: " x", 13: "x"}, values(t, s))
}

func TestListIsSortedAndByModel(t *testing.T) {
	s := openStore(t)
	none, err := labelling.List(t.Context(), s, "")
	require.NoError(t, err)
	require.Empty(t, none)
	for i, c := range []struct{ model, column string }{{"credit", "a"}, {"adult", "b"}, {"credit", "c"}} {
		r := classes(t, s)
		r.Model, r.Column, r.Created = c.model, c.column, noon.Add(-time.Duration(i)*time.Hour)
		ask(t, s, r)
	}
	for model, want := range map[string][]string{"": {"b", "c", "a"}, "credit": {"c", "a"}, "nothing": nil} {
		all, err := labelling.List(t.Context(), s, model)
		require.NoError(t, err)
		var columns []string
		for _, status := range all {
			require.Equal(t, 4, status.Missing)
			columns = append(columns, status.Request.Column)
		}
		require.Equal(t, want, columns, model)
	}
}

func TestRequestIsFoundByHowItsIDBegins(t *testing.T) {
	s := openStore(t)
	_, err := labelling.Find(t.Context(), s, "", "ab")
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, "no labels were asked for")

	var all []labelling.Request // 17 ids: two of them begin alike
	begins := map[string][]labelling.Request{}
	for i := range 17 {
		r := classes(t, s)
		r.Column = fmt.Sprint("column ", i)
		r = ask(t, s, r)
		all = append(all, r)
		begins[r.ID[:1]] = append(begins[r.ID[:1]], r)
	}
	for _, r := range all {
		found, err := labelling.Find(t.Context(), s, "", r.ID[:8])
		require.NoError(t, err)
		require.Equal(t, r, found)
	}
	ambiguous := 0
	for start, with := range begins {
		found, err := labelling.Find(t.Context(), s, model, start)
		if len(with) == 1 {
			require.NoError(t, err)
			require.Equal(t, with[0], found)
			continue
		}
		ambiguous++
		require.ErrorContains(t, err, fmt.Sprintf("%d ids begin so; expected one: there are", len(with)))
		require.ErrorContains(t, err, with[0].ID+" (model credit)")
	}
	require.Positive(t, ambiguous)
	_, err = labelling.Find(t.Context(), s, "debit", all[0].ID)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	_, err = labelling.Find(t.Context(), s, "", "0000000000000000")
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, "(model credit) and 7 more")
}

func TestConcurrentPeopleLoseNoLabel(t *testing.T) {
	const people, rows = 6, 60
	s := openStore(t)
	r := classes(t, s)
	r.Rows = nil
	for row := range int64(rows) {
		r.Rows = append(r.Rows, row+1)
	}
	r.Representative, r.Chosen = r.Rows, nil
	r = ask(t, s, r)
	errs := make([]error, people)
	added := make([]int, people)
	var wg sync.WaitGroup
	for i := range people { // everybody labels a third, so that every row is labelled by two
		wg.Go(func() {
			for from := i % 3 * 20; from < i%3*20+20; from += 5 {
				var given []labelling.Answer
				for _, row := range r.Rows[from : from+5] {
					given = append(given, answer(row, r.Classes[row%2]))
				}
				p, err := labelling.Submit(t.Context(), s, r, given, fmt.Sprint("person ", i), noon)
				errs[i] = errors.Join(errs[i], err)
				added[i] += p.New
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	total := 0
	for _, n := range added {
		total += n
	}
	require.Equal(t, rows, total, "each label is new once")
	kept := values(t, s)
	require.Len(t, kept, rows)
	for row, value := range kept {
		require.Equal(t, r.Classes[row%2], value)
	}
}

func TestOfTwoWhoDisagreeOneIsRefusedWhole(t *testing.T) {
	for range 10 {
		s := openStore(t)
		r := ask(t, s, classes(t, s))
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i, label := range r.Classes {
			wg.Go(func() {
				own := []int64{3, 5}[i]
				_, errs[i] = labelling.Submit(t.Context(), s, r, []labelling.Answer{answer(own, label), answer(13, label)}, "ben", noon)
			})
		}
		wg.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		require.NoError(t, errs[winner])
		require.ErrorAs(t, errs[1-winner], new(*labelling.ConflictError))
		require.Equal(t, map[int64]string{[]int64{3, 5}[winner]: r.Classes[winner], 13: r.Classes[winner]}, values(t, s))
	}
}
