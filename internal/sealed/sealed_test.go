package sealed_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/sealed"
)

const name = "ledgers/privacy/adult.json"

type account struct {
	Spent float64  `json:"spent"`
	Notes []string `json:"notes,omitempty"`
}

func positive(a account) error {
	if a.Spent < 0 {
		return fmt.Errorf("spent %v: expected 0 or more", a.Spent)
	}
	return nil
}

func open(t *testing.T) (*artifact.Dir, sealed.Document[account]) {
	t.Helper()
	s, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	return s, sealed.Document[account]{Store: s, Name: name, Check: positive}
}

func spend(amount float64) func(account, bool) (account, bool, error) {
	return func(a account, _ bool) (account, bool, error) {
		a.Spent += amount
		return a, amount != 0, nil
	}
}

func TestValueComesBackAsItWasPut(t *testing.T) {
	s, d := open(t)
	_, _, err := d.Get(t.Context())
	require.ErrorIs(t, err, artifact.ErrNotFound)
	want := account{0.5, []string{"<&>", "\u2028", "é"}}
	require.NoError(t, d.Create(t.Context(), want))
	got, version, err := d.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, stored, err := s.Get(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, stored, version)
	require.ErrorIs(t, d.Create(t.Context(), account{}), artifact.ErrExists)
}

func TestStoredFormIsTheDigestAndTheContent(t *testing.T) {
	s, d := open(t)
	require.NoError(t, d.Create(t.Context(), account{Spent: 1}))
	data, _, err := s.Get(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, `{"digest":"`+artifact.Sum([]byte(`{"spent":1}`)).String()+`","content":{"spent":1}}`+"\n", string(data))
}

func TestChangeCreatesReplacesAndLeavesAlone(t *testing.T) {
	s, d := open(t)
	require.NoError(t, d.Change(t.Context(), func(a account, found bool) (account, bool, error) {
		require.False(t, found)
		require.Zero(t, a)
		return a, false, nil
	}))
	_, _, err := s.Get(t.Context(), name)
	require.ErrorIs(t, err, artifact.ErrNotFound)

	require.NoError(t, d.Change(t.Context(), spend(1)))
	require.NoError(t, d.Change(t.Context(), spend(2)))
	require.NoError(t, d.Change(t.Context(), spend(0)))
	refused := errors.New("refused")
	require.ErrorIs(t, d.Change(t.Context(), func(a account, found bool) (account, bool, error) {
		require.True(t, found)
		return account{Spent: 100}, true, refused
	}), refused)
	got, _, err := d.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, account{Spent: 3}, got)
}

func TestLosingARaceChangesTheNewerValue(t *testing.T) {
	_, d := open(t)
	calls := 0
	require.NoError(t, d.Change(t.Context(), func(a account, found bool) (account, bool, error) {
		if calls++; calls <= 2 {
			require.NoError(t, d.Change(t.Context(), spend(10)), "another writer, first of a new document, then of one that stands")
		}
		a.Spent++
		return a, true, nil
	}))
	require.Equal(t, 3, calls)
	got, _, err := d.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, account{Spent: 21}, got)
}

func TestConcurrentChangesLoseNoUpdate(t *testing.T) {
	const writers, each = 8, 10
	_, d := open(t)
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range each {
				errs[i] = errors.Join(errs[i], d.Change(t.Context(), spend(1)))
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	got, _, err := d.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, account{Spent: writers * each}, got)
}

func TestWhatCouldNotBeReadIsNotWritten(t *testing.T) {
	for want, amount := range map[string]float64{"expected 0 or more": -1, "unsupported value": math.Inf(1)} {
		_, d := open(t)
		require.ErrorContains(t, d.Create(t.Context(), account{Spent: amount}), want)
		require.ErrorContains(t, d.Change(t.Context(), spend(amount)), want)
		_, _, err := d.Get(t.Context())
		require.ErrorIs(t, err, artifact.ErrNotFound)
	}
}

func TestWhatIsNoSealedValueIsCorrupt(t *testing.T) {
	seal := func(content string) string {
		return `{"digest":"` + artifact.Sum([]byte(content)).String() + `","content":` + content + "}\n"
	}
	for name, c := range map[string]struct{ data, want string }{
		"empty":             {"", "expected a JSON object with digest and content"},
		"null":              {"null\n", "expected content with the digest"},
		"no JSON":           {"spent", "expected a JSON object with digest and content"},
		"another digest":    {`{"digest":"` + artifact.Sum(nil).String() + `","content":{"spent":1}}` + "\n", "expected content with the digest"},
		"no digest":         {`{"content":{"spent":1}}` + "\n", "expected content with the digest"},
		"field beside":      {`{"extra":1,` + seal(`{"spent":1}`)[1:], `unknown field "extra"`},
		"field inside":      {seal(`{"spent":1,"extra":1}`), `unknown field "extra"`},
		"another type":      {seal(`{"spent":"1"}`), "cannot unmarshal string"},
		"another spelling":  {seal(`{"spent":1.0}`), "not how this content is written"},
		"a key in capitals": {seal(`{"Spent":1}`), "not how this content is written"},
		"a key twice":       {seal(`{"spent":1,"spent":2}`), "not how this content is written"},
		"space":             {" " + seal(`{"spent":1}`), "not how this content is written"},
		"more after it":     {seal(`{"spent":1}`) + "{}", "there is more after the value"},
		"unfit":             {seal(`{"spent":-1}`), "expected 0 or more"},
	} {
		t.Run(name, func(t *testing.T) {
			s, d := open(t)
			_, err := s.PutIfAbsent(t.Context(), d.Name, []byte(c.data))
			require.NoError(t, err)
			for _, err := range []error{get(t, d), d.Change(t.Context(), spend(1))} {
				require.ErrorIs(t, err, artifact.ErrCorrupt)
				require.ErrorContains(t, err, c.want)
				require.ErrorContains(t, err, `document "`+d.Name+`" in store "`+s.String()+`"`)
			}
			data, _, err := s.Get(t.Context(), d.Name)
			require.NoError(t, err)
			require.Equal(t, c.data, string(data), "nothing is repaired silently")
		})
	}
}

func get(t *testing.T, d sealed.Document[account]) error {
	_, _, err := d.Get(t.Context())
	return err
}

func TestEveryChangedByteIsCorrupt(t *testing.T) {
	s, d := open(t)
	require.NoError(t, d.Create(t.Context(), account{12.5, []string{"a", "b"}}))
	path := filepath.Join(s.String(), name)
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		bad := append([]byte(nil), good...)
		bad[rapid.IntRange(0, len(bad)-1).Draw(rt, "at")] ^= rapid.ByteRange(1, 255).Draw(rt, "bits")
		require.NoError(rt, os.WriteFile(path, bad, 0o644))
		require.ErrorIs(rt, get(t, d), artifact.ErrCorrupt)
	})
}
