package functional

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A copy of the store is verified with one byte changed, in every record, manifest and artifact of a model in turn. The
// message names the file: a document by its name, an artifact by its digest.
func TestVerifyFindsAnyChange(t *testing.T) {
	t.Parallel()
	const model = "tampered"
	start(t, credit(model, oneReviewer)).deploys()
	folder := filepath.Join(t.TempDir(), "store")
	for _, part := range []string{"blobs", "models/" + model} {
		require.NoError(t, os.CopyFS(filepath.Join(folder, part), os.DirFS(filepath.Join(local.StoreFolder(), part))))
	}
	var verified struct{ Records, Blobs int }
	answers(t, 0, &verified, "verify", model, "--store", folder)
	require.Positive(t, verified.Records)

	found := 0
	for _, file := range filesUnder(t, folder) {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		changed := append([]byte(nil), content...)
		changed[len(changed)/2] ^= 1
		require.NoError(t, os.WriteFile(file, changed, 0o600))
		s := starter(t, "verify", model, "--store", folder)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		switch {
		case s.status == 1:
			require.Contains(t, s.err, name, file)
			found++
		default:
			require.NotContains(t, file, "/chain/", "a changed record was not found")
			require.NotContains(t, file, "/versions/", "a changed manifest was not found")
		}
	}
	// Other models' artifacts and who is being rolled out are no part of this model's record.
	require.GreaterOrEqual(t, found, verified.Records+1+verified.Blobs)
}

func filesUnder(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	}))
	return files
}
