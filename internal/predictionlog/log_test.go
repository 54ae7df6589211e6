package predictionlog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/predictionlog"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// quiet are options under which nothing is sealed until a test asks for it.
func quiet() predictionlog.Options {
	return predictionlog.Options{MaxAge: time.Hour, SyncEvery: time.Hour, Clock: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler)}
}

func newStore(t *testing.T) *artifact.Dir {
	t.Helper()
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	return store
}

func openWriter(t *testing.T, store artifact.Store, spool string, opt predictionlog.Options) *predictionlog.Writer {
	t.Helper()
	w, err := predictionlog.OpenWriter(store, spool, "credit", opt)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.Close(context.Background()) })
	return w
}

func record(id string) predictionlog.Record {
	score := 0.25
	return predictionlog.Record{
		Time: noon, ID: id, Key: "k", Version: 3, Role: predictionlog.Champion, Status: 200,
		Features: map[string]any{"age": 39.0, "sex": "Female", "income": nil}, Score: &score, LatencyMicros: 120,
	}
}

func readIDs(t *testing.T, store artifact.Store, since, until time.Time) []string {
	t.Helper()
	ids := []string{}
	require.NoError(t, predictionlog.Read(t.Context(), store, "credit", since, until, func(r predictionlog.Record) error {
		ids = append(ids, r.ID)
		return nil
	}))
	return ids
}

func spoolFiles(t *testing.T, spool string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(spool, "*", "*", "*.jsonl"))
	require.NoError(t, err)
	return files
}

func TestRecordsComeBackAsTheyWereWritten(t *testing.T) {
	store, spool := newStore(t), t.TempDir()
	w := openWriter(t, store, spool, quiet())
	failed := predictionlog.Record{Time: noon, ID: "b", Key: "k2", Version: 4, Role: predictionlog.Candidate, Status: 500, Error: `a "quoted" <error>`}
	require.NoError(t, w.Append(record("a"), failed))
	require.Empty(t, readIDs(t, store, time.Time{}, time.Time{}), "open segments are not read")

	require.NoError(t, w.Flush(t.Context()))
	var got []predictionlog.Record
	require.NoError(t, predictionlog.Read(t.Context(), store, "credit", time.Time{}, time.Time{}, func(r predictionlog.Record) error {
		got = append(got, r)
		return nil
	}))
	require.Empty(t, cmp.Diff([]predictionlog.Record{record("a"), failed}, got))
	require.Empty(t, spoolFiles(t, spool), "what is sealed leaves the spool")

	days, err := store.Folders(t.Context(), "predictions/credit")
	require.NoError(t, err)
	require.Equal(t, []string{"2026-03-14"}, days)
}

func TestReadTakesWhatLiesInTheInterval(t *testing.T) {
	store := newStore(t)
	var clock atomic.Pointer[time.Time]
	clock.Store(&noon)
	opt := quiet()
	opt.Clock = func() time.Time { return *clock.Load() }
	w := openWriter(t, store, t.TempDir(), opt)
	at := func(id string, sent, logged time.Time) {
		clock.Store(&logged)
		r := record(id)
		r.Time = sent
		require.NoError(t, w.Append(r))
	}
	midnight := noon.Truncate(24*time.Hour).AddDate(0, 0, 1)
	at("noon", noon, noon)
	at("sent before midnight, logged after", midnight.Add(-time.Millisecond), midnight.Add(time.Millisecond))
	at("midnight", midnight, midnight.Add(2*time.Millisecond))
	at("a week later", midnight.AddDate(0, 0, 7), midnight.AddDate(0, 0, 7))
	require.NoError(t, w.Flush(t.Context()))

	for _, c := range []struct {
		name         string
		since, until time.Time
		want         []string
	}{
		{"open at both ends", time.Time{}, time.Time{}, []string{"noon", "sent before midnight, logged after", "midnight", "a week later"}},
		{"since is included", midnight, time.Time{}, []string{"midnight", "a week later"}},
		{"until is excluded", time.Time{}, midnight, []string{"noon", "sent before midnight, logged after"}},
		{"one day", noon, midnight, []string{"noon", "sent before midnight, logged after"}},
		{"sent on the day, logged on the next", noon, midnight.Add(-time.Microsecond), []string{"noon", "sent before midnight, logged after"}},
		{"nothing", midnight.AddDate(0, 0, 8), time.Time{}, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, readIDs(t, store, c.since, c.until)) })
	}
}

func TestReadEndsWithTheCallersError(t *testing.T) {
	store := newStore(t)
	w := openWriter(t, store, t.TempDir(), quiet())
	require.NoError(t, w.Append(record("a"), record("b")))
	require.NoError(t, w.Flush(t.Context()))
	enough, calls := errors.New("enough"), 0
	err := predictionlog.Read(t.Context(), store, "credit", time.Time{}, time.Time{}, func(predictionlog.Record) error { calls++; return enough })
	require.Equal(t, enough, err)
	require.Equal(t, 1, calls)
}

func TestAModelWithoutRecordsIsEmpty(t *testing.T) {
	require.Empty(t, readIDs(t, newStore(t), time.Time{}, time.Time{}))
}

func TestReadNamesASegmentThatWasChanged(t *testing.T) {
	store := newStore(t)
	_, err := store.PutIfAbsent(t.Context(), "predictions/credit/2026-03-14/x.jsonl", []byte("{\"id\":\"a\"}\n{\"id\":"))
	require.NoError(t, err)
	err = predictionlog.Read(t.Context(), store, "credit", time.Time{}, time.Time{}, func(predictionlog.Record) error { return nil })
	require.ErrorContains(t, err, "predictions/credit/2026-03-14/x.jsonl: line 2")
}

func TestSegmentsAreSealedBySizeAndByAge(t *testing.T) {
	t.Run("size", func(t *testing.T) {
		store, opt := newStore(t), quiet()
		opt.MaxBytes = 1
		var sealed atomic.Int32
		opt.OnSeal = func() { sealed.Add(1) }
		w := openWriter(t, store, t.TempDir(), opt)
		require.NoError(t, w.Append(record("a")))
		require.NoError(t, w.Append(record("b")))
		require.Eventually(t, func() bool { return sealed.Load() == 2 }, 10*time.Second, time.Millisecond)
		require.ElementsMatch(t, []string{"a", "b"}, readIDs(t, store, time.Time{}, time.Time{}))
	})
	t.Run("age", func(t *testing.T) {
		store, opt := newStore(t), quiet()
		opt.MaxAge, opt.Clock = time.Millisecond, time.Now
		w := openWriter(t, store, t.TempDir(), opt)
		require.NoError(t, w.Append(record("a")))
		require.Eventually(t, func() bool { return len(readIDs(t, store, time.Time{}, time.Time{})) == 1 }, 10*time.Second, time.Millisecond)
	})
}

func TestLeftoversOfTheDeadAreSealedWithoutTheirTornLine(t *testing.T) {
	for _, c := range []struct {
		name, content string
		want          []string
	}{
		{"whole", `{"id":"a"}` + "\n" + `{"id":"b"}` + "\n", []string{"a", "b"}},
		{"torn last line", `{"id":"a"}` + "\n" + `{"id":"b`, []string{"a"}},
		{"a last line that only lacks its end", `{"id":"a"}` + "\n" + `{"id":"b"}`, []string{"a"}},
		{"zeros after a loss of power", `{"id":"a"}` + "\n\x00\x00\x00", []string{"a"}},
		{"only a torn line", `{"id":`, []string{}},
		{"empty", "", []string{}},
	} {
		open := map[string]func(store artifact.Store, spool string) error{
			"OpenWriter": func(store artifact.Store, spool string) error {
				w, err := predictionlog.OpenWriter(store, spool, "credit", quiet())
				return errors.Join(err, w.Close(context.Background()))
			},
			"Recover": func(store artifact.Store, spool string) error {
				return predictionlog.Recover(context.Background(), store, spool)
			},
		}
		for by, open := range open {
			t.Run(c.name+"/"+by, func(t *testing.T) {
				store, spool := newStore(t), t.TempDir()
				leftover(t, spool, c.content)
				require.NoError(t, open(store, spool))
				require.Equal(t, c.want, readIDs(t, store, time.Time{}, time.Time{}))
				require.Empty(t, spoolFiles(t, spool))
			})
		}
	}
}

const leftoverName = "2026-03-13-235959000000000-0123456789ab.jsonl"

func leftover(t *testing.T, spool, content string) string {
	t.Helper()
	path := filepath.Join(spool, "predictions", "credit", leftoverName)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestASegmentSealedJustBeforeDeathIsNotSealedTwice(t *testing.T) {
	store, spool := newStore(t), t.TempDir()
	leftover(t, spool, `{"id":"a"}`+"\n")
	require.NoError(t, predictionlog.Recover(t.Context(), store, spool))
	leftover(t, spool, `{"id":"a"}`+"\n")
	require.NoError(t, predictionlog.Recover(t.Context(), store, spool))
	require.Equal(t, []string{"a"}, readIDs(t, store, time.Time{}, time.Time{}))
	require.Empty(t, spoolFiles(t, spool))

	path := leftover(t, spool, `{"id":"other"}`+"\n")
	require.ErrorContains(t, predictionlog.Recover(t.Context(), store, spool), "holds other bytes under that name")
	require.FileExists(t, path, "evidence is not thrown away")
}

func TestWritersShareASpool(t *testing.T) {
	store, spool := newStore(t), t.TempDir()
	first := openWriter(t, store, spool, quiet())
	require.NoError(t, first.Append(record("a")))
	second := openWriter(t, store, spool, quiet())
	require.NoError(t, second.Append(record("b")))
	require.NoError(t, predictionlog.Recover(t.Context(), store, spool))
	require.NoError(t, second.Flush(t.Context()))
	require.Equal(t, []string{"b"}, readIDs(t, store, time.Time{}, time.Time{}), "the first writer lives: its segment is its own")

	require.NoError(t, first.Append(record("c")))
	require.NoError(t, first.Flush(t.Context()))
	require.ElementsMatch(t, []string{"a", "b", "c"}, readIDs(t, store, time.Time{}, time.Time{}))
}

// away is a store that cannot be written while down is true.
type away struct {
	artifact.Store
	down atomic.Bool
}

func (a *away) PutIfAbsent(ctx context.Context, name string, data []byte) (artifact.Version, error) {
	if a.down.Load() {
		return "", errors.New("the store is away")
	}
	return a.Store.PutIfAbsent(ctx, name, data)
}

func TestRecordsWaitInTheSpoolWhileTheStoreIsAway(t *testing.T) {
	store, spool := &away{Store: newStore(t)}, t.TempDir()
	store.down.Store(true)
	opt := quiet()
	opt.MaxBytes = 1
	w := openWriter(t, store, spool, opt)
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprint(i))
		require.NoError(t, w.Append(record(want[i])))
	}
	require.ErrorContains(t, w.Flush(t.Context()), "the store is away")
	require.LessOrEqual(t, len(spoolFiles(t, spool)), 17, "open files stay bounded")
	require.ErrorContains(t, w.Close(t.Context()), "the store is away")
	require.ErrorIs(t, w.Append(record("late")), predictionlog.ErrClosed)

	store.down.Store(false)
	require.NoError(t, predictionlog.Recover(t.Context(), store, spool))
	require.ElementsMatch(t, want, readIDs(t, store, time.Time{}, time.Time{}))
}

func TestConcurrentAppendsAllArrive(t *testing.T) {
	store, opt := newStore(t), quiet()
	opt.MaxBytes, opt.MaxAge, opt.SyncEvery, opt.Clock = 4096, time.Millisecond, time.Millisecond, time.Now
	w := openWriter(t, store, t.TempDir(), opt)
	var wg sync.WaitGroup
	want := make([]string, 400)
	for i := range want {
		want[i] = fmt.Sprint(i)
	}
	for part := range 4 {
		wg.Go(func() {
			for i := part; i < len(want); i += 4 {
				if err := w.Append(record(want[i])); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, w.Flush(t.Context()))
	require.ElementsMatch(t, want, readIDs(t, store, time.Time{}, time.Time{}))
}

func TestAnUnusableSpoolIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := predictionlog.OpenWriter(newStore(t), file, "credit", quiet())
	require.ErrorContains(t, err, file)
	require.ErrorContains(t, err, "expected a folder on a local disk that this process can write to")
	_, err = predictionlog.OpenWriter(newStore(t), t.TempDir(), "../credit", quiet())
	require.ErrorContains(t, err, `model "../credit": expected a name`)
}

func TestAReadOnlySpoolIsNamed(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("the superuser may write to read-only folders")
	}
	spool := t.TempDir()
	require.NoError(t, os.Chmod(spool, 0o500))
	_, err := predictionlog.OpenWriter(newStore(t), spool, "credit", quiet())
	require.ErrorContains(t, err, "permission denied")
}

func TestLabels(t *testing.T) {
	store, spool := newStore(t), t.TempDir()
	w, err := predictionlog.OpenLabelWriter(store, spool, "credit", quiet())
	require.NoError(t, err)
	want := []predictionlog.Label{{Time: noon, ID: "a", Label: "yes"}, {Time: noon, ID: "b", Label: "no"}}
	require.NoError(t, w.Append(want...))
	require.NoError(t, w.Append())
	require.NoError(t, w.Close(t.Context()))
	var got []predictionlog.Label
	require.NoError(t, predictionlog.ReadLabels(t.Context(), store, "credit", noon, noon.Add(1), func(l predictionlog.Label) error {
		got = append(got, l)
		return nil
	}))
	require.Equal(t, want, got)
}

func TestCount(t *testing.T) {
	store := newStore(t)
	w := openWriter(t, store, t.TempDir(), quiet())
	add := func(version, status int, latency int64, at time.Time) {
		require.NoError(t, w.Append(predictionlog.Record{Time: at, Version: version, Status: status, LatencyMicros: latency}))
	}
	add(3, 200, 100, noon.Add(-time.Second)) // too early
	add(3, 200, 100, noon)
	add(3, 200, 200, noon)
	add(3, 500, 9e6, noon) // failures do not count towards latency
	add(4, 500, 100, noon)
	require.NoError(t, w.Flush(t.Context()))
	for _, c := range []struct {
		version          int
		requests, errors int64
		mean             time.Duration
	}{{3, 3, 1, 150 * time.Microsecond}, {4, 1, 1, 0}, {5, 0, 0, 0}} {
		requests, errs, mean, err := predictionlog.Count(t.Context(), store, "credit", c.version, noon)
		require.NoError(t, err)
		require.Equal(t, c.requests, requests)
		require.Equal(t, c.errors, errs)
		require.Equal(t, c.mean, mean)
	}
}

func TestSegmentsFromBeforeOtherTasksAreRead(t *testing.T) {
	store := newStore(t)
	old := `{"time":"2026-03-14T12:00:00Z","id":"a","key":"k","version":3,"role":"champion","status":200,"features":{"age":39,"income":null,"sex":"Female"},"score":0.25,"latency_us":120}` + "\n"
	_, err := store.PutIfAbsent(t.Context(), "predictions/credit/2026-03-14/120000000000000-0123456789ab.jsonl", []byte(old))
	require.NoError(t, err)
	var got []predictionlog.Record
	require.NoError(t, predictionlog.Read(t.Context(), store, "credit", time.Time{}, time.Time{}, func(r predictionlog.Record) error {
		got = append(got, r)
		return nil
	}))
	require.Empty(t, cmp.Diff([]predictionlog.Record{record("a")}, got))
}

func TestPredictionsOfOtherTasksComeBack(t *testing.T) {
	store, spool := newStore(t), t.TempDir()
	w := openWriter(t, store, spool, quiet())
	number, share := -1234.5, 0.75
	regression, multiclass := record("b"), record("c")
	regression.Score = &number
	multiclass.Score, multiclass.Class = &share, "<c> & d"
	require.NoError(t, w.Append(record("a"), regression, multiclass))
	open, err := os.ReadFile(spoolFiles(t, spool)[0])
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(open), `"class"`), "only a multiclass record has one")
	require.NoError(t, w.Flush(t.Context()))
	var got []predictionlog.Record
	require.NoError(t, predictionlog.Read(t.Context(), store, "credit", time.Time{}, time.Time{}, func(r predictionlog.Record) error {
		got = append(got, r)
		return nil
	}))
	require.Empty(t, cmp.Diff([]predictionlog.Record{record("a"), regression, multiclass}, got))
}
