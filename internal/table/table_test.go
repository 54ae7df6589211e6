package table

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
)

var small = Limits{MemoryBytes: 256 << 20, Threads: 2}

func newStore(t testing.TB) artifact.Store {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	return store
}

// write makes a file and returns its source.
func write(t testing.TB, name, content string) spec.Source {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return spec.Source{URI: path}
}

func take(t testing.TB, store artifact.Store, src spec.Source) (Snapshot, error) {
	local, err := Fetch(t.Context(), src, t.TempDir())
	if err != nil {
		return Snapshot{}, err
	}
	return Ingest(t.Context(), store, local, src, small, nil)
}

func mustTake(t testing.TB, store artifact.Store, src spec.Source) Snapshot {
	snap, err := take(t, store, src)
	require.NoError(t, err)
	return snap
}

func profileOf(t testing.TB, store artifact.Store, ref artifact.Ref) *Profile {
	p, err := ReadProfile(t.Context(), store, ref)
	require.NoError(t, err)
	return p
}

func types(snap Snapshot) map[string]string {
	out := map[string]string{}
	for _, c := range snap.Columns {
		out[c.Name] = c.Type
	}
	return out
}

// texts of a column, "" where missing.
func column(t testing.TB, store artifact.Store, ref artifact.Ref, name string) []string {
	f, err := ReadFrame(t.Context(), store, ref, []Wanted{{name, Categorical}}, small)
	require.NoError(t, err)
	out := make([]string, f.Rows)
	for i := range out {
		out[i], _ = f.Columns[0].Text(i)
	}
	return out
}

// shared is a file of the real data sets, which are no part of the repository.
func shared(t testing.TB, name string) string {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			path := filepath.Join(dir, "..", "shared", "data", filepath.FromSlash(name))
			if _, err := os.Stat(path); err != nil {
				t.Skipf("the real data set ../shared/data/%s is not present", name)
			}
			return path
		}
	}
	t.Skip("no go.mod above the package")
	return ""
}
