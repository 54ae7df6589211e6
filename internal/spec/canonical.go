package spec

import (
	"bytes"
	"encoding/json"

	"github.com/assay-ml/assay/internal/artifact"
)

// Canonical is the spec with its defaults as JSON, the same bytes for equal specs; ParseJSON reads it back. It panics on
// a number JSON cannot express (NaN, infinite), which no spec that was parsed holds.
func (s *Spec) Canonical() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // conditions and SQL are full of < and >; people read this
	if err := enc.Encode(s.WithDefaults()); err != nil {
		panic("canonical spec: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Digest is the SHA-256 of Canonical.
func (s *Spec) Digest() artifact.Digest { return artifact.Sum(s.Canonical()) }
