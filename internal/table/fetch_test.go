package table

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
)

func TestFetchMeasuresFiles(t *testing.T) {
	src := write(t, "x.csv", "a\n1\n")
	for _, uri := range []string{src.URI, "file://" + src.URI} {
		local, err := Fetch(t.Context(), spec.Source{URI: uri}, t.TempDir())
		require.NoError(t, err)
		require.Equal(t, Local{Path: src.URI, Format: FormatCSV, Digest: artifact.Sum([]byte("a\n1\n")), Size: 4, URI: uri}, local)
	}
}

func TestFetchDownloads(t *testing.T) {
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/x.csv":
			sent = r.Header.Get("Authorization")
			w.Write([]byte("a\n1\n"))
		case "/short.csv":
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("a\n"))
		case "/away.csv":
			http.Redirect(w, r, "http://192.0.2.1/x.csv", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	secret := strings.Replace(server.URL, "http://", "http://user:secret@", 1)
	local, err := Fetch(t.Context(), spec.Source{URI: secret + "/x.csv?token=secret"}, dir)
	require.NoError(t, err)
	require.NotEmpty(t, sent, "credentials reach the server")
	require.Equal(t, server.URL+"/x.csv", local.URI, "and nobody else")
	require.Equal(t, artifact.Sum([]byte("a\n1\n")), local.Digest)

	for path, want := range map[string]string{
		"/absent.csv": "the server answered 404 Not Found; expected 200 OK",
		"/short.csv":  "stopped after 2 bytes",
		"/away.csv":   "http:// is refused",
	} {
		_, err := Fetch(t.Context(), spec.Source{URI: secret + path + "?token=secret"}, dir)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing is left of a download that failed")
}

func TestFetchRefuses(t *testing.T) {
	for uri, want := range map[string]string{
		"s3://user:secret@bucket/x.csv":     `fetch source "s3://bucket/x.csv": scheme "s3" is not available yet`,
		"postgres://u:secret@h/db?q=secret": `fetch source "postgres://h/db": scheme "postgres" is not available yet`,
		"http://example.com/x.csv":          "http:// is refused, since anyone on the way could change the rows; expected https://",
		"synthetic://weather":               `no generator "weather"; expected synthetic://credit`,
		"synthetic://credit?rows=many":      `parameter rows="many"; expected a number`,
		"synthetic://credit?rows=0":         "rows=0; expected 1 to 100000000",
		"synthetic://credit?columns=3":      `unknown parameter "columns"; expected rows, seed or drift`,
		"https://user:secret@%zz/x.csv":     "https://(unreadable)",
		"absent/file.csv":                   `there is no file "absent/file.csv"`,
		".":                                 "does not tell the format",
	} {
		_, err := Fetch(t.Context(), spec.Source{URI: uri}, t.TempDir())
		require.ErrorContains(t, err, want, uri)
		require.NotContains(t, err.Error(), "secret")
	}
	folder := filepath.Join(t.TempDir(), "x.csv")
	require.NoError(t, os.Mkdir(folder, 0o700))
	_, err := Fetch(t.Context(), spec.Source{URI: folder}, t.TempDir())
	require.ErrorContains(t, err, "is not a regular file")
}

func TestSyntheticSourcesAreTheSameEveryTime(t *testing.T) {
	fetch := func(uri string) Local {
		local, err := Fetch(t.Context(), spec.Source{URI: uri}, t.TempDir())
		require.NoError(t, err)
		return local
	}
	local := fetch("synthetic://credit?rows=500&seed=7")
	require.Equal(t, local.Digest, fetch("synthetic://credit?seed=7&rows=500").Digest)
	require.NotEqual(t, local.Digest, fetch("synthetic://credit?rows=500&seed=8").Digest)
	require.NotEqual(t, local.Digest, fetch("synthetic://credit?rows=500&seed=7&drift=0.8").Digest)
	content, err := os.ReadFile(local.Path)
	require.NoError(t, err)
	sum := sha256.Sum256(content)
	require.Equal(t, hex.EncodeToString(sum[:]), local.Digest.Hex())

	snap := mustTake(t, newStore(t), spec.Source{URI: "synthetic://credit?rows=500&seed=7"})
	require.EqualValues(t, 500, snap.Rows)
	require.Equal(t, map[string]string{"application_id": Text, "age": Integer, "sex": Text, "region_group": Text, "income": Number, "employment": Text,
		"years_employed": Number, "housing": Text, "purpose": Text, "loan_amount": Integer, "debt_to_income": Number, "credit_history_years": Number,
		"late_payments": Integer, "approved": Text}, types(snap))
}
