package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// point places a key in [0, 100), uniformly over keys and independently between models: the first 53 bits of
// SHA-256(model, 0, key), which a float64 holds exactly, as a fraction of 2^53, times 100.
func point(model, key string) float64 {
	sum := keySum(model, key)
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53) * 100
}

// hashedKey is what the log keeps of a key: enough to tell keys apart, not to read them. The half of the sum that
// point does not use.
func hashedKey(model, key string) string {
	sum := keySum(model, key)
	return hex.EncodeToString(sum[16:])
}

func keySum(model, key string) [sha256.Size]byte {
	return sha256.Sum256([]byte(model + "\x00" + key))
}

// route chooses who answers a key, and who answers when that one fails (nil: nobody). A candidate that is still being
// loaded is passed over.
func (d *deployment) route(key string) (first, fallback *version) {
	switch {
	case d.champion == nil:
		return d.candidate, nil
	case d.candidate == nil || d.candidate.loading():
		return d.champion, nil
	case point(d.model, key) >= d.traffic:
		return d.champion, nil
	case d.champion.loading():
		return d.candidate, nil
	default:
		return d.candidate, d.champion
	}
}
