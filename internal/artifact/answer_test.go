package artifact_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
)

// trained is an answer that points at a blob.
type trained struct {
	Model   artifact.Ref `json:"model"`
	Attempt int          `json:"attempt"`
}

func (t trained) Refs() []artifact.Ref { return []artifact.Ref{t.Model, {}} }

func key(t *testing.T, params any) artifact.StageKey {
	t.Helper()
	k, err := artifact.NewStageKey("train", 1, params)
	require.NoError(t, err)
	return k
}

func TestStageKeyDependsOnContentAndNotOnSpelling(t *testing.T) {
	type params struct {
		L2   float64 `json:"l2"`
		Data string  `json:"data"`
	}
	k := key(t, params{L2: 1.5, Data: "d"})
	require.Equal(t, k, key(t, map[string]any{"data": "d", "l2": 1.5}), "a map with the same fields")
	require.Equal(t, k, key(t, json.RawMessage(`{ "data": "d",  "l2": 1.5 }`)), "white space")
	require.True(t, strings.HasPrefix(k.Name(), "cache/train/") && strings.HasSuffix(k.Name(), ".json"), k.Name())

	other, err := artifact.NewStageKey("train", 2, params{L2: 1.5, Data: "d"})
	require.NoError(t, err)
	require.NotEqual(t, k, other, "another version of the stage")
	require.NotEqual(t, k, key(t, params{L2: 1.6, Data: "d"}))
	require.NotEqual(t, key(t, int64(1)<<60), key(t, int64(1)<<60+1), "large integers stay apart")

	_, err = artifact.NewStageKey("Train/../x", 1, nil)
	require.ErrorContains(t, err, "lower-case letters")
	_, err = artifact.NewStageKey("train", 1, math.NaN())
	require.ErrorContains(t, err, "NaN")
}

func TestLookupFindsWhatWasPublished(t *testing.T) {
	d := openDir(t)
	k := key(t, "inputs")
	var got trained
	found, err := artifact.Lookup(t.Context(), d, k, &got)
	require.NoError(t, err)
	require.False(t, found)

	model, err := artifact.PutJSON(t.Context(), d, artifact.MediaModel, "a model")
	require.NoError(t, err)
	first, err := artifact.Publish(t.Context(), d, k, trained{Model: model, Attempt: 1})
	require.NoError(t, err)
	require.Equal(t, 1, first.Attempt)

	second, err := artifact.Publish(t.Context(), d, k, trained{Model: model, Attempt: 2})
	require.NoError(t, err)
	require.Equal(t, first, second, "the first one wins")
	found, err = artifact.Lookup(t.Context(), d, k, &got)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, first, got)
}

func TestAnswerWithoutItsBlobsIsDoneAgain(t *testing.T) {
	d := openDir(t)
	k := key(t, "inputs")
	model, err := artifact.PutJSON(t.Context(), d, artifact.MediaModel, "a model")
	require.NoError(t, err)
	_, err = artifact.Publish(t.Context(), d, k, trained{Model: model, Attempt: 1})
	require.NoError(t, err)
	require.NoError(t, os.Remove(blobFile(d.String(), model.Digest)))

	got := trained{Attempt: 99}
	found, err := artifact.Lookup(t.Context(), d, k, &got)
	require.NoError(t, err)
	require.False(t, found)
	require.Equal(t, 99, got.Attempt, "a miss leaves the value alone")

	model, err = artifact.PutJSON(t.Context(), d, artifact.MediaModel, "another model")
	require.NoError(t, err)
	again, err := artifact.Publish(t.Context(), d, k, trained{Model: model, Attempt: 2})
	require.NoError(t, err)
	require.Equal(t, 2, again.Attempt)
	found, err = artifact.Lookup(t.Context(), d, k, &got)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, again, got)
}

func TestAttemptsThatRaceAgreeOnOneAnswer(t *testing.T) {
	d := openDir(t)
	k := key(t, "inputs")
	const attempts = 8
	answers := make([]int, attempts)
	var wg sync.WaitGroup
	for i := range attempts {
		wg.Go(func() {
			answer, err := artifact.Publish(t.Context(), d, k, i+1)
			if err == nil {
				answers[i] = answer
			}
		})
	}
	wg.Wait()
	for _, a := range answers {
		require.NotZero(t, a)
		require.Equal(t, answers[0], a)
	}
}

func TestDamagedAnswerIsAnErrorThatNamesIt(t *testing.T) {
	d := openDir(t)
	k := key(t, "inputs")
	_, err := artifact.Publish(t.Context(), d, k, map[string]int{"rows": 1000})
	require.NoError(t, err)
	path := filepath.Join(d.String(), k.Name())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(data), "1000", "1001", 1)), 0o644))

	var got map[string]int
	_, err = artifact.Lookup(t.Context(), d, k, &got)
	require.ErrorIs(t, err, artifact.ErrCorrupt)
	require.ErrorContains(t, err, k.Name())
}

func TestEncodeJSONIsStableAndPlain(t *testing.T) {
	b, err := artifact.EncodeJSON(map[string]any{"b": "a < b & c", "a": artifact.Digest{}})
	require.NoError(t, err)
	require.Equal(t, `{"a":"","b":"a < b & c"}`+"\n", string(b))

	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOf(rapid.String(), rapid.Float64Range(-1e9, 1e9)).Draw(t, "v")
		first, err := artifact.EncodeJSON(v)
		require.NoError(t, err)
		var back map[string]float64
		require.NoError(t, json.Unmarshal(first, &back))
		second, err := artifact.EncodeJSON(back)
		require.NoError(t, err)
		require.Equal(t, first, second)
	})
}

func TestReadJSONNamesWhatItCouldNotRead(t *testing.T) {
	d := openDir(t)
	ref, err := d.Put(t.Context(), strings.NewReader(`{"rows": "many"}`), artifact.MediaJSON)
	require.NoError(t, err)
	var v struct{ Rows int }
	require.ErrorContains(t, artifact.ReadJSON(t.Context(), d, ref, &v), ref.Digest.String())

	_, err = d.PutIfAbsent(t.Context(), "models/m/champion.json", []byte("{"))
	require.NoError(t, err)
	_, err = artifact.GetJSON(t.Context(), d, "models/m/champion.json", &v)
	require.ErrorContains(t, err, "models/m/champion.json")
}

func TestDigest(t *testing.T) {
	d := artifact.Sum(nil)
	require.Equal(t, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", d.String())
	parsed, err := artifact.ParseDigest(d.String())
	require.NoError(t, err)
	require.Equal(t, d, parsed)
	for _, bad := range []string{"", "sha256:", strings.ToUpper(d.String()), "md5:" + d.Hex(), d.String() + "0", "sha256:" + strings.Repeat("g", 64)} {
		_, err := artifact.ParseDigest(bad)
		require.ErrorContains(t, err, "expected sha256:", "%q", bad)
	}
}
