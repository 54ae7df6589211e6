//go:build crash

package crash_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/chain"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/stage"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// once are the activities that a lifecycle asks for one time.
var once = []string{
	stage.ActivityAdmit, stage.ActivityIngest, stage.ActivityValidate, stage.ActivityPrepare, stage.ActivityTrain,
	stage.ActivityEvaluate, stage.ActivityFairness, stage.ActivityExplain, stage.ActivityPrivacy, stage.ActivityGate,
	stage.ActivityDossier, stage.ActivityRegister, stage.ActivityTellMonitor,
}

// requireDoneOnce checks that no stage was asked for again after it had been answered.
func requireDoneOnce(t *testing.T, all []done) {
	t.Helper()
	for _, a := range all {
		require.Equal(t, 1, a.answered, "%s has one answer", a.name)
	}
	for _, name := range once {
		require.Equal(t, 1, count(all, name), "%s is asked for once", name)
	}
}

// written is what identifies a file that nobody has written again.
type written struct {
	Inode uint64
	Time  time.Time
	Size  int64
}

// immutable lists the files of the store that are written once: all but the two pointers and the store's own folders.
func (s *stack) immutable() map[string]written {
	s.t.Helper()
	files := map[string]written{}
	root := s.path("store")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || d.Name() == "champion.json" || d.Name() == "candidate.json" {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		files[name] = written{info.Sys().(*syscall.Stat_t).Ino, info.ModTime(), info.Size()}
		return err
	})
	require.NoError(s.t, err)
	return files
}

// requireUntouched checks that every file is as it was: an answer that was stored is read and not computed again.
func requireUntouched(t *testing.T, before, after map[string]written) {
	t.Helper()
	for name, was := range before {
		require.Equal(t, was, after[name], "%s was written again, or removed", name)
	}
}

// exists reports whether a file of that pattern is in the state folder.
func (s *stack) exists(pattern string) bool {
	found, err := filepath.Glob(s.path(filepath.FromSlash(pattern)))
	require.NoError(s.t, err)
	return len(found) > 0
}

// has reports whether a document is in the store.
func (s *stack) has(name string) bool { return s.exists("store/" + name) }

// answered reports whether a stage's answer is in the store.
func (s *stack) answered(name stage.Name) bool { return s.has("cache/" + string(name) + "/*.json") }

// scratch reports whether a file of that pattern is in the folder of temporary files.
func (s *stack) scratch(pattern string) bool { return s.exists("scratch/" + pattern) }

// requireEmpty checks that killed processes left nothing lying about in a folder of the state.
func (s *stack) requireEmpty(folder string) {
	s.t.Helper()
	left, err := os.ReadDir(s.path(folder))
	require.NoError(s.t, err)
	require.Empty(s.t, left)
}

// onlyVersion gives the manifest of the one version there is.
func (l *life) onlyVersion() registry.Manifest {
	l.t.Helper()
	versions, err := registry.Versions(l.t.Context(), l.store, l.model)
	require.NoError(l.t, err)
	require.Len(l.t, versions, 1, "exactly one version is registered")
	champion, err := registry.GetChampion(l.t.Context(), l.store, l.model)
	require.NoError(l.t, err)
	require.Equal(l.t, registry.Champion{Version: 1, Since: champion.Since, By: l.rollout()}, champion, "it was promoted once")
	return versions[0]
}

// findings is the part of a manifest that data, spec and code alone decide.
func findings(m registry.Manifest) registry.Manifest {
	m.Lifecycle, m.RunID, m.Created, m.Usage = "", "", time.Time{}, nil
	m.Dossier, m.DossierPage, m.Decisions = artifact.Ref{}, artifact.Ref{}, nil
	return m
}

// requireSame compares two manifests digest by digest.
func requireSame(t *testing.T, want, got registry.Manifest) {
	t.Helper()
	byText := cmp.Comparer(func(a, b artifact.Digest) bool { return a == b })
	require.Empty(t, cmp.Diff(findings(want), findings(got), byText), "the bytes differ from those of a run that nobody disturbed")
	require.NotZero(t, got.ModelArtifact)
	require.NotZero(t, got.Predictions)
	require.NotZero(t, got.Verdicts)
}

// requireChain verifies the record and checks that no event stands on it twice.
func (l *life) requireChain() []chain.Entry {
	l.t.Helper()
	trust, err := chain.ReadTrust(l.path("keys", chain.PublicKeyFile))
	require.NoError(l.t, err)
	report, err := chain.Verify(l.t.Context(), l.store, trust, l.model)
	require.NoError(l.t, err)
	require.Equal(l.t, 1, report.Champion)
	entries, err := chain.Read(l.t.Context(), l.store, l.model)
	require.NoError(l.t, err)
	seen := map[string]bool{}
	for _, e := range entries {
		require.False(l.t, seen[e.Event.Key], "event %s stands on the chain twice", e.Event.Key)
		seen[e.Event.Key] = true
	}
	return entries
}

// told is what an entry says, without what differs from one run to the next.
type told struct {
	Type, Actor string
	Detail      map[string]string
}

func tellings(entries []chain.Entry) []told {
	var all []told
	for _, e := range entries {
		all = append(all, told{e.Event.Type, e.Event.Actor, e.Event.Detail})
	}
	return all
}

func types(entries []chain.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Event.Type)
	}
	return all
}
