package chain

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/assay-ml/assay/internal/artifact"
)

// reference is a ref and where it was found, for people: "dossier > evaluation > reports.0".
type reference struct {
	artifact.Ref
	from string
}

// blobs verifies refs and everything they refer to. JSON artifacts are searched for further refs at any depth, so that
// nothing a manifest rests on is left unchecked; every blob is read once.
func (c *checker) blobs(ctx context.Context, refs ...reference) error {
	for queue := slices.Clone(refs); len(queue) > 0; queue = queue[1:] {
		found, err := c.blob(ctx, queue[0])
		if err != nil {
			return fmt.Errorf("%s: %w", queue[0].from, err)
		}
		queue = append(queue, found...)
	}
	return nil
}

func (c *checker) blob(ctx context.Context, ref reference) ([]reference, error) {
	if size, ok := c.seen[ref.Digest]; ok {
		if ref.Size >= 0 && ref.Size != size {
			return nil, fmt.Errorf("blob %s: expected %d bytes, found %d", ref.Digest, ref.Size, size)
		}
		return nil, nil
	}
	r, err := c.store.Open(ctx, ref.Ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	size, object, err := readObject(r)
	if err != nil {
		return nil, err
	}
	c.seen[ref.Digest] = size
	c.report.Blobs++
	c.report.Bytes += size
	refs, err := refsIn(object, ref.from+" > ")
	if err != nil {
		return nil, nil // starts like a JSON object and is something else; its bytes are right
	}
	return refs, nil
}

// readObject reads to the end and gives the size and, when the bytes begin like a JSON object, the bytes. Anything
// else, such as Parquet, may be large and is not kept.
func readObject(r io.Reader) (int64, []byte, error) {
	first := make([]byte, 1)
	n, err := io.ReadFull(r, first)
	if err == io.EOF {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	if first[0] != '{' {
		rest, err := io.Copy(io.Discard, r)
		return int64(n) + rest, nil, err
	}
	rest, err := io.ReadAll(r)
	object := append(first, rest...)
	return int64(len(object)), object, err
}

// refsIn finds the refs in a JSON object, in the order of field names.
func refsIn(object []byte, from string) ([]reference, error) {
	if len(object) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return appendRefs(nil, tree, from, ""), nil
}

func appendRefs(refs []reference, tree any, from, field string) []reference {
	switch node := tree.(type) {
	case map[string]any:
		if ref, ok := asRef(node); ok {
			refs = append(refs, reference{ref, from + field})
		}
		for _, key := range slices.Sorted(maps.Keys(node)) {
			refs = appendRefs(refs, node[key], from, join(field, key))
		}
	case []any:
		for i, element := range node {
			refs = appendRefs(refs, element, from, join(field, strconv.Itoa(i)))
		}
	}
	return refs
}

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

// asRef recognises an artifact.Ref by its three fields.
func asRef(node map[string]any) (artifact.Ref, bool) {
	text, _ := node["digest"].(string)
	number, _ := node["size"].(json.Number)
	mediaType, ok := node["media_type"].(string)
	digest, digestErr := artifact.ParseDigest(text)
	size, sizeErr := number.Int64()
	if !ok || digestErr != nil || sizeErr != nil || size < 0 {
		return artifact.Ref{}, false
	}
	return artifact.Ref{Digest: digest, Size: size, MediaType: mediaType}, true
}
