package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/stretchr/testify/require"
)

func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o644))
	}
	return root
}

func TestOnlyCodeIsPacked(t *testing.T) {
	b := newBench(t)
	root := lay(t, map[string]string{
		"train.py": "print()", "lib/model.py": "", "requirements.txt": "", "data.csv": "kept",
		".git/config": "x", "lib/__pycache__/model.pyc": "x", "old.pyc": "x", ".venv/bin/python": "x", "venv/pyvenv.cfg": "x", ".hg/x": "x", ".svn/x": "x",
		".ipynb_checkpoints/a": "x", "web/node_modules/x": "x", ".assay/store/x": "x", "mlruns/0/x": "x", ".DS_Store": "x", "lib/.DS_Store": "x",
		"data/huge.bin": "x", "lib/data/huge.bin": "x", "lib/weights.pt": "x", "docs/private/a": "x", "docs/public/a": "kept", "deep/docs/private/a": "kept",
		".assayignore": "# what is not code\n\ndata/\r\n  *.pt  \ndocs/private\n",
	})
	ref, folder, err := Pack(t.Context(), b.store, root)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		".assayignore": "# what is not code\n\ndata/\r\n  *.pt  \ndocs/private\n", "data.csv": "kept", "deep/docs/private/a": "kept",
		"docs/public/a": "kept", "lib/model.py": "", "requirements.txt": "", "train.py": "print()",
	}, b.files(t, ref))
	require.Len(t, folder.Files, 7)

	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(root, link))
	again, _, err := Pack(t.Context(), b.store, link)
	require.NoError(t, err)
	require.Equal(t, ref, again, "a link to the folder means the folder")
}

func TestACodeFolderThatCannotBeTakenIsNamed(t *testing.T) {
	many := map[string]string{}
	for i := range mostCodeFiles + 1 {
		many[fmt.Sprintf("f%d", i)] = ""
	}
	large := lay(t, map[string]string{"train.py": ""})
	require.NoError(t, os.Truncate(filepath.Join(large, "train.py"), mostCodeBytes+1))
	linked := lay(t, map[string]string{"train.py": ""})
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(linked, "secret")))
	for _, c := range []struct {
		name, folder string
		want         []string
	}{
		{"missing", "/no/such/folder", []string{"there is no folder /no/such/folder on this worker", "expected the folder that holds the training program"}},
		{"a file", filepath.Join(lay(t, map[string]string{"train.py": ""}), "train.py"), []string{"train.py is a file; expected the folder that holds it"}},
		{"empty", t.TempDir(), []string{"holds no file; expected the training program"}},
		{"nothing but what is no code", lay(t, map[string]string{".git/config": "", "a.pyc": ""}), []string{"holds no file"}},
		{"too many files", lay(t, many), []string{"at most 5000 files and 256 MiB", "name what is not code in .assayignore"}},
		{"too large", large, []string{`at "train.py"`, "at most 5000 files and 256 MiB", ".assayignore"}},
		{"a malformed pattern", lay(t, map[string]string{"a": "", ".assayignore": "[a"}), []string{`.assayignore: the pattern "[a" is malformed; expected names such as data or *.csv`}},
		{"a link out of it", linked, []string{`the link "secret"`, "must lead to a file inside the folder"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, err := artifact.OpenDir(filepath.Join(t.TempDir(), "store"))
			require.NoError(t, err)
			_, _, err = Pack(t.Context(), store, c.folder)
			require.Error(t, err)
			require.True(t, strings.HasPrefix(err.Error(), "train.command.code: "), "%v", err)
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
