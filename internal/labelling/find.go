package labelling

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/registry"
)

// Status is a request and how far it has been answered.
type Status struct {
	Request Request
	Given   int // rows that have their label, whichever request brought it
	Missing int // rows that still lack it
}

// List reads the requests of a model, or of all models when model is "": sorted by model, those created first before the
// others. None is no error.
func List(ctx context.Context, s artifact.Store, model string) ([]Status, error) {
	names, err := names(ctx, s, model)
	if err != nil {
		return nil, err
	}
	given := map[string]map[int64]Label{} // by the document of the answers
	var all []Status
	for _, n := range names {
		r, err := read(ctx, s, n.model, n.testSet, n.id)
		if err != nil {
			return nil, err
		}
		document := AnswersName(r.Model, r.TestSet)
		if _, known := given[document]; !known {
			if given[document], _, err = Answers(ctx, s, r.Model, r.TestSet); err != nil {
				return nil, err
			}
		}
		p := r.progress(given[document])
		all = append(all, Status{Request: r, Given: p.Given, Missing: p.Missing})
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(strings.Compare(a.Request.Model, b.Request.Model), a.Request.Created.Compare(b.Request.Created), strings.Compare(a.Request.ID, b.Request.ID))
	})
	return all, nil
}

// Find reads the request with an id, or with an id that begins so when there is one only, of a model or of all models when
// model is "". The error wraps artifact.ErrNotFound when there is none and says which there are.
func Find(ctx context.Context, s artifact.Store, model, id string) (Request, error) {
	if !isID(id) || len(id) > idLength {
		return Request{}, fmt.Errorf("request for labels %q: expected its id of %d hexadecimal digits, or how it begins", id, idLength)
	}
	names, err := names(ctx, s, model)
	if err != nil {
		return Request{}, err
	}
	var found []requestName
	for _, n := range names {
		if strings.HasPrefix(n.id, id) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return Request{}, fmt.Errorf("request for labels %q: %w; %s", id, artifact.ErrNotFound, thereAre(names, s))
	case 1:
		return read(ctx, s, found[0].model, found[0].testSet, found[0].id)
	}
	return Request{}, fmt.Errorf("request for labels %q: %d ids begin so; expected one: %s", id, len(found), thereAre(found, s))
}

func thereAre(names []requestName, s artifact.Store) string {
	if len(names) == 0 {
		return fmt.Sprintf("no labels were asked for in store %q", s)
	}
	const most = 10
	shown := make([]string, min(len(names), most))
	for i := range shown {
		shown[i] = fmt.Sprintf("%s (model %s)", names[i].id, names[i].model)
	}
	text := "there are " + strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// isID reports whether text may be an id or the beginning of one.
func isID(text string) bool { return text != "" && strings.Trim(text, "0123456789abcdef") == "" }

// requestName is the name of a request's document, in parts.
type requestName struct {
	model   string
	testSet artifact.Digest
	id      string
}

func names(ctx context.Context, s artifact.Store, model string) ([]requestName, error) {
	prefix := requestsFolder
	if model != "" {
		if err := registry.CheckName(model); err != nil {
			return nil, err
		}
		prefix += "/" + model
	}
	documents, err := s.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	all := make([]requestName, len(documents))
	for i, document := range documents {
		if all[i], err = parseName(document); err != nil {
			return nil, fmt.Errorf("requests for labels in store %q: %w", s, err)
		}
	}
	return all, nil
}

func parseName(document string) (requestName, error) {
	set := path.Dir(document)
	n := requestName{model: path.Base(path.Dir(set)), id: strings.TrimSuffix(path.Base(document), ".json")}
	var err error
	n.testSet, err = artifact.ParseDigest("sha256:" + path.Base(set))
	if err != nil || registry.CheckName(n.model) != nil || !isID(n.id) || len(n.id) != idLength || RequestName(n.model, n.testSet, n.id) != document {
		return requestName{}, fmt.Errorf("%q is not a request's name; expected names such as %s", document, RequestName("credit", artifact.Sum(nil), "0123456789abcdef"))
	}
	return n, nil
}
