// Package registry numbers the accepted versions of each model and says which of them serves.
//
// A version is an immutable manifest, models/<model>/versions/000001.json. Two small documents beside it change, by
// compare-and-swap only: champion.json names the version that serves, candidate.json the version being rolled
// out and its share of the traffic.
package registry

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
)

const modelsFolder = "models"

// maxNameLength keeps a model's name usable as a DNS label, which serving platforms make of it (RFC 1123, section 2.1).
const maxNameLength = 63

// CheckName reports why name cannot name a model, or nil.
func CheckName(name string) error {
	if name == "" || len(name) > maxNameLength || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("model name %q: expected 1 to %d lower-case letters, digits and hyphens, such as adult-income", name, maxNameLength)
	}
	return nil
}

// VersionName is the document of a version's manifest.
func VersionName(model string, version int) string {
	return fmt.Sprintf("%s/%06d.json", versionsFolder(model), version)
}

func versionsFolder(model string) string { return modelsFolder + "/" + model + "/versions" }

// Register writes m under the next free version number, which it sets, and returns the manifest and its digest. A
// lifecycle registers once: when a manifest with the same Lifecycle stands, that one is returned and nothing
// is written, also when two attempts race; when that one rests on another dossier, which only a lifecycle that was reset
// can bring about, it is an error. Model and Version 0, Lifecycle, and decisions taken on m.Dossier are
// required of m.
func Register(ctx context.Context, s artifact.Store, m Manifest) (Manifest, artifact.Digest, error) {
	if err := m.check(); err != nil {
		return Manifest{}, artifact.Digest{}, fmt.Errorf("register a version of model %q: %w", m.Model, err)
	}
	for {
		standing, digest, last, err := findLifecycle(ctx, s, m.Model, m.Lifecycle)
		if err != nil {
			return Manifest{}, artifact.Digest{}, err
		}
		if standing.Version > 0 && standing.Dossier.Digest != m.Dossier.Digest {
			return Manifest{}, artifact.Digest{}, fmt.Errorf("register a version of model %q: %s has registered version %d on the dossier %s, and now asks with %s; start a new lifecycle for other evidence",
				m.Model, m.Lifecycle, standing.Version, standing.Dossier.Digest, m.Dossier.Digest)
		}
		if standing.Version > 0 {
			return standing, digest, nil
		}
		m.Version = last + 1
		doc, err := artifact.EncodeJSON(m)
		if err != nil {
			return Manifest{}, artifact.Digest{}, fmt.Errorf("register a version of model %q: %w", m.Model, err)
		}
		_, err = s.PutIfAbsent(ctx, VersionName(m.Model, m.Version), doc)
		if err == nil {
			return read(ctx, s, m.Model, m.Version)
		}
		if !errors.Is(err, artifact.ErrExists) {
			return Manifest{}, artifact.Digest{}, fmt.Errorf("register version %d of model %q: %w", m.Version, m.Model, err)
		}
	}
}

// findLifecycle gives the manifest a lifecycle registered, or version 0, and the last version there is.
func findLifecycle(ctx context.Context, s artifact.Store, model, lifecycle string) (m Manifest, d artifact.Digest, last int, err error) {
	numbers, err := numbers(ctx, s, model)
	if err != nil {
		return Manifest{}, artifact.Digest{}, 0, err
	}
	for _, n := range numbers {
		m, d, err := read(ctx, s, model, n)
		if err != nil || m.Lifecycle == lifecycle {
			return m, d, n, err
		}
	}
	return Manifest{}, artifact.Digest{}, len(numbers), nil
}

// Get reads the manifest of a version and its digest. The error of a version that does not exist wraps
// artifact.ErrNotFound and says which versions, or which models, there are.
func Get(ctx context.Context, s artifact.Store, model string, version int) (Manifest, artifact.Digest, error) {
	if err := CheckName(model); err != nil {
		return Manifest{}, artifact.Digest{}, err
	}
	m, d, err := read(ctx, s, model, version)
	if errors.Is(err, artifact.ErrNotFound) {
		return Manifest{}, artifact.Digest{}, notFound(ctx, s, model, version)
	}
	return m, d, err
}

func read(ctx context.Context, s artifact.Store, model string, version int) (Manifest, artifact.Digest, error) {
	name := VersionName(model, version)
	doc, _, err := s.Get(ctx, name)
	if err != nil {
		return Manifest{}, artifact.Digest{}, err
	}
	m, err := decode(doc)
	if err != nil {
		return Manifest{}, artifact.Digest{}, fmt.Errorf("manifest %q in store %q: %w", name, s, err)
	}
	if m.Model != model || m.Version != version {
		return Manifest{}, artifact.Digest{}, fmt.Errorf("manifest %q in store %q: expected model %q version %d, found %q version %d", name, s, model, version, m.Model, m.Version)
	}
	return m, artifact.Sum(doc), nil
}

// Versions reads all manifests of a model, the oldest first; a model without any gives artifact.ErrNotFound.
func Versions(ctx context.Context, s artifact.Store, model string) ([]Manifest, error) {
	if err := CheckName(model); err != nil {
		return nil, err
	}
	numbers, err := numbers(ctx, s, model)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, notFound(ctx, s, model, 0)
	}
	manifests := make([]Manifest, len(numbers))
	for i, n := range numbers {
		if manifests[i], _, err = read(ctx, s, model, n); err != nil {
			return nil, err
		}
	}
	return manifests, nil
}

// numbers lists a model's versions and reports anything else in their folder, and gaps.
func numbers(ctx context.Context, s artifact.Store, model string) ([]int, error) {
	names, err := s.List(ctx, versionsFolder(model))
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, name := range names {
		n, err := strconv.Atoi(strings.TrimSuffix(path.Base(name), ".json"))
		if err != nil || n < 1 || name != VersionName(model, n) {
			return nil, fmt.Errorf("versions of model %q in store %q: %q is not a manifest's name; expected names such as %s", model, s, name, VersionName(model, 1))
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != i+1 {
			return nil, fmt.Errorf("versions of model %q in store %q: %q is missing, but version %d is there", model, s, VersionName(model, i+1), n)
		}
	}
	return numbers, nil
}

// Models lists the models with at least one version, sorted.
func Models(ctx context.Context, s artifact.Store) ([]string, error) {
	folders, err := s.Folders(ctx, modelsFolder)
	if err != nil {
		return nil, err
	}
	var models []string
	for _, model := range folders {
		if CheckName(model) != nil {
			continue
		}
		_, _, err := s.Get(ctx, VersionName(model, 1))
		if errors.Is(err, artifact.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		models = append(models, model)
	}
	return models, nil
}

// notFound says that a version (0: any) of a model does not exist, and what does.
func notFound(ctx context.Context, s artifact.Store, model string, version int) error {
	versions, err := numbers(ctx, s, model)
	if err != nil {
		return err
	}
	if len(versions) > 0 {
		return fmt.Errorf("model %q, version %d: %w; it has versions 1 to %d", model, version, artifact.ErrNotFound, len(versions))
	}
	models, err := Models(ctx, s)
	if err != nil {
		return err
	}
	if len(models) == 0 {
		return fmt.Errorf("model %q: %w; store %q has no registered model yet", model, artifact.ErrNotFound, s)
	}
	return fmt.Errorf("model %q: %w; models in store %q: %s", model, artifact.ErrNotFound, s, strings.Join(models, ", "))
}
