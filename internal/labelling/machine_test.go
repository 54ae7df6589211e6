package labelling_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/labelling"
)

// machine labels a test set, and keeps beside it what the package says in words: requests, and one label a row.
type machine struct {
	t        *testing.T
	store    artifact.Store
	sample   labelling.Request // a request to be changed
	requests map[string]labelling.Request
	order    []string
	labels   map[int64]string
	refused  map[string]int
}

func (m *machine) ask(t *rapid.T) {
	r := m.sample
	rows := rapid.SliceOfNDistinct(rapid.Int64Range(1, 8), 1, 5, rapid.ID[int64]).Draw(t, "rows")
	r.Rows = nil
	for row := int64(1); row <= 8; row++ {
		for _, drawn := range rows {
			if drawn == row {
				r.Rows = append(r.Rows, row)
			}
		}
	}
	r.Representative, r.Chosen = nil, r.Rows
	r.Created = noon.AddDate(0, 0, len(m.order))
	standing, err := labelling.Ask(m.t.Context(), m.store, r)
	require.NoError(t, err)
	if first, known := m.requests[standing.ID]; known {
		require.Equal(t, first, standing)
		return
	}
	require.Equal(t, r.Rows, standing.Rows)
	m.requests[standing.ID] = standing
	m.order = append(m.order, standing.ID)
}

func (m *machine) submit(t *rapid.T) {
	if len(m.order) == 0 {
		return
	}
	r := m.requests[rapid.SampledFrom(m.order).Draw(t, "request")]
	var given []labelling.Answer
	for range rapid.IntRange(0, 4).Draw(t, "answers") {
		row := rapid.SampledFrom(r.Rows).Draw(t, "row")
		if rapid.IntRange(0, 9).Draw(t, "stray") == 0 {
			row = 9
		}
		given = append(given, answer(row, rapid.SampledFrom([]string{"yes", "yes", "yes", "yes", "yes", "no", "perhaps"}).Draw(t, "label")))
	}
	next, verdict := m.expect(given)
	p, err := labelling.Submit(m.t.Context(), m.store, r, given, "ben", noon)
	m.refused[verdict]++
	switch verdict {
	case "refused":
		require.ErrorAs(t, err, new(*labelling.RefusedError))
	case "conflict":
		require.ErrorAs(t, err, new(*labelling.ConflictError))
	default:
		require.NoError(t, err)
		want := labelling.Progress{New: len(next) - len(m.labels)}
		for _, row := range r.Rows {
			if next[row] != "" {
				want.Given++
			} else {
				want.Missing++
			}
		}
		require.Equal(t, want, p)
		m.labels = next
	}
}

// expect gives the labels after a submission, and what it comes to.
func (m *machine) expect(given []labelling.Answer) (map[int64]string, string) {
	file, next, verdict := map[int64]string{}, map[int64]string{}, "kept"
	for row, label := range m.labels {
		next[row] = label
	}
	for _, a := range given {
		if a.Row == 9 || a.Label == "perhaps" || file[a.Row] != "" && file[a.Row] != a.Label {
			return nil, "refused"
		}
		file[a.Row] = a.Label
		if m.labels[a.Row] != "" && m.labels[a.Row] != a.Label {
			verdict = "conflict"
		}
		next[a.Row] = a.Label
	}
	return next, verdict
}

func (m *machine) check(t *rapid.T) {
	labels, version, err := labelling.Answers(m.t.Context(), m.store, m.sample.Model, testSet)
	require.NoError(t, err)
	require.Equal(t, len(m.labels) == 0, version == "")
	require.Len(t, labels, len(m.labels))
	for row, label := range labels {
		require.Equal(t, m.labels[row], label.Value)
		require.Contains(t, m.requests[label.Request].Rows, row, "a label names a request that asks for its row")
	}
}

func (m *machine) find(t *rapid.T) {
	if len(m.order) == 0 {
		return
	}
	id := rapid.SampledFrom(m.order).Draw(t, "request")
	r, err := labelling.Find(m.t.Context(), m.store, m.sample.Model, id)
	require.NoError(t, err)
	require.Equal(t, m.requests[id], r)
}

func TestLabellingDoesWhatItSays(t *testing.T) {
	s := openStore(t)
	models := 0
	refused := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		models++ // a model of its own for every run: equal draws must meet equal labels
		m := &machine{t: t, store: s, sample: classes(t, s), requests: map[string]labelling.Request{}, labels: map[int64]string{}, refused: refused}
		m.sample.Model = fmt.Sprint("credit-", models)
		rt.Repeat(map[string]func(*rapid.T){"ask": m.ask, "submit": m.submit, "submit too": m.submit, "find": m.find, "": m.check})
	})
	for _, verdict := range []string{"kept", "refused", "conflict"} {
		require.Positive(t, refused[verdict], "no submission was %s: the test shows nothing of it", verdict)
	}
}
