package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/drift"
	"github.com/assay-ml/assay/internal/gate"
)

func TestEqualDossiersHaveEqualBytes(t *testing.T) {
	first, digest, err := Encode(freshLoan(t))
	require.NoError(t, err)
	elsewhere := freshLoan(t)
	elsewhere.Created = elsewhere.Created.In(time.FixedZone("elsewhere", 7200))
	second, again, err := Encode(elsewhere)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))
	require.Equal(t, digest, again)
	require.Equal(t, artifact.Sum(first), digest)

	changed := loan(t)
	changed.Purpose += " "
	_, other, err := Encode(changed)
	require.NoError(t, err)
	require.NotEqual(t, digest, other, "a decision on one dossier must not fit another")
}

func TestDecodeReadsWhatEncodeWrote(t *testing.T) {
	want := freshRival(t)
	want.Labels = &LabelsGiven{Given: 3, Representative: 2, Chosen: 1}
	want.NotCompared = "a reason"
	b, _, err := Encode(want)
	require.NoError(t, err)
	got, err := Decode(b)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b artifact.Digest) bool { return a == b }), cmpopts.IgnoreFields(gate.Measurement{}, "RowsFor"), cmpopts.IgnoreUnexported(drift.Column{})))

	again, _, err := Encode(got)
	require.NoError(t, err)
	require.Equal(t, string(b), string(again))
}

func TestDecodeRefusesWhatItDoesNotKnow(t *testing.T) {
	_, err := Decode([]byte(`{"format": 99}`))
	require.ErrorContains(t, err, "format 99; this program reads format 3")
	_, err = Decode([]byte(`{"format": 1}`))
	require.ErrorContains(t, err, "use the version of Assay that wrote it")
	_, err = Decode([]byte(`{`))
	require.ErrorContains(t, err, "read a dossier")
}

func TestEncodeNamesALifecycleWhoseNumbersHaveNoJSON(t *testing.T) {
	d := loan(t)
	d.Explain.BaseLogLoss /= 0 * d.Explain.BaseLogLoss
	_, _, err := Encode(d)
	require.ErrorContains(t, err, "encode the dossier of lifecycle/loan-approval/2026-06-25-k3")
}

func TestKeysAreSnakeCase(t *testing.T) {
	b, _, err := Encode(rival(t))
	require.NoError(t, err)
	for line := range strings.Lines(string(b)) {
		key, _, found := strings.Cut(strings.TrimSpace(line), `": `)
		if found {
			require.Regexp(t, `^"[a-z0-9_]+$`, key)
		}
	}
}

func TestNamesLeavesOutWhatWasNotMade(t *testing.T) {
	made := artifact.Ref{Digest: artifact.Sum([]byte("x")), Size: 1}
	require.Equal(t, []NamedRef{{"a", made}, {"b", made}}, Names(map[string]artifact.Ref{"b": made, "none": {}, "a": made}))
	require.Empty(t, Names(nil))
}
