package table

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
)

func TestExportedFilesHoldTheRowsInOrder(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	f := &Frame{Rows: 3, Columns: []Column{
		{Name: "x", Kind: Numeric, Numbers: []float64{2.5, nanValue(), 1}},
		{Name: "who, when", Kind: Categorical, Codes: []int32{1, 0, -1}, Levels: []string{"a \"b\"", "c,d"}},
		{Name: "secret", Kind: Numeric, Numbers: []float64{1, 2, 3}},
	}}
	ref, err := WriteFrame(t.Context(), store, f, Limits{})
	require.NoError(t, err)

	path := filepath.Join(t.TempDir(), "train.csv")
	require.NoError(t, Export(t.Context(), store, ref, []string{"who, when", "x"}, FormatCSV, path, Limits{}))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "\"who, when\",x\n\"c,d\",2.5\n\"a \"\"b\"\"\",\n,1.0\n", string(text))

	path = filepath.Join(t.TempDir(), "train.parquet")
	require.NoError(t, Export(t.Context(), store, ref, []string{"x"}, FormatParquet, path, Limits{}))
	head, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "PAR1", string(head[:4]))
	require.NotContains(t, string(head), "secret")

	require.ErrorContains(t, Export(t.Context(), store, ref, []string{"y"}, FormatCSV, path, Limits{}), `no column "y"`)
	require.ErrorContains(t, Export(t.Context(), store, ref, []string{"x"}, "xlsx", path, Limits{}), "expected csv or parquet")
}

func nanValue() float64 {
	var zero float64
	return zero / zero
}
