package gateway

import (
	"context"
	"errors"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/registry"
)

// Opener gives the predictor of a model artifact. What it returns may implement io.Closer and Failer, see Source.Load.
type Opener func(ctx context.Context, ref artifact.Ref) (model.Predictor, error)

// Registry is the source that follows a store's registry. open reads the models; nil reads those that answer in
// process, with model.Load.
func Registry(store artifact.Store, open Opener) Source {
	if open == nil {
		open = func(ctx context.Context, ref artifact.Ref) (model.Predictor, error) {
			return model.Load(ctx, store, ref)
		}
	}
	return registrySource{store, open}
}

type registrySource struct {
	store artifact.Store
	open  Opener
}

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
	return r.open(ctx, m.ModelArtifact)
}
