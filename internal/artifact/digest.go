package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest is the SHA-256 of some bytes. Its zero value is "no digest"; any other value is well formed.
type Digest struct{ hex string }

const digestPrefix = "sha256:"

// ParseDigest reads "sha256:" followed by 64 lower-case hexadecimal digits.
func ParseDigest(s string) (Digest, error) {
	h, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(h) != 2*sha256.Size || strings.ToLower(h) != h {
		return Digest{}, fmt.Errorf("digest %q: expected sha256: followed by 64 lower-case hexadecimal digits", s)
	}
	if _, err := hex.DecodeString(h); err != nil {
		return Digest{}, fmt.Errorf("digest %q: expected sha256: followed by 64 lower-case hexadecimal digits", s)
	}
	return Digest{hex: h}, nil
}

// Sum is the digest of b.
func Sum(b []byte) Digest { return digestOf(sha256.Sum256(b)) }

func digestOf(sum [sha256.Size]byte) Digest { return Digest{hex: hex.EncodeToString(sum[:])} }

// String is the form ParseDigest reads, or "" for the zero value.
func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return digestPrefix + d.hex
}

// Hex is the 64 hexadecimal digits alone, for file names.
func (d Digest) Hex() string { return d.hex }

// Short is the first 12 hexadecimal digits, for people.
func (d Digest) Short() string {
	if len(d.hex) < 12 {
		return d.hex
	}
	return d.hex[:12]
}

// IsZero reports whether d is no digest at all.
func (d Digest) IsZero() bool { return d.hex == "" }

// MarshalText writes the String form, so that JSON shows "sha256:...".
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the String form; empty text gives the zero value.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	p, err := ParseDigest(string(b))
	if err != nil {
		return err
	}
	*d = p
	return nil
}
