// Package conformance tests what every artifact.Store promises. A backend is fit for use when Run passes on it.
package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
)

// Tamperer is implemented by the stores given to Run: it changes the stored bytes of a blob behind the store's back, as
// a failing disk would.
type Tamperer interface {
	Tamper(t *testing.T, d artifact.Digest, change func([]byte) []byte)
}

// Run tests the stores that open gives; each must be empty and implement Tamperer.
func Run(t *testing.T, open func(t *testing.T) artifact.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, artifact.Store)
	}{
		{"a blob comes back as it was put", blobRoundTrip},
		{"putting the same bytes again changes nothing", putTwice},
		{"a reader that fails leaves no blob", putFailing},
		{"a cancelled context stops a put", putCancelled},
		{"a blob that is absent is not found", blobAbsent},
		{"a ref with another size is corrupt", refWrongSize},
		{"a ref without size is checked by its digest", refSizeUnknown},
		{"a changed blob is reported before its last byte", blobChanged},
		{"concurrent puts of the same bytes all succeed", putConcurrently},
		{"a document comes back as it was put", documentRoundTrip},
		{"put if absent leaves what is there", documentExists},
		{"concurrent put if absent has one winner", absentOneWinner},
		{"put if match wants the current version", matchVersion},
		{"concurrent put if match loses no update", matchNoLostUpdate},
		{"a reader sees a whole document while it is replaced", readWhileReplaced},
		{"listing gives the documents below a folder, sorted", list},
		{"names outside the store are refused", names},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func put(t *testing.T, s artifact.Store, data []byte) artifact.Ref {
	t.Helper()
	ref, err := s.Put(t.Context(), bytes.NewReader(data), artifact.MediaText)
	require.NoError(t, err)
	return ref
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 31 >> 3)
	}
	return b
}

func blobRoundTrip(t *testing.T, s artifact.Store) {
	for _, size := range []int{0, 1, 4096, 1<<20 + 1} {
		data := pattern(size)
		ref := put(t, s, data)
		require.Equal(t, artifact.Ref{Digest: artifact.Sum(data), Size: int64(size), MediaType: artifact.MediaText}, ref)

		has, err := s.Has(t.Context(), ref.Digest)
		require.NoError(t, err)
		require.True(t, has)

		r, err := s.Open(t.Context(), ref)
		require.NoError(t, err)
		require.NoError(t, iotest.TestReader(r, data))
		require.NoError(t, r.Close())

		path, release, err := s.Local(t.Context(), ref)
		require.NoError(t, err)
		local, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, local))
		release()
	}
}

func putTwice(t *testing.T, s artifact.Store) {
	first := put(t, s, []byte("same"))
	require.Equal(t, first, put(t, s, []byte("same")))
	got, err := artifact.ReadAll(t.Context(), s, first)
	require.NoError(t, err)
	require.Equal(t, "same", string(got))
}

func putFailing(t *testing.T, s artifact.Store) {
	broken := errors.New("the source broke")
	half := pattern(100_000)
	_, err := s.Put(t.Context(), io.MultiReader(bytes.NewReader(half), iotest.ErrReader(broken)), artifact.MediaText)
	require.ErrorIs(t, err, broken)
	has, err := s.Has(t.Context(), artifact.Sum(half))
	require.NoError(t, err)
	require.False(t, has)
}

func putCancelled(t *testing.T, s artifact.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	endless := readerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	})
	_, err := s.Put(ctx, endless, artifact.MediaText)
	require.ErrorIs(t, err, context.Canceled)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func blobAbsent(t *testing.T, s artifact.Store) {
	ref := artifact.Ref{Digest: artifact.Sum([]byte("absent")), Size: 6}
	has, err := s.Has(t.Context(), ref.Digest)
	require.NoError(t, err)
	require.False(t, has)
	_, err = s.Open(t.Context(), ref)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, ref.Digest.String())
	_, _, err = s.Local(t.Context(), ref)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	_, err = s.Open(t.Context(), artifact.Ref{})
	require.Error(t, err)
}

func refWrongSize(t *testing.T, s artifact.Store) {
	ref := put(t, s, []byte("twelve bytes"))
	ref.Size++
	_, err := artifact.ReadAll(t.Context(), s, ref)
	require.ErrorIs(t, err, artifact.ErrCorrupt)
}

func refSizeUnknown(t *testing.T, s artifact.Store) {
	ref := put(t, s, []byte("some bytes"))
	ref.Size = artifact.SizeUnknown
	got, err := artifact.ReadAll(t.Context(), s, ref)
	require.NoError(t, err)
	require.Equal(t, "some bytes", string(got))
}

func blobChanged(t *testing.T, s artifact.Store) {
	tamperer, ok := s.(Tamperer)
	require.True(t, ok, "a store under test must implement conformance.Tamperer")
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			b[at] ^= 1
			return b
		}
	}
	const size = 200_000
	for name, change := range map[string]func([]byte) []byte{
		"first byte":  flip(0),
		"last byte":   flip(size - 1),
		"cut off":     func(b []byte) []byte { return b[:size-1] },
		"emptied":     func([]byte) []byte { return nil },
		"one too far": func(b []byte) []byte { return append(b, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			data := append(pattern(size-len(name)), name...)
			ref := put(t, s, data)
			tamperer.Tamper(t, ref.Digest, change)

			requireCorrupt(t, s, ref)
			ref.Size = artifact.SizeUnknown
			requireCorrupt(t, s, ref)
		})
	}
}

// requireCorrupt reads in the ways consumers do, among them one that asks for exactly the expected bytes.
func requireCorrupt(t *testing.T, s artifact.Store, ref artifact.Ref) {
	t.Helper()
	_, _, err := s.Local(t.Context(), ref)
	require.ErrorIs(t, err, artifact.ErrCorrupt)
	require.ErrorContains(t, err, ref.Digest.Hex())

	r, err := s.Open(t.Context(), ref)
	if err != nil {
		require.ErrorIs(t, err, artifact.ErrCorrupt)
		return
	}
	defer r.Close()
	if ref.Size >= 0 {
		_, err = io.ReadFull(r, make([]byte, ref.Size))
	} else {
		_, err = io.Copy(io.Discard, r)
	}
	require.ErrorIs(t, err, artifact.ErrCorrupt)
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, artifact.ErrCorrupt, "the error stays")
}

func putConcurrently(t *testing.T, s artifact.Store) {
	data := pattern(100_000)
	inParallel(t, 8, func(int) error {
		_, err := s.Put(t.Context(), bytes.NewReader(data), artifact.MediaText)
		return err
	})
	got, err := artifact.ReadAll(t.Context(), s, artifact.Ref{Digest: artifact.Sum(data), Size: int64(len(data))})
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
}

func documentRoundTrip(t *testing.T, s artifact.Store) {
	const name = "models/credit/champion.json"
	_, _, err := s.Get(t.Context(), name)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, name)

	put, err := s.PutIfAbsent(t.Context(), name, []byte("content"))
	require.NoError(t, err)
	got, version, err := s.Get(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, "content", string(got))
	require.Equal(t, put, version)

	_, _, err = s.Get(t.Context(), "models/credit")
	require.ErrorIs(t, err, artifact.ErrNotFound, "a folder is no document")
}

func documentExists(t *testing.T, s artifact.Store) {
	_, err := s.PutIfAbsent(t.Context(), "ledgers/a.json", []byte("first"))
	require.NoError(t, err)
	_, err = s.PutIfAbsent(t.Context(), "ledgers/a.json", []byte("second"))
	require.ErrorIs(t, err, artifact.ErrExists)
	got, _, err := s.Get(t.Context(), "ledgers/a.json")
	require.NoError(t, err)
	require.Equal(t, "first", string(got))
}

func absentOneWinner(t *testing.T, s artifact.Store) {
	for round := range 10 {
		name := fmt.Sprintf("race/%d.json", round)
		var winners atomic.Int32
		var winner atomic.Value
		inParallel(t, 8, func(i int) error {
			data := strconv.Itoa(i)
			_, err := s.PutIfAbsent(t.Context(), name, []byte(data))
			if err == nil {
				winners.Add(1)
				winner.Store(data)
			}
			if errors.Is(err, artifact.ErrExists) {
				return nil
			}
			return err
		})
		require.EqualValues(t, 1, winners.Load())
		got, _, err := s.Get(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, winner.Load(), string(got))
	}
}

func matchVersion(t *testing.T, s artifact.Store) {
	_, err := s.PutIfMatch(t.Context(), "a.json", []byte("new"), "some version")
	require.ErrorIs(t, err, artifact.ErrConflict, "there is nothing to replace")

	v1, err := s.PutIfAbsent(t.Context(), "a.json", []byte("one"))
	require.NoError(t, err)
	v2, err := s.PutIfMatch(t.Context(), "a.json", []byte("two"), v1)
	require.NoError(t, err)
	require.NotEqual(t, v1, v2)

	_, err = s.PutIfMatch(t.Context(), "a.json", []byte("three"), v1)
	require.ErrorIs(t, err, artifact.ErrConflict)
	got, version, err := s.Get(t.Context(), "a.json")
	require.NoError(t, err)
	require.Equal(t, "two", string(got))
	require.Equal(t, v2, version)
}

func matchNoLostUpdate(t *testing.T, s artifact.Store) {
	const writers, each = 8, 10
	_, err := s.PutIfAbsent(t.Context(), "counter", []byte("0"))
	require.NoError(t, err)
	inParallel(t, writers, func(int) error {
		for range each {
			if err := Increment(t.Context(), s, "counter"); err != nil {
				return err
			}
		}
		return nil
	})
	got, _, err := s.Get(t.Context(), "counter")
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(writers*each), string(got))
}

// Increment adds one to a document that holds a decimal number, trying again after every conflict.
func Increment(ctx context.Context, s artifact.Store, name string) error {
	for {
		data, v, err := s.Get(ctx, name)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(data))
		if err != nil {
			return err
		}
		_, err = s.PutIfMatch(ctx, name, []byte(strconv.Itoa(n+1)), v)
		if !errors.Is(err, artifact.ErrConflict) {
			return err
		}
	}
}

func readWhileReplaced(t *testing.T, s artifact.Store) {
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%2)}, 50_000+i%2) }
	v, err := s.PutIfAbsent(t.Context(), "doc", content(0))
	require.NoError(t, err)
	var done atomic.Bool
	inParallel(t, 2, func(i int) error {
		if i == 0 {
			defer done.Store(true)
			for n := range 30 {
				if v, err = s.PutIfMatch(t.Context(), "doc", content(n+1), v); err != nil {
					return err
				}
			}
			return nil
		}
		for !done.Load() {
			got, _, err := s.Get(t.Context(), "doc")
			if err != nil {
				return err
			}
			if !bytes.Equal(got, content(0)) && !bytes.Equal(got, content(1)) {
				return fmt.Errorf("a part of a document was read: %d bytes", len(got))
			}
		}
		return nil
	})
}

func list(t *testing.T, s artifact.Store) {
	for _, name := range []string{"models/b/versions/000002.json", "models/b/versions/000001.json", "models/b/champion.json", "models/a/champion.json", "models-old/x.json"} {
		_, err := s.PutIfAbsent(t.Context(), name, []byte(name))
		require.NoError(t, err)
	}
	put(t, s, []byte("a blob"))

	for prefix, want := range map[string][]string{
		"models/b/versions":      {"models/b/versions/000001.json", "models/b/versions/000002.json"},
		"models/b":               {"models/b/champion.json", "models/b/versions/000001.json", "models/b/versions/000002.json"},
		"models/c":               nil,
		"models/b/champion.json": nil,
	} {
		got, err := s.List(t.Context(), prefix)
		require.NoError(t, err)
		require.Equal(t, want, got, prefix)
	}
	for prefix, want := range map[string][]string{"models": {"a", "b"}, "models/b": {"versions"}, "models/b/versions": nil, "nothing": nil} {
		got, err := s.Folders(t.Context(), prefix)
		require.NoError(t, err)
		require.Equal(t, want, got, prefix)
	}
}

func names(t *testing.T, s artifact.Store) {
	for _, name := range []string{"", ".", "/etc/passwd", "../up", "a/../../b", "a//b", "a/", "./a", ".hidden", "a/.b", "blobs", "blobs/sha256/ab", `a\b`, "a\nb", "a/" + strings.Repeat("x", 201), "\xff"} {
		_, err := s.PutIfAbsent(t.Context(), name, []byte("x"))
		require.ErrorContains(t, err, "document name", "%q", name)
		_, err = s.PutIfMatch(t.Context(), name, []byte("x"), "v")
		require.ErrorContains(t, err, "document name", "%q", name)
		_, _, err = s.Get(t.Context(), name)
		require.ErrorContains(t, err, "document name", "%q", name)
		_, err = s.List(t.Context(), name)
		require.ErrorContains(t, err, "document name", "%q", name)
	}
}

// inParallel runs f n times at once and fails the test with the first error.
func inParallel(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}
