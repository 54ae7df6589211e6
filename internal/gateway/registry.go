package gateway

import (
	"context"
	"errors"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/registry"
)

// Registry is the source that follows a store's registry.
func Registry(store artifact.Store) Source { return registrySource{store} }

type registrySource struct{ store artifact.Store }

func (r registrySource) Models(ctx context.Context) ([]string, error) {
	return registry.Models(ctx, r.store)
}

func (r registrySource) Serving(ctx context.Context, name string) (Serving, error) {
	s, err := registry.GetServing(ctx, r.store, name)
	if errors.Is(err, artifact.ErrNotFound) {
		return Serving{}, nil
	}
	return Serving(s), err
}

func (r registrySource) Load(ctx context.Context, name string, version int) (model.Predictor, error) {
	m, _, err := registry.Get(ctx, r.store, name, version)
	if err != nil {
		return nil, err
	}
	return model.Load(ctx, r.store, m.ModelArtifact)
}
