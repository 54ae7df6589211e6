package chain_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/chain"
	"github.com/assay-ml/assay/internal/registry"
)

// life is a model with one version in a store: a manifest, whose dossier refers to a report, which refers to a table.
type life struct {
	store    *artifact.Dir
	key      *chain.Key
	blobs    map[string]artifact.Ref // by what they are
	manifest artifact.Digest
}

const model = "credit"

func newLife(t *testing.T) life {
	t.Helper()
	l := life{store: openStore(t), key: newKey(t), blobs: map[string]artifact.Ref{}}
	put := func(name, mediaType string, content any) artifact.Ref {
		ref, err := artifact.PutJSON(t.Context(), l.store, mediaType, content)
		require.NoError(t, err)
		l.blobs[name] = ref
		return ref
	}
	table := put("table", artifact.MediaParquet, strings.Repeat("PAR1", 10))
	report := put("report", artifact.MediaJSON, map[string]any{"metrics": []any{1, 2.5}, "tables": []any{map[string]any{"ref": table}}})
	dossier := put("dossier", artifact.MediaJSON, map[string]any{"evaluation": report})
	trained := put("model", artifact.MediaModel, "weights")

	l.append(t, chain.Event{Key: "k1", Type: "dossier", Subjects: []chain.Subject{{Name: "dossier", Digest: dossier.Digest}}})
	m := registry.Manifest{
		Model: model, Lifecycle: "lifecycle/credit/1", Created: noon, Dossier: dossier, ModelArtifact: trained,
		Decisions: []registry.Decision{{Reviewer: "ben", Role: "risk", Decision: "approve", Time: noon, Dossier: dossier.Digest}},
	}
	_, digest, err := registry.Register(t.Context(), l.store, m)
	require.NoError(t, err)
	l.manifest = digest
	l.append(t, chain.Event{Key: "k2", Type: "registered", Subjects: []chain.Subject{{Name: registry.VersionName(model, 1), Digest: digest}}})
	_, err = registry.Promote(t.Context(), l.store, model, 1, "rollout", noon)
	require.NoError(t, err)
	l.append(t, chain.Event{Key: "k3", Type: "promoted", Subjects: []chain.Subject{{Name: registry.VersionName(model, 1), Digest: digest}}, Detail: map[string]string{"version": "1"}})
	return l
}

func (l life) append(t *testing.T, e chain.Event) chain.Entry {
	t.Helper()
	e.Time, e.Actor = noon, "tester"
	entry, err := chain.Append(t.Context(), l.store, l.key, model, e)
	require.NoError(t, err)
	return entry
}

func (l life) verify(ctx context.Context) (chain.Report, error) {
	return chain.Verify(ctx, l.store, []ed25519.PublicKey{l.key.Public()}, model)
}

func (l life) file(name string) string { return filepath.Join(l.store.String(), name) }

func (l life) blobFile(name string) string {
	hex := l.blobs[name].Digest.Hex()
	return l.file(filepath.Join("blobs", "sha256", hex[:2], hex))
}

func TestVerifyCountsWhatItChecked(t *testing.T) {
	l := newLife(t)
	report, err := l.verify(t.Context())
	require.NoError(t, err)
	entries, err := chain.Read(t.Context(), l.store, model)
	require.NoError(t, err)
	id, err := l.key.KeyID()
	require.NoError(t, err)
	var size int64
	for _, ref := range l.blobs {
		size += ref.Size
	}
	require.Equal(t, chain.Report{
		Model: model, Records: 3, Versions: 1, Champion: 1, Documents: 2, Blobs: 4, Bytes: size,
		Signers: []string{id}, Head: entries[2].Digest,
	}, report)
}

func TestVerifyWorksOnAReadOnlyCopyOfTheStore(t *testing.T) {
	l := newLife(t)
	dir := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(dir, os.DirFS(l.store.String())))
	readOnly, err := artifact.OpenDirReadOnly(dir)
	require.NoError(t, err)
	_, err = chain.Verify(t.Context(), readOnly, []ed25519.PublicKey{l.key.Public()}, model)
	require.NoError(t, err)
}

// TestEveryByteMatters changes each byte of the chain and the manifest, and of all blobs, in turn.
func TestEveryByteMatters(t *testing.T) {
	l := newLife(t)
	files := map[string]string{} // path: what the error must name
	for n := 1; n <= 3; n++ {
		name := chain.RecordName(model, n)
		files[l.file(name)] = name
	}
	files[l.file(registry.VersionName(model, 1))] = registry.VersionName(model, 1)
	for name, ref := range l.blobs {
		files[l.blobFile(name)] = ref.Digest.Hex()
	}
	for path, name := range files {
		everyByte(t, path, func(at int) {
			_, err := l.verify(t.Context())
			require.ErrorContains(t, err, name, "byte %d of %s", at, name)
		})
	}
	_, err := l.verify(t.Context())
	require.NoError(t, err, "the store is as it was")
}

// everyByte calls check with each byte of a file changed in two ways: the lowest bit, and the bit between letter cases.
func everyByte(t *testing.T, path string, check func(at int)) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(path, 0o644))
	for at, b := range data {
		for _, changed := range []byte{b ^ 1, b ^ 0x20} {
			data[at] = changed
			require.NoError(t, os.WriteFile(path, data, 0o644))
			check(at)
		}
		data[at] = b
	}
	require.NoError(t, os.WriteFile(path, data, 0o644))
}

func TestFirstBreakIsNamed(t *testing.T) {
	replace := func(path, old, with string) func(*testing.T, life) {
		return func(t *testing.T, l life) {
			data, err := os.ReadFile(l.file(path))
			require.NoError(t, err)
			require.Contains(t, string(data), old)
			require.NoError(t, os.WriteFile(l.file(path), []byte(strings.Replace(string(data), old, with, 1)), 0o644))
		}
	}
	remove := func(path string) func(*testing.T, life) {
		return func(t *testing.T, l life) { require.NoError(t, os.Remove(l.file(path))) }
	}
	record := func(n int) string { return chain.RecordName(model, n) }
	champion := "models/" + model + "/champion.json"

	for name, c := range map[string]struct {
		damage func(*testing.T, life)
		want   []string
	}{
		"a record removed from the middle":             {remove(record(2)), []string{record(2), "is missing"}},
		"the first record removed":                     {remove(record(1)), []string{record(1), "is missing"}},
		"white space after the last record":            {replace(record(3), "}\n", "}\n\n"), []string{record(3), "was changed"}},
		"a record spelt differently":                   {replace(record(3), `{"payloadType"`, `{ "payloadType"`), []string{record(3), "was changed"}},
		"a field of another letter case":               {replace(record(3), `"payloadType"`, `"PayloadType"`), []string{record(3), "was changed"}},
		"a second signature":                           {replace(record(3), `"signatures":[`, `"signatures":[{"keyid":"","sig":""},`), []string{record(3), "one signature"}},
		"a manifest removed":                           {remove(registry.VersionName(model, 1)), []string{record(2), registry.VersionName(model, 1), "not found"}},
		"a champion that was not registered":           {replace(champion, `"version":1`, `"version":2`), []string{"champion is version 2", "expected one of the 1"}},
		"a registered version that was never promoted": {promoteUnrecorded, []string{"champion is version 2", registry.VersionName(model, 1)}},
		"an earlier champion put back":                 {restoreChampion, []string{"champion is version 1", registry.VersionName(model, 2)}},
		"a champion that is no document":               {replace(champion, `{`, `[`), []string{"champion.json"}},
		"a file beside the records":                    {func(t *testing.T, l life) { write(t, l.file(record(2)+".bak"), "x") }, []string{record(2) + ".bak", "not a record"}},
		"a record swapped with another":                {swapRecords, []string{record(1), "expected sequence 1, found 2"}},
		"a manifest without a record":                  {addManifest, []string{registry.VersionName(model, 2), "expected a chain record"}},
		"a blob reached through two others":            {func(t *testing.T, l life) { require.NoError(t, os.Remove(l.blobFile("table"))) }, []string{record(1), "dossier > evaluation > tables.0.ref", "not found"}},
		"the end cut off, with a version":              {func(t *testing.T, l life) { remove(record(3))(t, l); remove(record(2))(t, l) }, []string{registry.VersionName(model, 1), "expected a chain record"}},
		"a manifest exchanged for a like one":          {replace(registry.VersionName(model, 1), `"risk"`, `"ethi"`), []string{record(2), registry.VersionName(model, 1), "expected sha256:"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t)
			c.damage(t, l)
			_, err := l.verify(t.Context())
			require.Error(t, err)
			for _, part := range c.want {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

func swapRecords(t *testing.T, l life) {
	one, two := l.file(chain.RecordName(model, 1)), l.file(chain.RecordName(model, 2))
	require.NoError(t, os.Rename(one, one+"x"))
	require.NoError(t, os.Rename(two, one))
	require.NoError(t, os.Rename(one+"x", two))
}

func addManifest(t *testing.T, l life) {
	_, _, err := registry.Register(t.Context(), l.store, registry.Manifest{Model: model, Lifecycle: "forged", Created: noon})
	require.NoError(t, err)
}

// registerSecond registers and records a second version.
func registerSecond(t *testing.T, l life) chain.Subject {
	_, digest, err := registry.Register(t.Context(), l.store, registry.Manifest{Model: model, Lifecycle: "lifecycle/credit/2", Created: noon})
	require.NoError(t, err)
	subject := chain.Subject{Name: registry.VersionName(model, 2), Digest: digest}
	l.append(t, chain.Event{Key: "k4", Type: "registered", Subjects: []chain.Subject{subject}})
	return subject
}

func promoteUnrecorded(t *testing.T, l life) {
	registerSecond(t, l)
	_, err := registry.Promote(t.Context(), l.store, model, 2, "somebody", noon)
	require.NoError(t, err)
}

func restoreChampion(t *testing.T, l life) {
	pointer := l.file("models/" + model + "/champion.json")
	old, err := os.ReadFile(pointer)
	require.NoError(t, err)
	subject := registerSecond(t, l)
	_, err = registry.Promote(t.Context(), l.store, model, 2, "rollout-2", noon)
	require.NoError(t, err)
	l.append(t, chain.Event{Key: "k5", Type: "promoted", Subjects: []chain.Subject{subject}})
	_, err = l.verify(t.Context())
	require.NoError(t, err)
	write(t, pointer, string(old))
}

// TestForgedRecords are well formed and linked, as someone with access to the store would write them.
func TestForgedRecords(t *testing.T) {
	t.Run("signed by a key that is not trusted", func(t *testing.T) {
		l := newLife(t)
		stranger := l
		stranger.key = newKey(t)
		stranger.append(t, chain.Event{Key: "forged", Type: "drift"})
		_, err := l.verify(t.Context())
		require.ErrorContains(t, err, chain.RecordName(model, 4))
		id, _ := stranger.key.KeyID()
		require.ErrorContains(t, err, id)

		both := []ed25519.PublicKey{stranger.key.Public(), l.key.Public()}
		report, err := chain.Verify(t.Context(), l.store, both, model)
		require.NoError(t, err, "both keys are trusted")
		require.Len(t, report.Signers, 2)
	})
	t.Run("content exchanged under an old signature", func(t *testing.T) {
		l := newLife(t)
		path := l.file(chain.RecordName(model, 3))
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		var e dsse.Envelope
		require.NoError(t, json.Unmarshal(data, &e))
		payload, err := e.DecodeB64Payload()
		require.NoError(t, err)
		forged := strings.Replace(string(payload), `"actor":"tester"`, `"actor":"nobody"`, 1)
		require.NotEqual(t, string(payload), forged)
		e.Payload = base64.StdEncoding.EncodeToString([]byte(forged))
		again, err := artifact.EncodeJSON(e)
		require.NoError(t, err)
		write(t, path, string(again))

		_, err = chain.Read(t.Context(), l.store, model)
		require.NoError(t, err, "the forgery is well formed")
		_, err = l.verify(t.Context())
		require.ErrorContains(t, err, chain.RecordName(model, 3))
		require.ErrorContains(t, err, "signature")
	})
	t.Run("the whole chain written anew by someone else", func(t *testing.T) {
		l, other := newLife(t), newLife(t)
		for n := 1; n <= 3; n++ {
			data, err := os.ReadFile(other.file(chain.RecordName(model, n)))
			require.NoError(t, err)
			write(t, l.file(chain.RecordName(model, n)), string(data))
		}
		_, err := l.verify(t.Context())
		require.ErrorContains(t, err, chain.RecordName(model, 1))
		require.ErrorContains(t, err, "signature")
	})
}

func TestVerifyWithoutAnythingToVerify(t *testing.T) {
	l := newLife(t)
	trust := []ed25519.PublicKey{l.key.Public()}
	_, err := chain.Verify(t.Context(), l.store, trust, "credti")
	require.ErrorIs(t, err, artifact.ErrNotFound)
	require.ErrorContains(t, err, "models in store")
	require.ErrorContains(t, err, model)
	_, err = chain.Verify(t.Context(), l.store, nil, model)
	require.ErrorContains(t, err, "no trusted key")
	_, err = chain.Verify(t.Context(), l.store, []ed25519.PublicKey{{1, 2}}, model)
	require.ErrorContains(t, err, fmt.Sprintf("expected %d bytes", ed25519.PublicKeySize))
}

func TestVerifyBeforeAnyVersion(t *testing.T) {
	l := life{store: openStore(t), key: newKey(t)}
	l.append(t, chain.Event{Key: "k", Type: "refused"})
	report, err := l.verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Records)
	require.Zero(t, report.Versions)
}
