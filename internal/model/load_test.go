package model

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
)

func TestLoadReadsFromTheStore(t *testing.T) {
	store, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	b, err := example().Encode()
	require.NoError(t, err)
	put := func(b []byte, mediaType string) artifact.Ref {
		ref, err := store.Put(t.Context(), bytes.NewReader(b), mediaType)
		require.NoError(t, err)
		return ref
	}

	p, err := Load(t.Context(), store, put(b, artifact.MediaModel))
	require.NoError(t, err)
	require.Equal(t, example(), p)

	_, err = Load(t.Context(), store, put([]byte("a,b\n"), artifact.MediaText))
	require.ErrorContains(t, err, `its media type is "text/plain; charset=utf-8"; expected "application/vnd.assay.model+json"`)

	_, err = Load(t.Context(), store, put([]byte("{}"), artifact.MediaModel))
	require.ErrorContains(t, err, "the field \"kind\" is missing")

	absent := artifact.Ref{Digest: artifact.Sum([]byte("elsewhere")), Size: 9, MediaType: artifact.MediaModel}
	_, err = Load(t.Context(), store, absent)
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, absent.Digest.String())
}
