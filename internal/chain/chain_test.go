package chain_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/chain"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func openStore(t *testing.T) *artifact.Dir {
	t.Helper()
	d, err := artifact.OpenDir(t.TempDir())
	require.NoError(t, err)
	return d
}

func newKey(t *testing.T) *chain.Key {
	t.Helper()
	k, err := chain.LoadOrCreateKey(t.TempDir())
	require.NoError(t, err)
	return k
}

func TestAppendLinksEntries(t *testing.T) {
	s, key := openStore(t), newKey(t)
	blob, err := s.Put(t.Context(), strings.NewReader("{}"), artifact.MediaJSON)
	require.NoError(t, err)
	events := []chain.Event{
		{Key: "a", Type: "dossier", Time: noon, Actor: "lifecycle/credit/1", Subjects: []chain.Subject{{Name: "dossier", Digest: blob.Digest}}},
		{Key: "b", Type: "decision", Time: noon.In(time.FixedZone("", 3600)).Add(time.Nanosecond), Actor: "ben", Detail: map[string]string{"role": "risk", "reason": "<fine> & \u2028 \xff"}},
		{Key: "c", Type: "refused", Time: noon},
	}
	var appended []chain.Entry
	for _, e := range events {
		entry, err := chain.Append(t.Context(), s, key, "credit", e)
		require.NoError(t, err)
		appended = append(appended, entry)
	}
	read, err := chain.Read(t.Context(), s, "credit")
	require.NoError(t, err)
	require.Equal(t, appended, read)
	for i, entry := range read {
		data, _, err := s.Get(t.Context(), chain.RecordName("credit", i+1))
		require.NoError(t, err)
		require.Equal(t, artifact.Sum(data), entry.Digest)
		require.Equal(t, i+1, entry.Sequence)
		require.Equal(t, events[i].Key, entry.Event.Key)
		require.True(t, events[i].Time.Equal(entry.Event.Time))
		if i > 0 {
			require.Equal(t, read[i-1].Digest, entry.Previous)
		}
	}
	require.True(t, read[0].Previous.IsZero())
	require.Equal(t, "risk", read[1].Event.Detail["role"])

	none, err := chain.Read(t.Context(), s, "other")
	require.NoError(t, err)
	require.Empty(t, none)
}

// TestRecordsAreInTotoStatementsInDSSE reads records with the libraries of the two specifications.
func TestRecordsAreInTotoStatementsInDSSE(t *testing.T) {
	l := newLife(t)
	for n := 1; n <= 3; n++ {
		data, _, err := l.store.Get(t.Context(), chain.RecordName(model, n))
		require.NoError(t, err)
		var envelope dsse.Envelope
		require.NoError(t, json.Unmarshal(data, &envelope))
		require.Equal(t, "application/vnd.in-toto+json", envelope.PayloadType)
		payload, err := envelope.DecodeB64Payload()
		require.NoError(t, err)

		var statement intoto.Statement
		require.NoError(t, protojson.Unmarshal(payload, &statement))
		require.NoError(t, statement.Validate())
		require.Equal(t, chain.PredicateType, statement.GetPredicateType())
		require.EqualValues(t, n, statement.GetPredicate().AsMap()["sequence"])
		if n == 2 {
			require.Equal(t, l.manifest.Hex(), statement.GetSubject()[0].GetDigest()["sha256"])
		}
	}
}

func TestSameKeyIsRecordedOnce(t *testing.T) {
	s, key := openStore(t), newKey(t)
	first, err := chain.Append(t.Context(), s, key, "credit", chain.Event{Key: "decision/1", Type: "decision", Time: noon, Actor: "ben"})
	require.NoError(t, err)
	_, err = chain.Append(t.Context(), s, key, "credit", chain.Event{Key: "decision/2", Type: "decision", Time: noon, Actor: "eve"})
	require.NoError(t, err)
	again, err := chain.Append(t.Context(), s, key, "credit", chain.Event{Key: "decision/1", Type: "decision", Time: noon.Add(time.Hour), Actor: "somebody else"})
	require.NoError(t, err)
	require.Equal(t, first, again)
	entries, err := chain.Read(t.Context(), s, "credit")
	require.NoError(t, err)
	require.Len(t, entries, 2)
}

func TestRacingWritersRecordEveryEventOnce(t *testing.T) {
	const events, attempts = 6, 3
	s, key := openStore(t), newKey(t)
	var wg sync.WaitGroup
	errs := make([]error, events*attempts)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = chain.Append(t.Context(), s, key, "credit", chain.Event{Key: strconv.Itoa(i % events), Type: "drift", Time: noon})
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	entries, err := chain.Read(t.Context(), s, "credit")
	require.NoError(t, err)
	require.Len(t, entries, events)
	keys := map[string]bool{}
	for _, e := range entries {
		keys[e.Event.Key] = true
	}
	require.Len(t, keys, events)
}

func TestAppendRefuses(t *testing.T) {
	good := chain.Event{Key: "k", Type: "drift", Time: noon}
	for name, c := range map[string]struct {
		model  string
		change func(*chain.Event)
		want   string
	}{
		"a bad model name":            {"Credit", func(*chain.Event) {}, "model name"},
		"no key":                      {"credit", func(e *chain.Event) { e.Key = "" }, "needs a key"},
		"a key that is not text":      {"credit", func(e *chain.Event) { e.Key = "\xff" }, "needs a key in UTF-8"},
		"no type":                     {"credit", func(e *chain.Event) { e.Type = "" }, "a type and a time"},
		"no time":                     {"credit", func(e *chain.Event) { e.Time = time.Time{} }, "a type and a time"},
		"a subject without digest":    {"credit", func(e *chain.Event) { e.Subjects = []chain.Subject{{Name: "dossier"}} }, "a name and a digest"},
		"a blob that is not stored":   {"credit", func(e *chain.Event) { e.Subjects = []chain.Subject{{"dossier", artifact.Sum(nil)}} }, "not found"},
		"a document that is not kept": {"credit", func(e *chain.Event) { e.Subjects = []chain.Subject{{"models/credit/x.json", artifact.Sum(nil)}} }, "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			e := good
			c.change(&e)
			_, err := chain.Append(t.Context(), s, newKey(t), c.model, e)
			require.ErrorContains(t, err, c.want)
			entries, err := chain.Read(t.Context(), s, "credit")
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

func TestAppendDoesNotBuildOnABrokenChain(t *testing.T) {
	l := newLife(t)
	require.NoError(t, os.Remove(l.file(chain.RecordName(model, 2))))
	_, err := chain.Append(t.Context(), l.store, l.key, model, chain.Event{Key: "new", Type: "drift", Time: noon})
	require.ErrorContains(t, err, chain.RecordName(model, 2))
	require.NoFileExists(t, l.file(chain.RecordName(model, 4)))
}

func TestKeyIsCreatedOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	const users = 8
	keys := make([]*chain.Key, users)
	errs := make([]error, users)
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() { keys[i], errs[i] = chain.LoadOrCreateKey(dir) })
	}
	wg.Wait()
	for i := range users {
		require.NoError(t, errs[i])
		require.Equal(t, keys[0].Public(), keys[i].Public())
	}
	info, err := os.Stat(filepath.Join(dir, chain.PrivateKeyFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing but the two files is left")

	trust, err := chain.ReadTrust(filepath.Join(dir, chain.PublicKeyFile))
	require.NoError(t, err)
	require.Len(t, trust, 1)
	require.Equal(t, keys[0].Public(), trust[0])

	require.NoError(t, os.Remove(filepath.Join(dir, chain.PublicKeyFile)))
	again, err := chain.LoadOrCreateKey(dir)
	require.NoError(t, err)
	require.Equal(t, keys[0].Public(), again.Public())
	require.FileExists(t, filepath.Join(dir, chain.PublicKeyFile))
}

func TestBadKeyFilesAreRefusedAndKept(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		mode          os.FileMode
		want          string
	}{
		"not PEM":                      {chain.PrivateKeyFile, "secret", 0o600, "expected a PEM block"},
		"damaged":                      {chain.PrivateKeyFile, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600, "restore it from a copy"},
		"readable by others":           {chain.PrivateKeyFile, "secret", 0o640, "chmod 600"},
		"a public key of another pair": {chain.PublicKeyFile, "other", 0o644, "does not belong to the private key"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			require.NoError(t, os.WriteFile(path, []byte(c.content), c.mode))
			_, err := chain.LoadOrCreateKey(dir)
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, c.want)
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, c.content, string(kept))
		})
	}
	_, err := chain.ReadTrust(filepath.Join(t.TempDir(), "absent.pub"))
	require.ErrorContains(t, err, "chain.pub")
}
